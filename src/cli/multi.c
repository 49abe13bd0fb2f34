/* SPDX-License-Identifier: MIT
 *
 * multi.c - myriad multi: many connections from one loop, with messages for each or from a prompt. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <syslog.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/multi.h"
#include "cli/opts.h"
#include "cli/say.h"
#include "cli/text.h"
#include "cli/value.h"

#define TOGETHER     64                 /* connecting at a time: fewer than the backlog of most servers */
#define BLAMED_MAX   10
#define RESERVE_FDS  32                 /* for the loop, names, files */
#define CONNS_MAX    1000000
#define TUTORIAL_S2  20                 /* clients */
#define TUTORIAL_PORT_S1 65432
#define TUTORIAL_PORT_S2 5000

enum { M_CONNS, M_MESSAGE, M_EXPECT, M_EOL, M_TIMEOUT, M_STAGGER, M_ENGINE, M_JSON, M_QUIET, M_SEED, M_COUNT };

static const struct opt table[M_COUNT] = {
	[M_CONNS] = { .name = "connections", .letter = 'c', .kind = OPT_COUNT, .arg = "N", .min = 1, .max = CONNS_MAX,
		.standard = "2", .about = "how many" },
	[M_MESSAGE] = { .name = "message", .here_only = true, .letter = 'm', .kind = OPT_LIST, .arg = "TEXT",
		.about = "sent by each connection, in this order; without any, a prompt asks" },
	[M_EXPECT] = { .name = "expect", .kind = OPT_SIZE, .arg = "N|eof", .word = "eof", .max = 1LL << 62,
		.about = "close after so many bytes, or at the server's end; without it, as many as were sent" },
	[M_EOL] = { .name = "eol", .kind = OPT_CHOICE, .arg = "END", .word = "lf crlf none", .standard = "lf",
		.about = "what each message ends with" },
	[M_TIMEOUT] = { .name = "timeout", .kind = OPT_DURATION, .arg = "TIME", .word = "none", .min = 1, .max = 604800000,
		.standard = "30s", .about = "for each connection, from its start to its last byte" },
	[M_STAGGER] = { .name = "stagger", .kind = OPT_DURATION, .arg = "TIME", .min = 0, .max = 60000,
		.standard = "0s", .about = "wait so long between two starts" },
	[M_ENGINE] = { .name = "engine", .letter = 'e', .kind = OPT_TEXT, .arg = "NAME",
		.about = "how the bytes move; without it the best here, poll at the prompt" },
	[M_JSON] = { .name = "json", .kind = OPT_SWITCH, .about = "a report for programs, instead of the replies" },
	[M_QUIET] = { .name = "quiet", .letter = 'q', .kind = OPT_SWITCH, .about = "say only what is wrong" },
	[M_SEED] = { .name = "seed-exact", .kind = OPT_MAYBE, .arg = "[=ID]", .word = "S1-P3",
		.about = "as the tutorial's program: S1-P3 HOST PORT N, or S2-P1" },
};

static const struct command command = {
	.name = MULTI, .arguments = "ENDPOINT",
	.about = "Talks over many connections at once, from a script or from a prompt",
	.examples = { "myriad multi 50007 -c 3                 type to each, or to @all",
	              "myriad multi 50007 -c 10000 -m hello    and tell how it went" },
	.opts = table, .opts_n = M_COUNT,
	.more = "At the prompt: TEXT, @2 TEXT, @all TEXT, #2, #2 close, #list, #help; Ctrl-D ends.\n"
	        "--seed-exact prints what the tutorials' clients print: S1-P3 multiconn-client.py, S2-P1 twenty clients.\n",
};

/* --- What is shown ------------------------------------------------------------------------------- */

void multi_put(struct multi *u, const char *line)
{
	if (u->json)
		return;
	typed_print(&u->typed, line);
}

/* Each line of it by itself, behind the connection's number; nothing in it can move the cursor. */
void multi_show_text(struct multi *u, unsigned id, const void *p, size_t n, double ms)
{
	const char *at = p, *end = at + n;

	if (u->json || u->quiet)
		return;
	while (at < end) {
		const char *stop = memchr(at, '\n', (size_t)(end - at));
		size_t len = (size_t)((stop ? stop : end) - at);
		struct text_shown shown = { 0 };
		char text[4 * (1024 + 4) + 16], line[sizeof text + 64];
		size_t piece = len < 1024 ? len : 1024, made;

		made = text_show(&shown, text, at, piece - (stop && piece == len && len > 0 && at[len - 1] == '\r'));
		made += text_show_end(&shown, text + made);
		snprintf(line, sizeof line, "[%u] %.*s <- %.1f ms\n", id, (int)made, text, ms);
		typed_print(&u->typed, line);
		at += piece + (piece == len && stop ? 1 : 0);
	}
}

static void plain_heard(struct member *m, const void *p, size_t n)
{
	multi_show_text(m->crowd->arg, m->id, p, n, tally_ms(m->asked));
}

static void plain_ended(struct member *m, int why)
{
	struct multi *u = m->crowd->arg;

	if (why == 0 || u->blamed > BLAMED_MAX)
		return;
	if (u->blamed++ == BLAMED_MAX)
		say_more("(other failures are only counted)");
	else if (!m->open)
		say_error(MULTI, "connection %u: cannot connect to %s: %s", m->id, m->crowd->endpoint, myr_strerror(why));
	else if (why == MYR_EOF)
		say_error(MULTI, "connection %u: the server ended after %llu bytes; %lld were expected", m->id,
		          (unsigned long long)m->got, m->crowd->expect);
	else
		say_error(MULTI, "connection %u: %s after %llu bytes", m->id, myr_strerror(why), (unsigned long long)m->got);
}

static const struct crowd_show show_plain = { .heard = plain_heard, .ended = plain_ended };

/* --- Before ---------------------------------------------------------------------------------------- */

/* As many descriptors as connections; the limit is raised as far as this user may. */
static int multi_raise_limit(unsigned n)
{
	const rlim_t need = (rlim_t)n + RESERVE_FDS;
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= need)
		return EXIT_DONE;
	if (r.rlim_max >= need) {
		r.rlim_cur = need;
		if (setrlimit(RLIMIT_NOFILE, &r) == 0)
			return EXIT_DONE;
	}
	say_error(MULTI, "%u connections need %llu open files, and the limit is %llu", n, (unsigned long long)need,
	          (unsigned long long)r.rlim_max);
	if (r.rlim_max > RESERVE_FDS)
		say_try("-c %llu, or a higher limit: ulimit -Hn %llu", (unsigned long long)(r.rlim_max - RESERVE_FDS),
		        (unsigned long long)need);
	return EXIT_FAILED;
}

static const char *multi_eol(const struct opt_value *v)
{
	static const char *const ends[] = { "\n", "\r\n", "" };       /* lf crlf none */

	return ends[v[M_EOL].n];
}

/* The messages with their ends, in memory of ours; NULL: none is left. */
static struct myr_bytes *multi_messages(struct multi *u, const struct opt_value *v)
{
	struct myr_bytes *made = calloc(v[M_MESSAGE].list_n + 1, sizeof *made);

	for (size_t i = 0; made && i < v[M_MESSAGE].list_n; i++) {
		char *text;
		int n = asprintf(&text, "%s%s", v[M_MESSAGE].list[i], u->eol);

		if (n < 0) {
			for (; i > 0; i--)
				free((void *)(uintptr_t)made[i - 1].p);
			free(made);
			return NULL;
		}
		made[i] = (struct myr_bytes){ (const uint8_t *)text, (size_t)n };
	}
	return made;
}

static void multi_expect(struct crowd *c, const struct opt_value *v)
{
	if (v[M_EXPECT].text)
		c->expect = v[M_EXPECT].n == OPT_WORD ? EXPECT_EOF : v[M_EXPECT].n;
	else
		for (size_t i = 0; i < c->messages_n; i++)
			c->expect += (long long)c->messages[i].n;
}

/* --- The run ---------------------------------------------------------------------------------------- */

static struct myr_loop *interrupted_loop;
static volatile sig_atomic_t interrupted;

static void multi_interrupt(int number)
{
	(void)number;
	interrupted = 1;
	myr_loop_stop(interrupted_loop);
}

static int multi_status(struct multi *u, int err)
{
	const struct tally *t = &u->crowd.tally;

	if (err < 0) {
		say_error(MULTI, "%s", myr_reason());
		return err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	}
	if (u->json)
		err = tally_report(t, u->crowd.endpoint);
	else if (u->kind == MULTI_PLAIN && !u->prompts && (!u->quiet || t->failed > 0))
		tally_print(t);
	if (err < 0) {
		say_error(MULTI, "cannot write the report: %s", myr_strerror(err));
		return EXIT_FAILED;
	}
	if (fflush(stdout) != 0 || ferror(stdout))
		return errno == EPIPE ? EXIT_DONE : EXIT_FAILED;
	return interrupted || typed_interrupted ? EXIT_INTERRUPTED : tally_status(t);
}

static int multi_loop(struct multi *u, const struct opt_value *v)
{
	const struct sigaction on_interrupt = { .sa_handler = multi_interrupt }, standard = { .sa_handler = SIG_DFL };
	struct crowd *c = &u->crowd;
	/* poll: unlike epoll it takes whatever standard input is. */
	const struct myr_config config = {
		.engine = v[M_ENGINE].text ? v[M_ENGINE].text : u->prompts ? "poll" : NULL, .log = say_log,
		.open_ms = c->timeout_ms, .idle_ms = MYR_NONE, .close_ms = 1000,
	};
	int err = myr_loop_new(&c->loop, &config);

	if (err < 0) {
		say_error(MULTI, "%s", myr_reason());
		return err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
	}
	interrupted_loop = c->loop;
	sigaction(SIGINT, &on_interrupt, NULL);
	err = crowd_start(c);
	if (err == 0)
		myr_loop_run(c->loop);
	sigaction(SIGINT, &standard, NULL);
	typed_free(&u->typed);
	crowd_close(c);
	myr_loop_free(c->loop);
	return multi_status(u, err);
}

static int multi_run(struct multi *u, const struct opt_value *v)
{
	struct crowd *c = &u->crowd;
	struct myr_bytes *messages = multi_messages(u, v);
	int status = EXIT_FAILED;

	if (!messages) {
		say_error(MULTI, "out of memory");
		return status;
	}
	c->messages = messages;
	c->messages_n = v[M_MESSAGE].list_n;
	if (u->kind != MULTI_PLAIN)
		multi_seed(u, c->messages_n > 0);
	if (!u->prompts)
		multi_expect(c, v);
	if (crowd_open(c) < 0) {
		say_error(MULTI, "out of memory");
	} else {
		if (u->kind == MULTI_S2_P1)
			puts("Geramos todos os clientes!");
		status = multi_loop(u, v);
		crowd_free(c);
	}
	for (size_t i = 0; i < v[M_MESSAGE].list_n; i++)
		free((void *)(uintptr_t)messages[i].p);
	free(messages);
	return status;
}

/* --- Arguments --------------------------------------------------------------------------------------- */

static int multi_plain(struct multi *u, const struct opt_value *v, char **args, int args_n)
{
	if (args_n != 1) {
		if (args_n == 0)
			say_error(MULTI, "connect to what?");
		else
			say_error(MULTI, "\"%s\" is not expected after \"%s\"", args[1], args[0]);
		say_try(MULTI " 50007 -c 3");
		return EXIT_USAGE;
	}
	u->prompts = v[M_MESSAGE].list_n == 0 && !v[M_EXPECT].text;
	u->crowd.show = u->prompts ? &multi_show_prompt : &show_plain;
	if (u->prompts)
		u->crowd.expect = EXPECT_NONE;
	u->crowd.endpoint = args[0];
	return OPTS_GO_ON;
}

/* HOST PORT N for S1-P3, as in the tutorial; or an endpoint and -c. */
static int multi_exact(struct multi *u, const struct opt_value *v, char **args, int args_n)
{
	const bool s1 = u->kind == MULTI_S1_P3, counted = v[M_CONNS].from == FROM_COMMAND_LINE;
	long long n = v[M_CONNS].n;

	if (!(s1 && counted) && multi_seed_usage(u, args_n))
		return EXIT_USAGE;
	if (s1 && args_n == 3) {
		if (value_count(args[2], &n) < 0 || n < 1 || n > CONNS_MAX) {
			say_error(MULTI, "\"%s\" is not a number of connections", args[2]);
			return EXIT_USAGE;
		}
		args_n = 2;
	} else if (!s1 && !counted) {
		n = TUTORIAL_S2;
	}
	u->crowd.n = (unsigned)n;
	if (target_parse(&u->target, MULTI, args, args_n, "127.0.0.1", s1 ? TUTORIAL_PORT_S1 : TUTORIAL_PORT_S2) < 0)
		return EXIT_USAGE;
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	return OPTS_GO_ON;
}

static int multi_kind(struct multi *u, const struct opt_value *v)
{
	static const char *const ids[] = { "S1-P3", "S2-P1" };
	const char *id = v[M_SEED].text;

	if (!id)
		return OPTS_GO_ON;
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
		if (strcasecmp(id, ids[i]) == 0) {
			u->kind = MULTI_S1_P3 + (enum multi_kind)i;
			u->eol = "";
			return OPTS_GO_ON;
		}
	say_unknown(MULTI, "program", id, ids, sizeof ids / sizeof *ids, MULTI " --help");
	return EXIT_USAGE;
}

static int multi_to(const struct opt_value *v, char **args, int args_n)
{
	struct multi u = {
		.eol = multi_eol(v), .json = v[M_JSON].n, .quiet = v[M_QUIET].n,
		.crowd = { .n = (unsigned)v[M_CONNS].n, .first_id = 1, .together = TOGETHER,
		           .stagger_ms = (int)v[M_STAGGER].n, .timeout_ms = (int)v[M_TIMEOUT].n },
	};
	int status = multi_kind(&u, v);

	u.crowd.arg = &u;
	if (status == OPTS_GO_ON && u.json && !tally_can_report()) {
		say_error(MULTI, "--json: this myriad was built without it");
		say_try("a build with libjansson-dev installed");
		status = EXIT_FAILED;
	}
	if (status == OPTS_GO_ON)
		status = (u.kind == MULTI_PLAIN ? multi_plain : multi_exact)(&u, v, args, args_n);
	if (status == OPTS_GO_ON) {
		status = multi_raise_limit(u.crowd.n);
		if (status == EXIT_DONE)
			status = multi_run(&u, v);
	}
	return status;
}

int multi_main(int argc, char **argv)
{
	struct opt_value values[M_COUNT];
	int args, status = opts_parse(&command, values, argc, argv, &args);

	if (status == OPTS_GO_ON)
		status = multi_to(values, argv + 1, args);
	opts_free(&command, values);
	return status;
}
