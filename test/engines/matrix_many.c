/* SPDX-License-Identifier: MIT
 *
 * matrix_many.c - many clients: at once, in turn, counted, and talking to each other. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engines/matrix.h"

#define LINE 512

/* --- tally: "+" adds to a number that all share; "?" asks for it ------------------------------ */

struct tally {
	unsigned long n;
};

static void tally_line(struct myr_conn *c, const char *p, size_t n)
{
	struct tally *t = myr_shared(c);
	int err = myr_lock(c);

	if (err != 0) {
		myr_printf(c, "lock: %s\n", myr_strerror(err));
		return;
	}
	if (n == 1 && *p == '+')
		t->n = t->n + 1;
	else if (n == 1 && *p == '-')
		t->n = 0;
	else
		myr_printf(c, "%lu\n", t->n);
	myr_unlock(c);
}

static void tally_handle(struct myr_conn *c)
{
	char line[LINE];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0)
		tally_line(c, line, (size_t)n);
	if (n == MYR_EOF)
		myr_printf(c, "done\n");
}

static void tally_frame(struct myr_conn *c, const void *p, size_t n)
{
	tally_line(c, p, n);
}

static void tally_eof(struct myr_conn *c)
{
	myr_printf(c, "done\n");
	myr_close(c);
}

static const struct myr_service
	tally_blocking = { .name = "tally", .framing = &myr_lines, .shared = sizeof(struct tally),
	                   .handle = tally_handle },
	tally_callback = { .name = "tally", .framing = &myr_lines, .shared = sizeof(struct tally),
	                   .on_frame = tally_frame, .on_eof = tally_eof };

/* --- census: how many have come, and how many of them have not gone --------------------------- */

struct census {
	unsigned long came, went;
};

static void census_came(struct myr_conn *c)
{
	struct census *s = myr_shared(c);

	myr_lock(c);
	s->came++;
	myr_unlock(c);
}

static void census_went(struct myr_conn *c)
{
	struct census *s = myr_shared(c);

	myr_lock(c);
	s->went++;
	myr_unlock(c);
}

static void census_tell(struct myr_conn *c)
{
	const struct census *s = myr_shared(c);

	myr_lock(c);
	myr_printf(c, "%ld here%s\n", (long)(s->came - s->went), s->came > 30 ? ", many came" : "");
	myr_unlock(c);
}

static int census_setup(struct myr_conn *c)
{
	census_came(c);
	return 0;
}

static void census_handle(struct myr_conn *c)
{
	char line[LINE];

	while (myr_recv(c, line, sizeof line) >= 0)
		census_tell(c);
}

static void census_frame(struct myr_conn *c, const void *p, size_t n)
{
	(void)p;
	(void)n;
	census_tell(c);
}

static void census_close(struct myr_conn *c, int why)
{
	(void)why;
	census_went(c);
}

static const struct myr_service
	census_blocking = { .name = "census", .framing = &myr_lines, .shared = sizeof(struct census),
	                    .setup = census_setup, .handle = census_handle, .finish = census_went },
	census_callback = { .name = "census", .framing = &myr_lines, .shared = sizeof(struct census),
	                    .on_open = census_came, .on_frame = census_frame, .on_close = census_close };

/* --- mail: "id" tells yours; "tell ID text" sends text to whoever has it ---------------------- */

static void mail_line(struct myr_conn *c, const char *line)
{
	unsigned long long id;
	int text = 0;

	if (strcmp(line, "id") == 0) {
		myr_printf(c, "%llu\n", (unsigned long long)myr_conn_id(c));
	} else if (sscanf(line, "tell %llu %n", &id, &text) == 1 && text > 0) {
		int err = myr_tell(myr_server_of(c), id, line + text, strlen(line + text));

		/* Who has gone may be known here, or only further on. */
		myr_printf(c, "%s\n", err == 0 || err == -ENOTCONN ? "told" : myr_strerror(err));
	} else {
		myr_printf(c, "what?\n");
	}
}

static void mail_handle(struct myr_conn *c)
{
	char line[LINE];

	while (myr_recv(c, line, sizeof line) >= 0)
		mail_line(c, line);
}

static void mail_frame(struct myr_conn *c, const void *p, size_t n)
{
	char line[LINE];

	snprintf(line, sizeof line, "%.*s", (int)n, (const char *)p);
	mail_line(c, line);
}

static const struct myr_service
	mail_blocking = { .name = "mail", .framing = &myr_lines, .handle = mail_handle },
	mail_callback = { .name = "mail", .framing = &myr_lines, .on_frame = mail_frame };

/* --- chat: each line to all who are here ------------------------------------------------------ */

static const struct myr_service chat_blocking, chat_callback;

static void chat_line(struct myr_conn *c, const void *p, size_t n, const struct myr_service *me)
{
	if (n == 2 && memcmp(p, "in", 2) == 0)
		myr_printf(c, "welcome\n");
	else if (myr_tell_all(myr_server_of(c), me, p, n) < 0)
		myr_printf(c, "nobody can be told\n");
}

static void chat_handle(struct myr_conn *c)
{
	char line[LINE];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0)
		chat_line(c, line, (size_t)n, &chat_blocking);
}

static void chat_frame(struct myr_conn *c, const void *p, size_t n)
{
	chat_line(c, p, n, &chat_callback);
}

static void chat_tell(struct myr_conn *c, const void *p, size_t n)
{
	myr_printf(c, "somebody says: %.*s\n", (int)n, (const char *)p);
}

static const struct myr_service
	chat_blocking = { .name = "chat", .framing = &myr_lines, .handle = chat_handle, .on_tell = chat_tell },
	chat_callback = { .name = "chat", .framing = &myr_lines, .on_frame = chat_frame, .on_tell = chat_tell };

static const struct hosting hostings[] = {
	{ "tally",  { &tally_blocking,  &tally_callback } },
	{ "census", { &census_blocking, &census_callback } },
	{ "mail",   { &mail_blocking,   &mail_callback } },
	{ "chat",   { &chat_blocking,   &chat_callback } },
};

/* --- Scenarios -------------------------------------------------------------------------------- */

static void second_client(struct script *s)
{
	struct client *a = meet(s, "A", "echo"), *b;

	say(a, "first\n");
	hear_line(a);
	b = meet(s, "B", "echo");
	say(b, "second\n");
	hear_if_served(s, b);
	say_eof(a);
	hear_end(a);
	if (s->in_turn)
		hear_line(b);
}

static void interleaved(struct script *s)
{
	struct client *a = meet(s, "A", "shout"), *b, *c;

	say(a, "a1\n");
	hear_line(a);
	b = meet(s, "B", "shout");
	say(b, "b1\n");
	hear_if_served(s, b);
	c = meet(s, "C", "shout");
	say(c, "c1\n");
	hear_if_served(s, c);
	say(a, "a2\n");
	hear_line(a);
	hang_up(a);
	if (s->in_turn)
		hear_line(b);
	say(b, "b2\n");
	hear_line(b);
	hang_up(b);
	if (s->in_turn)
		hear_line(c);
	say(c, "c2\n");
	hear_line(c);
}

static void hundred(struct script *s)
{
	static const struct client_opts quiet = { .quiet = true };
	struct client *c[100];
	unsigned good = 0;
	char line[40];

	for (unsigned i = 0; i < 100; i++) {
		c[i] = client_dial(&s->talk, "", where(s, "shout"), &quiet);
		snprintf(line, sizeof line, "client %u\n", i);
		say(c[i], line);
		say_eof(c[i]);
	}
	for (unsigned i = 0; i < 100; i++) {
		snprintf(line, sizeof line, "CLIENT %u", i);
		good += strcmp(hear_line(c[i]), line) == 0;
		hear_end(c[i]);
		good += strcmp(c[i]->ended, "EOF") == 0;
	}
	note(&s->talk, "%u good answers and ends", good);
}

static void counted_once(struct script *s)
{
	struct client *c;

	for (int i = 0; i < 10; i++) {
		c = client_dial(&s->talk, "", where(s, "census"), &(struct client_opts){ .quiet = true });
		if (i % 3 > 0) {
			say(c, "?\n");
			hear_line(c);
		}
		if (i % 2 == 0)
			hang_up_rudely(c);
		else
			hang_up(c);
	}
	for (int i = 0; i < 25; i++) {
		c = client_dial(&s->talk, "", where(s, "census"), &(struct client_opts){ .quiet = true });
		say(c, "?\nunfinished");
		hear_line(c);
		if (i % 2 == 0)
			say_eof(c);
		else
			hang_up_rudely(c);
		if (i % 2 == 0)
			hear_end(c);
	}
	ask_until(s, "census", "?\n", "1 here, many came");
}

static void exact_count(struct script *s)
{
	static const struct client_opts quiet = { .quiet = true };
	struct client *c[50], *last;
	unsigned done = 0;

	ask_until(s, "tally", "-\n?\n", "0");
	for (int i = 0; i < 50; i++)
		c[i] = client_dial(&s->talk, "", where(s, "tally"), &quiet);
	for (int i = 0; i < 50; i++) {
		for (int j = 0; j < 20; j++)
			say(c[i], "+\n");
		say_eof(c[i]);
	}
	for (int i = 0; i < 50; i++)
		done += strcmp(hear_line(c[i]), "done") == 0;
	note(&s->talk, "%u done", done);
	for (int i = 0; i < 50; i++)
		hear_end(c[i]);
	last = meet(s, "", "tally");
	say(last, "?\n");
	hear_line(last);
}

static void learn_id(struct client *c, char *id, size_t size)
{
	c->quiet = true;
	say(c, "id\n");
	snprintf(id, size, "%s", hear_line(c));
	c->quiet = false;
}

static void tell(struct client *c, const char *id, const char *text)
{
	char line[LINE];

	snprintf(line, sizeof line, "tell %s %s\n", id, text);
	c->quiet = true;
	say(c, line);
	c->quiet = false;
}

static void told(struct script *s)
{
	struct client *a = meet(s, "A", "mail"), *b;
	char id[64];

	learn_id(a, id, sizeof id);
	tell(a, id, "note to myself");
	a->quiet = true;
	for (int i = 0; i < 2; i++)             /* "told" and the note: in any order */
		if (strcmp(hear_line(a), "told") != 0)
			note(&s->talk, "A< %s", a->line);
	a->quiet = false;
	b = meet(s, "B", "mail");
	tell(b, id, "hello A");
	hear_if_served(s, b);
	if (!s->in_turn)
		hear_line(a);
	hang_up(a);
	if (s->in_turn)
		hear_line(b);
	tell(b, id, "are you there?");
	hear_line(b);
	tell(b, "1234567890123456789", "nobody");
	hear_line(b);
	say(b, "well\n");
	hear_line(b);
}

static void told_in_order(struct script *s)
{
	struct client *a = meet(s, "A", "mail"), *b;
	char id[64], text[20];
	unsigned good = 0;

	learn_id(a, id, sizeof id);
	b = meet(s, "B", "mail");
	for (unsigned i = 0; i < 100; i++) {
		snprintf(text, sizeof text, "letter %u", i);
		tell(b, id, text);
	}
	b->quiet = a->quiet = true;
	for (unsigned i = 0; i < 100 && !s->in_turn; i++) {
		snprintf(text, sizeof text, "letter %u", i);
		good += strcmp(hear_line(a), text) == 0;
	}
	note(&s->talk, "A has had %u letters in order", good);
	hang_up(a);
	good = 0;
	for (unsigned i = 0; i < 100; i++)
		good += strcmp(hear_line(b), "told") == 0;
	note(&s->talk, "B has told %u", good);
}

static void chat(struct script *s)
{
	struct client *c[3] = { NULL };
	static const char *const names[3] = { "A", "B", "C" };

	for (int i = 0; i < 3; i++) {
		c[i] = meet(s, names[i], "chat");
		say(c[i], "in\n");
		if (i == 0)
			hear_line(c[i]);
		else
			hear_if_served(s, c[i]);
	}
	say(c[0], "hello all\n");
	for (int i = 0; i < 3; i++)
		if (i == 0 || !s->in_turn)
			hear_line(c[i]);
	hang_up(c[0]);
	if (s->in_turn)
		hear_line(c[1]);
	say(c[1], "is A gone?\n");
	hear_line(c[1]);
	if (!s->in_turn)
		hear_line(c[2]);
}

static void unique_ids(struct script *s)
{
	static const struct client_opts quiet = { .quiet = true };
	char ids[30][64];
	unsigned twice = 0;

	for (int i = 0; i < 30; i++) {
		struct client *c = client_dial(&s->talk, "", where(s, "mail"), &quiet);

		learn_id(c, ids[i], sizeof ids[i]);
		c->quiet = true;
		hang_up(c);
		for (int j = 0; j < i; j++)
			twice += strcmp(ids[i], ids[j]) == 0;
		twice += strcmp(ids[i], "0") == 0 || ids[i][0] == '\0';
	}
	note(&s->talk, "%u bad ids", twice);
}

static const struct scenario scenarios[] = {
	{ "a second client while the first is silent", second_client,
	  .text = "A> first\nA< first\nB> second\nB< second\nA> EOF\nA< EOF\n",
	  .except = { { IN_TURN, "A> first\nA< first\nB> second\nB< nothing\nA> EOF\nA< EOF\n"
	                         "B< second\n" } },
	  .at_once = 2 },
	{ "three clients, interleaved", interleaved,
	  .text = "A> a1\nA< A1\nB> b1\nB< B1\nC> c1\nC< C1\nA> a2\nA< A2\nA> hangs up\nB> b2\n"
	          "B< B2\nB> hangs up\nC> c2\nC< C2\n",
	  .except = { { IN_TURN, "A> a1\nA< A1\nB> b1\nB< nothing\nC> c1\nC< nothing\nA> a2\n"
	                         "A< A2\nA> hangs up\nB< B1\nB> b2\nB< B2\nB> hangs up\nC< C1\n"
	                         "C> c2\nC< C2\n" } },
	  .at_once = 3 },
	{ "a hundred clients at once", hundred, .text = "200 good answers and ends\n" },
	{ "each connection ends exactly once", counted_once, .text = "?: 1 here, many came\n" },
	{ "a shared count is exact", exact_count, .text = "-: 0\n50 done\n> ?\n< 1000\n" },
	{ "ids are never used twice", unique_ids, .text = "0 bad ids\n" },
	{ "one connection is told by another", told,
	  .text = "A< note to myself\nB< told\nA< hello A\nA> hangs up\nB< told\nB< told\n"
	          "B> well\nB< what?\n",
	  .except = { { IN_TURN, "A< note to myself\nB< nothing\nA> hangs up\nB< told\nB< told\n"
	                         "B< told\nB> well\nB< what?\n" } },
	  .at_once = 2 },
	{ "what one tells another arrives in order", told_in_order,
	  .text = "A has had 100 letters in order\nB has told 100\n",
	  .except = { { IN_TURN, "A has had 0 letters in order\nB has told 100\n" } },
	  .at_once = 2 },
	{ "all are told", chat,
	  .text = "A> in\nA< welcome\nB> in\nB< welcome\nC> in\nC< welcome\nA> hello all\n"
	          "A< somebody says: hello all\nB< somebody says: hello all\n"
	          "C< somebody says: hello all\nA> hangs up\nB> is A gone?\n"
	          "B< somebody says: is A gone?\nC< somebody says: is A gone?\n",
	  .except = { { IN_TURN, "A> in\nA< welcome\nB> in\nB< nothing\nC> in\nC< nothing\n"
	                         "A> hello all\nA< somebody says: hello all\nA> hangs up\n"
	                         "B< welcome\nB> is A gone?\nB< somebody says: is A gone?\n" } },
	  .at_once = 3 },
};

const struct topic topic_many = {
	hostings, sizeof hostings / sizeof hostings[0], scenarios, sizeof scenarios / sizeof scenarios[0],
};
