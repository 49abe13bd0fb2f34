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
#include "cli/datagrams.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/say.h"
#include "cli/talk.h"
#include "cli/target.h"
#include "cli/typed.h"

#define COMMAND "myriad connect"
#define PIECE   16384
#define PIECE_SHOWN 1024

enum { C_EOL, C_PER_MESSAGE, C_TIMEOUT, C_QUIET, C_SEED, C_COUNT };
enum { EOL_LF, EOL_CRLF, EOL_NONE };

static const char *const ends[] = { "\n", "\r\n", "" };

static const struct opt table[C_COUNT] = {
	[C_EOL] = { .name = "eol", .kind = OPT_CHOICE, .arg = "END", .word = "lf crlf none", .standard = "lf",
		.about = "how a line of input ends when it is sent (a datagram, if not given: none)" },
	[C_PER_MESSAGE] = { .name = "per-message", .kind = OPT_SWITCH,
		.about = "a connection for each line, until the server ends it" },
	[C_TIMEOUT] = { .name = "timeout", .kind = OPT_DURATION, .arg = "TIME", .word = "none", .min = 1, .max = 604800000,
		.standard = "none", .about = "give up after so long without a connection, or a byte either way" },
	[C_QUIET] = { .name = "quiet", .letter = 'q', .kind = OPT_SWITCH, .about = "say only what is wrong" },
	[C_SEED] = { .name = "seed-exact", .kind = OPT_MAYBE, .arg = "[=ID]", .word = "S0-P1",
		.about = "as the tutorial's program: S0-P1, S1-P1, S3-P2 or S3-P4" },
};

static const struct command command = {
	.name = COMMAND, .arguments = "ENDPOINT",
	.about = "Sends what is typed, shows what comes back; Ctrl-D ends",
	.examples = { "myriad connect 50007                      on this machine",
	              "printf 'hello\\n' | myriad connect unix:/run/echo.sock" },
	.opts = table, .opts_n = C_COUNT,
	.more = "To a terminal, bytes that could move the cursor are shown as \\xNN; a pipe gets all as it is.\n"
	        "To udp: and unixgram:, each line is a datagram, without its end unless --eol gives it one, and each\n"
	        "answer is shown as a line.  After the end of input it ends when as many answers have come as were\n"
	        "asked for, at the latest when none comes for a second (or --timeout): status 4 if some are missing,\n"
	        "1 if all are.\n"
	        "--seed-exact has prompts, prints and default addresses of the tutorials' clients; there an endpoint\n"
	        "may be left out, or be HOST, or HOST PORT.\n",
};

struct session {
	const char *endpoint;
	struct myr_loop *loop;
	struct myr_conn *conn;          /* NULL once it is over */
	int  eol;
	bool open, input_over;
	bool after_cr;                  /* the last byte of input was '\r' */
	int  why;
	char name[400];                 /* "tcp:127.0.0.1:50007" */
	struct out out;
	struct typed typed;             /* at a terminal, if lines can be edited */
	bool edits;
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

/* --- Lines typed into an editor ------------------------------------------------------------------ */

static void session_line(void *arg, char *text, size_t n)
{
	struct session *s = arg;

	typed_prompt(&s->typed, "");
	if (!text) {
		session_input_over(s);
	} else if (s->conn) {
		myr_write(s->conn, text, n);
		myr_write(s->conn, ends[s->eol], strlen(ends[s->eol]));
	}
}

/* Whole lines go above the one being typed; what is left of the last, "login: ", becomes its prompt. */
static void session_show(struct session *s, char *text, size_t n)
{
	char line[sizeof s->typed.prompt + 4 * (PIECE_SHOWN + 4) + 2];
	char *tail;

	snprintf(line, sizeof line, "%s%.*s", s->typed.prompt, (int)n, text);
	tail = strrchr(line, '\n');
	tail = tail ? tail + 1 : line;
	if (strlen(tail) >= sizeof s->typed.prompt) {
		strcat(tail, "\n");
		tail = strchr(tail, '\0');
	}
	typed_prompt(&s->typed, tail);
	*tail = '\0';
	typed_print(&s->typed, line);
}

/* --- To standard output --------------------------------------------------------------------------- */

static size_t session_hear(struct myr_conn *c, const void *bytes, size_t n)
{
	struct session *s = myr_arg(c);
	char text[4 * (PIECE_SHOWN + 4)];
	const char *p = bytes;

	if (!s->typed.open) {
		if (!out_bytes(&s->out, p, n))
			myr_abort(c);
		return n;
	}
	for (size_t done = 0, piece; done < n; done += piece) {
		piece = n - done < PIECE_SHOWN ? n - done : PIECE_SHOWN;
		session_show(s, text, text_show(&s->out.shown, text, p + done, piece));
	}
	return n;
}

/* --- The connection ------------------------------------------------------------------------------- */

static void session_edit(struct session *s)
{
	int err;

	s->typed = (struct typed){ .command = COMMAND, .loop = s->loop, .line = session_line, .arg = s };
	err = typed_open(&s->typed);
	if (err < 0) {
		say_error(COMMAND, "cannot wait for standard input: %s", myr_strerror(err));
		session_input_over(s);
	}
}

static void session_open(struct myr_conn *c)
{
	struct session *s = myr_arg(c);

	s->open = true;
	if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && say_level >= LOG_NOTICE)
		fprintf(stderr, "connected to %s; Ctrl-D ends\n", s->name);
	if (s->edits)
		session_edit(s);
	else
		session_listen(c);
}

static void session_close(struct myr_conn *c, int why)
{
	struct session *s = myr_arg(c);

	(void)c;
	s->conn = NULL;
	s->why = why;
	if (s->edits)
		typed_close(&s->typed);
	else if (!s->input_over)
		myr_watch(s->loop, STDIN_FILENO, 0, NULL, NULL);
}

static void session_room(struct myr_conn *c)
{
	struct session *s = myr_arg(c);

	if (!s->edits)
		session_listen(c);
}

static const struct myr_service session_service = {
	.name = "connect", .on_open = session_open, .on_data = session_hear, .on_room = session_room,
	.on_close = session_close,
};

static int session_result(struct session *s)
{
	if (typed_interrupted)
		return EXIT_INTERRUPTED;
	out_end(&s->out);
	if (*s->typed.prompt)
		out_text(&s->out, s->typed.prompt);
	if (s->edits && (*s->typed.prompt || s->out.line))
		out_text(&s->out, "\n");
	if (s->out.err != 0)
		return out_status(&s->out);
	if (s->why == 0 || s->why == MYR_EOF) {
		if (!s->input_over && isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && say_level >= LOG_NOTICE)
			fprintf(stderr, "%s has ended the connection\n", s->name);
		return EXIT_DONE;
	}
	if (s->open)
		say_error(COMMAND, "connection to %s lost: %s", s->name, myr_strerror(s->why));
	else
		target_blame(COMMAND, s->name, s->why);
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
	s->edits = typed_can_edit();
	out_open(&s->out, COMMAND);
	err = myr_connect(&s->conn, s->loop, &session_service, s->endpoint, s);
	if (err < 0) {
		say_error(COMMAND, "%s", myr_reason());
		status = err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	} else {
		target_name(s->name, sizeof s->name, s->conn, s->endpoint);
		myr_loop_run(s->loop);
		typed_free(&s->typed);
		status = session_result(s);
	}
	myr_loop_free(s->loop);
	return status;
}

static int connect_exact(const struct opt_value *v, char **args, int args_n)
{
	struct talk t = { .per_message = v[C_PER_MESSAGE].n, .ms = (int)v[C_TIMEOUT].n };

	if (t.per_message) {
		say_error(COMMAND, "--per-message has no meaning with --seed-exact: S3-P4 connects for each message");
		return EXIT_USAGE;
	}
	return talk_exact(&t, v[C_SEED].text, args, args_n);
}

static int connect_datagrams(const struct opt_value *v, const char *endpoint)
{
	const struct talk t = { .endpoint = endpoint, .ms = (int)v[C_TIMEOUT].n,
	                        .eol = v[C_EOL].from == FROM_DEFAULT ? "" : ends[v[C_EOL].n] };

	if (v[C_PER_MESSAGE].n) {
		say_error(COMMAND, "--per-message has no meaning with datagrams: each is by itself");
		return EXIT_USAGE;
	}
	return datagrams_run(&t);
}

static int connect_to(const struct opt_value *v, char **args, int args_n)
{
	struct session s = { .endpoint = args[0], .eol = (int)v[C_EOL].n };
	const struct talk t = { .endpoint = args[0], .eol = ends[v[C_EOL].n], .per_message = true,
	                        .ms = (int)v[C_TIMEOUT].n };

	if (v[C_QUIET].n)
		say_level = LOG_WARNING;
	if (v[C_SEED].text)
		return connect_exact(v, args, args_n);
	if (args_n == 0)
		say_error(COMMAND, "connect to what?");
	else if (args_n > 1)
		say_error(COMMAND, "\"%s\" is not expected after \"%s\"", args[1], args[0]);
	if (args_n != 1) {
		say_try(COMMAND " 50007");
		return EXIT_USAGE;
	}
	if (datagrams_meant(args[0]))
		return connect_datagrams(v, args[0]);
	return v[C_PER_MESSAGE].n ? talk_per_message(&t) : session_run(&s, v);
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
