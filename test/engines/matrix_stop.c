/* SPDX-License-Identifier: MIT
 *
 * matrix_stop.c - the end of a server: told, finished, cut. */
#include <stdio.h>
#include <string.h>

#include "engines/matrix.h"
#include "support/clock.h"

#define LINE 512
#define WORK_MS 80

/* --- polite: says good-bye when the server stops, after what it has begun --------------------- */

static void polite_handle(struct myr_conn *c)
{
	char line[LINE];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0) {
		if (strcmp(line, "work") != 0) {
			myr_send(c, line, (size_t)n);
			continue;
		}
		myr_printf(c, "begun\n");
		if (myr_sleep(c, WORK_MS) < 0)
			return;
		myr_printf(c, "done\n");
	}
	if (n == MYR_STOP)
		myr_printf(c, "bye\n");
}

struct polite {
	bool busy, stopping;
};

static void polite_bye(struct myr_conn *c)
{
	myr_printf(c, "bye\n");
	myr_close(c);
}

static void polite_frame(struct myr_conn *c, const void *p, size_t n)
{
	struct polite *s = myr_state(c);

	if (n != 4 || memcmp(p, "work", 4) != 0) {
		myr_send(c, p, n);
		return;
	}
	myr_printf(c, "begun\n");
	s->busy = true;
	myr_tick(c, WORK_MS);
}

static void polite_tick(struct myr_conn *c)
{
	struct polite *s = myr_state(c);

	s->busy = false;
	myr_printf(c, "done\n");
	if (s->stopping)
		polite_bye(c);
}

static void polite_stop(struct myr_conn *c)
{
	struct polite *s = myr_state(c);

	if (s->busy)
		s->stopping = true;
	else
		polite_bye(c);
}

static const struct myr_service
	polite_blocking = { .name = "polite", .framing = &myr_lines, .handle = polite_handle },
	polite_callback = { .name = "polite", .framing = &myr_lines, .state = sizeof(struct polite),
	                    .on_frame = polite_frame, .on_tick = polite_tick, .on_stop = polite_stop };

/* --- stubborn: hears that the server stops, and goes on --------------------------------------- */

static void stubborn_handle(struct myr_conn *c)
{
	char line[LINE];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0 || n == MYR_STOP) {
		if (n == MYR_STOP)
			myr_printf(c, "I stay\n");
		else
			myr_send(c, line, (size_t)n);
	}
}

static void stubborn_frame(struct myr_conn *c, const void *p, size_t n)
{
	myr_send(c, p, n);
}

static void stubborn_stop(struct myr_conn *c)
{
	myr_printf(c, "I stay\n");
}

static const struct myr_service
	stubborn_blocking = { .name = "stubborn", .framing = &myr_lines, .handle = stubborn_handle },
	stubborn_callback = { .name = "stubborn", .framing = &myr_lines, .on_frame = stubborn_frame,
	                      .on_stop = stubborn_stop };

/* --- switch: "off" stops the server ----------------------------------------------------------- */

static void switch_line(struct myr_conn *c, const char *p, size_t n)
{
	myr_send(c, p, n);
	if (n == 3 && memcmp(p, "off", 3) == 0)
		myr_server_stop(myr_server_of(c));
}

static void switch_handle(struct myr_conn *c)
{
	char line[LINE];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0)
		switch_line(c, line, (size_t)n);
}

static void switch_frame(struct myr_conn *c, const void *p, size_t n)
{
	switch_line(c, p, n);
}

static const struct myr_service
	switch_blocking = { .name = "switch", .framing = &myr_lines, .handle = switch_handle },
	switch_callback = { .name = "switch", .framing = &myr_lines, .on_frame = switch_frame };

static const struct hosting hostings[] = {
	{ "polite",   { &polite_blocking,   &polite_callback } },
	{ "stubborn", { &stubborn_blocking, &stubborn_callback } },
	{ "switch",   { &switch_blocking,   &switch_callback } },
};

/* --- Scenarios -------------------------------------------------------------------------------- */

static const struct myr_config ample, brief = { .drain_ms = 400 };

static void stops_idle(struct script *s)
{
	serve(s, &ample, "echo");
	serve_stop(s);
	serve_ends(s);
	note(&s->talk, "then %s", client_is_refused(where(s, "echo")) ? "refused" : "somebody listens");
}

static void tells_idle(struct script *s)
{
	struct client *a, *b;

	serve(s, &ample, "polite");
	a = meet(s, "A", "polite");
	say(a, "hello\n");
	hear_line(a);
	b = meet(s, "B", "polite");
	say(b, "hello\n");
	hear_if_served(s, b);
	serve_stop(s);
	hear_end(a);
	if (!s->in_turn)
		hear_end(b);
	serve_ends(s);
	if (s->in_turn)
		hear_cut(b);
}

/* A service that knows nothing of stops: closed when nothing is under way. */
static void closes_ignorant(struct script *s)
{
	struct client *a;

	serve(s, &ample, "echo");
	a = meet(s, "", "echo");
	say(a, "hello\n");
	hear_line(a);
	serve_stop(s);
	hear_end(a);
	serve_ends(s);
}

static void finishes_busy(struct script *s)
{
	struct client *a;

	serve(s, &ample, "polite");
	a = meet(s, "", "polite");
	say(a, "work\n");
	hear_line(a);
	serve_stop(s);
	hear_end(a);
	serve_ends(s);
	note(&s->talk, "then %s", client_is_refused(where(s, "polite")) ? "refused" : "somebody listens");
}

/* Workers do not all hear it at the same moment; from then on newcomers are refused. */
static void note_refused(struct script *s)
{
	int64_t deadline = test_now() + TALK_PATIENCE_MS;
	bool refused;

	do
		refused = client_is_refused(s->own.address[0]);
	while (!refused && test_now() < deadline);
	note(&s->talk, "newcomers are %s", refused ? "refused" : "let in");
}

static void cuts_stubborn(struct script *s)
{
	struct client *a;
	int64_t began;

	serve(s, &brief, "stubborn");
	a = meet(s, "", "stubborn");
	say(a, "hello\n");
	hear_line(a);
	began = test_now();
	serve_stop(s);
	hear_line(a);
	note_refused(s);
	say(a, "still here?\n");
	hear_line(a);
	hear_end(a);
	serve_ends(s);
	note(&s->talk, "%s, and %s", test_now() - began >= brief.drain_ms - 5 ? "in good time" : "too early",
	     server_has_said(&s->own, "1 connection cut") ? "it says so" : "nobody says so");
}

static void cuts_at_once(struct script *s)
{
	struct client *a;

	serve(s, &ample, "stubborn");
	a = meet(s, "", "stubborn");
	say(a, "hello\n");
	hear_line(a);
	serve_stop(s);
	hear_line(a);
	serve_stop(s);
	hear_end(a);
	serve_ends(s);
}

static void switched_off(struct script *s)
{
	struct client *a, *b;

	serve(s, &ample, "switch");
	a = meet(s, "A", "switch");
	say(a, "on\n");
	hear_line(a);
	b = meet(s, "B", "switch");
	if (!s->in_turn) {
		say(b, "on\n");
		hear_line(b);
	}
	say(a, "off\n");
	hear_end(a);
	talk_go_home(&s->talk);
	if (s->in_turn)
		hear_cut(b);
	else
		hear_end(b);
	serve_ends(s);
}

/* Whatever thirty clients are in the middle of: all end, nothing stays. */
static void stops_under_load(struct script *s)
{
	struct client *c[30];
	unsigned ended = 0;

	serve(s, &ample, "polite");
	for (int i = 0; i < 30; i++) {
		c[i] = client_dial(&s->talk, "", where(s, "polite"), &(struct client_opts){ .quiet = true });
		say(c[i], i % 3 == 0 ? "work\n" : i % 3 == 1 ? "hello\nhel" : "hello\n");
	}
	hear_line(c[0]);
	hear_line(c[0]);
	serve_stop(s);
	for (int i = 0; i < 30; i++) {
		if (i % 3 == 1)
			say_eof(c[i]);          /* it has begun a frame: it is waited for */
		hear_cut(c[i]);
		ended += c[i]->ended != NULL;
		hang_up(c[i]);
	}
	note(&s->talk, "%u have ended", ended);
	serve_ends(s);
}

/* A reply under way when the stop comes still arrives whole. */
static void finishes_reply(struct script *s)
{
	static const struct client_opts small = { .receive_room = 65536 };
	struct client *c;

	serve(s, &ample, "flood");
	c = client_dial(&s->talk, "", where(s, "flood"), &small);
	say(c, "6000000\n");
	hear_pattern(c, 1000);
	serve_stop(s);
	hear_rest_of_pattern(c);
	hang_up(c);
	serve_ends(s);
}

static const struct scenario scenarios[] = {
	{ "stopped with nobody there", stops_idle, .text = "server: exit 0\nthen refused\n" },
	{ "stopped, and the idle are told", tells_idle,
	  .text = "A> hello\nA< hello\nB> hello\nB< hello\nA< bye\nA< EOF\nB< bye\nB< EOF\n"
	          "server: exit 0\n",
	  .except = { { IN_TURN, "A> hello\nA< hello\nB> hello\nB< nothing\nA< bye\nA< EOF\n"
	                         "server: exit 0\nB< END\n" } },
	  .at_once = 2 },
	{ "stopped, and the service knows nothing of it", closes_ignorant,
	  .text = "> hello\n< hello\n< EOF\nserver: exit 0\n" },
	{ "stopped, and the busy finish first", finishes_busy,
	  .text = "> work\n< begun\n< done\n< bye\n< EOF\nserver: exit 0\nthen refused\n" },
	{ "stopped, and a long reply still arrives", finishes_reply,
	  .text = "> 6000000\n< 1000 bytes\n< 5999000 bytes\n< EOF\n> hangs up\nserver: exit 0\n" },
	{ "stopped: newcomers are refused, the stubborn cut", cuts_stubborn,
	  .text = "> hello\n< hello\n< I stay\nnewcomers are refused\n> still here?\n"
	          "< still here?\n< RESET\nserver: exit 0, 1 cut\nin good time, and it says so\n" },
	{ "stopped twice, and cut at once", cuts_at_once,
	  .text = "> hello\n< hello\n< I stay\n< RESET\nserver: exit 0, 1 cut\n" },
	{ "stopped by a handler", switched_off,
	  .text = "A> on\nA< on\nB> on\nB< on\nA> off\nA< off\nA< EOF\nB< EOF\nserver: exit 0\n",
	  .except = { { IN_TURN, "A> on\nA< on\nA> off\nA< off\nA< EOF\nB< END\nserver: exit 0\n" } },
	  .at_once = 2 },
	{ "stopped under load", stops_under_load, .text = "30 have ended\nserver: exit 0\n" },
};

const struct topic topic_stop = {
	hostings, sizeof hostings / sizeof hostings[0], scenarios, sizeof scenarios / sizeof scenarios[0],
};
