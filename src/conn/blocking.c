/* SPDX-License-Identifier: MIT
 *
 * blocking.c - setup/handle/finish on top of the state machine, and the calls that wait.
 *
 * The core knows only reports; here a report wakes a handler that waits.  How it waits is its
 * runner: a fiber switches to the loop, a solo handler turns its own.  When a connection dies, its
 * handler is woken with the sticky error and unwinds by itself, so finish always runs and no live
 * stack is ever thrown away. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "conn/conn.h"
#include "conn/fiber.h"
#include "conn/shared.h"

MYR_TLS struct task *task_current;

/* --- Tasks ---------------------------------------------------------------------------------- */

static void task_go(struct runnable *);

void task_init(struct task *t, const struct runner *runner, struct myr_loop *l, struct myr_conn *c)
{
	memset(t, 0, sizeof *t);
	t->runner = runner;
	t->loop = l;
	t->conn = c;
	t->run.go = task_go;
	list_init(&t->run.link);
	list_init(&t->dialled);
}

void task_wake(struct task *t)
{
	t->woken = true;
	loop_run_later(t->loop, &t->run);       /* solo: only so that the turn does not wait */
}

static void task_give_back_all(struct task *t)
{
	while (!list_empty(&t->dialled)) {
		struct conn_more *m = list_of(t->dialled.next, struct conn_more, dialled);
		struct myr_conn *c = m->dialled_conn;

		conn_close(c);
		list_remove(&m->dialled);
		m->task = m->reader = NULL;
		conn_handler_left(c);
	}
}

void task_run(struct task *t)
{
	struct myr_conn *c = t->conn;
	const struct myr_service *s = &c->origin->service;

	if (c->bits & C_FAILED)
		return;
	c->bits |= C_OPENED;
	if (s->setup == NULL || s->setup(c) == 0) {
		if (s->handle != NULL)
			s->handle(c);
		task_await_works(t);
		if (s->finish != NULL)
			s->finish(c);
	}
	if (t->locked)
		myr_unlock(c);
	task_await_works(t);
	task_give_back_all(t);
	conn_close(c);
}

/* --- On a fiber ------------------------------------------------------------------------------- */

static void task_on_fiber(void *arg)
{
	task_run(arg);
}

MYR_SLOW void task_ended(struct task *t)
{
	fiber_free(t->loop->fibers, t->fiber);
	conn_handler_left(t->conn);             /* the task may be gone with it */
}

static void task_go(struct runnable *r)
{
	struct task *t = list_of(r, struct task, run);

	if (t->conn != NULL)
		conn_calls(t->conn, CALL_HANDLE);
	task_resume(t);
}

static int fiber_start(struct myr_conn *c)
{
	struct myr_loop *l = c->port.loop;
	struct conn_more *m = conn_more(c);

	if (m == NULL)
		return -ENOMEM;
	if (l->fibers == NULL)
		l->fibers = fiber_pool_new(l->stack);
	if (l->fibers == NULL)
		return -ENOMEM;
	task_init(&m->own, &runner_fiber, l, c);
	m->own.fiber = fiber_new(l->fibers, task_on_fiber, &m->own);
	if (m->own.fiber == NULL)
		return -ENOMEM;
	m->task = &m->own;
	m->reader = m->timeout_ms < 0 ? m->task : NULL;
	task_wake(&m->own);
	return 0;
}

static void fiber_wait(struct task *t)
{
	do
		fiber_yield(t->fiber);
	while (!t->woken);
}

const struct runner runner_fiber = { .name = "fiber", .start = fiber_start, .wait = fiber_wait };

/* --- In a loop of its own ----------------------------------------------------------------------- */

static int solo_start(struct myr_conn *c)
{
	(void)c;                        /* solo_serve() calls task_run() itself */
	return 0;
}

static void solo_wait(struct task *t)
{
	struct task *me = task_current;

	task_current = NULL;            /* what the loop calls meanwhile are callbacks */
	do
		loop_turn(t->loop);
	while (!t->woken);
	task_current = me;
}

const struct runner runner_solo = { .name = "solo", .start = solo_start, .wait = solo_wait };

/* --- Waiting -------------------------------------------------------------------------------------- */

struct task *conn_waiter(const struct myr_conn *c)
{
	struct task *t = c->more != NULL ? c->more->task : NULL;

	if (t == NULL)
		return NULL;
	if (task_current != NULL)
		return task_current;
	return t->conn == NULL && loop_turning == NULL ? t : NULL;      /* main()'s own client */
}

int conn_wait(struct myr_conn *c, int64_t due)
{
	struct task *t = conn_waiter(c);
	struct conn_more *m = c->more;
	struct task *me = task_current;

	if (t == NULL || t->locked)
		return -EDEADLK;
	if (c->bits & C_DUE) {
		task_current = NULL;            /* what is due now is a callback */
		conn_run_due(c);
		task_current = me;
	}
	m->wait_due = due;
	m->expired = false;
	conn_schedule(c, due);
	t->waits = c;
	t->woken = false;
	if (c->bits & (C_FAILED | C_OVER))
		task_wake(t);           /* still gives way once */
	t->runner->wait(t);
	t->waits = NULL;
	m->wait_due = CLOCK_NEVER;
	return m->expired ? -ETIMEDOUT : 0;
}

int64_t conn_wait_due(const struct myr_conn *c)
{
	int ms = c->more->timeout_ms;

	return ms < 0 ? CLOCK_NEVER : loop_fresh_now(c->port.loop) + ms;
}

/* Who ignores errors burns its own time, not the others'. */
static void give_way(struct myr_conn *c)
{
	if (c->error != 0 || (c->bits & C_OVER))
		conn_wait(c, c->port.loop->now);
}

/* Why no more input will come; 0: it may.  `between`: at a place where a stop may be told. */
static int input_ended(struct myr_conn *c, bool between)
{
	if (c->error != 0)
		return c->error;
	if (c->bits & (C_CLOSING | C_OVER))
		return -EPIPE;
	if (c->bits & C_IN_ENDED)
		return MYR_EOF;
	if (between && (c->bits & (C_STOPPING | C_STOP_TOLD)) == C_STOPPING) {
		c->bits |= C_STOP_TOLD;
		return MYR_STOP;
	}
	return 0;
}

static size_t take(struct myr_conn *c, void *dst, size_t n)
{
	size_t have = buf_len(&c->in);

	if (n > have)
		n = have;
	memcpy(dst, buf_bytes(&c->in), n);
	conn_input_taken(c, n);
	c->seen = 0;
	return n;
}

/* Wait for input; straight into dst if it is not NULL.  Bytes put there, 0: look again, or an error. */
static ssize_t wait_input(struct myr_conn *c, void *dst, size_t n)
{
	struct conn_more *m = c->more;
	int err;

	conn_input_short(c);
	m->read_to = dst;
	m->read_room = n;
	m->read_got = 0;
	err = conn_wait(c, conn_wait_due(c));
	m->read_to = NULL;
	if (m->read_got > 0)
		return (ssize_t)m->read_got;
	return buf_len(&c->in) > 0 && dst != NULL ? 0 : err;
}

static MYR_SLOW ssize_t read_slowly(struct myr_conn *c, void *dst, size_t n)
{
	ssize_t got;
	int err;

	if (conn_waiter(c) == NULL)
		return -EDEADLK;
	if (n == 0)
		return -EINVAL;
	for (;;) {
		if (buf_len(&c->in) > 0)
			return (ssize_t)take(c, dst, n);
		err = input_ended(c, true);
		if (err < 0) {
			give_way(c);
			return err;
		}
		got = wait_input(c, dst, n);
		if (got != 0)
			return got;
	}
}

/* Woken without bytes.  What was asked is still in m, so that the usual path need not keep it. */
static MYR_SLOW ssize_t read_again(struct conn_more *m)
{
	struct myr_conn *c = m->task->waits;
	uint8_t *dst = m->read_to;

	m->task->waits = NULL;
	m->read_to = NULL;
	return read_slowly(c, dst, m->read_room);
}

/* Bits with which a read is not simply a wait for the next bytes. */
#define C_NOT_WAITING (C_FAILED | C_CLOSING | C_OVER | C_IN_ENDED | C_STOPPING | C_DUE | C_PAUSED)

ssize_t myr_read(struct myr_conn *c, void *dst, size_t n)
{
	struct conn_more *m = c->more;
	struct task *t = task_current;

	/* What read_slowly() does, for the usual case: a fiber on its own connection, no deadline. */
	if (t == NULL || m == NULL || m->reader != t || t->locked || n == 0 || c->in.mem != NULL ||
	    (c->bits & C_NOT_WAITING))
		return read_slowly(c, dst, n);
	m->read_to = dst;
	m->read_room = n;
	m->read_got = 0;
	t->waits = c;
	fiber_yield(t->fiber);
	if (m->read_got == 0)
		return read_again(m);
	m->task->waits = NULL;
	return (ssize_t)m->read_got;
}

ssize_t myr_readn(struct myr_conn *c, void *dst, size_t n)
{
	/* What fits the buffer is waited for there, so that a wait that times out loses nothing. */
	bool whole = n <= c->origin->limits.in_max / 2;
	size_t got = 0;
	int err;

	if (conn_waiter(c) == NULL)
		return -EDEADLK;
	while (got < n) {
		if (buf_len(&c->in) >= (whole ? n : 1)) {
			got += take(c, (uint8_t *)dst + got, n - got);
			continue;
		}
		err = input_ended(c, false);
		if (err == MYR_EOF && got + buf_len(&c->in) > 0)
			conn_break(c, err = -EPROTO);
		if (err == 0)
			err = (int)wait_input(c, NULL, 0);
		if (err == -ETIMEDOUT && got > 0)
			conn_fail(c, err);
		if (err < 0)
			return err;
	}
	return (ssize_t)n;
}

/* Look for a frame in what is buffered: its bytes on the wire, 0: not all there, or an error. */
static ssize_t next_frame(struct myr_conn *c, struct myr_bytes *frame)
{
	struct myr_bytes in = { buf_bytes(&c->in), buf_len(&c->in) };
	ssize_t k;

	if (in.n == 0)
		return 0;
	k = c->framing->split(in, c->seen, c->origin->limits.frame_max, frame);
	if (k == 0)
		c->seen = (uint32_t)in.n;
	else if (k < 0)
		conn_break(c, (int)k);
	return k;
}

static ssize_t recv_whole(struct myr_conn *c, void *dst, size_t size)
{
	size_t n;
	int err;

	while (!c->whole) {
		err = input_ended(c, true);
		if (err == 0)
			err = (int)wait_input(c, NULL, 0);
		if (err < 0) {
			give_way(c);
			return err;
		}
	}
	n = buf_len(&c->in);
	if (n >= size)
		return -EMSGSIZE;
	if (n > 0)
		memcpy(dst, buf_bytes(&c->in), n);
	((char *)dst)[n] = '\0';
	conn_input_taken(c, n);
	return (ssize_t)n;
}

ssize_t myr_recv(struct myr_conn *c, void *dst, size_t size)
{
	struct myr_bytes frame;
	ssize_t k;
	int err;

	if (conn_waiter(c) == NULL)
		return -EDEADLK;
	if (size == 0)
		return -EINVAL;
	if (c->bits & C_DATAGRAM)
		return recv_whole(c, dst, size);
	if (c->framing == NULL)
		return -EINVAL;
	while ((k = next_frame(c, &frame)) == 0) {
		bool partial = buf_len(&c->in) > 0;

		err = input_ended(c, !partial);
		if (err == MYR_EOF && partial)
			conn_break(c, err = MYR_EFRAME);
		if (err == 0) {
			conn_frame_clock(c, partial);
			err = (int)wait_input(c, NULL, 0);
		}
		if (err < 0) {
			give_way(c);
			return err;
		}
	}
	if (k < 0)
		return k;
	conn_frame_clock(c, false);
	if (frame.n >= size) {
		c->seen = 0;            /* still there, whole */
		return -EMSGSIZE;
	}
	if (frame.n > 0)
		memcpy(dst, frame.p, frame.n);
	((char *)dst)[frame.n] = '\0';
	c->seen = 0;
	conn_input_taken(c, (size_t)k);
	return (ssize_t)frame.n;
}

int myr_sleep(struct myr_conn *c, int ms)
{
	int64_t due = ms < 0 ? CLOCK_NEVER : loop_fresh_now(c->port.loop) + ms;
	int err;

	if (conn_waiter(c) == NULL)
		return -EDEADLK;
	for (;;) {
		if (c->error != 0)
			return c->error;
		err = conn_wait(c, due);
		if (err == -ETIMEDOUT)
			return 0;
		if (err < 0)
			return err;
	}
}

void myr_set_timeout(struct myr_conn *c, int ms)
{
	struct conn_more *m = conn_more(c);

	if (m == NULL)
		return;
	m->timeout_ms = ms;
	m->reader = ms < 0 && m->task != NULL && m->task->fiber != NULL ? m->task : NULL;
}

/* --- A loop's end ------------------------------------------------------------------------------------ */

void conn_loop_close(struct myr_loop *l)
{
	for (struct list *n = l->conns.next; n != &l->conns; n = n->next) {
		struct myr_conn *c = list_of(n, struct myr_conn, link);

		conn_abort(c);
		conn_cancel_works(c);
	}
	while (!list_empty(&l->conns))
		loop_turn(l);
	watch_drop_all(l);
	if (l->fibers != NULL)
		fiber_pool_free(l->fibers);
	l->fibers = NULL;
	loop_close(l);
}
