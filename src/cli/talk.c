/* SPDX-License-Identifier: MIT
 *
 * talk.c - one line, one answer. */
#include "cli/talk.h"

#include <myriad.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/edit.h"
#include "cli/opts.h"
#include "cli/out.h"
#include "cli/say.h"
#include "cli/target.h"
#include "cli/typed.h"
#include "service/repr.h"

#define PIECE   1024                    /* recv(1024) */
#define DIAL_MS 30000

/* --- Lines, connections --------------------------------------------------------------------------- */

/* Like Python's input(): the prompt is written wherever standard output goes.  NULL: no more; free() it. */
static char *talk_ask(struct out *o, const char *prompt)
{
	char *line = NULL;
	size_t room = 0;
	ssize_t n;

	if (typed_can_edit())
		return edit_ask(prompt);
	if (!out_text(o, prompt))
		return NULL;
	n = getline(&line, &room, stdin);
	if (n < 0) {
		free(line);
		return NULL;
	}
	if (n > 0 && line[n - 1] == '\n')
		line[n - 1] = '\0';
	return line;
}

static struct myr_conn *talk_dial(const struct talk *t)
{
	struct myr_conn *c;
	int err = myr_dial(&c, t->endpoint, t->ms < 0 ? DIAL_MS : t->ms);

	if (err < 0) {
		say_error(TALK, "%s", myr_reason());
		return NULL;
	}
	if (t->ms >= 0)
		myr_set_timeout(c, t->ms);
	return c;
}

static int talk_lost(struct myr_conn *c, ssize_t err)
{
	say_error(TALK, "connection to %s lost: %s", myr_peer(c), myr_strerror((int)err));
	myr_abort(c);
	return EXIT_FAILED;
}

/* --- A connection for each message ------------------------------------------------------------------ */

/* Sends the line and our end, shows the answer to its end.  A line of nothing cannot hang: the end is news, too. */
static int talk_once(const struct talk *t, struct out *o, const char *line)
{
	struct myr_conn *c = talk_dial(t);
	char piece[16384];
	ssize_t n;

	if (!c)
		return EXIT_FAILED;
	myr_write(c, line, strlen(line));
	myr_write(c, t->eol, strlen(t->eol));
	myr_write_eof(c);
	while ((n = myr_read(c, piece, sizeof piece)) > 0)
		if (!out_bytes(o, piece, (size_t)n)) {
			myr_abort(c);
			return out_status(o);
		}
	if (n != MYR_EOF)
		return talk_lost(c, n);
	out_end(o);
	if (o->line)
		out_text(o, "\n");
	myr_close(c);
	return OPTS_GO_ON;
}

int talk_per_message(const struct talk *t)
{
	const char *prompt = typed_can_edit() ? "> " : "";
	int status = OPTS_GO_ON;
	struct out o;
	char *line;

	out_open(&o, TALK);
	while (status == OPTS_GO_ON && (line = talk_ask(&o, prompt))) {
		status = talk_once(t, &o, line);
		free(line);
	}
	return status == OPTS_GO_ON ? out_status(&o) : status;
}

/* --- The tutorials' clients -------------------------------------------------------------------------- */

struct program {
	const char *id, *host;
	int port;
	const char *prompt, *last;      /* last: the line that ends it */
	const char *before, *after;     /* what is printed around an answer; %s is the address */
	const char *hello, *bye;
	bool per_message;
};

static const struct program programs[] = {
	{ "S0-P1", "localhost", 50007, "client: enter string to send>", "", "client: from %s received data=", "\n",
	  "client: connected to %s \n", "client: shutting down connection to server %s\n", false },
	{ "S1-P1", "127.0.0.1", 65432, NULL, NULL, NULL, NULL, NULL, NULL, false },
	{ "S3-P2", "127.0.0.1", 9999, "Mensagem: ", "EXIT", "Resposta: ", "\n", NULL, NULL, false },
	{ "S3-P4", "127.0.0.1", 9999, "Mensagem: ", "EXIT", "Recebi: ", "\n", NULL, NULL, true },
};

#define PROGRAMS (sizeof programs / sizeof *programs)

static void talk_print(struct out *o, const char *fmt, const char *address)
{
	const char *hole = fmt ? strstr(fmt, "%s") : NULL;
	char text[2048];

	if (!fmt)
		return;
	if (hole)
		snprintf(text, sizeof text, "%.*s%s%s", (int)(hole - fmt), fmt, address, hole + 2);
	else
		snprintf(text, sizeof text, "%s", fmt);
	out_text(o, text);
}

/* One turn, with one read: whatever that brings is the answer, and nothing if the server has ended. */
static int talk_turn(const struct program *p, const struct target *to, struct out *o, struct myr_conn *c,
                     const char *line)
{
	char piece[PIECE];
	ssize_t n = myr_write(c, line, strlen(line));

	if (n >= 0)
		n = myr_read(c, piece, sizeof piece);
	if (n < 0 && n != MYR_EOF)
		return talk_lost(c, n);
	talk_print(o, p->before, to->repr);
	out_bytes(o, piece, n > 0 ? (size_t)n : 0);
	out_text(o, p->after);
	return o->err == 0 ? OPTS_GO_ON : out_status(o);
}

static int talk_turns(const struct talk *t, const struct program *p, const struct target *to, struct out *o)
{
	struct myr_conn *c = NULL;
	int status = OPTS_GO_ON;
	char *line;

	if (!p->per_message && !(c = talk_dial(t)))
		return EXIT_FAILED;
	talk_print(o, p->hello, to->repr);
	while (status == OPTS_GO_ON && (line = talk_ask(o, p->prompt)) && strcmp(line, p->last) != 0) {
		if (p->per_message && !(c = talk_dial(t)))
			status = EXIT_FAILED;
		else
			status = talk_turn(p, to, o, c, line);
		if (p->per_message && status == OPTS_GO_ON)
			myr_close(c);
		free(line);
		line = NULL;
	}
	if (status != OPTS_GO_ON)
		return status;
	free(line);
	talk_print(o, p->bye, to->repr);
	if (!p->per_message)
		myr_close(c);
	return out_status(o);
}

/* S1-P1: one message, one answer. */
static int talk_hello(const struct talk *t, struct out *o)
{
	static const char hello[] = "Hello, world";
	char piece[PIECE], text[REPR_BYTES_MAX(PIECE)];
	struct myr_conn *c = talk_dial(t);
	ssize_t n;

	if (!c)
		return EXIT_FAILED;
	myr_write(c, hello, sizeof hello - 1);
	n = myr_read(c, piece, sizeof piece);
	if (n < 0 && n != MYR_EOF)
		return talk_lost(c, n);
	repr_bytes(text, sizeof text, piece, n > 0 ? (size_t)n : 0);
	out_text(o, "Received ");
	out_text(o, text);
	out_text(o, "\n");
	myr_close(c);
	return out_status(o);
}

int talk_exact(struct talk *t, const char *id, char **args, int args_n)
{
	const char *ids[PROGRAMS];
	const struct program *p = NULL;
	struct target to;
	struct out o;

	for (size_t i = 0; i < PROGRAMS; i++) {
		ids[i] = programs[i].id;
		if (strcasecmp(id, ids[i]) == 0)
			p = &programs[i];
	}
	if (!p) {
		say_unknown(TALK, "program", id, ids, PROGRAMS, TALK " --help");
		return EXIT_USAGE;
	}
	if (target_parse(&to, TALK, args, args_n, p->host, p->port) < 0)
		return EXIT_USAGE;
	out_open(&o, TALK);
	t->endpoint = to.endpoint;
	return p->prompt ? talk_turns(t, p, &to, &o) : talk_hello(t, &o);
}
