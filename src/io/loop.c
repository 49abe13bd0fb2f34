/* SPDX-License-Identifier: MIT
 *
 * loop.c - the turn, and the mailbox.
 *
 * A turn: what changed goes to the mover, the mover waits and reports, then timers, mail and
 * woken handlers run, and last the dead are buried.  Writes made during a turn leave together at
 * the next flush, one send for each connection.  Reports only change state; consequences are drawn
 * in flush (port_ops.settle), so no owner is ever called from inside its own call. */
#include "io/loop.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "base/error.h"

void loop_flush_port(struct port *p)
{
	struct myr_loop *l = p->loop;

	if (!port_is_muted(p) && p->ops->settle != NULL)
		p->ops->settle(p);
	p->flags &= (uint8_t)~PORT_DIRTY;
	if (p->flags & PORT_RELEASED) {
		p->dirty_next = l->leaving;
		l->leaving = p;
	} else if (!port_is_muted(p) && p->handle >= 0) {
		l->mover->update(p);
	}
}

static void loop_flush(struct myr_loop *l)
{
	struct port *p = l->dirty, *next;

	l->dirty = NULL;
	l->dirty_end = &l->dirty;
	for (; p != NULL; p = next) {
		next = p->dirty_next;
		loop_flush_port(p);
	}
}

static int64_t loop_deadline(const struct myr_loop *l)
{
	const struct timer *t;

	if (l->dirty != NULL || l->leaving != NULL || !list_empty(&l->ready) ||
	    atomic_load_explicit(&l->mail_woken, memory_order_relaxed) ||
	    atomic_load_explicit(&l->stop, memory_order_relaxed) != 0)
		return l->now;
	t = heap_first(&l->timers);
	return t != NULL ? t->due : CLOCK_NEVER;
}

static void loop_fire_timers(struct myr_loop *l)
{
	uint32_t limit = l->timers.count;       /* one that sets itself for now waits for the next turn */
	struct timer *t;

	while (limit-- > 0 && (t = heap_first(&l->timers)) != NULL && t->due <= l->now) {
		heap_remove(&l->timers, t);
		t->fire(t);
	}
}

static void loop_run_ready(struct myr_loop *l)
{
	struct list now, *n;

	if (list_empty(&l->ready))
		return;
	list_take(&now, &l->ready);
	while ((n = list_pop(&now)) != NULL) {
		struct runnable *r = list_of(n, struct runnable, link);

		r->go(r);
	}
}

static void loop_bury(struct myr_loop *l)
{
	struct port *p = l->leaving, *next;

	l->leaving = NULL;
	for (; p != NULL; p = next) {
		next = p->dirty_next;
		if (p != &l->wake)
			l->ports--;
		p->ops->released(p);
	}
}

MYR_TLS struct myr_loop *loop_turning;

void loop_turn(struct myr_loop *l)
{
	struct myr_loop *outer = loop_turning;

	loop_turning = l;
	STAT_ADD(l->doing.turn, 1);
	loop_flush(l);
	l->mover->wait(l, loop_deadline(l));
	loop_fire_timers(l);
	loop_run_posts(l);
	loop_run_ready(l);
	loop_bury(l);
	loop_turning = outer;
}

bool loop_is_idle(const struct myr_loop *l)
{
	/* Dirty and leaving ports are counted, but for the wake port, which is nothing to wait for. */
	return l->ports == 0 && l->timers.count == 0 && list_empty(&l->ready) && list_empty(&l->conns) &&
	       !atomic_load_explicit(&l->mail_woken, memory_order_relaxed);
}

int loop_attach(struct port *p)
{
	int err = p->handle >= 0 ? p->loop->mover->attach(p) : 0;

	if (err == 0)
		p->loop->ports++;
	return err;
}

void loop_detach(struct port *p)
{
	if (port_is_muted(p))
		return;
	p->flags |= PORT_MUTED;
	p->want = 0;
	if (p->handle >= 0)
		p->loop->mover->detach(p);
	else
		loop_released(p);
}

void loop_released(struct port *p)
{
	assert(port_is_muted(p) && !(p->flags & PORT_RELEASED));
	p->flags |= PORT_RELEASED;
	if (p->flags & PORT_DIRTY)
		return;                 /* still linked: the flush will pass it on */
	p->dirty_next = p->loop->leaving;
	p->loop->leaving = p;
}

int loop_timer_own(struct myr_loop *l)
{
	if (heap_reserve(&l->timers, l->timer_owners + 1) < 0)
		return -ENOMEM;
	l->timer_owners++;
	return 0;
}

void loop_timer_disown(struct myr_loop *l, struct timer *t)
{
	heap_remove(&l->timers, t);
	l->timer_owners--;
}

/* --- The mailbox --------------------------------------------------------------------------- */

void loop_wake(struct myr_loop *l)
{
	const uint64_t one = 1;

	/* EAGAIN, it is full: the loop is awake already. */
	while (l->wake_fd >= 0 && sys_write(l->wake_fd, &one, sizeof one) < 0 && errno == EINTR)
		;
}

int loop_post(struct myr_loop *l, struct post *post)
{
	bool wake;

	pthread_mutex_lock(&l->mail_lock);
	if (l->mail_bytes + post->bytes > LOOP_POSTS_BYTES) {
		pthread_mutex_unlock(&l->mail_lock);
		return -EAGAIN;
	}
	l->mail_bytes += post->bytes;
	post->next = NULL;
	*l->mail_end = post;
	l->mail_end = &post->next;
	wake = !atomic_exchange(&l->mail_woken, true);
	if (wake)
		loop_wake(l);           /* under the lock: the loop cannot close meanwhile */
	pthread_mutex_unlock(&l->mail_lock);
	return 0;
}

void loop_run_posts(struct myr_loop *l)
{
	struct post *post, *next;

	if (!atomic_load_explicit(&l->mail_woken, memory_order_acquire))
		return;
	pthread_mutex_lock(&l->mail_lock);
	post = l->mail;
	l->mail = NULL;
	l->mail_end = &l->mail;
	l->mail_bytes = 0;
	atomic_store(&l->mail_woken, false);
	pthread_mutex_unlock(&l->mail_lock);
	for (; post != NULL; post = next) {
		next = post->next;
		post->fn(l, post);
	}
}

void loop_stop(struct myr_loop *l)
{
	atomic_store(&l->stop, 1);
	loop_wake(l);
}

static void wake_ready(struct port *p, unsigned events)
{
	uint64_t count;

	(void)events;
	if (sys_read(p->handle, &count, sizeof count) < 0)
		return;                 /* somebody was faster, or nothing was there */
}

static void wake_failed(struct port *p, int err)
{
	log_line(&p->loop->log, 0, LOG_ERR, "the wake-up descriptor failed: %s", myr_strerror(err));
}

static void wake_released(struct port *p)
{
	sys_close(p->loop->wake_fd);
	p->loop->wake_fd = -1;
}

static const struct port_ops wake_ops = { .ready = wake_ready, .failed = wake_failed, .released = wake_released };

static int loop_open_wake(struct myr_loop *l)
{
	int err, fd = sys_eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	if (fd < 0)
		return fail(-errno, "cannot make an eventfd: %s", strerror(errno));
	l->wake = (struct port){ .ops = &wake_ops, .loop = l, .handle = fd, .flags = PORT_BORROWED,
	                         .want = PORT_READABLE };
	err = l->mover->attach(&l->wake);
	if (err < 0) {
		sys_close(fd);
		return err;
	}
	l->wake_fd = fd;
	loop_touch(&l->wake);
	return 0;
}

int loop_need_wake(struct myr_loop *l)
{
	return l->wake_fd >= 0 || l->mover->virtual_time ? 0 : loop_open_wake(l);
}

/* --- Life ------------------------------------------------------------------------------------ */

int loop_open(struct myr_loop *l, const struct mover *mover, const void *arg, bool wake)
{
	int err;

	memset(l, 0, sizeof *l);
	l->mover = mover;
	l->dirty_end = &l->dirty;
	l->mail_end = &l->mail;
	l->wake_fd = -1;
	l->stats = &l->own_stats;
	l->log.level = LOG_INFO;
	l->now = clock_ms();
	list_init(&l->ready);
	list_init(&l->conns);
	list_init(&l->watches);
	list_init(&l->afters);
	pthread_mutex_init(&l->mail_lock, NULL);
	err = mover->open(l, arg);
	if (err < 0)
		goto fail_open;
	if (wake && (err = loop_open_wake(l)) < 0)
		goto fail_wake;
	return 0;
fail_wake:
	mover->close(l);
fail_open:
	pthread_mutex_destroy(&l->mail_lock);
	return err;
}

void loop_close(struct myr_loop *l)
{
	if (l->wake_fd >= 0)
		loop_detach(&l->wake);
	loop_run_posts(l);
	while (l->wake_fd >= 0 || l->ports > 0 || l->leaving != NULL)
		loop_turn(l);
	loop_run_posts(l);
	l->mover->close(l);
	heap_done(&l->timers);
	chunk_pool_done(&l->chunks);
	slots_done(&l->slots);
	pthread_mutex_destroy(&l->mail_lock);
}
