/* SPDX-License-Identifier: MIT
 *
 * crew.h - several workers, and the supervisor that starts, stops and replaces them.
 *
 * The supervisor is a loop in the calling thread.  What differs between workers that are threads and
 * workers that are processes is three functions; both report back with crew_ready() and crew_lost().
 * Nobody accepts before all have started; a worker whose start fails takes the server down. */
#ifndef MYR_CREW_H
#define MYR_CREW_H

#include "serve/child.h"
#include "serve/worker.h"

struct member {
	struct crew *crew;
	struct worker *worker;          /* in a process: the child's, we only know its number */
	bool alive, ready;
	int  told;                      /* the stop level it has been told */
	/* threads (crew_thread.c) */
	pthread_t thread;
	_Atomic int state;
	struct post go, stop, cut;      /* to it */
	struct post started, ended;     /* from it */
	int  error;
	char why[256];
	/* processes (crew_process.c) */
	struct child child;
	int64_t born;
	unsigned crashes;               /* in a row, each within a moment of its start */
	struct timer again;
};

struct member_ops {
	int  (*start)(struct member *);                 /* 0 or an error */
	void (*go)   (struct member *);
	bool (*stop) (struct member *, int level);      /* false: it is not there yet, or no more */
	void (*give_up)(struct member *);               /* it ignores everything */
};

extern const struct member_ops member_thread, member_process;

struct crew {
	struct myr_server *server;
	struct myr_loop loop;
	const struct member_ops *ops;
	struct bell bell;
	struct timer patience;
	struct fds theirs;              /* descriptors that are the user's */
	unsigned alive, ready;
	bool going, open;
	int  level;                     /* 0, 1 drain, 2 cut */
	int  error;                     /* the first that took the server down */
	char why[256];
	struct member members[];
};

void crew_ready(struct member *);
void crew_lost (struct member *);       /* it has ended */
void crew_fail (struct crew *, int err, const char *why);       /* the server cannot go on */
void crew_stop (struct crew *, int level);

#endif
