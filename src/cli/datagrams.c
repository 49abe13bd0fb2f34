/* SPDX-License-Identifier: MIT
 *
 * datagrams.c - myriad connect by datagrams: a line is one, and each that comes is shown as a line.
 *
 * Datagrams may be lost, and no end of stream says that all has come.  So answers are counted: after the end
 * of input it is over when there are as many as were asked for, or when none has come for a while.  And a long
 * input goes out no faster than answers come, or most of it would be lost in the server's full socket. */
#include "cli/datagrams.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cli/out.h"
#include "cli/say.h"
#include "cli/text.h"
#include "cli/target.h"
#include "cli/typed.h"
#include "cli/value.h"

#define WAIT_MS 1000                    /* for an answer, without --timeout */
#define AHEAD   64                      /* sent from a pipe or a file and not answered yet */

struct datagrams {
	const struct talk *talk;
	struct myr_loop *loop;
	struct myr_conn *conn;          /* NULL once it is over */
	struct typed typed;
	struct out out;
	char name[400];                 /* "udp:127.0.0.1:50007" */
	unsigned long long sent, got;
	unsigned awaited;               /* of those sent: neither answered nor given up */
	bool open, input_over;
	bool failed;                    /* not all of the input was sent, and that has been said */
	bool done;                      /* we have ended it */
	int  why;
};

bool datagrams_meant(const char *endpoint)
{
	return strncmp(endpoint, "udp:", 4) == 0 || strncmp(endpoint, "unixgram:", 9) == 0;
}

/* --- Waiting for answers --------------------------------------------------------------------------- */

static int datagrams_wait_ms(const struct datagrams *d)
{
	return d->talk->ms < 0 ? WAIT_MS : d->talk->ms;
}

static void datagrams_end(struct datagrams *d)
{
	d->done = true;
	myr_close(d->conn);
}

/* None for so long: what is awaited is lost, or nobody answers here. */
static void datagrams_give_up(struct myr_loop *l, void *arg)
{
	struct datagrams *d = arg;

	(void)l;
	d->awaited = 0;
	if (d->input_over)
		datagrams_end(d);
	else
		typed_resume(&d->typed);
}

/* After each event: is it over, and is there a time for the next one?  While there is input, --timeout is the
 * loop's affair. */
static void datagrams_settle(struct datagrams *d)
{
	if (!d->conn || d->done)
		return;
	if (d->input_over && d->got >= d->sent)
		datagrams_end(d);
	else if (d->input_over || (d->typed.paused && d->talk->ms < 0))
		myr_after(d->loop, datagrams_wait_ms(d), datagrams_give_up, d);
	else
		myr_after(d->loop, MYR_NONE, datagrams_give_up, d);
}

/* --- From standard input ------------------------------------------------------------------------------ */

static void datagrams_input_over(struct datagrams *d)
{
	d->input_over = true;
	d->failed = d->failed || d->typed.failed;
}

static void datagrams_too_long(struct datagrams *d, size_t n)
{
	say_error(TALK, "line %llu of the input is too long for a datagram: %zu bytes", d->sent + 1, n);
	d->failed = true;
	typed_close(&d->typed);
	datagrams_input_over(d);
}

static void datagrams_send(struct datagrams *d, const char *text, size_t n)
{
	char whole[TYPED_MAX + 2];
	size_t end = strlen(d->talk->eol);
	ssize_t err = -EMSGSIZE;

	if (n + end <= sizeof whole) {
		memcpy(whole, text, n);
		memcpy(whole + n, d->talk->eol, end);
		err = myr_write(d->conn, whole, n + end);
	}
	if (err == -EMSGSIZE)
		datagrams_too_long(d, n + end);
	if (err < 0)
		return;                 /* any other error sticks: datagrams_close() has it */
	d->sent++;
	if (++d->awaited >= AHEAD || myr_full(d->conn))
		typed_pause(&d->typed);
}

static void datagrams_line(void *arg, char *text, size_t n)
{
	struct datagrams *d = arg;

	if (!text)
		datagrams_input_over(d);
	else if (d->conn)
		datagrams_send(d, text, n);
	datagrams_settle(d);
}

/* --- To standard output ------------------------------------------------------------------------------- */

/* Above the line that is being edited: all of it at once. */
static void datagrams_show_above(struct datagrams *d, const void *bytes, size_t n)
{
	char *text = malloc(4 * (n + 4) + 16 + 2);
	size_t made;

	if (!text) {
		say_error(TALK, "out of memory: an answer of %zu bytes is not shown", n);
		return;
	}
	made = text_show(&d->out.shown, text, bytes, n);
	made += text_show_end(&d->out.shown, text + made);
	if (made == 0 || text[made - 1] != '\n')
		text[made++] = '\n';
	text[made] = '\0';
	typed_print(&d->typed, text);
	free(text);
}

static void datagrams_show(struct datagrams *d, const void *bytes, size_t n)
{
	out_bytes(&d->out, bytes, n);
	out_end(&d->out);
	if (d->out.line || n == 0)
		out_text(&d->out, "\n");
}

static size_t datagrams_hear(struct myr_conn *c, const void *bytes, size_t n)
{
	struct datagrams *d = myr_arg(c);

	d->got++;
	if (d->awaited > 0)
		d->awaited--;
	if (d->typed.edits)
		datagrams_show_above(d, bytes, n);
	else
		datagrams_show(d, bytes, n);
	if (d->out.err != 0) {
		myr_abort(c);
		return n;
	}
	if (d->awaited < AHEAD && !myr_full(c))
		typed_resume(&d->typed);
	datagrams_settle(d);
	return n;
}

/* --- The connection ------------------------------------------------------------------------------------- */

static void datagrams_open(struct myr_conn *c)
{
	struct datagrams *d = myr_arg(c);
	int err;

	d->open = true;
	if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && say_level >= LOG_NOTICE)
		fprintf(stderr, "connected to %s; Ctrl-D ends\n", d->name);
	err = typed_open(&d->typed);
	if (err < 0) {
		say_error(TALK, "cannot wait for standard input: %s", myr_strerror(err));
		d->failed = true;
		datagrams_input_over(d);
		datagrams_settle(d);
	}
}

static void datagrams_room(struct myr_conn *c)
{
	struct datagrams *d = myr_arg(c);

	if (d->awaited < AHEAD)
		typed_resume(&d->typed);
	datagrams_settle(d);
}

static void datagrams_close(struct myr_conn *c, int why)
{
	struct datagrams *d = myr_arg(c);

	(void)c;
	d->conn = NULL;
	d->why = why;
	typed_close(&d->typed);
	myr_after(d->loop, MYR_NONE, datagrams_give_up, d);
}

static const struct myr_service datagrams_service = {
	.name = "connect", .on_open = datagrams_open, .on_data = datagrams_hear, .on_room = datagrams_room,
	.on_close = datagrams_close,
};

/* --- The end -------------------------------------------------------------------------------------------- */

static int datagrams_lost(const struct datagrams *d)
{
	if (!d->open || (d->got == 0 && d->why == -ECONNREFUSED))
		target_blame(TALK, d->name, d->why);
	else
		say_error(TALK, "connection to %s lost: %s", d->name, myr_strerror(d->why));
	return EXIT_FAILED;
}

static int datagrams_missing(const struct datagrams *d)
{
	char time[VALUE_TEXT], missing[TEXT_NUMBER], sent[TEXT_NUMBER];

	value_put_duration(time, sizeof time, datagrams_wait_ms(d));
	if (d->sent == 1)
		say_error(TALK, "%s has not answered within %s", d->name, time);
	else
		say_error(TALK, "%s has not answered %s of %s datagrams; waited %s for more", d->name,
		          text_number(missing, d->sent - d->got), text_number(sent, d->sent), time);
	return d->got > 0 ? EXIT_PARTLY : EXIT_FAILED;
}

static int datagrams_result(const struct datagrams *d)
{
	int status = EXIT_DONE;

	if (typed_interrupted)
		return EXIT_INTERRUPTED;
	if (d->out.err != 0)
		return out_status(&d->out);
	/* The loop's clock and ours for the last answers may strike together: either is our end. */
	if (!d->done && !(d->input_over && d->why == -ETIMEDOUT))
		return datagrams_lost(d);
	if (d->got < d->sent)
		status = datagrams_missing(d);
	return d->failed ? EXIT_FAILED : status;
}

int datagrams_run(const struct talk *t)
{
	/* As in connect.c; what the other side does not take waits no longer than we for its answers. */
	const struct myr_config config = {
		.engine = "poll", .log = say_log, .idle_ms = t->ms, .close_ms = t->ms < 0 ? WAIT_MS : t->ms,
	};
	struct datagrams d = { .talk = t };
	int err = myr_loop_new(&d.loop, &config), status;

	if (err < 0) {
		say_error(TALK, "%s", myr_reason());
		return EXIT_FAILED;
	}
	d.typed = (struct typed){ .command = TALK, .loop = d.loop, .line = datagrams_line, .arg = &d,
	                          .edits = typed_can_edit() };
	out_open(&d.out, TALK);
	err = myr_connect(&d.conn, d.loop, &datagrams_service, t->endpoint, &d);
	if (err < 0) {
		say_error(TALK, "%s", myr_reason());
		status = err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	} else {
		target_name(d.name, sizeof d.name, d.conn, t->endpoint);
		myr_loop_run(d.loop);
		typed_free(&d.typed);
		status = datagrams_result(&d);
	}
	myr_loop_free(d.loop);
	return status;
}
