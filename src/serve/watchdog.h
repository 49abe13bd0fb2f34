/* SPDX-License-Identifier: MIT
 *
 * watchdog.h - says which handler keeps its worker, while it does.
 *
 * On an event loop one handler that computes or blocks keeps all connections of its worker waiting.  A
 * thread beside the worker looks ten times a second at what its loop is in the middle of (struct
 * loop_doing), and logs what has not changed since it last looked.  While the loop waits, so does it. */
#ifndef MYR_WATCHDOG_H
#define MYR_WATCHDOG_H

#include <pthread.h>
#include <stdbool.h>

struct worker;

struct watchdog {
	struct worker *worker;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t end;             /* or the loop is awake */
	bool runs, ends;
};

/* Watch a worker whose loop serves many.  Without a thread nobody is watched: said, and no failure. */
void watchdog_start(struct watchdog *, struct worker *);
void watchdog_stop(struct watchdog *);          /* harmless if it was not started */

#endif
