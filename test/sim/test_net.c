/* SPDX-License-Identifier: MIT
 *
 * test_net.c - the simulated network by itself: what its sockets do, as TCP does it, seen by the
 * smallest possible owner of a port. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "io/loop.h"
#include "io/sim.h"

#define HANDLES 16

struct owner {
	struct port port;
	struct buf got, out;
	unsigned arrivals, ends, fins, released, ready;
	int failed[4];
	unsigned failures;
	int handles[HANDLES], ports[HANDLES];
	unsigned accepted;
};

static struct owner *owner_of(struct port *p)
{
	return (struct owner *)p;
}

static void on_received(struct port *p, const uint8_t *b, size_t n)
{
	struct owner *o = owner_of(p);

	if (n == 0) {
		o->ends++;
		return;
	}
	o->arrivals++;
	assert_int_equal(buf_append(&o->got, b, n), 0);
}

/* Two pieces, to see that pieces are put together. */
static int on_gather(struct port *p, struct iovec *iov, int max)
{
	const struct buf *out = &owner_of(p)->out;
	size_t n = buf_len(out), half = n / 2;

	assert_true(max >= 2);
	if (n == 0)
		return 0;
	iov[0] = (struct iovec){ out->mem + out->head, half };
	iov[1] = (struct iovec){ out->mem + out->head + half, n - half };
	return 2;
}

static void on_sent(struct port *p, size_t n)
{
	struct owner *o = owner_of(p);

	if (n == 0) {
		o->fins++;
		p->want &= (uint8_t)~PORT_FIN;
	}
	buf_consume(&o->out, n);
	if (buf_len(&o->out) == 0)
		p->want &= (uint8_t)~PORT_SEND;
}

static void on_accepted(struct port *p, int32_t handle, uint8_t flags, const struct sockaddr *a, socklen_t n)
{
	struct owner *o = owner_of(p);
	struct sockaddr_in in;

	assert_int_equal(flags, 0);
	assert_int_equal(n, sizeof in);
	memcpy(&in, a, sizeof in);
	assert_int_equal(in.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
	assert_true(o->accepted < HANDLES);
	o->handles[o->accepted] = handle;
	o->ports[o->accepted++] = ntohs(in.sin_port);
}

static void on_ready(struct port *p, unsigned events)
{
	assert_int_equal(events, PORT_WRITABLE);
	owner_of(p)->ready++;
	p->want = PORT_RECV;
	loop_touch(p);
}

static void on_failed(struct port *p, int err)
{
	struct owner *o = owner_of(p);

	if (o->failures < 4)
		o->failed[o->failures] = err;
	o->failures++;
}

static void on_released(struct port *p)
{
	owner_of(p)->released++;
}

static const struct port_ops owner_ops = {
	.received = on_received, .gather = on_gather, .sent = on_sent, .accepted = on_accepted,
	.ready = on_ready, .failed = on_failed, .released = on_released,
};

struct bed {
	struct sim *w;
	struct myr_loop loop;
};

static void bed_open(struct bed *b, uint64_t seed, const struct sim_faults *faults)
{
	b->w = sim_new(seed, faults);
	assert_non_null(b->w);
	assert_int_equal(loop_open(&b->loop, &mover_sim, b->w, false), 0);
	sim_share(b->w, true);          /* the tests move the clock */
}

static void bed_close(struct bed *b)
{
	loop_close(&b->loop);
	sim_free(b->w);
}

static void run(struct bed *b)
{
	unsigned limit = 100000;

	while (sim_has_work(b->w, &b->loop)) {
		assert_true(limit-- > 0);
		loop_turn(&b->loop);
	}
}

static void run_all(struct bed *b)
{
	do
		run(b);
	while (sim_advance(b->w, CLOCK_NEVER));
}

static void own(struct owner *o, struct bed *b, int handle, unsigned want)
{
	memset(o, 0, sizeof *o);
	o->port = (struct port){ .ops = &owner_ops, .loop = &b->loop, .handle = handle };
	assert_int_equal(loop_attach(&o->port), 0);
	o->port.want = (uint8_t)want;
	loop_touch(&o->port);
}

static void want(struct owner *o, unsigned w)
{
	o->port.want = (uint8_t)w;
	loop_touch(&o->port);
}

static void say(struct owner *o, const char *text)
{
	assert_int_equal(buf_append(&o->out, text, strlen(text)), 0);
	want(o, o->port.want | PORT_SEND);
}

static void disown(struct owner *o, struct bed *b)
{
	loop_detach(&o->port);
	run_all(b);
	assert_int_equal(o->released, 1);
	buf_done(&o->got);
	buf_done(&o->out);
}

static void assert_got(struct owner *o, const char *text)
{
	assert_int_equal(buf_len(&o->got), strlen(text));
	if (*text != '\0')
		assert_memory_equal(buf_bytes(&o->got), text, strlen(text));
}

static void assert_heard(struct sim_peer *p, const char *text)
{
	size_t n;
	const char *t = sim_peer_take(p, &n);

	assert_string_equal(t, text);
	assert_int_equal(n, strlen(text));
}

/* --- Streams ------------------------------------------------------------------------------------ */

static void test_messages_stay_whole(void **state)
{
	struct bed b;
	struct owner o;
	struct sim_peer *p;
	int handle;

	(void)state;
	bed_open(&b, 1, NULL);
	p = sim_pair(b.w, &handle);
	own(&o, &b, handle, PORT_RECV);
	sim_peer_send(p, "hello", 5);
	run(&b);
	assert_int_equal(o.arrivals, 1);
	assert_got(&o, "hello");
	sim_peer_send(p, " world", 6);
	sim_peer_end(p);
	run(&b);
	assert_int_equal(o.arrivals, 2);
	assert_int_equal(o.ends, 1);
	assert_got(&o, "hello world");
	say(&o, "good ");
	say(&o, "bye");
	run(&b);
	assert_heard(p, "good bye");
	assert_heard(p, "");
	assert_false(sim_peer_ended(p));
	want(&o, PORT_FIN);
	run(&b);
	assert_int_equal(o.fins, 1);
	assert_true(sim_peer_ended(p));
	assert_false(sim_peer_closed(p));
	disown(&o, &b);
	assert_true(sim_peer_closed(p));
	assert_false(sim_peer_was_reset(p));
	assert_int_equal(o.failures, 0);
	sim_peer_free(p);
	bed_close(&b);
}

static void test_split_one_is_byte_by_byte(void **state)
{
	const struct sim_faults f = { .split_max = 1 };
	struct bed b;
	struct owner o;
	struct sim_peer *p;
	int handle;

	(void)state;
	bed_open(&b, 1, &f);
	p = sim_pair(b.w, &handle);
	own(&o, &b, handle, PORT_RECV);
	sim_peer_send(p, "abcdefgh", 8);
	sim_peer_end(p);
	run(&b);
	assert_int_equal(o.arrivals, 8);
	assert_int_equal(o.ends, 1);
	assert_got(&o, "abcdefgh");
	disown(&o, &b);
	sim_peer_free(p);
	bed_close(&b);
}

static void test_sends_fall_short(void **state)
{
	const struct sim_faults f = { .send_max = 3, .buffer = 10 };
	struct bed b;
	struct owner o;
	struct sim_peer *p;
	int handle;

	(void)state;
	bed_open(&b, 1, &f);
	p = sim_pair(b.w, &handle);
	own(&o, &b, handle, PORT_RECV);
	sim_peer_stop_reading(p, true);
	say(&o, "0123456789abcdefghijklmnopqrstuvwxyz");
	run(&b);
	assert_int_equal(sim_peer_waiting(p), 10);
	assert_int_equal(buf_len(&o.out), 26);
	assert_heard(p, "");
	sim_peer_stop_reading(p, false);
	run(&b);
	assert_int_equal(buf_len(&o.out), 0);
	assert_heard(p, "0123456789abcdefghijklmnopqrstuvwxyz");
	disown(&o, &b);
	sim_peer_free(p);
	bed_close(&b);
}

static void test_nothing_comes_that_is_not_wanted(void **state)
{
	struct bed b;
	struct owner o;
	struct sim_peer *p;
	int handle;

	(void)state;
	bed_open(&b, 1, NULL);
	p = sim_pair(b.w, &handle);
	own(&o, &b, handle, PORT_RECV);
	run(&b);
	want(&o, 0);
	sim_peer_send(p, "hello", 5);
	sim_peer_end(p);
	run(&b);
	assert_int_equal(o.arrivals + o.ends, 0);
	want(&o, PORT_RECV);
	run(&b);
	assert_got(&o, "hello");
	assert_int_equal(o.ends, 1);
	disown(&o, &b);
	sim_peer_free(p);
	bed_close(&b);
}

static void test_late_bytes_come_once(void **state)
{
	const struct sim_faults f = { .late = true, .split_max = 2 };
	struct bed b;
	struct owner o;
	struct sim_peer *p;
	int handle;

	(void)state;
	bed_open(&b, 1, &f);
	p = sim_pair(b.w, &handle);
	own(&o, &b, handle, PORT_RECV);
	run(&b);
	want(&o, 0);
	run(&b);
	sim_peer_send(p, "hello", 5);
	run(&b);
	assert_got(&o, "he");
	want(&o, PORT_RECV);
	run(&b);
	assert_got(&o, "hello");
	disown(&o, &b);
	sim_peer_free(p);
	bed_close(&b);
}

static void test_a_reset_overtakes_bytes(void **state)
{
	struct bed b;
	struct owner o;
	struct sim_peer *p;
	int handle;

	(void)state;
	bed_open(&b, 1, NULL);
	p = sim_pair(b.w, &handle);
	own(&o, &b, handle, PORT_RECV);
	sim_peer_send(p, "lost", 4);
	sim_peer_reset(p);
	run(&b);
	assert_got(&o, "");
	assert_int_equal(o.failures, 1);
	assert_int_equal(o.failed[0], -ECONNRESET);
	want(&o, 0);
	say(&o, "x");
	run(&b);
	assert_int_equal(o.failures, 2);
	assert_int_equal(o.failed[1], -EPIPE);
	assert_false(sim_peer_closed(p));
	disown(&o, &b);
	assert_true(sim_peer_closed(p));
	sim_peer_free(p);
	bed_close(&b);
}

static void test_bytes_for_a_closed_socket_are_answered_by_a_reset(void **state)
{
	struct bed b;
	struct owner o;
	struct sim_peer *p;
	int handle;

	(void)state;
	bed_open(&b, 1, NULL);
	p = sim_pair(b.w, &handle);
	own(&o, &b, handle, PORT_RECV);
	sim_peer_free(p);
	run(&b);
	assert_int_equal(o.ends, 1);
	say(&o, "hello?");
	run(&b);
	assert_int_equal(buf_len(&o.out), 0);           /* the first send still works */
	assert_int_equal(o.failures, 0);
	say(&o, "hello??");
	run(&b);
	assert_int_equal(o.failures, 1);
	assert_int_equal(o.failed[0], -ECONNRESET);
	disown(&o, &b);
	bed_close(&b);
}

static void test_closing_with_unread_bytes_is_a_reset(void **state)
{
	struct bed b;
	struct owner o;
	struct sim_peer *p;
	int handle;

	(void)state;
	bed_open(&b, 1, NULL);
	p = sim_pair(b.w, &handle);
	own(&o, &b, handle, 0);
	sim_peer_stop_reading(p, true);
	say(&o, "the reply");
	run(&b);
	sim_peer_send(p, "more", 4);
	disown(&o, &b);
	assert_true(sim_peer_was_reset(p));
	assert_int_equal(sim_peer_waiting(p), 0);       /* the reply is lost */
	sim_peer_free(p);
	bed_close(&b);
}

static void test_an_abort_is_a_reset(void **state)
{
	struct bed b;
	struct owner o;
	struct sim_peer *p;
	int handle;

	(void)state;
	bed_open(&b, 1, NULL);
	p = sim_pair(b.w, &handle);
	own(&o, &b, handle, PORT_RECV);
	o.port.flags |= PORT_RESET;
	disown(&o, &b);
	assert_true(sim_peer_was_reset(p));
	assert_false(sim_peer_ended(p));
	sim_peer_free(p);
	bed_close(&b);
}

static void test_a_blocked_send_sees_the_reset(void **state)
{
	const struct sim_faults f = { .buffer = 4 };
	struct bed b;
	struct owner o;
	struct sim_peer *p;
	int handle;

	(void)state;
	bed_open(&b, 1, &f);
	p = sim_pair(b.w, &handle);
	own(&o, &b, handle, 0);
	sim_peer_stop_reading(p, true);
	say(&o, "0123456789");
	run(&b);
	assert_true(o.port.flags & PORT_BLOCKED);
	sim_peer_reset(p);
	run(&b);
	assert_int_equal(o.failed[0], -ECONNRESET);
	disown(&o, &b);
	sim_peer_free(p);
	bed_close(&b);
}

static void test_every_delivery_may_be_a_reset(void **state)
{
	const struct sim_faults f = { .reset_per_million = 1000000 };
	struct bed b;
	struct owner o;
	struct sim_peer *p;
	int handle;

	(void)state;
	bed_open(&b, 1, &f);
	p = sim_pair(b.w, &handle);
	own(&o, &b, handle, PORT_RECV);
	sim_peer_send(p, "hello", 5);
	run(&b);
	assert_int_equal(o.failures, 1);
	assert_int_equal(o.failed[0], -ECONNRESET);
	assert_true(sim_peer_was_reset(p));
	disown(&o, &b);
	sim_peer_free(p);
	bed_close(&b);
}

static void test_a_muted_port_hears_only_released(void **state)
{
	const struct sim_faults f = { .split_max = 1, .delay_ms = 3 };
	struct bed b;
	struct owner o;
	struct sim_peer *p;
	int handle;

	(void)state;
	for (uint64_t seed = 0; seed < 50; seed++) {
		bed_open(&b, seed, &f);
		p = sim_pair(b.w, &handle);
		own(&o, &b, handle, PORT_RECV);
		say(&o, "a long farewell");
		sim_peer_send(p, "hello", 5);
		loop_turn(&b.loop);
		o.arrivals = o.failures = 0;
		loop_detach(&o.port);
		sim_peer_send(p, "more", 4);
		run_all(&b);
		assert_int_equal(o.arrivals + o.ends + o.failures, 0);
		assert_int_equal(o.released, 1);
		buf_done(&o.got);
		buf_done(&o.out);
		assert_true(sim_peer_was_reset(p));     /* bytes came that were never read */
		sim_peer_free(p);
		bed_close(&b);
	}
}

/* --- Listening and dialling ------------------------------------------------------------------------- */

static struct endpoint at(const char *text)
{
	struct endpoint e;
	char why[128];

	assert_int_equal(endpoint_parse(&e, text, why, sizeof why), 0);
	return e;
}

static void test_clients_wait_for_room(void **state)
{
	struct endpoint e = at("tcp:127.0.0.1:7");
	struct sim_peer *peers[5];
	struct owner l;
	struct bed b;
	char name[64];
	int handle;

	(void)state;
	bed_open(&b, 1, NULL);
	assert_null(sim_peer_connect(b.w, "tcp:127.0.0.1:7"));
	handle = sim_listen(b.w, &e, false, name, sizeof name);
	assert_true(handle >= 0);
	assert_string_equal(name, "tcp:127.0.0.1:7");
	own(&l, &b, handle, PORT_ACCEPT);
	l.port.budget = 2;
	for (int i = 0; i < 5; i++) {
		peers[i] = sim_peer_connect(b.w, "tcp:127.0.0.1:7");
		assert_non_null(peers[i]);
	}
	loop_turn(&b.loop);
	assert_int_equal(l.accepted, 2);
	l.port.budget = 0;
	loop_touch(&l.port);
	run(&b);
	assert_int_equal(l.accepted, 2);
	l.port.budget = 2;
	loop_touch(&l.port);
	run(&b);
	assert_int_equal(l.accepted, 5);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(l.ports[i], 40000 + i);
		sim_close(b.w, l.handles[i]);
		assert_true(sim_peer_ended(peers[i]));
		sim_peer_free(peers[i]);
	}
	disown(&l, &b);
	bed_close(&b);
}

static void test_a_closed_listener_resets_its_queue(void **state)
{
	struct endpoint e = at("tcp:127.0.0.1:7");
	struct sim_peer *p;
	char name[64];
	struct bed b;
	int handle;

	(void)state;
	bed_open(&b, 1, NULL);
	handle = sim_listen(b.w, &e, false, name, sizeof name);
	p = sim_peer_connect(b.w, "tcp:127.0.0.1:7");
	sim_close(b.w, handle);
	assert_true(sim_peer_was_reset(p));
	assert_null(sim_peer_connect(b.w, "tcp:127.0.0.1:7"));
	sim_peer_free(p);
	bed_close(&b);
}

static void test_addresses(void **state)
{
	struct endpoint any = at("tcp:127.0.0.1:0"), seven = at("tcp:127.0.0.1:7"), all = at("tcp::7");
	char name[64], again[64];
	struct bed b;

	(void)state;
	bed_open(&b, 1, NULL);
	assert_true(sim_listen(b.w, &any, false, name, sizeof name) >= 0);
	assert_true(sim_listen(b.w, &any, false, again, sizeof again) >= 0);
	assert_string_not_equal(name, again);
	assert_true(sim_listen(b.w, &seven, false, name, sizeof name) >= 0);
	assert_int_equal(sim_listen(b.w, &seven, false, name, sizeof name), -EADDRINUSE);
	assert_int_equal(sim_listen(b.w, &all, true, name, sizeof name), -EADDRINUSE);
	bed_close(&b);
}

static void test_shared_listeners_share(void **state)
{
	struct endpoint e = at("tcp::7");
	struct sim_peer *peers[12];
	struct owner l[2];
	char name[64];
	struct bed b;

	(void)state;
	bed_open(&b, 1, NULL);
	for (int i = 0; i < 2; i++) {
		own(&l[i], &b, sim_listen(b.w, &e, true, name, sizeof name), PORT_ACCEPT);
		l[i].port.budget = 16;
	}
	for (int i = 0; i < 12; i++)
		peers[i] = sim_peer_connect(b.w, "tcp:127.0.0.1:7");
	run(&b);
	assert_int_equal(l[0].accepted + l[1].accepted, 12);
	assert_true(l[0].accepted > 0 && l[1].accepted > 0);
	for (int i = 0; i < 12; i++)
		sim_peer_free(peers[i]);
	disown(&l[0], &b);
	disown(&l[1], &b);
	bed_close(&b);
}

static void test_dialling(void **state)
{
	struct endpoint e = at("tcp:127.0.0.1:7");
	struct owner l, a, c;
	struct addr peer;
	char text[ADDR_TEXT];
	struct bed b;
	int handle;

	(void)state;
	bed_open(&b, 1, NULL);
	memset(&c, 0, sizeof c);
	c.port = (struct port){ .ops = &owner_ops, .loop = &b.loop, .handle = sim_dial(b.w, &e, &peer),
	                        .flags = PORT_DIALLING, .want = PORT_WRITABLE };
	addr_format(&peer, text, sizeof text);
	assert_string_equal(text, "127.0.0.1:7");
	assert_int_equal(loop_attach(&c.port), 0);
	loop_touch(&c.port);
	run(&b);
	assert_int_equal(c.failed[0], -ECONNREFUSED);
	disown(&c, &b);

	handle = sim_listen(b.w, &e, false, text, sizeof text);
	own(&l, &b, handle, PORT_ACCEPT);
	l.port.budget = 1;
	memset(&c, 0, sizeof c);
	c.port = (struct port){ .ops = &owner_ops, .loop = &b.loop, .handle = sim_dial(b.w, &e, &peer),
	                        .flags = PORT_DIALLING, .want = PORT_WRITABLE };
	assert_int_equal(loop_attach(&c.port), 0);
	loop_touch(&c.port);
	run(&b);
	assert_int_equal(c.ready, 1);
	assert_int_equal(l.accepted, 1);
	own(&a, &b, l.handles[0], PORT_RECV);
	say(&c, "question");
	say(&a, "answer");
	run(&b);
	assert_got(&a, "question");
	assert_got(&c, "answer");
	disown(&c, &b);
	assert_int_equal(a.ends, 1);
	disown(&a, &b);
	disown(&l, &b);
	bed_close(&b);
}

static void test_descriptors_cannot_be_watched(void **state)
{
	struct port p = { .ops = &owner_ops, .handle = 0, .flags = PORT_BORROWED };
	struct bed b;

	(void)state;
	bed_open(&b, 1, NULL);
	p.loop = &b.loop;
	assert_int_equal(loop_attach(&p), -ENOTSUP);
	assert_int_equal(b.loop.ports, 0);
	bed_close(&b);
}

/* --- The clock ---------------------------------------------------------------------------------------- */

static void test_a_lone_loop_moves_the_clock(void **state)
{
	const struct sim_faults f = { .delay_ms = 1000 };
	int64_t start;
	struct bed b;
	struct owner o;
	struct sim_peer *p;
	int handle, turns = 0;

	(void)state;
	bed_open(&b, 7, &f);
	sim_share(b.w, false);
	start = sim_now(b.w);
	assert_int_equal(b.loop.now, start);
	loop_turn(&b.loop);             /* nothing is due, ever: it returns, and time stands still */
	assert_int_equal(sim_now(b.w), start);
	p = sim_pair(b.w, &handle);
	own(&o, &b, handle, PORT_RECV);
	sim_peer_send(p, "x", 1);
	while (o.arrivals == 0 && turns++ < 5)
		loop_turn(&b.loop);
	assert_int_equal(o.arrivals, 1);
	assert_true(sim_now(b.w) > start && sim_now(b.w) <= start + 1000);
	assert_int_equal(b.loop.now, sim_now(b.w));
	disown(&o, &b);
	sim_peer_free(p);
	bed_close(&b);
}

static void test_a_shared_clock_is_moved_by_hand(void **state)
{
	const struct sim_faults f = { .delay_ms = 1000 };
	int64_t start;
	struct bed b;
	struct owner o;
	struct sim_peer *p;
	int handle;

	(void)state;
	bed_open(&b, 7, &f);
	start = sim_now(b.w);
	p = sim_pair(b.w, &handle);
	own(&o, &b, handle, PORT_RECV);
	sim_peer_send(p, "x", 1);
	run(&b);
	loop_turn(&b.loop);
	assert_int_equal(sim_now(b.w), start);
	assert_int_equal(o.arrivals, 0);
	assert_false(sim_advance(b.w, start + 1));
	assert_int_equal(sim_now(b.w), start + 1);
	assert_true(sim_advance(b.w, CLOCK_NEVER));
	run(&b);
	assert_int_equal(o.arrivals, 1);
	assert_false(sim_advance(b.w, CLOCK_NEVER));
	disown(&o, &b);
	sim_peer_free(p);
	bed_close(&b);
}

/* --- The seed --------------------------------------------------------------------------------------------- */

static uint64_t trace(uint64_t seed)
{
	const struct sim_faults f = { .split_max = 7, .random_split = true, .delay_ms = 5, .send_max = 5,
	                              .buffer = 32, .late = true };
	struct owner o[4];
	struct sim_peer *p[4];
	struct bed b;
	uint64_t hash;
	int handle;

	bed_open(&b, seed, &f);
	for (int i = 0; i < 4; i++) {
		p[i] = sim_pair(b.w, &handle);
		own(&o[i], &b, handle, PORT_RECV);
		sim_peer_send(p[i], "twenty bytes of text", 20);
		sim_peer_end(p[i]);
		say(&o[i], "and some other text in return, longer than the buffer");
	}
	run_all(&b);
	for (int i = 0; i < 4; i++) {
		assert_got(&o[i], "twenty bytes of text");
		assert_heard(p[i], "and some other text in return, longer than the buffer");
		disown(&o[i], &b);
		sim_peer_free(p[i]);
	}
	hash = sim_hash(b.w);
	bed_close(&b);
	return hash;
}

static void test_the_seed_is_the_trace(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 20; seed++) {
		assert_true(trace(seed) == trace(seed));
		assert_true(trace(seed) != trace(seed + 1));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages_stay_whole),
		cmocka_unit_test(test_split_one_is_byte_by_byte),
		cmocka_unit_test(test_sends_fall_short),
		cmocka_unit_test(test_nothing_comes_that_is_not_wanted),
		cmocka_unit_test(test_late_bytes_come_once),
		cmocka_unit_test(test_a_reset_overtakes_bytes),
		cmocka_unit_test(test_bytes_for_a_closed_socket_are_answered_by_a_reset),
		cmocka_unit_test(test_closing_with_unread_bytes_is_a_reset),
		cmocka_unit_test(test_an_abort_is_a_reset),
		cmocka_unit_test(test_a_blocked_send_sees_the_reset),
		cmocka_unit_test(test_every_delivery_may_be_a_reset),
		cmocka_unit_test(test_a_muted_port_hears_only_released),
		cmocka_unit_test(test_clients_wait_for_room),
		cmocka_unit_test(test_a_closed_listener_resets_its_queue),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_shared_listeners_share),
		cmocka_unit_test(test_dialling),
		cmocka_unit_test(test_descriptors_cannot_be_watched),
		cmocka_unit_test(test_a_lone_loop_moves_the_clock),
		cmocka_unit_test(test_a_shared_clock_is_moved_by_hand),
		cmocka_unit_test(test_the_seed_is_the_trace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
