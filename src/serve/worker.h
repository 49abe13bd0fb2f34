/* SPDX-License-Identifier: MIT
 *
 * worker.h - one loop with listeners: in the calling thread, a thread of its own, or a process.
 *
 * A worker's life: start (service.start), go (accept), stop (drain, then cut), over.  Whoever runs
 * it drives it with worker_turn() until worker_is_over(). */
#ifndef MYR_WORKER_H
#define MYR_WORKER_H

#include "serve/fds.h"
#include "serve/listener.h"
#include "serve/server.h"
#include "serve/watchdog.h"

enum phase {
	PHASE_STARTING,                 /* connections wait in the kernel's queue */
	PHASE_SERVING,
	PHASE_DRAINING,
	PHASE_CUT,
	PHASE_GONE                      /* the loop is closed */
};

struct worker {
	struct myr_server *server;
	unsigned index;
	enum phase phase;
	struct myr_loop loop;
	struct board_row *row;
	struct watchdog watchdog;
	struct listener *listeners;     /* one for each site */
	unsigned n_listeners, n_started;
	struct inbox *inbox;            /* of all listeners for datagrams; NULL: there is none */
	unsigned lingering;             /* connections that are over for us: only the peer's end is missing */
	unsigned refusing;              /* connections that are being told we are full */
	int64_t  paused_until;          /* out of descriptors, memory, threads or processes */
	int64_t  said_refused, said_paused;     /* when, so that the log is not flooded */
	unsigned refused_unsaid;
	struct timer look;              /* the listeners are to look again */
	struct timer patience;          /* the drain is over; the cut was not heeded */
	bool     swept;                 /* quiet, and all listeners have let go */
	bool     quiet;                 /* draining, and nobody is told yet: who comes next is another process's */
	bool     rest_stopped;          /* only connections we dialled were left, and they were told */
	bool     gave_up;               /* handlers that ignore the cut are left behind */
	struct slots solos;             /* thread, fork: connections with a loop of their own */
	pthread_t unjoined;             /* the thread that ended last: joined when the next one ends */
	bool     has_unjoined;
	struct fds theirs;              /* fork: descriptors that are the user's */
	pthread_mutex_t door;           /* held by tells from elsewhere; shut when the loop is closed */
	bool     open;
};

/* Open the loop and run service.start(): 0, or an error with the reason said and nothing left. */
int  worker_start(struct worker *);
/* Accept from now on: 0 or an error. */
int  worker_go(struct worker *);
int  worker_post(struct worker *, struct post *);       /* [any] as loop_post(); -ENOTCONN: it is not there */
void worker_stop(struct worker *, int level);   /* 1: drain, 2: cut */
bool worker_is_over(const struct worker *);
bool worker_tells(const struct worker *);       /* connections are to stop: new ones as well */
void worker_turn(struct worker *);
/* service.stop(), and close the loop (or leave it behind). */
void worker_finish(struct worker *);

/* A counted connection has ended: its place is free. */
void worker_left(struct worker *, uint64_t peer_key);
void worker_conn_lingers(struct myr_conn *);
void worker_conn_ended(struct myr_conn *);      /* origin.ended of adopted connections */
bool worker_pause(struct worker *, int err);    /* accepting failed; true: the next would, too */
void worker_look_at(struct worker *, int64_t when);     /* the listeners settle again then */
void worker_look(struct worker *);                      /* ... now */

#endif
