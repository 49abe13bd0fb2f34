/* SPDX-License-Identifier: MIT
 *
 * loop.h - one turn after the other: flush, wait, timers, posts, ready tasks, bury.
 *
 * A loop and all in it belong to one thread.  loop_post() and loop_stop() alone may be called from
 * others.  Nothing is freed while events are being delivered: memory goes in loop_bury(). */
#ifndef MYR_LOOP_H
#define MYR_LOOP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/log.h"
#include "base/outq.h"
#include "base/slots.h"
#include "io/mover.h"

#define LOOP_EVENTS 1024                /* events a selector may report in one turn: poll and select pay for
                                           a look at every descriptor, so they report many (epoll: 64) */
#define LOOP_SCRATCH 65536              /* bytes lent in one report, at most */
#define LOOP_POSTS_BYTES (4u << 20)     /* posted bytes that may wait in one loop's mailbox */

struct fiber_pool;

/* Something to go on with in this turn: a blocking handler that was woken. */
struct runnable {
	struct list link;               /* on loop->ready; must be initialised */
	void (*go)(struct runnable *);
};

/* What a loop counts.  Written by its own thread alone; anyone may read (board.h shares it). */
struct loop_stats {
	_Atomic uint64_t accepted, refused, cut, bytes_in, bytes_out;
	_Atomic uint32_t conns_open;
};

#define STAT_ADD(field, n) \
	atomic_store_explicit(&(field), atomic_load_explicit(&(field), memory_order_relaxed) + (n), memory_order_relaxed)

/* What a loop is in the middle of, for whoever watches it from another thread.  Written by its own thread
 * alone, and never cleared: only what does not change while a turn lasts means anything. */
struct loop_doing {
	_Atomic uint32_t turn;
	_Atomic bool asleep;            /* in the system call that waits */
	_Atomic uint64_t call;          /* the connection's number << 8 | enum doing */
	const char *_Atomic service;    /* its name; NULL: it has none */
	_Atomic bool unwatched;         /* written by whoever watches: it sleeps as the loop does, */
	void (*awake)(struct myr_loop *);       /* until the loop calls this */
};

enum doing {
	CALL_OTHER, CALL_ON_OPEN, CALL_ON_DATA, CALL_ON_FRAME, CALL_ON_ROOM, CALL_ON_EOF, CALL_ON_CLOSE,
	CALL_ON_TICK, CALL_ON_TELL, CALL_ON_STOP, CALL_HANDLE
};

/* A call to make in the loop's thread.  post_free: after fn has run, or at the end without running. */
struct post {
	struct post *next;
	void (*fn)(struct myr_loop *, struct post *);   /* owns the post: frees it */
	size_t bytes;                   /* counted against LOOP_POSTS_BYTES */
};

struct myr_loop {
	const struct mover *mover;
	void       *io;                 /* the mover's */
	int64_t     now;                /* ms; the mover sets it in wait() */
	struct heap timers;
	uint32_t    timer_owners;       /* timers that may be set at once */
	struct port *dirty, **dirty_end;        /* ports whose wants have changed */
	struct port *leaving;                   /* released() is due */
	struct list ready;              /* what to go on with (struct runnable) */
	struct list conns;              /* all connections (struct myr_conn.link) */
	struct list watches, afters;    /* the public myr_watch(), myr_after() */
	unsigned    ports;              /* attached and not yet released, the wake port left out */
	struct chunk_pool chunks;
	struct fiber_pool *fibers;      /* NULL until a fiber is needed */
	size_t      stack;              /* of a fiber */
	struct slots slots;             /* names of connections: worker loops and clients */
	unsigned long numbers;          /* of connections accepted or dialled */
	struct loop_stats *stats, own_stats;    /* stats points to a board row, or to own_stats */
	struct loop_doing doing;
	struct log_sink log;
	void       *worker;             /* serve/: whose loop this is; NULL in a client or solo loop */
	struct myr_server *server;      /* NULL in a client */
	void       *clients;            /* conn/: limits of dialled connections */
	/* The mailbox: the only part others touch. */
	pthread_mutex_t mail_lock;
	struct post *mail, **mail_end;
	size_t      mail_bytes;
	_Atomic bool mail_woken;        /* there is mail, and a wake-up is on its way */
	int         wake_fd;            /* written by others; -1: none (sim, forked children) */
	struct port wake;               /* the reading end, in our own mover */
	_Atomic int stop;               /* loop_run() returns */
};

/* 0 or an error.  arg as in mover.open.  With wake_fd: a descriptor for loop_post() from others. */
int  loop_open(struct myr_loop *, const struct mover *, const void *arg, bool wake);
void loop_close(struct myr_loop *);     /* nothing may be left in it */

void loop_turn(struct myr_loop *);      /* one turn; waits as long as nothing is due */
/* The loop that is turning in this thread; NULL: none, so that waiting is nobody's harm. */
#define MYR_TLS _Thread_local __attribute__((tls_model("initial-exec")))
extern MYR_TLS struct myr_loop *loop_turning;
bool loop_is_idle(const struct myr_loop *);     /* no port, connection, timer, task or post to wait for */

/* From now on others can loop_post() to it and be noticed.  0 or an error. */
int  loop_need_wake(struct myr_loop *);
int  loop_attach(struct port *);        /* mover.attach, and counted */
void loop_detach(struct port *);        /* mute, mover.detach; harmless the second time */
void loop_released(struct port *);      /* movers: nothing is in flight any more */
/* A port that was held off the dirty list (PORT_DIRTY set by its owner) is settled now, not in the next flush. */
void loop_flush_port(struct port *);

/* The port's wants may have changed, or it has more to send. */
static inline void loop_touch(struct port *p)
{
	struct myr_loop *l = p->loop;

	if (p->flags & (PORT_DIRTY | PORT_MUTED))
		return;                 /* a muted port may be freed as soon as it is released */
	p->flags |= PORT_DIRTY;
	p->dirty_next = NULL;
	*l->dirty_end = p;
	l->dirty_end = &p->dirty_next;
}

int  loop_timer_own(struct myr_loop *);         /* one more timer that must not fail: 0 or -ENOMEM */
void loop_timer_disown(struct myr_loop *, struct timer *);      /* unset, and never set again */
static inline void loop_timer(struct myr_loop *l, struct timer *t, int64_t due)
{
	if (t->at == 0 || t->due != due)
		heap_set(&l->timers, t, due);
}

/* [any] Queue the post; it runs in the loop's thread, in order.  0, or -EAGAIN: the mailbox is full. */
int  loop_post(struct myr_loop *, struct post *);
void loop_stop(struct myr_loop *);      /* [any] [sig] loop_run() returns after this turn */
void loop_wake(struct myr_loop *);      /* [any] [sig] end the wait */
void loop_run_posts(struct myr_loop *);

void watch_drop_all(struct myr_loop *);  /* watch.c: forget the user's watches and timers */

static inline void loop_calls(struct myr_loop *l, enum doing what, uint32_t number, const char *service)
{
	atomic_store_explicit(&l->doing.call, (uint64_t)number << 8 | what, memory_order_relaxed);
	atomic_store_explicit(&l->doing.service, service, memory_order_relaxed);
}

static inline void loop_sleeps(struct myr_loop *l)
{
	atomic_store_explicit(&l->doing.asleep, true, memory_order_relaxed);
}

static inline void loop_awakes(struct myr_loop *l)
{
	atomic_store_explicit(&l->doing.asleep, false, memory_order_relaxed);
	if (atomic_load_explicit(&l->doing.unwatched, memory_order_relaxed))
		l->doing.awake(l);
}

/* The time, read again: for deadlines of a handler that may have computed for a while. */
static inline int64_t loop_fresh_now(struct myr_loop *l)
{
	if (!l->mover->virtual_time)
		l->now = clock_ms();
	return l->now;
}

/* Seconds since 1970, in virtual time as if it had begun with the year 2000. */
static inline int64_t loop_time_of_day(const struct myr_loop *l)
{
	return l->mover->virtual_time ? CLOCK_YEAR_2000 + l->now / 1000 : clock_time_of_day();
}

static inline void loop_run_later(struct myr_loop *l, struct runnable *r)
{
	if (list_empty(&r->link))
		list_append(&l->ready, &r->link);
}

#endif
