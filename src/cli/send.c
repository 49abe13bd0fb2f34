/* SPDX-License-Identifier: MIT
 *
 * send.c - myriad send: a payload goes out behind its length ("5 hello"), and comes back.
 *
 * Both directions stream: what the server does not take is not read, and nothing is kept but a piece.
 * The reply must be as long as the payload, and the server must end it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <myriad.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/say.h"
#include "cli/source.h"
#include "cli/target.h"

#define COMMAND "myriad send"
#define PIECE   65536

enum { D_MESSAGE, D_LENGTH, D_OUTPUT, D_CHECK, D_TIMEOUT, D_COUNT };

static const struct opt table[D_COUNT] = {
	[D_MESSAGE] = { .name = "message", .here_only = true, .letter = 'm', .kind = OPT_TEXT, .arg = "TEXT",
		.about = "the payload, instead of a file" },
	[D_LENGTH] = { .name = "length", .kind = OPT_SIZE, .arg = "N", .max = 1LL << 62,
		.about = "bytes to send; a pipe whose length is given is not copied to a file first" },
	[D_OUTPUT] = { .name = "output", .letter = 'o', .kind = OPT_TEXT, .arg = "FILE",
		.about = "the reply goes there, not to standard output" },
	[D_CHECK] = { .name = "check", .here_only = true, .kind = OPT_SWITCH,
		.about = "compare the reply with what was sent, and say so, instead of writing it" },
	[D_TIMEOUT] = { .name = "timeout", .kind = OPT_DURATION, .arg = "TIME", .word = "none", .min = 1, .max = 604800000,
		.standard = "30s", .about = "give up after so long without a connection, or a byte either way" },
};

static const struct command command = {
	.name = COMMAND, .arguments = "ENDPOINT [FILE|-]",
	.about = "Sends a payload behind its length, \"5 hello\", and writes the payload that comes back",
	.examples = { "myriad send 50007 picture.png --check", "printf hello | myriad send 50007" },
	.opts = table, .opts_n = D_COUNT,
	.more = "The server is one that echoes the payload and then ends the connection: myriad serve count\n",
};

struct transfer {
	const char *endpoint;
	struct myr_loop *loop;
	struct myr_conn *conn;          /* NULL once it is over */
	struct source source;
	uint64_t sent, got;             /* of the payload */
	struct out out;
	int  file;                      /* --output; -1: none */
	const char *file_name;
	bool check, open;
	bool failed;                    /* and it has been said */
	int  why;
	char name[400];
};

/* --- Out ---------------------------------------------------------------------------------------- */

static void transfer_fail(struct transfer *t)
{
	t->failed = true;
	if (t->conn)
		myr_abort(t->conn);
}

static bool transfer_send_piece(struct transfer *t)
{
	char piece[PIECE];
	ssize_t n = source_read(&t->source, piece, sizeof piece, t->sent);

	if (n < 0) {
		say_error(COMMAND, "cannot read %s: %s", t->source.name, myr_strerror((int)n));
		transfer_fail(t);
	} else if (n == 0) {
		say_error(COMMAND, "%s ended after %" PRIu64 " of %" PRIu64 " bytes", t->source.name, t->sent,
		          t->source.length);
		transfer_fail(t);
	} else {
		t->sent += (uint64_t)n;
		myr_write(t->conn, piece, (size_t)n);
	}
	return n > 0;
}

static void transfer_readable(struct myr_loop *l, int fd, unsigned events, void *arg)
{
	struct transfer *t = arg;

	(void)events;
	if (!t->conn || !transfer_send_piece(t) || t->sent == t->source.length || myr_full(t->conn))
		myr_watch(l, fd, 0, NULL, NULL);        /* until on_room, or for good */
}

/* More of it, until the connection has enough for now. */
static void transfer_pump(struct myr_conn *c)
{
	struct transfer *t = myr_arg(c);
	int err;

	if (!t->source.seekable && t->sent < t->source.length) {
		err = myr_watch(t->loop, t->source.fd, MYR_READ, transfer_readable, t);
		if (err < 0) {
			say_error(COMMAND, "cannot wait for %s: %s", t->source.name, myr_strerror(err));
			transfer_fail(t);
		}
		return;
	}
	while (t->sent < t->source.length && !myr_full(c) && transfer_send_piece(t))
		;
}

static void transfer_open(struct myr_conn *c)
{
	struct transfer *t = myr_arg(c);

	t->open = true;
	myr_printf(c, "%" PRIu64 " ", t->source.length);
	transfer_pump(c);
}

/* --- Back --------------------------------------------------------------------------------------- */

static bool transfer_same(struct transfer *t, const char *p, size_t n)
{
	char piece[PIECE];

	for (size_t done = 0; done < n; ) {
		size_t most = n - done < sizeof piece ? n - done : sizeof piece;
		ssize_t had = source_read(&t->source, piece, most, t->got + done);

		if (had <= 0) {
			say_error(COMMAND, "cannot read %s again: %s", t->source.name,
			          had < 0 ? myr_strerror((int)had) : "it has become shorter");
			return false;
		}
		for (ssize_t i = 0; i < had; i++)
			if (piece[i] != p[done + (size_t)i]) {
				say_error(COMMAND, "the reply differs from %s at byte %" PRIu64, t->source.name,
				          t->got + done + (uint64_t)i);
				return false;
			}
		done += (size_t)had;
	}
	return true;
}

static bool transfer_keep(struct transfer *t, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t put = write(t->file, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0) {
			say_error(COMMAND, "cannot write %s: %s", t->file_name, myr_strerror(-errno));
			return false;
		}
		p += put;
		n -= (size_t)put;
	}
	return true;
}

static size_t transfer_hear(struct myr_conn *c, const void *p, size_t n)
{
	struct transfer *t = myr_arg(c);

	(void)c;
	if (t->failed)
		return n;
	if (n > t->source.length - t->got) {
		say_error(COMMAND, "%s sends more than the %" PRIu64 " bytes it was sent", t->name, t->source.length);
		transfer_fail(t);
		return n;
	}
	if (!(t->check ? transfer_same(t, p, n) : t->file >= 0 ? transfer_keep(t, p, n) : out_bytes(&t->out, p, n)))
		transfer_fail(t);
	t->got += n;
	return n;
}

static void transfer_close(struct myr_conn *c, int why)
{
	struct transfer *t = myr_arg(c);

	(void)c;
	t->conn = NULL;
	t->why = why;
	if (!t->source.seekable)
		myr_watch(t->loop, t->source.fd, 0, NULL, NULL);
}

static const struct myr_service transfer_service = {
	.name = "send", .on_open = transfer_open, .on_data = transfer_hear, .on_room = transfer_pump,
	.on_close = transfer_close,
};

/* --- The result ----------------------------------------------------------------------------------- */

static int transfer_short(const struct transfer *t)
{
	const uint64_t length = t->source.length;

	if (t->got == length && t->why == -ETIMEDOUT) {
		say_error(COMMAND, "all %" PRIu64 " bytes came back, but %s does not end the connection", length, t->name);
		say_try("a server that closes when it has echoed the payload: myriad serve count");
	} else if (t->why == MYR_EOF || t->why == 0) {
		say_error(COMMAND, "the reply of %s ended after %" PRIu64 " of %" PRIu64 " bytes", t->name, t->got, length);
	} else {
		say_error(COMMAND, "connection to %s lost: %s; %" PRIu64 " of %" PRIu64 " bytes came back", t->name,
		          myr_strerror(t->why), t->got, length);
	}
	return EXIT_FAILED;
}

static int transfer_result(struct transfer *t)
{
	if (t->failed)
		return t->out.err == -EPIPE ? EXIT_DONE : EXIT_FAILED;
	if (!t->open) {
		target_blame(COMMAND, t->name, t->why);
		return EXIT_FAILED;
	}
	if ((t->why != MYR_EOF && t->why != 0) || t->got < t->source.length || t->sent < t->source.length)
		return transfer_short(t);
	if (t->check)
		printf("ok, %" PRIu64 " bytes\n", t->source.length);
	out_end(&t->out);
	return out_status(&t->out);
}

static int transfer_run(struct transfer *t, long long ms)
{
	/* poll: unlike epoll it takes whatever standard input is. */
	const struct myr_config config = { .engine = "poll", .log = say_log, .open_ms = (int)ms, .idle_ms = (int)ms };
	int err = myr_loop_new(&t->loop, &config), status;

	if (err < 0) {
		say_error(COMMAND, "%s", myr_reason());
		return EXIT_FAILED;
	}
	err = myr_connect(&t->conn, t->loop, &transfer_service, t->endpoint, t);
	if (err < 0) {
		say_error(COMMAND, "%s", myr_reason());
		status = err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	} else {
		target_name(t->name, sizeof t->name, t->conn, t->endpoint);
		myr_loop_run(t->loop);
		status = transfer_result(t);
	}
	myr_loop_free(t->loop);
	return status;
}

static int send_open_output(struct transfer *t, const char *path)
{
	if (!path)
		return EXIT_DONE;
	t->file_name = path;
	t->file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (t->file >= 0)
		return EXIT_DONE;
	say_error(COMMAND, "cannot write %s: %s", path, myr_strerror(-errno));
	return EXIT_FAILED;
}

static int send_close_output(struct transfer *t, int status)
{
	if (t->file < 0 || close(t->file) == 0)
		return status;
	say_error(COMMAND, "cannot write %s: %s", t->file_name, myr_strerror(-errno));
	return EXIT_FAILED;
}

static int send_usage(const struct opt_value *v, char **args, int args_n)
{
	if (args_n == 0)
		say_error(COMMAND, "send to what?");
	else if (args_n > 2)
		say_error(COMMAND, "\"%s\" is not expected after \"%s\"", args[2], args[1]);
	else if (args_n == 2 && v[D_MESSAGE].text)
		say_error(COMMAND, "a file and -m: which of the two?");
	else if (v[D_MESSAGE].text && v[D_LENGTH].text)
		say_error(COMMAND, "the length of -m is known: --length has no meaning with it");
	else if (v[D_CHECK].n && v[D_OUTPUT].text)
		say_error(COMMAND, "--check writes no reply: --output has no meaning with it");
	else
		return OPTS_GO_ON;
	if (args_n != 1)
		say_try(COMMAND " 50007 FILE");
	return EXIT_USAGE;
}

static int send_payload(const struct opt_value *v, char **args, int args_n)
{
	struct transfer t = { .endpoint = args[0], .file = -1, .check = v[D_CHECK].n };
	const long long length = v[D_LENGTH].text ? v[D_LENGTH].n : SOURCE_LENGTH_UNKNOWN;
	int status = EXIT_FAILED;

	out_open(&t.out, COMMAND);
	if (v[D_MESSAGE].text)
		source_text(&t.source, v[D_MESSAGE].text);
	if (v[D_MESSAGE].text || source_open(&t.source, COMMAND, args_n > 1 ? args[1] : NULL, length, t.check) == 0) {
		status = send_open_output(&t, v[D_OUTPUT].text);
		if (status == EXIT_DONE)
			status = send_close_output(&t, transfer_run(&t, v[D_TIMEOUT].n));
	}
	source_close(&t.source);
	return status;
}

int send_main(int argc, char **argv)
{
	struct opt_value values[D_COUNT];
	int args, status = opts_parse(&command, values, argc, argv, &args);

	if (status == OPTS_GO_ON)
		status = send_usage(values, argv + 1, args);
	if (status == OPTS_GO_ON)
		status = send_payload(values, argv + 1, args);
	opts_free(&command, values);
	return status;
}
