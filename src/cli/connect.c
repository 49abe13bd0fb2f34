/* SPDX-License-Identifier: MIT
 *
 * connect.c - myriad connect: what is typed is sent, what comes back is shown.
 *
 * One loop, one connection, standard input.  Input is read only while the connection takes it, so
 * neither side can fill our memory.  The end of input ends our half; then it reads to the end. */
#include <errno.h>
#include <myriad.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/opts.h"
#include "cli/say.h"
#include "cli/text.h"

#define COMMAND "myriad connect"
#define PIECE   16384

enum { C_EOL, C_TIMEOUT, C_QUIET, C_COUNT };
enum { EOL_LF, EOL_CRLF, EOL_NONE };

static const struct opt table[C_COUNT] = {
	[C_EOL] = { .name = "eol", .kind = OPT_CHOICE, .arg = "END", .word = "lf crlf none", .standard = "lf",
		.about = "how a line of input ends when it is sent" },
	[C_TIMEOUT] = { .name = "timeout", .kind = OPT_DURATION, .arg = "TIME", .word = "none", .min = 1, .max = 604800000,
		.standard = "none", .about = "give up after so long without a connection, or a byte either way" },
	[C_QUIET] = { .name = "quiet", .letter = 'q', .kind = OPT_SWITCH, .about = "say only what is wrong" },
};

static const struct command command = {
	.name = COMMAND, .arguments = "ENDPOINT",
	.about = "Sends what is typed, shows what comes back; Ctrl-D ends",
	.examples = { "myriad connect 50007                      on this machine",
	              "printf 'hello\\n' | myriad connect unix:/run/echo.sock" },
	.opts = table, .opts_n = C_COUNT,
	.more = "To a terminal, bytes that could move the cursor are shown as \\xNN; a pipe gets all as it is.\n",
};

struct session {
	const char *endpoint;
	struct myr_loop *loop;
	struct myr_conn *conn;          /* NULL once it is over */
	int  eol;
	bool terminal;                  /* standard output is one */
	bool open, input_over, deaf;    /* deaf: nobody reads our output any more */
	bool after_cr;                  /* the last byte of input was '\r' */
	int  why;
	char name[300];                 /* "tcp:127.0.0.1:50007" */
	struct text_shown shown;
};

/* --- From standard input ------------------------------------------------------------------------ */

/* Returns how many bytes dst has got: at most twice n. */
static size_t session_end_lines(struct session *s, char *dst, const char *p, size_t n)
{
	size_t out = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n' && s->eol == EOL_CRLF && !s->after_cr)
			dst[out++] = '\r';
		if (p[i] != '\n' || s->eol != EOL_NONE)
			dst[out++] = p[i];
		s->after_cr = p[i] == '\r';
	}
	return out;
}

static void session_input_over(struct session *s)
{
	s->input_over = true;
	myr_watch(s->loop, STDIN_FILENO, 0, NULL, NULL);
	if (s->conn)
		myr_write_eof(s->conn);
}

static void session_typed(struct myr_loop *l, int fd, unsigned events, void *arg)
{
	struct session *s = arg;
	char piece[PIECE], lines[2 * PIECE];
	ssize_t n = read(fd, piece, sizeof piece);

	(void)events;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0)
		say_error(COMMAND, "cannot read standard input: %s", myr_strerror(-errno));
	if (n <= 0) {
		session_input_over(s);
		return;
	}
	myr_write(s->conn, lines, session_end_lines(s, lines, piece, (size_t)n));
	if (myr_full(s->conn))
		myr_watch(l, fd, 0, NULL, NULL);        /* until on_room */
}

static void session_listen(struct myr_conn *c)
{
	struct session *s = myr_arg(c);
	int err = s->input_over ? 0 : myr_watch(s->loop, STDIN_FILENO, MYR_READ, session_typed, s);

	if (err < 0) {
		say_error(COMMAND, "cannot wait for standard input: %s", myr_strerror(err));
		session_input_over(s);
	}
}

/* --- To standard output --------------------------------------------------------------------------- */

static bool session_put(struct session *s, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t put = write(STDOUT_FILENO, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0) {
			if (errno != EPIPE)     /* head(1) has seen enough: nothing is wrong */
				say_error(COMMAND, "cannot write: %s", myr_strerror(-errno));
			s->why = errno == EPIPE ? 0 : -errno;
			s->deaf = true;
			return false;
		}
		p += put;
		n -= (size_t)put;
	}
	return true;
}

static size_t session_hear(struct myr_conn *c, const void *bytes, size_t n)
{
	struct session *s = myr_arg(c);
	char text[4 * (1024 + 4)];
	const char *p = bytes;

	if (!s->terminal) {
		if (!session_put(s, p, n))
			myr_abort(c);
		return n;
	}
	for (size_t done = 0, piece; done < n; done += piece) {
		piece = n - done < 1024 ? n - done : 1024;
		if (!session_put(s, text, text_show(&s->shown, text, p + done, piece))) {
			myr_abort(c);
			break;
		}
	}
	return n;
}

/* --- The connection ------------------------------------------------------------------------------- */

static void session_name(struct session *s)
{
	const char *peer = myr_peer(s->conn);

	if (strcmp(peer, "unix") == 0)
		snprintf(s->name, sizeof s->name, "%s", s->endpoint);
	else
		snprintf(s->name, sizeof s->name, "tcp:%s", peer);
}

static void session_open(struct myr_conn *c)
{
	struct session *s = myr_arg(c);

	s->open = true;
	if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && say_level >= LOG_NOTICE)
		fprintf(stderr, "connected to %s; Ctrl-D ends\n", s->name);
	session_listen(c);
}

static void session_close(struct myr_conn *c, int why)
{
	struct session *s = myr_arg(c);

	(void)c;
	s->conn = NULL;
	if (!s->deaf)
		s->why = why;
	if (!s->input_over)
		myr_watch(s->loop, STDIN_FILENO, 0, NULL, NULL);
}

static const struct myr_service session_service = {
	.name = "connect", .on_open = session_open, .on_data = session_hear, .on_room = session_listen,
	.on_close = session_close,
};

static void session_no_connection(const struct session *s)
{
	static const char here[] = "tcp:127.0.0.1:";

	say_error(COMMAND, "cannot connect to %s: %s", s->name, myr_strerror(s->why));
	if (s->why == -ECONNREFUSED && strncmp(s->name, here, sizeof here - 1) == 0)
		say_try("a server there: myriad serve echo %s", s->name + sizeof here - 1);
}

static int session_result(struct session *s)
{
	char text[16];

	session_put(s, text, text_show_end(&s->shown, text));
	if (s->deaf)
		return s->why == 0 ? EXIT_DONE : EXIT_FAILED;
	if (s->why == 0 || s->why == MYR_EOF) {
		if (!s->input_over && isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && say_level >= LOG_NOTICE)
			fprintf(stderr, "%s has ended the connection\n", s->name);
		return EXIT_DONE;
	}
	if (s->open)
		say_error(COMMAND, "connection to %s lost: %s", s->name, myr_strerror(s->why));
	else
		session_no_connection(s);
	return EXIT_FAILED;
}

static int session_run(struct session *s, const struct opt_value *v)
{
	/* poll: enough for two descriptors, and unlike epoll it takes a file as standard input.
	 * Somebody who thinks before typing is not idle: only --timeout ends that. */
	const struct myr_config config = {
		.engine = "poll", .log = say_log, .idle_ms = (int)v[C_TIMEOUT].n,
		.open_ms = v[C_TIMEOUT].n == OPT_WORD ? 0 : (int)v[C_TIMEOUT].n,
	};
	int err = myr_loop_new(&s->loop, &config), status;

	if (err < 0) {
		say_error(COMMAND, "%s", myr_reason());
		return EXIT_FAILED;
	}
	err = myr_connect(&s->conn, s->loop, &session_service, s->endpoint, s);
	if (err < 0) {
		say_error(COMMAND, "%s", myr_reason());
		status = err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	} else {
		session_name(s);
		myr_loop_run(s->loop);
		status = session_result(s);
	}
	myr_loop_free(s->loop);
	return status;
}

static int connect_to(const struct opt_value *v, char **args, int args_n)
{
	struct session s = { .endpoint = args[0], .eol = (int)v[C_EOL].n, .terminal = isatty(STDOUT_FILENO) };

	if (args_n == 0)
		say_error(COMMAND, "connect to what?");
	else if (args_n > 1)
		say_error(COMMAND, "\"%s\" is not expected after \"%s\"", args[1], args[0]);
	if (args_n != 1) {
		say_try(COMMAND " 50007");
		return EXIT_USAGE;
	}
	if (v[C_QUIET].n)
		say_level = LOG_WARNING;
	return session_run(&s, v);
}

int connect_main(int argc, char **argv)
{
	struct opt_value values[C_COUNT];
	int args, status = opts_parse(&command, values, argc, argv, &args);

	if (status == OPTS_GO_ON)
		status = connect_to(values, argv + 1, args);
	opts_free(&command, values);
	return status;
}
