/* SPDX-License-Identifier: MIT
 *
 * test_seeds.c - connections of both styles in a bad network, under many seeds.
 *
 * A scenario is a service, what a client sends to it and what must come back.  A seed decides how
 * bytes are cut, how late they are, how short sends fall, when clients stop reading, send or end, and
 * how small the limits are.  Each seed runs twice and must leave the same trace.  A failure prints the
 * command that repeats it:
 *
 *	test_seeds [--seed N] [--seeds COUNT] [--only SCENARIO]         (or MYRIAD_SEED=N)
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "conn/conn.h"
#include "io/sim.h"

#define CLIENTS    3
#define FIRST_PORT 40000                /* of simulated clients */
#define STEPS_MAX  2000000u
#define FLOOD      8000u
#define RECORD     100u

static uint64_t seed_first = 1, seed_count = 200;
static const char *program;

/* --- Scenarios ------------------------------------------------------------------------------------- */

enum {
	ENDS    = 1,                    /* clients end their half when all is sent */
	RESETS  = 2,                    /* clients reset, some time */
	DRAINS  = 4,                    /* the server drains, some time */
	PREFIX  = 8,                    /* what comes back may stop early */
	BREAKS  = 16,                   /* the network resets */
	PROXIED = 32                    /* an echo service listens, too */
};

struct run;
struct client {
	struct run *run;
	struct sim_peer *peer;          /* NULL: done */
	struct buf in, out, got;        /* to send; what must come back; what has */
	size_t sent;
	bool ended, stopped, reset;
	int  why;                       /* 1: still open */
};

struct scenario {
	const char *name;
	const struct myr_service *services[2];
	void (*make)(struct client *);
	unsigned flags;
	int whys[6];                    /* what the end may be; 1 ends the list */
};

struct run {
	const struct scenario *scenario;
	const struct myr_service *service;
	uint64_t seed;
	struct sim *world;
	struct myr_loop loop;
	struct inlet {
		struct port port;
		struct origin origin;
		unsigned gone;
	} inlets[2];
	struct client clients[CLIENTS];
	unsigned alive;                 /* connections */
	bool draining;
};

static struct {                         /* what handlers have seen in this run */
	unsigned opens, closes, setups, finishes;
	const char *wrong;
} seen;

static void complain(const struct run *r, const char *what)
{
	print_error("%s, %s: %s\nrepeat with: %s --seed %llu --only '%s'\n", r->scenario->name,
	            r->service == r->scenario->services[0] ? "blocking" : "callback", what, program,
	            (unsigned long long)r->seed, r->scenario->name);
	fail();
}

static void check(const struct run *r, bool good, const char *what)
{
	if (!good)
		complain(r, what);
}

static unsigned draw(struct run *r, unsigned below)
{
	return (unsigned)(sim_random(r->world) % below);
}

static void put(const struct client *k, struct buf *b, const void *p, size_t n)
{
	check(k->run, buf_append(b, p, n) == 0, "out of memory");
}

/* --- Services --------------------------------------------------------------------------------------- */

static int on_setup(struct myr_conn *c)
{
	(void)c;
	seen.setups++;
	return 0;
}

static void on_finish(struct myr_conn *c)
{
	(void)c;
	seen.finishes++;
}

static void on_open(struct myr_conn *c)
{
	(void)c;
	seen.opens++;
}

static void on_close(struct myr_conn *c, int why)
{
	if (why != conn_why(c))
		seen.wrong = "on_close was told something else";
	seen.closes++;
}

static void echo_handle(struct myr_conn *c)
{
	char buf[100];
	ssize_t n;

	while ((n = myr_read(c, buf, sizeof buf)) > 0)
		if (myr_write(c, buf, (size_t)n) < 0)
			return;
}

static size_t echo_data(struct myr_conn *c, const void *p, size_t n)
{
	myr_write(c, p, n);
	return n;
}

/* Takes a byte and then needs a pause. */
static size_t sip_data(struct myr_conn *c, const void *p, size_t n)
{
	size_t some = n < 7 ? n : 7;

	myr_write(c, p, some);
	myr_pause(c);
	myr_tick(c, 1);
	return some;
}

static void sip_tick(struct myr_conn *c)
{
	myr_resume(c);
}

static void sip_handle(struct myr_conn *c)
{
	char buf[7];
	ssize_t n;

	while ((n = myr_read(c, buf, sizeof buf)) > 0) {
		myr_write(c, buf, (size_t)n);
		myr_sleep(c, 1);
	}
}

static void flip(char *to, const char *from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		to[i] = from[n - 1 - i];
}

static void flip_handle(struct myr_conn *c)
{
	char frame[128], back[128];
	ssize_t n;

	while ((n = myr_recv(c, frame, sizeof frame)) >= 0) {
		flip(back, frame, (size_t)n);
		myr_send(c, back, (size_t)n);
	}
}

static void flip_frame(struct myr_conn *c, const void *p, size_t n)
{
	char back[128];

	if (n > sizeof back) {
		seen.wrong = "a frame above frame_max";
		return;
	}
	flip(back, p, n);
	myr_send(c, back, n);
}

static void quit_handle(struct myr_conn *c)
{
	char frame[128];

	while (myr_recv(c, frame, sizeof frame) >= 0)
		if (frame[0] == 'q') {
			myr_send(c, "good-bye", 8);
			return;
		} else {
			myr_send(c, "ok", 2);
		}
}

static void quit_frame(struct myr_conn *c, const void *p, size_t n)
{
	if (n > 0 && *(const char *)p == 'q') {
		myr_send(c, "good-bye", 8);
		myr_close(c);
	} else {
		myr_send(c, "ok", 2);
	}
}

static size_t flood_piece(char *piece, size_t at)
{
	size_t n = 0;

	for (; n < 100 && at + n < FLOOD; n++)
		piece[n] = (char)((at + n) * 31 >> 3);
	return n;
}

static void flood_handle(struct myr_conn *c)
{
	char piece[100];
	size_t n;

	for (size_t at = 0; (n = flood_piece(piece, at)) > 0; at += n)
		if (myr_write(c, piece, n) < 0)
			return;
}

static void flood_more(struct myr_conn *c)
{
	size_t *at = myr_state(c), n;
	char piece[100];

	while (!myr_full(c) && (n = flood_piece(piece, *at)) > 0) {
		myr_write(c, piece, n);
		*at += n;
	}
	if (*at == FLOOD)
		myr_close(c);
}

static void flood_open(struct myr_conn *c)
{
	seen.opens++;
	flood_more(c);
}

static void count_handle(struct myr_conn *c)
{
	size_t total = 0;
	char buf[64];
	ssize_t n;

	while ((n = myr_read(c, buf, sizeof buf)) > 0)
		total += (size_t)n;
	if (n == MYR_EOF)
		myr_printf(c, "%zu", total);
}

static size_t count_data(struct myr_conn *c, const void *p, size_t n)
{
	(void)p;
	*(size_t *)myr_state(c) += n;
	return n;
}

static void count_eof(struct myr_conn *c)
{
	myr_printf(c, "%zu", *(size_t *)myr_state(c));
	myr_close(c);
}

/* A record is most of a small input buffer. */
static void record_handle(struct myr_conn *c)
{
	char record[RECORD];

	while (myr_readn(c, record, sizeof record) > 0)
		myr_write(c, record, 1);
}

static size_t record_data(struct myr_conn *c, const void *p, size_t n)
{
	size_t used = 0;

	for (; n - used >= RECORD; used += RECORD)
		myr_write(c, (const char *)p + used, 1);
	return used;
}

static void proxy_handle(struct myr_conn *c)
{
	struct myr_conn *to;

	if (myr_dial(&to, "tcp:127.0.0.1:7", 10000) < 0) {
		seen.wrong = "myr_dial() failed";
		return;
	}
	if (myr_relay(c, to) < 0)
		seen.wrong = "myr_relay() failed";
	myr_close(to);
}

static void proxy_open(struct myr_conn *c)
{
	struct myr_conn *to;

	seen.opens++;
	if (myr_connect(&to, myr_loop_of(c), NULL, "tcp:127.0.0.1:7", NULL) < 0 || myr_relay(c, to) < 0)
		seen.wrong = "myr_connect() and myr_relay() failed";
}

#define BLOCKING .setup = on_setup, .finish = on_finish
#define CALLBACK .on_open = on_open, .on_close = on_close

static const struct myr_service
	echo_b = { BLOCKING, .handle = echo_handle },
	echo_c = { CALLBACK, .on_data = echo_data },
	sip_b = { BLOCKING, .handle = sip_handle },
	sip_c = { CALLBACK, .on_data = sip_data, .on_tick = sip_tick },
	lines_b = { BLOCKING, .framing = &myr_lines, .frame_max = 100, .handle = flip_handle },
	lines_c = { CALLBACK, .framing = &myr_lines, .frame_max = 100, .on_frame = flip_frame },
	strings_b = { BLOCKING, .framing = &myr_netstrings, .frame_max = 100, .handle = flip_handle },
	strings_c = { CALLBACK, .framing = &myr_netstrings, .frame_max = 100, .on_frame = flip_frame },
	prefix_b = { BLOCKING, .framing = &myr_prefix16, .frame_max = 100, .handle = flip_handle },
	prefix_c = { CALLBACK, .framing = &myr_prefix16, .frame_max = 100, .on_frame = flip_frame },
	quit_b = { BLOCKING, .framing = &myr_lines, .frame_max = 100, .handle = quit_handle },
	quit_c = { CALLBACK, .framing = &myr_lines, .frame_max = 100, .on_frame = quit_frame },
	flood_b = { BLOCKING, .handle = flood_handle },
	flood_c = { .state = sizeof(size_t), .on_open = flood_open, .on_room = flood_more, .on_close = on_close },
	count_b = { BLOCKING, .handle = count_handle },
	count_c = { CALLBACK, .state = sizeof(size_t), .on_data = count_data, .on_eof = count_eof },
	record_b = { BLOCKING, .handle = record_handle },
	record_c = { CALLBACK, .on_data = record_data },
	proxy_b = { BLOCKING, .handle = proxy_handle },
	proxy_c = { .on_open = proxy_open, .on_close = on_close };

/* --- What clients say --------------------------------------------------------------------------------- */

static void make_bytes(struct client *k)
{
	for (unsigned n = draw(k->run, 600); n > 0; n--) {
		uint8_t byte = (uint8_t)draw(k->run, 256);

		put(k, &k->in, &byte, 1);
	}
	put(k, &k->out, buf_bytes(&k->in), buf_len(&k->in));
}

static void make_wrapped(struct client *k, struct buf *b, const char *text, size_t n)
{
	struct myr_wrap w = { .head_n = 0 };

	k->run->service->framing->wrap(n, &w);
	put(k, b, w.head, w.head_n);
	put(k, b, text, n);
	put(k, b, w.tail, w.tail_n);
}

static void make_frames(struct client *k)
{
	char text[100], back[100];

	for (unsigned frames = draw(k->run, 20); frames > 0; frames--) {
		size_t n = draw(k->run, 8) == 0 ? sizeof text : draw(k->run, 20);

		for (size_t i = 0; i < n; i++)
			text[i] = (char)('a' + draw(k->run, 26));
		flip(back, text, n);
		make_wrapped(k, &k->in, text, n);
		make_wrapped(k, &k->out, back, n);
	}
}

static void make_long_frame(struct client *k)
{
	char text[150];

	make_frames(k);
	memset(text, 'x', sizeof text);
	make_wrapped(k, &k->in, text, sizeof text);
}

static void make_half_frame(struct client *k)
{
	make_frames(k);
	put(k, &k->in, "unfinished", 10);
}

static void make_quit(struct client *k)
{
	for (unsigned n = draw(k->run, 20); n > 0; n--) {
		put(k, &k->in, "hello\n", 6);
		put(k, &k->out, "ok\n", 3);
	}
	put(k, &k->in, "quit\n", 5);
	put(k, &k->out, "good-bye\n", 9);
	for (unsigned n = draw(k->run, 50); n > 0; n--)
		put(k, &k->in, "one more thing\n", 15);
}

static void make_flood(struct client *k)
{
	char piece[100];
	size_t n;

	put(k, &k->in, "ignored", 7);
	for (size_t at = 0; (n = flood_piece(piece, at)) > 0; at += n)
		put(k, &k->out, piece, n);
}

static void make_count(struct client *k)
{
	char text[24];

	make_bytes(k);
	buf_done(&k->out);
	put(k, &k->out, text, (size_t)snprintf(text, sizeof text, "%zu", buf_len(&k->in)));
}

static void make_records(struct client *k)
{
	char record[RECORD];

	for (unsigned i = draw(k->run, 10); i > 0; i--) {
		memset(record, 'a' + (int)i, sizeof record);
		put(k, &k->in, record, sizeof record);
		put(k, &k->out, record, 1);
	}
}

static const struct scenario scenarios[] = {
	{ "echo", { &echo_b, &echo_c }, make_bytes, ENDS, { MYR_EOF, 1 } },
	{ "sip", { &sip_b, &sip_c }, make_bytes, ENDS, { MYR_EOF, 1 } },
	{ "lines", { &lines_b, &lines_c }, make_frames, ENDS, { MYR_EOF, 1 } },
	{ "netstrings", { &strings_b, &strings_c }, make_frames, ENDS, { MYR_EOF, 1 } },
	{ "prefix16", { &prefix_b, &prefix_c }, make_frames, ENDS, { MYR_EOF, 1 } },
	{ "records", { &record_b, &record_c }, make_records, ENDS, { MYR_EOF, 1 } },
	{ "answer after the end", { &count_b, &count_c }, make_count, ENDS, { MYR_EOF, 1 } },
	{ "the service closes", { &quit_b, &quit_c }, make_quit, 0, { 0, 1 } },
	{ "both close", { &quit_b, &quit_c }, make_quit, ENDS, { 0, MYR_EOF, 1 } },
	{ "flood", { &flood_b, &flood_c }, make_flood, 0, { 0, 1 } },
	{ "proxy", { &proxy_b, &proxy_c }, make_bytes, ENDS | PROXIED, { MYR_EOF, 0, 1 } },
	{ "idle", { &echo_b, &echo_c }, make_bytes, 0, { -ETIMEDOUT, 1 } },
	{ "long frame", { &lines_b, &lines_c }, make_long_frame, ENDS | PREFIX, { MYR_EFRAME, 1 } },
	{ "half a frame", { &lines_b, &lines_c }, make_half_frame, ENDS | PREFIX, { MYR_EFRAME, 1 } },
	{ "resets", { &echo_b, &echo_c }, make_bytes, ENDS | RESETS | PREFIX, { -ECONNRESET, -EPIPE, MYR_EOF, 1 } },
	{ "resets in a flood", { &flood_b, &flood_c }, make_flood, RESETS | PREFIX, { -ECONNRESET, -EPIPE, 0, 1 } },
	{ "broken network", { &lines_b, &lines_c }, make_frames, ENDS | BREAKS | PREFIX,
	  { -ECONNRESET, -EPIPE, MYR_EOF, 1 } },
	{ "drain", { &echo_b, &echo_c }, make_bytes, ENDS | DRAINS | PREFIX, { MYR_STOP, MYR_EOF, 0, 1 } },
};

/* --- Listening ------------------------------------------------------------------------------------------ */

static void inlet_accepted(struct port *p, int32_t handle, uint8_t flags, const struct sockaddr *a, socklen_t n)
{
	struct inlet *in = (struct inlet *)p;
	struct run *r = in->origin.arg;
	int err;

	if (conn_accept(&r->loop, &in->origin, handle, flags, a, n, 0, (uint32_t)++r->loop.numbers, &err) == NULL)
		seen.wrong = "conn_accept() failed";
	else
		r->alive++;
}

static void inlet_released(struct port *p)
{
	((struct inlet *)p)->gone++;
}

static void inlet_failed(struct port *p, int err)
{
	(void)p;
	(void)err;
	seen.wrong = "a listener failed";
}

static const struct port_ops inlet_ops = {
	.accepted = inlet_accepted, .failed = inlet_failed, .released = inlet_released,
};

static void conn_ended(struct myr_conn *c)
{
	struct run *r = c->origin->arg;

	r->alive--;
	if (c->origin == &r->inlets[0].origin)
		r->clients[c->peer.port - FIRST_PORT].why = conn_why(c);
}

static void listen_at(struct run *r, struct inlet *in, const struct myr_service *s, const char *text)
{
	const struct myr_config small = { .in_max = 128, .out_high = 64, .out_low = 16 };
	struct endpoint e;
	char why[100];

	check(r, origin_init(&in->origin, s, sizeof *s, draw(r, 2) ? &small : NULL, r) == 0, "origin_init() failed");
	in->origin.runner = s->handle != NULL ? &runner_fiber : NULL;
	in->origin.ended = conn_ended;
	check(r, endpoint_parse(&e, text, why, sizeof why) == 0, "the endpoint is bad");
	in->port = (struct port){ .ops = &inlet_ops, .loop = &r->loop, .budget = 1 + (uint8_t)draw(r, 4),
	                          .handle = sim_listen(r->world, &e, false, why, sizeof why),
	                          .want = PORT_ACCEPT };
	check(r, in->port.handle >= 0 && loop_attach(&in->port) == 0, "cannot listen");
	loop_touch(&in->port);
}

/* --- Clients ----------------------------------------------------------------------------------------------- */

static void client_hear(struct client *k)
{
	const char *p;
	size_t n;

	if (sim_peer_waiting(k->peer) == 0)
		return;
	p = sim_peer_take(k->peer, &n);
	put(k, &k->got, p, n);
}

static void client_leave(struct client *k)
{
	client_hear(k);
	sim_peer_free(k->peer);
	k->peer = NULL;
}

static void client_stop(struct client *k, bool stop)
{
	k->stopped = stop;
	sim_peer_stop_reading(k->peer, stop);
}

/* Nothing more to do but listen? */
static bool client_is_through(const struct client *k)
{
	return k->peer == NULL || (k->sent == buf_len(&k->in) && !k->stopped &&
	                           (k->ended || !(k->run->scenario->flags & ENDS)));
}

static void client_act(struct client *k)
{
	struct run *r = k->run;
	size_t left = buf_len(&k->in) - k->sent;

	if (k->peer == NULL)
		return;
	if ((r->scenario->flags & RESETS) && draw(r, 40) == 0) {
		sim_peer_reset(k->peer);
		k->reset = true;
		client_leave(k);
	} else if (draw(r, 8) == 0 || (k->stopped && left == 0)) {
		client_stop(k, !k->stopped);
	} else if (left > 0) {
		size_t n = draw(r, 4) == 0 ? left : 1 + draw(r, left < 50 ? (unsigned)left : 50);

		check(r, sim_peer_send(k->peer, buf_bytes(&k->in) + k->sent, n) == 0, "out of memory");
		k->sent += n;
	} else if (!k->ended && (r->scenario->flags & ENDS)) {
		sim_peer_end(k->peer);
		k->ended = true;
	}
}

/* Sees what has come, and closes when the service has. */
static void client_look(struct client *k)
{
	if (k->peer == NULL)
		return;
	client_hear(k);
	if (!k->stopped && !k->ended && sim_peer_ended(k->peer)) {
		sim_peer_end(k->peer);
		k->ended = true;
		k->sent = buf_len(&k->in);
	}
	if (sim_peer_closed(k->peer) || sim_peer_was_reset(k->peer)) {
		if (k->stopped)
			client_stop(k, false);
		client_leave(k);
	}
}

/* --- A run -------------------------------------------------------------------------------------------------- */

static struct sim_faults faults_of(uint64_t seed)
{
	static const struct sim_faults kinds[] = {
		{ .split_max = 0 },
		{ .split_max = 1 },
		{ .split_max = 50, .random_split = true },
		{ .split_max = 9, .random_split = true, .delay_ms = 3 },
		{ .send_max = 1, .buffer = 100 },
		{ .split_max = 20, .random_split = true, .send_max = 30, .buffer = 50, .late = true },
		{ .split_max = 1, .late = true, .delay_ms = 1 },
		{ .split_max = 100, .random_split = true, .delay_ms = 20, .send_max = 60, .late = true },
	};

	return kinds[seed % (sizeof kinds / sizeof kinds[0])];
}

static void run_open(struct run *r)
{
	struct sim_faults faults = faults_of(r->seed);

	memset(&seen, 0, sizeof seen);
	if (r->scenario->flags & BREAKS)
		faults.reset_per_million = 10000;
	r->world = sim_new(r->seed, &faults);
	check(r, r->world != NULL, "out of memory");
	check(r, loop_open(&r->loop, &mover_sim, r->world, false) == 0, "loop_open() failed");
	sim_share(r->world, true);
	listen_at(r, &r->inlets[0], r->service, "tcp:127.0.0.1:8");
	if (r->scenario->flags & PROXIED)
		listen_at(r, &r->inlets[1], &echo_c, "tcp:127.0.0.1:7");
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client *k = &r->clients[i];

		k->run = r;
		k->why = 1;
		r->scenario->make(k);
		k->peer = sim_peer_connect(r->world, "tcp:127.0.0.1:8");
		check(r, k->peer != NULL, "cannot connect");
	}
}

static void run_drain(struct run *r)
{
	r->draining = true;
	for (struct list *n = r->loop.conns.next; n != &r->loop.conns; n = n->next)
		conn_stop(list_of(n, struct myr_conn, link));
}

static bool run_is_over(const struct run *r)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		if (r->clients[i].peer != NULL || (r->clients[i].why == 1 && !r->clients[i].reset))
			return false;
	return r->alive == 0;
}

/* One step: a turn, something a client does, or a little time.  False: nothing can happen any more. */
static bool run_step(struct run *r)
{
	bool through = true;

	for (unsigned i = 0; i < CLIENTS; i++) {
		client_look(&r->clients[i]);
		through = through && client_is_through(&r->clients[i]);
	}
	if ((r->scenario->flags & DRAINS) && !r->draining && draw(r, 100) == 0)
		run_drain(r);
	if (sim_has_work(r->world, &r->loop) && draw(r, 4) != 0)
		loop_turn(&r->loop);
	else if (!through && draw(r, 4) != 0)
		client_act(&r->clients[draw(r, CLIENTS)]);
	else if (!sim_has_work(r->world, &r->loop))
		return sim_advance(r->world, through ? CLOCK_NEVER : sim_now(r->world) + 3) || !through ||
		       run_is_over(r);
	return true;
}

static void client_check(const struct client *k)
{
	const struct run *r = k->run;
	size_t got = buf_len(&k->got), wanted = buf_len(&k->out);
	const int *why = r->scenario->whys;

	if (k->why == 1)
		return;                 /* it reset before it was accepted */
	while (*why != 1 && *why != k->why)
		why++;
	if (*why == 1)
		print_error("the end was %s\n", k->why == 0 ? "clean" : myr_strerror(k->why));
	check(r, *why != 1, "it ended for another reason");
	check(r, got <= wanted && (got == wanted || (r->scenario->flags & PREFIX)), "bytes are missing or too many");
	check(r, got == 0 || memcmp(buf_bytes(&k->got), buf_bytes(&k->out), got) == 0, "the bytes are wrong");
}

static void run_close(struct run *r)
{
	loop_detach(&r->inlets[0].port);
	if (r->scenario->flags & PROXIED)
		loop_detach(&r->inlets[1].port);
	sim_share(r->world, false);
	conn_loop_close(&r->loop);
	sim_free(r->world);
	for (unsigned i = 0; i < CLIENTS; i++) {
		buf_done(&r->clients[i].in);
		buf_done(&r->clients[i].out);
		buf_done(&r->clients[i].got);
	}
}

static uint64_t run_once(const struct scenario *s, const struct myr_service *service, uint64_t seed)
{
	struct run *r = calloc(1, sizeof *r);
	unsigned steps = 0;
	uint64_t hash;

	assert_non_null(r);
	r->scenario = s;
	r->service = service;
	r->seed = seed;
	run_open(r);
	while (!run_is_over(r)) {
		check(r, run_step(r), "nothing happens any more");
		check(r, ++steps < STEPS_MAX, "it does not end");
	}
	for (unsigned i = 0; i < CLIENTS; i++)
		client_check(&r->clients[i]);
	check(r, seen.wrong == NULL, seen.wrong);
	check(r, seen.opens == seen.closes, "on_close was not called once for each connection");
	check(r, seen.setups == seen.finishes, "finish was not called once for each setup");
	check(r, (s->flags & (RESETS | BREAKS | DRAINS)) || seen.opens + seen.setups >= CLIENTS, "not all were served");
	hash = sim_hash(r->world);
	run_close(r);
	free(r);
	return hash;
}

static void test_scenario(void **state)
{
	const struct scenario *s = *state;

	for (uint64_t seed = seed_first; seed < seed_first + seed_count; seed++)
		for (int style = 0; style < 2; style++) {
			struct run r = { .scenario = s, .service = s->services[style], .seed = seed };

			if (run_once(s, r.service, seed) != run_once(s, r.service, seed))
				complain(&r, "the same seed left another trace");
		}
}

int main(int argc, char **argv)
{
	enum { N = sizeof scenarios / sizeof scenarios[0] };
	static struct scenario chosen[N];       /* cmocka's states are not const */
	struct CMUnitTest tests[N];
	const char *one = getenv("MYRIAD_SEED"), *only = NULL;
	size_t n = 0;

	program = argv[0];
	for (int i = 1; i + 1 < argc; i += 2)
		if (strcmp(argv[i], "--seed") == 0)
			one = argv[i + 1];
		else if (strcmp(argv[i], "--seeds") == 0)
			seed_count = strtoull(argv[i + 1], NULL, 0);
		else if (strcmp(argv[i], "--only") == 0)
			only = argv[i + 1];
	if (one != NULL && *one != '\0') {
		seed_first = strtoull(one, NULL, 0);
		seed_count = 1;
	}
	for (int i = 0; i < N; i++) {
		if (only != NULL && strcmp(only, scenarios[i].name) != 0)
			continue;
		chosen[n] = scenarios[i];
		tests[n] = (struct CMUnitTest){ .name = scenarios[i].name, .test_func = test_scenario,
		                                .initial_state = &chosen[n] };
		n++;
	}
	return _cmocka_run_group_tests("seeds", tests, n, NULL, NULL);
}
