/* SPDX-License-Identifier: MIT
 *
 * matrix_limits.c - deadlines and limits: each scenario has a server with small ones. */
#include <stdio.h>
#include <string.h>

#include "engines/matrix.h"
#include "support/clock.h"

#define LINE 512
#define SHORT_MS 100

/* --- stats: how many connections the server has, this one included ---------------------------- */

static void stats_line(struct myr_conn *c)
{
	struct myr_stats st;

	if (myr_server_stats(myr_server_of(c), &st) == 0)
		myr_printf(c, "%llu open\n", (unsigned long long)st.conns_open);
}

static void stats_handle(struct myr_conn *c)
{
	char line[LINE];

	while (myr_recv(c, line, sizeof line) >= 0)
		stats_line(c);
}

static void stats_frame(struct myr_conn *c, const void *p, size_t n)
{
	(void)p;
	(void)n;
	stats_line(c);
}

/* --- full: says so when there are too many ---------------------------------------------------- */

static void full_handle(struct myr_conn *c)
{
	char line[LINE];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0)
		myr_send(c, line, (size_t)n);
}

static void full_frame(struct myr_conn *c, const void *p, size_t n)
{
	myr_send(c, p, n);
}

static const struct myr_service
	stats_blocking = { .name = "stats", .framing = &myr_lines, .handle = stats_handle },
	stats_callback = { .name = "stats", .framing = &myr_lines, .on_frame = stats_frame },
	full_blocking = { .name = "full", .framing = &myr_lines, .full = "come back later\n",
	                  .handle = full_handle },
	full_callback = { .name = "full", .framing = &myr_lines, .full = "come back later\n",
	                  .on_frame = full_frame };

static const struct hosting hostings[] = {
	{ "stats", { &stats_blocking, &stats_callback } },
	{ "full",  { &full_blocking,  &full_callback } },
};

/* --- Scenarios -------------------------------------------------------------------------------- */

static void note_time(struct script *s, int64_t began)
{
	int64_t ms = test_now() - began;

	if (ms >= SHORT_MS - 1 && ms < 50 * SHORT_MS)
		note(&s->talk, "in good time");
	else
		note(&s->talk, "after %d ms", (int)ms);
}

static void goes_idle(struct script *s)
{
	struct client *c;
	int64_t began;

	serve(s, &(struct myr_config){ .idle_ms = SHORT_MS }, "echo");
	c = meet(s, "", "echo");
	began = test_now();
	say(c, "hello\n");
	hear_line(c);
	hear_end(c);
	note_time(s, began);
	serve_stop(s);
	serve_ends(s);
}

static void never_opens(struct script *s)
{
	struct client *c;
	int64_t began;

	serve(s, &(struct myr_config){ .open_ms = SHORT_MS }, "echo");
	began = test_now();
	c = meet(s, "A", "echo");
	hear_end(c);
	note_time(s, began);
	c = meet(s, "B", "echo");
	say(c, "hello\n");
	hear_line(c);
	hear_nothing(c, SHORT_MS + SOON_MS);
	serve_stop(s);
	hear_end(c);
	serve_ends(s);
}

static void drips(struct script *s)
{
	struct client *c;
	int64_t began;
	int n = 0;

	serve(s, &(struct myr_config){ .frame_ms = SHORT_MS, .idle_ms = 5000 }, "shout");
	c = meet(s, "", "shout");
	say(c, "whole\n");
	hear_line(c);
	hear_nothing(c, SHORT_MS + SOON_MS);
	c->quiet = true;
	began = test_now();
	do
		say_bytes(c, "x", 1);
	while (!client_hears(c, 10) && ++n < 200);
	hear_cut(c);
	note(&s->talk, "drip, drip, %s", n < 200 ? "cut" : "and no end");
	note_time(s, began);
	serve_stop(s);
	serve_ends(s);
}

/* The reply is queued and the handler has closed: the peer has close_ms to take it. */
static void does_not_take(struct script *s)
{
	static const struct place places[] = { { .service = "flood" }, { .service = "stats" } };
	static const struct client_opts small = { .receive_room = 65536 };
	struct client *a;

	serve_at(s, &(struct myr_config){ .close_ms = SHORT_MS, .out_high = 64 << 20, .out_max = 64 << 20 },
	         places, 2, 0);
	a = client_dial(&s->talk, "A", where(s, "flood"), &small);
	say(a, "20000000\n");
	if (!client_hears(a, TALK_PATIENCE_MS))
		note(&s->talk, "A has heard nothing");
	ask_until(s, "stats", "?\n", "1 open");
	a->quiet = true;
	hear_rest_of_pattern(a);
	note(&s->talk, "A has had %s, and then %s", a->heard < 20000000 ? "some" : "all of it",
	     a->ended != NULL ? "END" : "silence");
	serve_stop(s);
	serve_ends(s);
}

/* A client that goes while its reply is stuck takes the connection with it, at once. */
static void goes_when_stuck(struct script *s)
{
	static const struct place places[] = { { .service = "flood" }, { .service = "stats" } };
	static const struct client_opts small = { .receive_room = 65536 };
	struct client *a;

	serve_at(s, &(struct myr_config){ .idle_ms = 60000, .close_ms = 60000 }, places, 2, 0);
	a = client_dial(&s->talk, "A", where(s, "flood"), &small);
	say(a, "20000000\n");
	hear_pattern(a, 100000);
	hang_up_rudely(a);
	ask_until(s, "stats", "?\n", "1 open");
	serve_stop(s);
	serve_ends(s);
}

static void full_with_text(struct script *s)
{
	struct client *a, *b;
	int64_t deadline = test_now() + TALK_PATIENCE_MS;

	serve(s, &(struct myr_config){ .conns_max = 1, .conns_per_peer = 100 }, "full");
	a = meet(s, "A", "full");
	say(a, "hello\n");
	hear_line(a);
	b = meet(s, "B", "full");
	if (s->in_turn)
		hear_nothing(b, SOON_MS);
	else
		hear_end(b);
	say(a, "good-bye\n");
	hear_line(a);
	say_eof(a);
	hear_end(a);
	hang_up(b);
	do {                                    /* the place is free soon after A has heard the end */
		talk_go_home(&s->talk);
		b = client_dial(&s->talk, "C", where(s, "full"), &(struct client_opts){ .quiet = true });
		say(b, "me now?\n");
	} while (strcmp(hear_line(b), "me now?") != 0 && test_now() < deadline);
	note(&s->talk, "C< %s", b->line);
	serve_stop(s);
	hear_end(b);
	serve_ends(s);
}

static void full_without(struct script *s)
{
	struct client *a, *b;

	serve(s, &(struct myr_config){ .conns_max = 1, .conns_per_peer = 100 }, "echo");
	a = meet(s, "A", "echo");
	say(a, "hello\n");
	hear_line(a);
	b = meet(s, "B", "echo");
	say(b, "me too\n");
	hear_nothing(b, SOON_MS);
	say_eof(a);
	hear_end(a);
	hear_line(b);
	hang_up(b);
	serve_stop(s);
	serve_ends(s);
}

static void one_for_each(struct script *s)
{
	struct client *a, *b, *c;

	serve(s, &(struct myr_config){ .conns_per_peer = 1 }, "echo");
	a = meet(s, "A", "echo");
	say(a, "hello\n");
	hear_line(a);
	b = meet(s, "B", "echo");
	c = client_dial(&s->talk, "C", where(s, "echo"), &(struct client_opts){ .from = "127.0.0.4" });
	if (s->in_turn) {
		hear_nothing(b, SOON_MS);
		hang_up(a);
		hang_up(b);
	} else {
		hear_cut(b);
	}
	say(c, "I am somebody else\n");
	hear_line(c);
	if (!s->in_turn) {
		say(a, "still here\n");
		hear_line(a);
	}
	hang_up(c);
	serve_stop(s);
	if (!s->in_turn)
		hear_end(a);
	serve_ends(s);
}

/* --- More clients than descriptors --- */

#define CLIENTS 60
#define FDS_MAX 40

struct crowd {
	struct client *c[CLIENTS];
	bool served[CLIENTS];
	unsigned n_served;
};

static void crowd_ask(struct script *s, struct crowd *w, unsigned i)
{
	w->c[i] = client_dial(&s->talk, "", where(s, "echo"), &(struct client_opts){ .quiet = true });
	say(w->c[i], "me\n");
}

/* Who has been served?  Wait a moment for the first of those who have not. */
static unsigned crowd_look(struct crowd *w, int ms)
{
	unsigned news = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		if (w->served[i])
			continue;
		if (client_hears(w->c[i], ms) && w->c[i]->in_n > 0) {
			w->served[i] = true;
			w->n_served++;
			news++;
		}
		ms = 0;
	}
	return news;
}

/* Those served leave; those who were sent away try again. */
static void crowd_move(struct script *s, struct crowd *w)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (w->c[i]->fd < 0)
			continue;
		if (w->served[i]) {
			hang_up(w->c[i]);
		} else if (w->c[i]->ended != NULL && s->talk.n_clients < TALK_CLIENTS - 1) {
			hang_up(w->c[i]);
			crowd_ask(s, w, i);
		}
	}
}

static void too_few_descriptors(struct script *s)
{
	static const struct place echo = { .service = "echo" };
	struct crowd w = { .n_served = 0 };
	int64_t deadline = test_now() + TALK_PATIENCE_MS;
	struct client *a;
	long cpu;

	serve_at(s, &(struct myr_config){ .conns_max = 1000, .conns_per_peer = 1000 }, &echo, 1, FDS_MAX);
	a = meet(s, "A", "echo");
	say(a, "first\n");
	hear_line(a);
	for (unsigned i = 0; i < CLIENTS; i++)
		crowd_ask(s, &w, i);
	while (crowd_look(&w, SOON_MS) > 0)
		;
	cpu = server_cpu_ms(&s->own);
	say(a, "still served\n");
	hear_line(a);
	hear_nothing(a, 150);
	cpu = server_cpu_ms(&s->own) - cpu;
	note(&s->talk, "the server %s", cpu <= 70 ? "is at rest" : "spins");
	hang_up(a);
	while (w.n_served < CLIENTS && test_now() < deadline) {
		crowd_move(s, &w);
		crowd_look(&w, 3);
	}
	note(&s->talk, "%u were served in the end", w.n_served);
	talk_hang_up_all(&s->talk);
	serve_stop(s);
	serve_ends(s);
}

static const struct scenario scenarios[] = {
	{ "idle for too long", goes_idle,
	  .text = "> hello\n< hello\n< EOF\nin good time\nserver: exit 0\n" },
	{ "connected, and not a byte", never_opens,
	  .text = "A< EOF\nin good time\nB> hello\nB< hello\nB< nothing\nB< EOF\nserver: exit 0\n" },
	{ "a frame that drips", drips,
	  .text = "> whole\n< WHOLE\n< nothing\ndrip, drip, cut\nin good time\nserver: exit 0\n" },
	{ "the last output is not taken", does_not_take,
	  .text = "A> 20000000\n?: 1 open\nA has had some, and then END\nserver: exit 0\n" },
	{ "a reset while the reply is stuck", goes_when_stuck,
	  .text = "A> 20000000\nA< 100000 bytes\nA> RESET\n?: 1 open\nserver: exit 0\n" },
	{ "the house is full, and says so", full_with_text,
	  .text = "A> hello\nA< hello\nB< come back later\nB< EOF\nA> good-bye\nA< good-bye\n"
	          "A> EOF\nA< EOF\nB> hangs up\nC< me now?\nserver: exit 0\n",
	  .except = { { IN_TURN, "A> hello\nA< hello\nB< nothing\nA> good-bye\nA< good-bye\n"
	                         "A> EOF\nA< EOF\nB> hangs up\nC< me now?\nserver: exit 0\n" } },
	  .at_once = 2 },
	{ "the house is full, and the next one waits", full_without,
	  .text = "A> hello\nA< hello\nB> me too\nB< nothing\nA> EOF\nA< EOF\nB< me too\n"
	          "B> hangs up\nserver: exit 0\n" },
	{ "one connection for each peer", one_for_each,
	  .text = "A> hello\nA< hello\nB< END\nC> I am somebody else\nC< I am somebody else\n"
	          "A> still here\nA< still here\nC> hangs up\nA< EOF\nserver: exit 0\n",
	  .except = { { IN_TURN, "A> hello\nA< hello\nB< nothing\nA> hangs up\nB> hangs up\n"
	                         "C> I am somebody else\nC< I am somebody else\nC> hangs up\n"
	                         "server: exit 0\n" } },
	  .at_once = 3 },
	{ "more clients than descriptors", too_few_descriptors,
	  .text = "A> first\nA< first\nA> still served\nA< still served\nA< nothing\n"
	          "the server is at rest\nA> hangs up\n60 were served in the end\nserver: exit 0\n" },
};

const struct topic topic_limits = {
	hostings, sizeof hostings / sizeof hostings[0], scenarios, sizeof scenarios / sizeof scenarios[0],
};
