/* SPDX-License-Identifier: MIT
 *
 * offload.c - myr_offload(): work for another thread, and its result back between the handler's waits.
 *
 * A connection that has work out is not over, whatever becomes of it: on_close and finish wait, so the
 * work's argument may point into the connection's state.  Simulated, the work is done by the loop itself,
 * after a time drawn from the seed. */
#include <errno.h>

#include "conn/conn.h"
#include "io/pool.h"

struct work {
	struct job job;
	struct timer timer;             /* simulated: when it is done */
	struct myr_conn *conn;
	struct list link;               /* on more->works, then on more->works_done */
	void (*done)(struct myr_conn *, int result, void *arg);
	struct task *waiter;            /* done NULL: the handler that waits, on whose stack we are */
	bool ended, cancelled;
};

/* Its result is told.  What the connection waited with may now happen, and not before done() has returned. */
static void work_tell(struct work *w)
{
	struct myr_conn *c = w->conn;

	c->more->telling++;
	w->done(c, w->job.result, w->job.arg);
	c->more->telling--;
	free(w);
	conn_work_done(c);
}

static void work_ended(struct work *w)
{
	struct myr_conn *c = w->conn;

	list_remove(&w->link);
	if (w->job.loop->mover->virtual_time)
		loop_timer_disown(w->job.loop, &w->timer);
	if (w->waiter != NULL) {
		w->ended = true;
		task_wake(w->waiter);
	} else if (c->bits & C_WRITING) {
		list_append(&c->more->works_done, &w->link);
		c->bits |= C_DUE;
	} else {
		work_tell(w);
	}
}

void conn_tell_works(struct myr_conn *c)
{
	struct list *n;

	while ((n = list_pop(&c->more->works_done)) != NULL)
		work_tell(list_of(n, struct work, link));
}

static void work_posted(struct myr_loop *l, struct post *post)
{
	(void)l;
	work_ended(list_of(post, struct work, job.ended));
}

static void work_simulated(struct timer *t)
{
	struct work *w = list_of(t, struct work, timer);

	w->job.result = w->cancelled ? -ECANCELED : w->job.work(w->job.arg);
	work_ended(w);
}

static int work_begin(struct work *w)
{
	struct myr_loop *l = w->conn->port.loop;
	int err;

	w->job.loop = l;
	w->job.ended.fn = work_posted;
	w->timer.fire = work_simulated;
	if (!l->mover->virtual_time) {
		err = pool_submit(&w->job);
	} else {
		err = loop_timer_own(l);
		if (err == 0)
			loop_timer(l, &w->timer, l->now + l->mover->work_ms(l));
	}
	if (err == 0)
		list_append(&w->conn->more->works, &w->link);
	return err;
}

/* Nothing but the result wakes it: the argument may be on this handler's stack. */
int conn_work_and_wait(struct myr_conn *c, struct task *t, int (*fn)(void *), void *arg)
{
	struct work w = { .job = { .work = fn, .arg = arg }, .conn = c, .waiter = t };
	struct task *me = task_current;
	int err;

	list_init(&w.link);
	err = work_begin(&w);
	if (err < 0)
		return err;
	if (c->bits & C_DUE) {
		task_current = NULL;
		conn_run_due(c);
		task_current = me;
	}
	while (!w.ended) {
		t->woken = false;
		t->runner->wait(t);
	}
	conn_work_done(c);
	return w.job.result;
}

int myr_offload(struct myr_conn *c, int (*fn)(void *arg), void *arg, void (*done)(struct myr_conn *, int, void *))
{
	struct task *t = conn_waiter(c);
	struct work *w;
	int err;

	if (fn == NULL || (done == NULL && t == NULL))
		return -EINVAL;
	if (c->error != 0)
		return c->error;
	if (c->bits & (C_CLOSING | C_OVER))
		return -EPIPE;
	if (done == NULL && t->locked)
		return -EDEADLK;
	if (conn_more(c) == NULL)
		return -ENOMEM;
	if (done == NULL)
		return conn_work_and_wait(c, t, fn, arg);
	w = sys_calloc(1, sizeof *w);
	if (w == NULL)
		return -ENOMEM;
	w->job.work = fn;
	w->job.arg = arg;
	w->conn = c;
	w->done = done;
	list_init(&w->link);
	err = work_begin(w);
	if (err < 0)
		free(w);
	return err;
}

void conn_await_works(struct myr_conn *c, struct task *t)
{
	while (conn_is_at_work(c)) {
		struct task *me = task_current;

		task_current = NULL;
		conn_tell_works(c);
		task_current = me;
		if (list_empty(&c->more->works))
			continue;
		t->waits = c;           /* conn_work_done() wakes it, and so does what else happens */
		t->woken = false;
		t->runner->wait(t);
		t->waits = NULL;
	}
}

static struct myr_conn *task_at_work(const struct task *t)
{
	if (conn_is_at_work(t->conn))
		return t->conn;
	for (struct list *n = t->dialled.next; n != &t->dialled; n = n->next)
		if (conn_is_at_work(list_of(n, struct conn_more, dialled)->dialled_conn))
			return list_of(n, struct conn_more, dialled)->dialled_conn;
	return NULL;
}

void task_await_works(struct task *t)
{
	struct myr_conn *c;

	while ((c = task_at_work(t)) != NULL)
		conn_await_works(c, t);
}

/* Its result comes like any other's, from the loop: whoever cancels is in the middle of something. */
static void work_cancel(struct work *w)
{
	struct myr_loop *l = w->job.loop;

	if (l->mover->virtual_time) {
		w->cancelled = true;
		loop_timer(l, &w->timer, l->now);
	} else if (pool_cancel(&w->job)) {
		w->job.result = -ECANCELED;
		loop_post(l, &w->job.ended);
	}
}

void conn_cancel_works(struct myr_conn *c)
{
	if (c->more == NULL)
		return;
	for (struct list *n = c->more->works.next; n != &c->more->works; n = n->next)
		work_cancel(list_of(n, struct work, link));
}
