/* SPDX-License-Identifier: MIT
 *
 * test_mover.c - one contract, run against both movers: readiness over each selector, and io_uring
 * with all it has and with each of its features taken away.
 *
 * The owner here is a small port of our own over an outq; the other side is a plain socket in the
 * same thread.  Ports live in a pool until the test is over, so that a report after released(), or
 * a second released(), is seen. */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "io/loop.h"
#include "io/selector.h"
#include "io/sock.h"
#include "myriad.h"
#include "support/clock.h"
#include "support/leaks.h"
#include "support/pattern.h"

#define POOL 700
#define PATIENCE_MS 20000
#define TICK_MS 1                       /* a turn in which nothing happens ends after this */
#define QUIET_TURNS 12                  /* nothing has happened for so long: nothing will */
#define MIB ((size_t)1 << 20)

enum conduct { ECHO, SINK, SOURCE };

struct talker {                         /* the owner of a connected port */
	struct port port;               /* first */
	enum conduct conduct;
	struct outq out;
	uint64_t got, given;            /* bytes of the pattern, in and out */
	uint64_t to_give;               /* SOURCE: so many more to queue */
	bool paused, ended, fin_wanted, fin_out, stay;
	bool open;                      /* WRITABLE of a dialling port has come */
	unsigned pause_odds;            /* one receive in so many is followed by a pause */
	int  error;
	unsigned released;
};

struct listener {
	struct port port;               /* first */
	enum conduct conduct;
	bool discards;
	uint64_t to_give;
	unsigned accepted, failed;
	unsigned released;
};

static struct fixture {
	const char *name;
	const struct mover *mover;
	const struct selector_ops *selector;
	const char *disable;

	struct myr_loop l;
	struct timer tick;
	struct listener in;
	struct sockaddr_storage address;
	socklen_t address_len;
	struct talker pool[POOL];
	unsigned talkers;
	struct census before;
	struct rlimit files;
} *f;

/* --- A port that echoes, swallows or pours out the pattern ------------------------------------------ */

static void talker_refill(struct talker *t)
{
	uint8_t piece[16384];

	while (t->to_give > 0 && t->out.len < 4 * sizeof piece) {
		size_t n = t->to_give < sizeof piece ? t->to_give : sizeof piece;

		pattern_fill(piece, t->given, n);
		assert_int_equal(outq_append(&t->out, &f->l.chunks, piece, n), 0);
		t->given += n;
		t->to_give -= n;
	}
}

static void talker_settle(struct port *p)
{
	struct talker *t = (struct talker *)p;
	bool full = t->conduct == ECHO && t->out.len > 256 * 1024;

	assert_int_equal(t->released, 0);
	if ((p->flags & PORT_DIALLING)) {
		p->want = PORT_WRITABLE;
		return;
	}
	talker_refill(t);
	p->want = !t->paused && !t->ended && !full ? PORT_RECV : 0;
	if (t->out.len > 0)
		p->want |= PORT_SEND;
	else if (!t->fin_out && (t->fin_wanted || (t->ended && !t->stay)))
		p->want |= PORT_FIN;
}

static void talker_received(struct port *p, const uint8_t *b, size_t n)
{
	struct talker *t = (struct talker *)p;

	assert_int_equal(t->released, 0);
	assert_false(t->ended);
	loop_touch(p);
	if (n == 0) {
		t->ended = true;
		if (t->fin_out)
			loop_detach(p);
		return;
	}
	assert_int_equal(pattern_match(b, t->got, n), n);
	t->got += n;
	if (t->conduct == ECHO)
		assert_int_equal(outq_append(&t->out, &f->l.chunks, b, n), 0);
	if (t->pause_odds != 0 && unit_below(t->pause_odds) == 0)
		t->paused = true;
}

static int talker_gather(struct port *p, struct iovec *iov, int max)
{
	return outq_gather(&((struct talker *)p)->out, iov, max);
}

static void talker_sent(struct port *p, size_t n)
{
	struct talker *t = (struct talker *)p;

	assert_int_equal(t->released, 0);
	loop_touch(p);
	if (n > 0) {
		outq_consume(&t->out, &f->l.chunks, n);
		return;
	}
	assert_false(t->fin_out);
	t->fin_out = true;
	if (t->ended)
		loop_detach(p);
}

static void talker_ready(struct port *p, unsigned events)
{
	struct talker *t = (struct talker *)p;

	assert_int_equal(events, PORT_WRITABLE);
	assert_false(p->flags & PORT_DIALLING);
	assert_false(t->open);
	t->open = true;
	loop_touch(p);
}

static void talker_failed(struct port *p, int err)
{
	struct talker *t = (struct talker *)p;

	assert_int_equal(t->released, 0);
	t->error = err;
	loop_detach(p);
}

static void talker_released(struct port *p)
{
	struct talker *t = (struct talker *)p;

	assert_int_equal(t->released++, 0);
	outq_done(&t->out, &f->l.chunks);
}

static const struct port_ops talker_ops = {
	.settle = talker_settle, .received = talker_received, .gather = talker_gather, .sent = talker_sent,
	.ready = talker_ready, .failed = talker_failed, .released = talker_released,
};

static struct talker *talker_new(int32_t handle, uint8_t flags, enum conduct conduct, uint64_t to_give)
{
	struct talker *t = &f->pool[f->talkers++];

	assert_in_range(f->talkers, 1, POOL);
	*t = (struct talker){ .port = { .ops = &talker_ops, .loop = &f->l, .handle = handle, .flags = flags },
	                      .conduct = conduct, .to_give = to_give };
	talker_settle(&t->port);
	assert_int_equal(loop_attach(&t->port), 0);
	loop_touch(&t->port);
	return t;
}

/* --- The listener ------------------------------------------------------------------------------------ */

static void listener_accepted(struct port *p, int32_t handle, uint8_t flags, const struct sockaddr *a, socklen_t n)
{
	struct listener *in = (struct listener *)p;

	assert_true(p->budget > 0);
	assert_int_equal(flags & ~PORT_SLOT, 0);
	assert_int_equal(a->sa_family, AF_INET);
	assert_true(n >= sizeof(struct sockaddr_in));
	in->accepted++;
	p->budget--;
	loop_touch(p);
	if (in->discards)
		f->l.mover->discard(&f->l, handle, flags);
	else
		talker_new(handle, flags, in->conduct, in->to_give);
}

static void listener_failed(struct port *p, int err)
{
	(void)err;
	((struct listener *)p)->failed++;
}

static void listener_released(struct port *p)
{
	assert_int_equal(((struct listener *)p)->released++, 0);
}

static const struct port_ops listener_ops = {
	.accepted = listener_accepted, .failed = listener_failed, .released = listener_released,
};

/* Of the kernel's; 0: as they are. */
static void set_buffers(int fd, int buffer)
{
	if (buffer == 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
}

/* buffer: of all its connections. */
static void listen_here(enum conduct conduct, unsigned budget, int buffer)
{
	const struct sockaddr_in any = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	f->address_len = sizeof f->address;
	set_buffers(fd, buffer);
	setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &(int){ 1 }, sizeof(int));     /* as sock.c does */
	assert_int_equal(bind(fd, (const struct sockaddr *)&any, sizeof any), 0);
	assert_int_equal(listen(fd, 512), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&f->address, &f->address_len), 0);
	f->in = (struct listener){ .port = { .ops = &listener_ops, .loop = &f->l, .handle = fd, .want = PORT_ACCEPT,
	                                     .budget = (uint8_t)budget }, .conduct = conduct };
	assert_int_equal(loop_attach(&f->in.port), 0);
	loop_touch(&f->in.port);
}

/* --- Turning --------------------------------------------------------------------------------------------- */

static void tick_fired(struct timer *t)
{
	(void)t;
}

static void turn(void)
{
	loop_timer(&f->l, &f->tick, clock_ms() + TICK_MS);
	loop_turn(&f->l);
}

static void turn_until_quiet(void)
{
	for (int i = 0; i < QUIET_TURNS; i++)
		turn();
}

/* Until it holds; it must, before patience is at an end. */
#define TURN_UNTIL(holds)                                                                          \
	for (int64_t end_ = test_now() + PATIENCE_MS; !(holds); turn())                            \
		assert_true(test_now() < end_)

static unsigned talkers_left(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->talkers; i++)
		n += f->pool[i].released == 0;
	return n;
}

static void world_up(void)
{
	int err;

	setenv("MYRIAD_DISABLE", f->disable != NULL ? f->disable : "", 1);
	f->talkers = 0;
	f->in = (struct listener){ .released = 1 };
	f->tick = (struct timer){ .fire = tick_fired };
	loop_turning = NULL;
	err = loop_open(&f->l, f->mover, f->selector, true);
	if (f->selector == NULL && (err == -ENOSYS || err == -EPERM || err == -EACCES || err == -EINVAL)) {
		print_message("no %s here: %s\n", f->name, myr_reason());
		skip();
	}
	assert_int_equal(err, 0);
	assert_int_equal(loop_timer_own(&f->l), 0);
}

/* Everything has been released, once, and nothing is left. */
static void world_down(void)
{
	if (f->in.port.loop != NULL)
		loop_detach(&f->in.port);
	TURN_UNTIL(talkers_left() == 0 && f->in.released == 1);
	assert_int_equal(f->l.ports, 0);
	loop_timer_disown(&f->l, &f->tick);
	loop_close(&f->l);
}

static int set_up(void **state)
{
	f = *state;
	census_take(&f->before);
	return getrlimit(RLIMIT_NOFILE, &f->files);
}

static int tear_down(void **state)
{
	char leaks[400];

	(void)state;
	unsetenv("MYRIAD_DISABLE");
	setrlimit(RLIMIT_NOFILE, &f->files);
	census_compare(&f->before, leaks, sizeof leaks, 2000);
	if (leaks[0] != '\0')
		print_message("%s\n", leaks);
	return leaks[0] != '\0';
}

/* --- The other side ---------------------------------------------------------------------------------------- */

struct peer {
	int fd;
	uint64_t to_say, said, heard;
	bool ended;
	int error;
};

static void call_in(struct peer *p, int buffer)
{
	*p = (struct peer){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	set_buffers(p->fd, buffer);
	assert_int_equal(connect(p->fd, (struct sockaddr *)&f->address, f->address_len), 0);
	assert_int_equal(fcntl(p->fd, F_SETFL, O_NONBLOCK), 0);
}

static void peer_say(struct peer *p)
{
	uint8_t piece[16384];
	size_t n = p->to_say < sizeof piece ? p->to_say : sizeof piece;
	ssize_t k;

	if (n == 0)
		return;
	pattern_fill(piece, p->said, n);
	k = send(p->fd, piece, n, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (k < 0 && errno != EAGAIN)
		p->error = errno;
	if (k > 0) {
		p->said += (uint64_t)k;
		p->to_say -= (uint64_t)k;
	}
}

static void peer_hear(struct peer *p)
{
	uint8_t piece[32768];
	ssize_t k = p->ended || p->error != 0 ? -1 : recv(p->fd, piece, sizeof piece, MSG_DONTWAIT);

	if (k > 0) {
		assert_int_equal(pattern_match(piece, p->heard, (size_t)k), k);
		p->heard += (uint64_t)k;
	} else if (k == 0) {
		p->ended = true;
	} else if (!p->ended && p->error == 0 && errno != EAGAIN) {
		p->error = errno;
	}
}

/* To be part of a condition: the other side gets on a bit, then the condition is looked at. */
static bool peer_moves(struct peer *p)
{
	peer_say(p);
	peer_hear(p);
	return true;
}

static void reset_by(struct peer *p)
{
	const struct linger reset = { .l_onoff = 1 };

	setsockopt(p->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(p->fd);
}

static struct talker *meet(struct peer *p, int buffer)
{
	unsigned before = f->talkers;

	call_in(p, buffer);
	TURN_UNTIL(f->talkers > before);
	return &f->pool[before];
}

/* --- Bytes ----------------------------------------------------------------------------------------------------- */

static void test_a_mebibyte_comes_back_as_it_was(void **state)
{
	struct talker *t;
	struct peer p;

	(void)state;
	world_up();
	listen_here(ECHO, 8, 0);
	t = meet(&p, 0);
	p.to_say = MIB;
	TURN_UNTIL(peer_moves(&p) && p.heard == MIB);
	assert_int_equal(t->got, MIB);
	shutdown(p.fd, SHUT_WR);
	TURN_UNTIL(peer_moves(&p) && p.ended);
	TURN_UNTIL(t->released == 1);
	assert_int_equal(p.heard, MIB);
	assert_int_equal(t->error, 0);
	close(p.fd);
	world_down();
}

/* A receive stops at urgent data, which is read where it is in the stream (RFC 6093).  All of it is there before we
 * look, so that nothing later says that there is more: under epoll the rest waited for the next byte.  Under io_uring
 * it may still: if the thread has a signal or work pending, Linux 6.18 ends the next receive at the mark with EAGAIN
 * (tcp_recvmsg) and so the request waits for more to come.  That harms its sender alone, and cannot be seen from here. */
static void test_what_comes_after_urgent_data_is_received(void **state)
{
	struct talker *t;
	struct peer p;
	uint8_t urgent;

	(void)state;
	if (f->selector == NULL) {
		print_message("%s: the kernel's receive may stop at urgent data until more comes\n", f->name);
		skip();
	}
	world_up();
	listen_here(ECHO, 8, 0);
	t = meet(&p, 0);
	turn_until_quiet();
	p.to_say = 3;
	peer_say(&p);
	pattern_fill(&urgent, p.said++, 1);
	assert_int_equal(send(p.fd, &urgent, 1, MSG_OOB | MSG_NOSIGNAL), 1);
	p.to_say = 3;
	peer_say(&p);
	TURN_UNTIL(peer_moves(&p) && p.heard == 7);
	assert_int_equal(t->got, 7);
	close(p.fd);
	world_down();
}

static void test_three_hundred_connections_at_once(void **state)
{
	static struct peer p[300];
	const size_t each = 3000;

	(void)state;
	world_up();
	listen_here(ECHO, 200, 0);
	for (int i = 0; i < 300; i++) {
		call_in(&p[i], 0);
		p[i].to_say = each;
	}
	TURN_UNTIL(f->in.accepted == 200);
	f->in.port.budget = 100;
	loop_touch(&f->in.port);
	for (int i = 0; i < 300; i++) {
		TURN_UNTIL(peer_moves(&p[i]) && p[i].heard == each);
		shutdown(p[i].fd, SHUT_WR);
	}
	for (int i = 0; i < 300; i++) {
		TURN_UNTIL(peer_moves(&p[i]) && p[i].ended);
		assert_int_equal(p[i].heard, each);
		close(p[i].fd);
	}
	assert_int_equal(f->in.accepted, 300);
	world_down();
}

/* The port ends first and goes on receiving. */
static void test_the_other_half_works_on_after_our_end(void **state)
{
	struct talker *t;
	struct peer p;

	(void)state;
	world_up();
	listen_here(SOURCE, 8, 0);
	f->in.to_give = 100000;
	t = meet(&p, 0);
	t->fin_wanted = true;
	TURN_UNTIL(peer_moves(&p) && p.ended);
	assert_int_equal(p.heard, 100000);
	TURN_UNTIL(t->fin_out);
	p.to_say = 200000;
	while (p.to_say > 0) {
		peer_say(&p);
		turn();
	}
	TURN_UNTIL(t->got == 200000);
	assert_int_equal(t->released, 0);
	shutdown(p.fd, SHUT_WR);
	TURN_UNTIL(t->released == 1);
	assert_int_equal(t->error, 0);
	close(p.fd);
	world_down();
}

/* The peer ends first, has not read a thing, and gets it all. */
static void test_a_reply_to_a_half_closed_peer_is_whole(void **state)
{
	struct talker *t;
	struct peer p;

	(void)state;
	world_up();
	listen_here(SOURCE, 8, 0);
	f->in.to_give = 4 * MIB;
	t = meet(&p, 0);
	shutdown(p.fd, SHUT_WR);
	TURN_UNTIL(t->ended);
	TURN_UNTIL(peer_moves(&p) && p.ended);
	assert_int_equal(p.heard, 4 * MIB);
	TURN_UNTIL(t->released == 1);
	assert_int_equal(t->error, 0);
	close(p.fd);
	world_down();
}

/* --- Resets ------------------------------------------------------------------------------------------------------ */

static void test_a_reset_of_ours_is_seen_as_one(void **state)
{
	struct talker *t;
	struct peer p;

	(void)state;
	world_up();
	listen_here(SINK, 8, 0);
	for (int i = 0; i < 2; i++) {
		t = meet(&p, 0);
		p.to_say = i == 0 ? 0 : 1000;
		TURN_UNTIL(peer_moves(&p) && t->got == (i == 0 ? 0 : 1000));
		t->port.flags |= PORT_RESET;
		loop_detach(&t->port);
		loop_detach(&t->port);          /* harmless the second time */
		TURN_UNTIL(peer_moves(&p) && (p.ended || p.error != 0));
		assert_int_equal(p.error, ECONNRESET);
		close(p.fd);
	}
	world_down();
}

static void test_a_close_of_ours_is_none(void **state)
{
	struct talker *t;
	struct peer p;

	(void)state;
	world_up();
	listen_here(SINK, 8, 0);
	t = meet(&p, 0);
	turn_until_quiet();                     /* a receive is armed */
	loop_detach(&t->port);
	TURN_UNTIL(peer_moves(&p) && (p.ended || p.error != 0));
	assert_true(p.ended);
	TURN_UNTIL(t->released == 1);
	close(p.fd);
	world_down();
}

static void test_a_peers_reset_is_a_failure(void **state)
{
	struct talker *t;
	struct peer p;

	(void)state;
	world_up();
	listen_here(SINK, 8, 0);
	t = meet(&p, 0);
	turn_until_quiet();
	reset_by(&p);
	TURN_UNTIL(t->released == 1);
	assert_int_equal(t->error, -ECONNRESET);
	assert_false(t->ended);
	world_down();
}

static void test_a_peers_reset_ends_a_send_that_waits(void **state)
{
	struct talker *t;
	struct peer p;

	(void)state;
	world_up();
	listen_here(SOURCE, 8, 4096);
	f->in.to_give = 8 * MIB;
	t = meet(&p, 4096);
	t->paused = true;                       /* only the send can find out */
	loop_touch(&t->port);
	turn_until_quiet();
	assert_true(t->out.len > 0);
	reset_by(&p);
	TURN_UNTIL(t->released == 1);
	assert_true(t->error == -ECONNRESET || t->error == -EPIPE);
	world_down();
}

/* --- Leaving in the middle ------------------------------------------------------------------------------------------ */

static void leave_in_a_send(uint64_t n, uint8_t flags)
{
	struct talker *t;
	struct peer p;

	world_up();
	listen_here(SOURCE, 8, 4096);
	f->in.to_give = n;
	t = meet(&p, 4096);
	turn_until_quiet();
	assert_true(t->out.len > 0);            /* the peer does not read */
	t->port.flags |= flags;
	loop_detach(&t->port);
	TURN_UNTIL(t->released == 1);
	TURN_UNTIL(peer_moves(&p) && (p.ended || p.error != 0));
	if (flags & PORT_RESET)
		assert_int_equal(p.error, ECONNRESET);
	else
		assert_true(p.ended && p.heard > 0);
	assert_true(p.heard < n);
	close(p.fd);
	world_down();
}

static void test_leaving_in_the_middle_of_a_send(void **state)
{
	(void)state;
	leave_in_a_send(60000, 0);              /* one piece, and several */
	leave_in_a_send(8 * MIB, 0);
}

static void test_a_reset_in_the_middle_of_a_send(void **state)
{
	(void)state;
	leave_in_a_send(60000, PORT_RESET);
	leave_in_a_send(8 * MIB, PORT_RESET);
}

/* Whatever moment it is: nothing is told after, and all is released. */
static void test_leaving_at_any_moment(void **state)
{
	(void)state;
	unit_seed(f->name);
	world_up();
	listen_here(ECHO, 200, 0);
	for (int i = 0; i < 100; i++) {
		struct peer p;
		struct talker *t = meet(&p, 0);

		p.to_say = unit_below(300000);
		for (size_t turns = unit_below(6); turns > 0; turns--) {
			peer_say(&p);
			if (unit_below(2) == 0)
				peer_hear(&p);
			if (unit_below(8) == 0)
				shutdown(p.fd, SHUT_WR);
			turn();
		}
		t->port.flags |= unit_below(2) == 0 ? PORT_RESET : 0;
		loop_detach(&t->port);
		if (unit_below(2) == 0)
			turn();
		close(p.fd);
	}
	world_down();
}

/* --- Pausing ---------------------------------------------------------------------------------------------------------- */

static void test_a_pause_holds_the_peer_back_and_loses_nothing(void **state)
{
	const uint64_t all = 2 * MIB;
	struct talker *t;
	struct peer p;
	uint64_t held;

	(void)state;
	world_up();
	listen_here(SINK, 8, 65536);
	t = meet(&p, 65536);
	p.to_say = all;
	TURN_UNTIL(peer_moves(&p) && t->got > 100000);
	t->paused = true;
	loop_touch(&t->port);
	for (int quiet = 0; quiet < QUIET_TURNS; ) {
		uint64_t said = p.said;

		peer_say(&p);
		turn();
		quiet = p.said == said ? quiet + 1 : 0;
	}
	held = t->got;
	assert_true(p.to_say > 0);              /* what has been sent fits the kernel's buffers */
	turn_until_quiet();
	assert_int_equal(t->got, held);
	t->paused = false;
	loop_touch(&t->port);
	TURN_UNTIL(peer_moves(&p) && t->got == all);
	shutdown(p.fd, SHUT_WR);
	TURN_UNTIL(t->released == 1);
	close(p.fd);
	world_down();
}

static void test_pauses_at_any_moment(void **state)
{
	const uint64_t all = MIB;
	struct talker *t;
	struct peer p;

	(void)state;
	unit_seed(f->name);
	world_up();
	listen_here(ECHO, 8, 0);
	t = meet(&p, 0);
	t->pause_odds = 3;
	p.to_say = all;
	for (int64_t end = test_now() + PATIENCE_MS; p.heard < all; ) {
		assert_true(test_now() < end);
		peer_moves(&p);
		turn();
		if (t->paused && unit_below(2) == 0) {
			t->paused = false;
			loop_touch(&t->port);
		}
	}
	t->pause_odds = 0;
	t->paused = false;
	loop_touch(&t->port);
	shutdown(p.fd, SHUT_WR);
	TURN_UNTIL(peer_moves(&p) && p.ended);
	assert_int_equal(p.heard, all);
	close(p.fd);
	world_down();
}

/* The end and the last bytes come while nobody wants them. */
static void test_an_end_during_a_pause_is_told_after_it(void **state)
{
	struct talker *t;
	struct peer p;

	(void)state;
	world_up();
	listen_here(SINK, 8, 0);
	t = meet(&p, 0);
	t->stay = true;
	turn_until_quiet();
	t->paused = true;
	loop_touch(&t->port);
	turn_until_quiet();
	for (p.to_say = 5000; p.to_say > 0; )
		peer_say(&p);
	shutdown(p.fd, SHUT_WR);
	turn_until_quiet();
	t->paused = false;
	loop_touch(&t->port);
	TURN_UNTIL(t->ended);
	assert_int_equal(t->got, 5000);
	loop_detach(&t->port);
	close(p.fd);
	world_down();
}

/* --- Accepting ---------------------------------------------------------------------------------------------------------- */

static void set_budget(unsigned n)
{
	f->in.port.budget = (uint8_t)n;
	f->in.port.want = n > 0 ? PORT_ACCEPT : 0;
	loop_touch(&f->in.port);
}

static void test_no_more_are_accepted_than_there_is_room_for(void **state)
{
	struct peer p[10];

	(void)state;
	world_up();
	listen_here(SINK, 3, 0);
	for (int i = 0; i < 10; i++)
		call_in(&p[i], 0);
	TURN_UNTIL(f->in.accepted == 3);
	turn_until_quiet();
	assert_int_equal(f->in.accepted, 3);
	set_budget(2);
	TURN_UNTIL(f->in.accepted == 5);
	set_budget(0);
	turn_until_quiet();
	assert_int_equal(f->in.accepted, 5);
	set_budget(200);
	TURN_UNTIL(f->in.accepted == 10);
	assert_int_equal(f->in.failed, 0);
	for (int i = 0; i < 10; i++)
		close(p[i].fd);
	world_down();
}

static void test_room_that_is_taken_back_is_not_used(void **state)
{
	struct peer p[8];

	(void)state;
	world_up();
	listen_here(SINK, 6, 0);
	turn_until_quiet();
	set_budget(2);
	turn_until_quiet();
	for (int i = 0; i < 8; i++)
		call_in(&p[i], 0);
	TURN_UNTIL(f->in.accepted == 2);
	turn_until_quiet();
	assert_int_equal(f->in.accepted, 2);
	set_budget(3);
	turn_until_quiet();
	set_budget(0);
	turn_until_quiet();
	assert_int_equal(f->in.accepted, 5);
	for (int i = 0; i < 8; i++)
		close(p[i].fd);
	world_down();
}

static void test_a_listener_may_leave_while_it_waits(void **state)
{
	struct peer p;

	(void)state;
	world_up();
	listen_here(SINK, 40, 0);
	turn_until_quiet();
	loop_detach(&f->in.port);
	TURN_UNTIL(f->in.released == 1);
	p = (struct peer){ .fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) };
	assert_int_equal(connect(p.fd, (struct sockaddr *)&f->address, f->address_len), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(p.fd);
	world_down();
}

/* Taken or not, nobody hears of them any more: they are not left on the line. */
static void test_callers_at_the_moment_of_leaving(void **state)
{
	struct peer p[8];

	(void)state;
	world_up();
	listen_here(SINK, 40, 0);
	turn_until_quiet();
	for (int i = 0; i < 8; i++)
		call_in(&p[i], 0);
	loop_detach(&f->in.port);
	TURN_UNTIL(f->in.released == 1);
	assert_int_equal(f->in.accepted, 0);
	for (int i = 0; i < 8; i++) {
		TURN_UNTIL(peer_moves(&p[i]) && (p[i].ended || p[i].error != 0));
		close(p[i].fd);
	}
	world_down();
}

/* More come and go than there are descriptors or slots: each is given back. */
static void come_and_go(bool discards, uint8_t flags)
{
	struct rlimit few = f->files;

	few.rlim_cur = 128;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	world_up();
	listen_here(SINK, 200, 0);
	f->in.discards = discards;
	for (unsigned i = 0; i < 300; i++) {
		struct peer p;

		f->in.port.budget = 20;
		loop_touch(&f->in.port);
		call_in(&p, 0);
		TURN_UNTIL(f->in.accepted == i + 1);
		if (!discards) {
			struct talker *t = &f->pool[f->talkers - 1];

			t->port.flags |= flags;
			loop_detach(&t->port);
		}
		TURN_UNTIL(peer_moves(&p) && (p.ended || p.error != 0));
		assert_int_equal(p.ended, !(flags & PORT_RESET));
		close(p.fd);
	}
	assert_int_equal(f->in.failed, 0);
	world_down();
}

static void test_a_discarded_handle_is_closed(void **state)
{
	(void)state;
	come_and_go(true, 0);
}

static void test_handles_are_given_back(void **state)
{
	(void)state;
	come_and_go(false, 0);
	come_and_go(false, PORT_RESET);
}

/* --- Watches ---------------------------------------------------------------------------------------------------------------- */

struct watcher {
	struct port port;               /* first */
	struct port *forget;            /* in its report it lets go of this one */
	unsigned events, reports, released;
};

static void watcher_ready(struct port *p, unsigned events)
{
	struct watcher *w = (struct watcher *)p;

	assert_int_equal(w->released, 0);
	w->reports++;
	w->events = events;
	if (w->forget != NULL)
		loop_detach(w->forget);
}

static void watcher_failed(struct port *p, int err)
{
	(void)p;
	fail_msg("a watch failed: %s", myr_strerror(err));
}

static void watcher_released(struct port *p)
{
	assert_int_equal(((struct watcher *)p)->released++, 0);
}

static const struct port_ops watcher_ops = {
	.ready = watcher_ready, .failed = watcher_failed, .released = watcher_released,
};

static void watch(struct watcher *w, int fd, unsigned want)
{
	*w = (struct watcher){ .port = { .ops = &watcher_ops, .loop = &f->l, .handle = fd, .want = (uint8_t)want,
	                                 .flags = PORT_BORROWED } };
	assert_int_equal(loop_attach(&w->port), 0);
	loop_touch(&w->port);
}

static void make_pair(int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
}

static void test_a_watch_reports_what_it_wants_as_long_as_it_holds(void **state)
{
	struct watcher w;
	int pair[2];
	char c;

	(void)state;
	world_up();
	make_pair(pair);
	watch(&w, pair[0], PORT_READABLE);
	turn_until_quiet();
	assert_int_equal(w.reports, 0);
	assert_int_equal(write(pair[1], "x", 1), 1);
	TURN_UNTIL(w.reports >= 3);
	assert_int_equal(w.events, PORT_READABLE);
	w.port.want = PORT_WRITABLE;
	loop_touch(&w.port);
	turn_until_quiet();
	assert_int_equal(w.events, PORT_WRITABLE);
	w.port.want = PORT_READABLE | PORT_WRITABLE;
	loop_touch(&w.port);
	turn_until_quiet();
	assert_int_equal(w.events, PORT_READABLE | PORT_WRITABLE);
	w.port.want = 0;
	loop_touch(&w.port);
	turn_until_quiet();
	w.reports = 0;
	turn_until_quiet();
	assert_int_equal(w.reports, 0);
	loop_detach(&w.port);
	TURN_UNTIL(w.released == 1);
	assert_int_equal(read(pair[0], &c, 1), 1);      /* it was only lent */
	close(pair[0]);
	close(pair[1]);
	world_down();
}

static void test_a_watch_may_leave_inside_its_own_report(void **state)
{
	struct watcher w;
	int pair[2];

	(void)state;
	world_up();
	make_pair(pair);
	assert_int_equal(write(pair[1], "x", 1), 1);
	for (unsigned want = PORT_READABLE; want <= PORT_WRITABLE; want *= 2) {
		watch(&w, pair[0], want);
		w.forget = &w.port;
		TURN_UNTIL(w.released == 1);
		turn_until_quiet();
		assert_int_equal(w.reports, 1);
		assert_int_equal(w.released, 1);
		assert_int_equal(f->l.ports, 0);
	}
	close(pair[0]);
	close(pair[1]);
	world_down();
}

static void test_a_watch_may_send_another_away_in_the_same_turn(void **state)
{
	struct watcher w[2];
	int pairs[2][2];

	(void)state;
	world_up();
	for (int i = 0; i < 2; i++) {
		make_pair(pairs[i]);
		assert_int_equal(write(pairs[i][1], "x", 1), 1);
		watch(&w[i], pairs[i][0], PORT_READABLE);
		w[i].forget = &w[1 - i].port;
	}
	TURN_UNTIL(w[0].released + w[1].released == 1);
	assert_true(w[0].reports == 0 || w[1].reports == 0);
	for (int i = 0; i < 2; i++)
		loop_detach(&w[i].port);
	TURN_UNTIL(w[0].released == 1 && w[1].released == 1);
	turn_until_quiet();
	for (int i = 0; i < 2; i++) {
		close(pairs[i][0]);
		close(pairs[i][1]);
	}
	world_down();
}

static void test_a_watch_hears_of_a_hang_up(void **state)
{
	struct watcher w;
	int pair[2];

	(void)state;
	world_up();
	make_pair(pair);
	watch(&w, pair[0], PORT_READABLE | PORT_WRITABLE);
	turn_until_quiet();
	close(pair[1]);
	TURN_UNTIL(w.events == (PORT_READABLE | PORT_WRITABLE));
	loop_detach(&w.port);
	TURN_UNTIL(w.released == 1);
	close(pair[0]);
	world_down();
}

/* What cannot be held is refused at once, and nothing has happened. */
static void test_a_high_descriptor_is_taken_or_refused(void **state)
{
	struct watcher w = { .port = { .ops = &watcher_ops, .loop = &f->l, .handle = 1500, .flags = PORT_BORROWED,
	                               .want = PORT_READABLE } };
	int pair[2];

	(void)state;
	if (f->files.rlim_cur <= 1500) {
		print_message("no more than %llu descriptors are allowed here\n", (unsigned long long)f->files.rlim_cur);
		skip();
	}
	world_up();
	make_pair(pair);
	assert_int_equal(dup2(pair[0], 1500), 1500);
	assert_int_equal(write(pair[1], "x", 1), 1);
	if (f->selector != NULL && f->selector->fd_limit != 0) {
		assert_int_equal(loop_attach(&w.port), -EMFILE);
		assert_non_null(strstr(myr_reason(), "1500"));
		assert_int_equal(f->l.ports, 0);
	} else {
		watch(&w, 1500, PORT_READABLE);
		TURN_UNTIL(w.reports > 0);
		loop_detach(&w.port);
		TURN_UNTIL(w.released == 1);
	}
	close(1500);
	close(pair[0]);
	close(pair[1]);
	world_down();
}

/* --- Dialling ------------------------------------------------------------------------------------------------------------------ */

static struct talker *dial(const struct sockaddr_storage *a, enum conduct conduct, uint64_t to_give)
{
	struct endpoint e = { .kind = ENDPOINT_TCP, .host = "127.0.0.1" };
	struct addr peer;
	bool done = false;
	int fd;

	e.port = ntohs(((const struct sockaddr_in *)a)->sin_port);
	fd = sock_dial(&e, NULL, &peer, &done);
	assert_true(fd >= 0);
	assert_int_equal(peer.port, e.port);
	return talker_new(fd, done ? 0 : PORT_DIALLING, conduct, to_give);
}

static void test_dialling_one_of_our_own(void **state)
{
	struct talker *t;

	(void)state;
	world_up();
	listen_here(ECHO, 8, 0);
	t = dial(&f->address, SOURCE, MIB);
	TURN_UNTIL(t->got == MIB);
	assert_true(t->open);
	assert_int_equal(f->in.accepted, 1);
	t->fin_wanted = true;
	loop_touch(&t->port);
	TURN_UNTIL(t->released == 1);
	assert_true(t->ended);
	assert_int_equal(t->error, 0);
	world_down();
}

static void test_dialling_where_nobody_listens(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage bound;
	socklen_t n = sizeof bound;
	struct talker *t;

	(void)state;
	world_up();
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);         /* taken, and deaf */
	assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &n), 0);
	t = dial(&bound, SOURCE, 10);
	TURN_UNTIL(t->released == 1);
	assert_int_equal(t->error, -ECONNREFUSED);
	assert_false(t->open);
	close(fd);
	world_down();
}

/* A listener whose queue is full does not answer at all. */
static void test_hanging_up_while_it_rings(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_storage bound;
	socklen_t n = sizeof bound;
	struct talker *t = NULL;

	(void)state;
	world_up();
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&bound, &n), 0);
	for (int i = 0; i < 4; i++) {
		t = dial(&bound, SINK, 0);
		turn_until_quiet();
	}
	assert_false(t->open);
	assert_int_equal(t->error, 0);
	for (unsigned i = 0; i < f->talkers; i++)
		loop_detach(&f->pool[i].port);
	TURN_UNTIL(talkers_left() == 0);
	close(fd);
	world_down();
}

/* --- All of it against all of them ------------------------------------------------------------------------------------------------ */

#define CONTRACT(X)                                                                                \
	X(test_a_mebibyte_comes_back_as_it_was)                                                    \
	X(test_what_comes_after_urgent_data_is_received)                                           \
	X(test_three_hundred_connections_at_once)                                                  \
	X(test_the_other_half_works_on_after_our_end)                                              \
	X(test_a_reply_to_a_half_closed_peer_is_whole)                                             \
	X(test_a_reset_of_ours_is_seen_as_one)                                                     \
	X(test_a_close_of_ours_is_none)                                                            \
	X(test_a_peers_reset_is_a_failure)                                                         \
	X(test_a_peers_reset_ends_a_send_that_waits)                                               \
	X(test_leaving_in_the_middle_of_a_send)                                                    \
	X(test_a_reset_in_the_middle_of_a_send)                                                    \
	X(test_leaving_at_any_moment)                                                              \
	X(test_a_pause_holds_the_peer_back_and_loses_nothing)                                      \
	X(test_pauses_at_any_moment)                                                               \
	X(test_an_end_during_a_pause_is_told_after_it)                                             \
	X(test_no_more_are_accepted_than_there_is_room_for)                                        \
	X(test_room_that_is_taken_back_is_not_used)                                                \
	X(test_a_listener_may_leave_while_it_waits)                                                \
	X(test_callers_at_the_moment_of_leaving)                                                   \
	X(test_a_discarded_handle_is_closed)                                                       \
	X(test_handles_are_given_back)                                                             \
	X(test_a_watch_reports_what_it_wants_as_long_as_it_holds)                                  \
	X(test_a_watch_may_leave_inside_its_own_report)                                            \
	X(test_a_watch_may_send_another_away_in_the_same_turn)                                     \
	X(test_a_watch_hears_of_a_hang_up)                                                         \
	X(test_a_high_descriptor_is_taken_or_refused)                                              \
	X(test_dialling_one_of_our_own)                                                            \
	X(test_dialling_where_nobody_listens)                                                      \
	X(test_hanging_up_while_it_rings)

static const struct { const char *name; CMUnitTestFunction run; } contract[] = {
#define CASE(test) { #test, test },
	CONTRACT(CASE)
};

static struct fixture fixtures[] = {
	{ .name = "epoll",  .mover = &mover_ready, .selector = &selector_epoll },
	{ .name = "poll",   .mover = &mover_ready, .selector = &selector_poll },
	{ .name = "select", .mover = &mover_ready, .selector = &selector_select },
#ifdef MYR_HAVE_URING
#define WITHOUT(features) { .name = "uring -" features, .mover = &mover_uring, .disable = features }
	{ .name = "uring", .mover = &mover_uring },
	WITHOUT("uring_defer"),
	WITHOUT("uring_direct"),
	WITHOUT("uring_inc"),
	WITHOUT("uring_multishot"),
	WITHOUT("uring_install"),
	WITHOUT("uring_defer,uring_direct,uring_inc,uring_multishot,uring_install"),
#endif
};

#define CASES (sizeof contract / sizeof *contract)
#define FIXTURES (sizeof fixtures / sizeof *fixtures)

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[FIXTURES * CASES];
	static char titles[FIXTURES * CASES][160];
	size_t n = 0;

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	for (size_t i = 0; i < FIXTURES; i++) {
		for (size_t k = 0; k < CASES; k++, n++) {
			snprintf(titles[n], sizeof titles[n], "%s: %s", fixtures[i].name, contract[k].name);
			tests[n] = (struct CMUnitTest){ titles[n], contract[k].run, set_up, tear_down, &fixtures[i] };
		}
	}
	return cmocka_run_group_tests_name("mover", tests, NULL, NULL);
}
