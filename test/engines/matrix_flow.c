/* SPDX-License-Identifier: MIT
 *
 * matrix_flow.c - how fast: backpressure both ways, pauses, ticks and timeouts. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engines/matrix.h"
#include "support/clock.h"
#include "support/pattern.h"

#define LINE  512
#define PIECE 16384

/* --- flood: as many bytes of the pattern as the line says, then the end ----------------------- */

struct flood {
	size_t at, n;
};

static size_t flood_piece(const struct flood *f, uint8_t *piece)
{
	size_t k = f->n - f->at < PIECE ? f->n - f->at : PIECE;

	pattern_fill(piece, f->at, k);
	return k;
}

static void flood_handle(struct myr_conn *c)
{
	struct flood f = { 0 };
	uint8_t piece[PIECE];
	char line[LINE];

	if (myr_recv(c, line, sizeof line) < 0)
		return;
	for (f.n = strtoul(line, NULL, 10); f.at < f.n; ) {
		ssize_t k = myr_write(c, piece, flood_piece(&f, piece));

		if (k < 0)
			return;
		f.at += (size_t)k;
	}
}

static void flood_more(struct myr_conn *c)
{
	struct flood *f = myr_state(c);
	uint8_t piece[PIECE];

	while (f->at < f->n && !myr_full(c)) {
		ssize_t k = myr_write(c, piece, flood_piece(f, piece));

		if (k < 0)
			return;
		f->at += (size_t)k;
	}
	if (f->at == f->n)
		myr_close(c);
}

static void flood_frame(struct myr_conn *c, const void *p, size_t n)
{
	struct flood *f = myr_state(c);
	char line[LINE];

	snprintf(line, sizeof line, "%.*s", (int)n, (const char *)p);
	f->n = strtoul(line, NULL, 10);
	flood_more(c);
}

static const struct myr_service
	flood_blocking = { .name = "flood", .framing = &myr_lines, .handle = flood_handle },
	flood_callback = { .name = "flood", .framing = &myr_lines, .state = sizeof(struct flood),
	                   .on_frame = flood_frame, .on_room = flood_more };

/* --- lazy: echoes lines; "wait" stops it from looking at more until it says "and on" ---------- */

#define LAZY_MS 40

static void lazy_handle(struct myr_conn *c)
{
	char line[LINE];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0) {
		myr_send(c, line, (size_t)n);
		if (strcmp(line, "wait") != 0)
			continue;
		if (myr_sleep(c, LAZY_MS) < 0)
			return;
		myr_printf(c, "and on\n");
	}
}

static void lazy_frame(struct myr_conn *c, const void *p, size_t n)
{
	myr_send(c, p, n);
	if (n == 4 && memcmp(p, "wait", 4) == 0) {
		myr_pause(c);
		myr_tick(c, LAZY_MS);
	}
}

static void lazy_tick(struct myr_conn *c)
{
	myr_printf(c, "and on\n");
	myr_resume(c);
}

static const struct myr_service
	lazy_blocking = { .name = "lazy", .framing = &myr_lines, .handle = lazy_handle },
	lazy_callback = { .name = "lazy", .framing = &myr_lines, .on_frame = lazy_frame, .on_tick = lazy_tick };

/* --- clock: "tick" and a tock comes later, though nobody says anything; "never" takes it back --- */

static void clock_line(struct myr_conn *c, const char *p, size_t n)
{
	if (n == 4 && memcmp(p, "tick", 4) == 0)
		myr_tick(c, 20);
	else if (n == 5 && memcmp(p, "never", 5) == 0)
		myr_tick(c, MYR_NONE);
	else
		myr_send(c, p, n);
}

static void clock_handle(struct myr_conn *c)
{
	char line[LINE];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0)
		clock_line(c, line, (size_t)n);
}

static void clock_frame(struct myr_conn *c, const void *p, size_t n)
{
	clock_line(c, p, n);
}

static void clock_tick(struct myr_conn *c)
{
	myr_send(c, "tock", 4);
}

static const struct myr_service
	clock_blocking = { .name = "clock", .framing = &myr_lines, .handle = clock_handle,
	                   .on_tick = clock_tick },
	clock_callback = { .name = "clock", .framing = &myr_lines, .on_frame = clock_frame,
	                   .on_tick = clock_tick };

/* --- patient: says so when nothing comes for a while, and goes on ----------------------------- */

#define PATIENT_MS 40

static void patient_handle(struct myr_conn *c)
{
	char line[LINE];
	ssize_t n;

	myr_set_timeout(c, PATIENT_MS);
	while ((n = myr_recv(c, line, sizeof line)) >= 0 || n == -ETIMEDOUT) {
		if (n == -ETIMEDOUT) {
			myr_printf(c, "still there?\n");
			myr_set_timeout(c, MYR_NONE);
		} else {
			myr_send(c, line, (size_t)n);
			myr_set_timeout(c, PATIENT_MS);
		}
	}
}

static void patient_open(struct myr_conn *c)
{
	myr_tick(c, PATIENT_MS);
}

static void patient_frame(struct myr_conn *c, const void *p, size_t n)
{
	myr_send(c, p, n);
	myr_tick(c, PATIENT_MS);
}

static void patient_tick(struct myr_conn *c)
{
	myr_printf(c, "still there?\n");
}

static const struct myr_service
	patient_blocking = { .name = "patient", .framing = &myr_lines, .handle = patient_handle },
	patient_callback = { .name = "patient", .framing = &myr_lines, .on_open = patient_open,
	                     .on_frame = patient_frame, .on_tick = patient_tick };

/* --- deaf: never takes a byte ----------------------------------------------------------------- */

static void deaf_handle(struct myr_conn *c)
{
	while (myr_sleep(c, MYR_NONE) == 0)
		;
}

static size_t deaf_data(struct myr_conn *c, const void *p, size_t n)
{
	(void)c;
	(void)p;
	(void)n;
	return 0;
}

static const struct myr_service
	deaf_blocking = { .name = "deaf", .handle = deaf_handle },
	deaf_callback = { .name = "deaf", .on_data = deaf_data };

static const struct hosting hostings[] = {
	{ "flood",   { &flood_blocking,   &flood_callback } },
	{ "lazy",    { &lazy_blocking,    &lazy_callback } },
	{ "clock",   { &clock_blocking,   &clock_callback } },
	{ "patient", { &patient_blocking, &patient_callback } },
	{ "deaf",    { &deaf_blocking,    &deaf_callback } },
};

/* --- Scenarios -------------------------------------------------------------------------------- */

static void slow_reader(struct script *s)
{
	static const struct client_opts small = { .receive_room = 65536 };
	struct client *c = client_dial(&s->talk, "", where(s, "flood"), &small);

	say(c, "2000000\n");
	hear_rest_of_pattern(c);
}

static void late_reader(struct script *s)
{
	static const struct client_opts small = { .receive_room = 65536 };
	struct client *c = client_dial(&s->talk, "A", where(s, "flood"), &small), *b;

	say(c, "20000000\n");
	client_hears(c, TALK_PATIENCE_MS);
	b = meet(s, "B", "echo");
	say(b, "meanwhile\n");
	hear_if_served(s, b);
	hear_rest_of_pattern(c);
}

/* A client that says much and hears nothing is not read from any more; when it listens, all is there. */
static void stopped_reader(struct script *s)
{
	static const struct client_opts small = { .receive_room = 65536, .send_room = 65536 };
	struct client *a = client_dial(&s->talk, "A", where(s, "echo"), &small), *b;
	size_t n = say_until_stuck(a, 64 << 20, 100);

	note(&s->talk, "A> %s", n < 64 << 20 ? "all that goes, and it stalls" : "64 MiB, and no end");
	b = meet(s, "B", "echo");
	say(b, "meanwhile\n");
	hear_if_served(s, b);
	a->quiet = true;
	hear_pattern(a, n);
	exchange(a, 100000);
	a->quiet = false;
	note(&s->talk, "A< %s", a->heard == a->said ? "all of it" : "less");
	hang_up(a);
	if (s->in_turn)
		hear_line(b);
}

static void paused(struct script *s)
{
	struct client *c = meet(s, "", "lazy");
	int64_t began = test_now();

	say(c, "one\nwait\ntwo\nthree\n");
	hear_line(c);
	hear_line(c);
	say(c, "four\n");
	say_eof(c);
	hear_end(c);
	note(&s->talk, "%s", test_now() - began >= LAZY_MS - 1 ? "in good time" : "too early");
}

static void ticks(struct script *s)
{
	struct client *c = meet(s, "", "clock");
	int64_t began = test_now();

	say(c, "tick\n");
	hear_line(c);
	note(&s->talk, "%s", test_now() - began >= 19 ? "in good time" : "too early");
	say(c, "tick\nnever\nhello\n");
	hear_line(c);
	hear_nothing(c, SOON_MS);
}

static void times_out(struct script *s)
{
	int64_t began = test_now();
	struct client *c = meet(s, "", "patient");

	hear_line(c);
	note(&s->talk, "%s", test_now() - began >= PATIENT_MS - 1 ? "in good time" : "too early");
	say(c, "yes\n");
	hear_line(c);
	hear_line(c);
	say(c, "yes!\n");
	hear_line(c);
}

/* A callback that leaves in_max bytes can never get further; a reader that does not read is idle. */
static void never_reads(struct script *s)
{
	struct client *c;

	serve(s, &(struct myr_config){ .in_max = 4096, .idle_ms = 100 }, "deaf");
	c = meet(s, "", "deaf");
	say_pattern(c, 9000);
	hear_cut(c);
	serve_stop(s);
	serve_ends(s);
}

static const struct scenario scenarios[] = {
	{ "a slow reader of a large reply gets every byte", slow_reader,
	  .text = "> 2000000\n< 2000000 bytes\n< EOF\n" },
	{ "a late reader gets every byte, and others are served", late_reader,
	  .text = "A> 20000000\nB> meanwhile\nB< meanwhile\nA< 20000000 bytes\nA< EOF\n",
	  .except = { { IN_TURN, "A> 20000000\nB> meanwhile\nB< nothing\nA< 20000000 bytes\n"
	                         "A< EOF\n" } },
	  .at_once = 2 },
	{ "who does not listen is not read from", stopped_reader,
	  .text = "A> all that goes, and it stalls\nB> meanwhile\nB< meanwhile\nA< all of it\n"
	          "A> hangs up\n",
	  .except = { { IN_TURN, "A> all that goes, and it stalls\nB> meanwhile\nB< nothing\n"
	                         "A< all of it\nA> hangs up\nB< meanwhile\n" } },
	  .at_once = 2 },
	{ "a pause holds back even what has arrived", paused,
	  .text = "> one\n> wait\n> two\n> three\n< one\n< wait\n> four\n> EOF\n< and on\n< two\n"
	          "< three\n< four\n< EOF\nin good time\n" },
	{ "a tick comes while nobody speaks", ticks,
	  .text = "> tick\n< tock\nin good time\n> tick\n> never\n> hello\n< hello\n< nothing\n" },
	{ "a wait that times out breaks nothing", times_out,
	  .text = "< still there?\nin good time\n> yes\n< yes\n< still there?\n> yes!\n< yes!\n" },
	{ "a handler that never reads", never_reads,
	  .text = "> 9000 bytes\n< END\n"
	          "server: exit 0\n" },
};

const struct topic topic_flow = {
	hostings, sizeof hostings / sizeof hostings[0], scenarios, sizeof scenarios / sizeof scenarios[0],
};
