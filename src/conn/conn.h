/* SPDX-License-Identifier: MIT
 *
 * conn.h - one connection: what every engine and both handler styles share.
 *
 * A connection is a port's owner: the mover reports bytes to it, and it states wants.  It makes no
 * system call and never sees a descriptor.  Public functions and reports only change state and
 * touch the port; conn_settle(), once per turn and connection and always from the loop, draws the
 * consequences: hands over input, runs on_room, on_eof, on_close, and recomputes the wants.  So no
 * callback ever runs inside a library function, and everything is decided in one place.
 *
 * Each half has its own life: input is open until C_IN_ENDED; output is open until C_FIN_WANTED or
 * C_CLOSING, and gone at C_FIN_SENT.  C_OVER: on_close has run and the port is detached; memory
 * goes after released(), when no handler is inside any more. */
#ifndef MYR_CONN_H
#define MYR_CONN_H

#include <errno.h>
#include <stdbool.h>

#include "base/addr.h"
#include "base/buf.h"
#include "base/outq.h"
#include "conn/task.h"
#include "io/loop.h"
#include "myriad.h"

struct limits {                         /* resolved: no zeroes; MYR_NONE and SIZE_MAX mean none */
	size_t in_max, frame_max, out_high, out_low, out_max;
	int    open_ms, frame_ms, idle_ms, close_ms;
};

struct datagram;                        /* io/dgram.h */
struct shared;                          /* conn/shared.h: a block and its robust lock */

/* What the connections of one listener share.  Read-only while any of them lives. */
struct origin {
	struct myr_service service;     /* a copy */
	struct limits limits;
	const struct runner *runner;    /* NULL: callback style */
	void *arg;
	struct shared *shared;          /* NULL: none */
	struct myr_server *server;      /* NULL: a client */
	const void *key;                /* the service pointer as the user knows it (myr_tell_all) */
	void (*lingers)(struct myr_conn *);     /* serve/: closed and all sent; what is left needs nobody */
	void (*ended)(struct myr_conn *);       /* serve/: the accounting, once, just before memory goes */
	bool  owned;                    /* made for one dialled connection, freed with it */
};

enum {
	C_IN_ENDED   = 1 << 0,          /* the peer has finished sending */
	C_FIN_WANTED = 1 << 1,          /* myr_write_eof() */
	C_FIN_SENT   = 1 << 2,
	C_CLOSING    = 1 << 3,          /* myr_close(): input is thrown away */
	C_FAILED     = 1 << 4,          /* error is set */
	C_OVER       = 1 << 5,
	C_RELEASED   = 1 << 6,          /* the port is gone; waiting for the handler only */
	C_PAUSED     = 1 << 7,          /* myr_pause() */
	C_CHOKED     = 1 << 8,          /* output above out_high: the peer must read first */
	C_IN_FULL    = 1 << 9,          /* input above in_max: the handler must read first */
	C_ATTENTION  = 1 << 10,         /* conn_settle() has more to do than recompute the wants */
	C_OFFER      = 1 << 11,         /* buffered input is to be offered again */
	C_OPENED     = 1 << 12,         /* on_open or setup has begun: on_close or finish is owed */
	C_EOF_TOLD   = 1 << 13,
	C_PEER_FIRST = 1 << 14,         /* the peer ended before we closed */
	C_STOPPING   = 1 << 15,         /* the server drains */
	C_STOP_TOLD  = 1 << 16,
	C_STOPPED    = 1 << 17,         /* closed because of the drain */
	C_MOVED      = 1 << 18,         /* the first byte has come or gone: the opening is over */
	C_DIALLING   = 1 << 19,
	C_RESET      = 1 << 20,         /* myr_abort() */
	C_ROOM_DUE   = 1 << 21,         /* on_room is owed */
	C_RELAYED    = 1 << 22,         /* joined to another one: more->partner */
	C_CLIENT     = 1 << 23,         /* dialled */
	C_OWNED      = 1 << 24,         /* dialled by a task, which gives it back */
	C_GIVEN_BACK = 1 << 25,
	C_STARTED    = 1 << 26,         /* the handler has been begun */
	C_FLUSHING   = 1 << 27,         /* a blocking handler waits for the output to be gone */
	C_WRITING    = 1 << 28,         /* a blocking handler waits inside a write: no tick, no tell */
	C_DUE        = 1 << 29,         /* a tick or tells had to wait: see conn_run_due() */
	C_LEFT       = 1 << 30          /* the blocking handler has returned */
};
#define C_DATAGRAM ((uint32_t)1 << 31)  /* made of datagrams: see datagram.c */

/* Bits with which input may not be handed to a callback handler (it waits in `in`, or is thrown away). */
#define C_NO_DELIVERY (C_PAUSED | C_CHOKED | C_CLOSING | C_FAILED | C_OVER)

/* Without any of these a connection wants input, and output if it has some: the common case. */
#define C_UNSETTLED (C_ATTENTION | C_IN_ENDED | C_FIN_WANTED | C_CLOSING | C_FAILED | C_OVER | C_PAUSED | \
	C_CHOKED | C_IN_FULL | C_DIALLING | C_RELAYED | C_STOPPING | C_FLUSHING)

struct tell {                           /* one that has to wait its turn */
	struct tell *next;
	size_t n;
	uint8_t bytes[];
};

/* What only busy or unusual connections need. */
struct conn_more {
	struct task *task;              /* the blocking handler it belongs to: own, or who dialled it */
	struct task *reader;            /* the same, if on a fiber and its waits have no deadline */
	struct task own;
	struct list dialled;            /* on task->dialled */
	struct myr_conn *dialled_conn;
	int64_t wait_due, tick_due, frame_due;  /* CLOCK_NEVER: not running */
	bool    tick_late;              /* on_tick came due inside a write */
	int     timeout_ms;             /* myr_set_timeout() */
	bool    expired;                /* the wait's deadline has passed */
	uint8_t *read_to;               /* where a waiting myr_read() wants its bytes; NULL: nowhere */
	size_t  read_room, read_got;
	struct myr_conn *partner;       /* myr_relay() */
	struct list files;              /* myr_sendfile(), between the bytes of `out`; then C_CHOKED is set */
	struct list works, works_done;  /* myr_offload(): out, and back but not yet told */
	struct tell *tells, **tells_end;
	size_t  tells_bytes;
	unsigned telling;               /* done() functions that have not returned */
	struct datagram *asked;         /* what its answers are addressed to; NULL: it is none, or dialled */
	char   *peer_text;              /* made when first asked for: two strings, one after the other */
};

struct myr_conn {
	struct port port;               /* first: reports get back here by cast */
	uint32_t bits;
	int16_t  error;                 /* first, sticky */
	bool     lingers;               /* closed and sent; only the peer's end is missing */
	bool     whole;                 /* `in` is a datagram, perhaps an empty one, that the handler has not had */
	const struct origin *origin;
	const struct myr_framing *framing;
	struct conn_more *more;         /* NULL while not needed */
	struct buf  in;
	struct outq out;
	struct timer timer;             /* the earliest deadline, or earlier: re-armed lazily */
	int64_t  active;                /* when the last byte moved */
	struct list link;               /* loop->conns */
	myr_id   id;
	uint32_t number;
	uint32_t seen;                  /* bytes of `in` that split() has been shown */
	struct addr peer;
	/* the service's state follows, aligned to 16 */
};

/* Take an accepted socket over and start its handler at the loop's next turn.  NULL: no memory, or
 * the mover cannot hold it; the handle has been closed and *err says which.  The id and the number
 * are given by whoever accepted; id 0: the loop's own slots name it. */
struct myr_conn *conn_accept(struct myr_loop *, const struct origin *, int32_t handle, uint8_t port_flags,
                             const struct sockaddr *, socklen_t, myr_id id, uint32_t number, int *err);
/* The same for a datagram; nothing is closed, its socket stays the listener's.  `now`: start the handler at
 * once, in a report of the loop's: most are over when this returns. */
struct myr_conn *datagram_accept(struct myr_loop *, const struct origin *, const struct datagram *, bool now,
                                 myr_id id, uint32_t number, int *err);
size_t datagram_max(const struct limits *);     /* a longer one is not for this service */
/* Abort what is left in a loop, wait until it is gone, and close the loop. */
void conn_loop_close(struct myr_loop *);
void conn_stop(struct myr_conn *);      /* the drain begins: tell the handler */
void conn_cut(struct myr_conn *);       /* the drain is over: reset */
void conn_tell(struct myr_conn *, const void *, size_t n);      /* on_tell, or to the peer */
void conn_fail(struct myr_conn *, int err);     /* first error sticks; settled from the loop */
void conn_break(struct myr_conn *, int err);    /* the same, after what is queued */
int  conn_why(const struct myr_conn *);         /* what on_close is told */

/* --- Inside conn/ ---------------------------------------------------------------------------- */

struct myr_conn *conn_new(struct myr_loop *, const struct origin *, int32_t handle, uint8_t port_flags,
                          myr_id id, uint32_t number, int *err);
struct conn_more *conn_more(struct myr_conn *);         /* made when first needed; NULL: out of memory */
/* Output, no questions asked: 0 or -ENOMEM. */
static inline int conn_queue(struct myr_conn *c, const void *p, size_t n)
{
	if (outq_append(&c->out, &c->port.loop->chunks, p, n) < 0)
		return -ENOMEM;
	if (c->out.len > c->origin->limits.out_high)
		c->bits |= C_CHOKED;
	loop_touch(&c->port);
	return 0;
}

/* A function of its service is about to be called. */
static inline void conn_calls(const struct myr_conn *c, enum doing what)
{
	loop_calls(c->port.loop, what, c->number, c->origin->service.name);
}

void conn_attention(struct myr_conn *);                 /* conn_settle() will look at everything */
void conn_schedule(struct myr_conn *, int64_t due);     /* the timer fires then, or before */
void conn_first_move(struct myr_conn *);
/* A byte has come or gone. */
static inline void conn_moved(struct myr_conn *c)
{
	c->active = c->port.loop->now;
	if (!(c->bits & C_MOVED))
		conn_first_move(c);
}

void conn_input_taken(struct myr_conn *, size_t n);     /* n bytes of `in` have been used */
void conn_input_short(struct myr_conn *);                /* what is buffered is not enough: read on */
void conn_frame_clock(struct myr_conn *, bool partial); /* a partial frame is waiting, or none is */
void conn_wake(struct myr_conn *);                      /* its handler, if that waits for it */
void conn_settle_all(struct myr_conn *);
unsigned conn_wants(const struct myr_conn *);
/* datagram.c */
void conn_is_datagram(struct myr_conn *);               /* from its beginning on */
void datagram_settle(struct port *);
void datagram_ready(struct port *, unsigned events);
void datagram_offer(struct myr_conn *);                 /* to a callback handler */
/* One datagram, now or when there is room: n, or an error (-EMSGSIZE does not stick). */
ssize_t datagram_write(struct myr_conn *, const void *, size_t n);
/* tell.c */
void conn_tick(struct myr_conn *);                      /* on_tick is due */
void conn_run_due(struct myr_conn *);                   /* ticks and tells that had to wait */
/* relay.c */
void relay_pass_on(struct myr_conn *, const uint8_t *, size_t n);
void relay_settle(struct myr_conn *);
void relay_part(struct myr_conn *, int why);            /* one is over: what that means for the other */
bool relay_ended(const struct myr_conn *);              /* both of its halves have */
void conn_handler_left(struct myr_conn *);              /* the blocking handler has returned */
/* calls.c: wait for room, if this is where one may; 0, or why nothing can be written. */
int  conn_write_begin(struct myr_conn *);
/* sendfile.c */
static inline bool conn_has_files(const struct myr_conn *c)
{
	return (c->bits & C_CHOKED) && c->more != NULL && !list_empty(&c->more->files);
}
static inline bool conn_has_output(const struct myr_conn *c)
{
	return c->out.len > 0 || conn_has_files(c);
}
int  conn_gather_files(struct myr_conn *, struct iovec *, int max);
void conn_sent_files(struct myr_conn *, size_t n);
void conn_drop_files(struct myr_conn *);
/* offload.c */
static inline bool conn_is_at_work(const struct myr_conn *c)
{
	return c->more != NULL && (c->more->telling > 0 || !list_empty(&c->more->works) ||
	                           !list_empty(&c->more->works_done));
}
/* offload.c: done in another thread; the handler of this connection waits for it. */
int  conn_work_and_wait(struct myr_conn *, struct task *, int (*)(void *), void *);
void conn_tell_works(struct myr_conn *);                /* results that had to wait */
void conn_await_works(struct myr_conn *, struct task *);
/* Before finish, and before what a handler works on is given up: none of its connections has work out any more. */
void task_await_works(struct task *);
void conn_cancel_works(struct myr_conn *);              /* what has not begun never will: -ECANCELED */
void conn_work_done(struct myr_conn *);                 /* conn.c: go on with what waited for it */
/* blocking.c: until something happened; -ETIMEDOUT, -EDEADLK in a callback or with the lock held. */
int  conn_wait(struct myr_conn *, int64_t due);
int64_t conn_wait_due(const struct myr_conn *);         /* by myr_set_timeout(), from now */
struct task *conn_waiter(const struct myr_conn *);      /* who may wait here; NULL: a callback */

void conn_close(struct myr_conn *);                     /* myr_close() without giving back or waiting */
void conn_abort(struct myr_conn *);
/* A copy of a struct whose size the caller was compiled with; -E2BIG: a field that is set is unknown here. */
int  sized_copy(void *to, size_t to_size, const void *from, size_t from_size, const char *what);

/* Resolve a configuration and a service into limits. */
void limits_resolve(struct limits *, const struct myr_config *, const struct myr_service *);
/* A copy of the service, `size` bytes of which the caller knows.  0, -EINVAL (both or no style), -E2BIG. */
int  origin_init(struct origin *, const struct myr_service *, size_t size, const struct myr_config *, void *arg);

#endif
