/* SPDX-License-Identifier: MIT
 *
 * watch.c - the public myr_watch(), myr_after() and myr_post(): descriptors, timers and calls in a
 * loop.  Each says what should hold; saying it again replaces. */
#include <errno.h>

#include "base/error.h"
#include "io/loop.h"
#include "myriad.h"

struct watch {
	struct port port;
	struct list link;               /* on loop->watches until forgotten */
	void (*fn)(struct myr_loop *, int fd, unsigned events, void *arg);
	void *arg;
	unsigned events;
};

static void watch_settle(struct port *p)
{
	const struct watch *w = (const struct watch *)p;

	p->want = (uint8_t)((w->events & MYR_READ ? PORT_READABLE : 0) | (w->events & MYR_WRITE ? PORT_WRITABLE : 0));
}

static void watch_ready(struct port *p, unsigned events)
{
	struct watch *w = (struct watch *)p;
	unsigned told = w->events & ((events & PORT_READABLE ? (unsigned)MYR_READ : 0u) |
	                             (events & PORT_WRITABLE ? (unsigned)MYR_WRITE : 0u));

	loop_touch(p);                  /* still wanted, unless fn says otherwise */
	if (told == 0)
		return;                 /* replaced in this turn: it is not what is asked for any more */
	loop_calls(p->loop, CALL_OTHER, 0, NULL);
	w->fn(p->loop, p->handle, told, w->arg);
}

static void watch_failed(struct port *p, int err)
{
	struct watch *w = (struct watch *)p;

	(void)err;                      /* an error shows as every event asked for: the next call on fd finds it */
	loop_calls(p->loop, CALL_OTHER, 0, NULL);
	w->fn(p->loop, p->handle, w->events, w->arg);
}

static void watch_released(struct port *p)
{
	free(p);
}

static const struct port_ops watch_ops = {
	.settle = watch_settle, .ready = watch_ready, .failed = watch_failed, .released = watch_released,
};

static struct watch *watch_find(const struct myr_loop *l, int fd)
{
	for (struct list *n = l->watches.next; n != &l->watches; n = n->next)
		if (list_of(n, struct watch, link)->port.handle == fd)
			return list_of(n, struct watch, link);
	return NULL;
}

static int watch_new(struct myr_loop *l, int fd, const struct watch *like)
{
	struct watch *w = sys_malloc(sizeof *w);
	int err;

	if (w == NULL)
		return -ENOMEM;
	*w = *like;
	w->port = (struct port){ .ops = &watch_ops, .loop = l, .handle = fd, .flags = PORT_BORROWED };
	watch_settle(&w->port);
	err = loop_attach(&w->port);
	if (err < 0) {
		free(w);
		return err;
	}
	list_append(&l->watches, &w->link);
	loop_touch(&w->port);
	return 0;
}

int myr_watch(struct myr_loop *l, int fd, unsigned events,
              void (*fn)(struct myr_loop *, int, unsigned, void *), void *arg)
{
	const struct watch like = { .fn = fn, .arg = arg, .events = events };
	struct watch *w = watch_find(l, fd);

	if (fd < 0)
		return -EBADF;
	if ((events & ~(unsigned)(MYR_READ | MYR_WRITE)) != 0 || (events != 0 && fn == NULL))
		return -EINVAL;
	if (events == 0) {
		if (w != NULL) {
			list_remove(&w->link);
			loop_detach(&w->port);
		}
		return 0;
	}
	if (w == NULL)
		return watch_new(l, fd, &like);
	w->fn = fn;
	w->arg = arg;
	w->events = events;
	loop_touch(&w->port);
	return 0;
}

/* --- Timers ---------------------------------------------------------------------------------- */

struct after {
	struct timer timer;             /* first */
	struct list link;               /* on loop->afters */
	struct myr_loop *loop;
	void (*fn)(struct myr_loop *, void *arg);
	void *arg;
};

static void after_drop(struct after *a)
{
	loop_timer_disown(a->loop, &a->timer);
	list_remove(&a->link);
	free(a);
}

static void after_fire(struct timer *t)
{
	struct after a = *(struct after *)t;

	after_drop((struct after *)t);          /* first: fn may set it again */
	loop_calls(a.loop, CALL_OTHER, 0, NULL);
	a.fn(a.loop, a.arg);
}

static struct after *after_find(const struct myr_loop *l, void (*fn)(struct myr_loop *, void *), const void *arg)
{
	for (struct list *n = l->afters.next; n != &l->afters; n = n->next) {
		struct after *a = list_of(n, struct after, link);

		if (a->fn == fn && a->arg == arg)
			return a;
	}
	return NULL;
}

int myr_after(struct myr_loop *l, int ms, void (*fn)(struct myr_loop *, void *), void *arg)
{
	struct after *a = after_find(l, fn, arg);

	if (ms < 0) {
		if (a != NULL)
			after_drop(a);
		return 0;
	}
	if (a == NULL) {
		if (loop_timer_own(l) < 0)
			return -ENOMEM;
		a = sys_calloc(1, sizeof *a);
		if (a == NULL) {
			l->timer_owners--;
			return -ENOMEM;
		}
		a->timer.fire = after_fire;
		a->loop = l;
		a->fn = fn;
		a->arg = arg;
		list_append(&l->afters, &a->link);
	}
	loop_timer(l, &a->timer, loop_fresh_now(l) + ms);
	return 0;
}

/* --- Posts ------------------------------------------------------------------------------------ */

struct call {
	struct post post;               /* first */
	void (*fn)(struct myr_loop *, void *arg);
	void *arg;
};

static void call_run(struct myr_loop *l, struct post *post)
{
	struct call c = *(struct call *)post;

	free(post);
	loop_calls(l, CALL_OTHER, 0, NULL);
	c.fn(l, c.arg);
}

int myr_post(struct myr_loop *l, void (*fn)(struct myr_loop *, void *), void *arg)
{
	struct call *c = sys_malloc(sizeof *c);
	int err;

	if (c == NULL)
		return -ENOMEM;
	*c = (struct call){ .post = { .fn = call_run, .bytes = sizeof *c }, .fn = fn, .arg = arg };
	err = loop_post(l, &c->post);
	if (err < 0)
		free(c);
	return err;
}

/* What users left in a loop that is being closed. */
void watch_drop_all(struct myr_loop *l)
{
	while (!list_empty(&l->afters))
		after_drop(list_of(l->afters.next, struct after, link));
	while (!list_empty(&l->watches)) {
		struct watch *w = list_of(l->watches.next, struct watch, link);

		list_remove(&w->link);
		loop_detach(&w->port);
	}
}
