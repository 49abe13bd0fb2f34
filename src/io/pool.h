/* SPDX-License-Identifier: MIT
 *
 * pool.h - threads of this process that do what would hold a loop up.
 *
 * One pool for all loops of a process.  Its threads come when there is work and no thread is free,
 * and leave after a while without any; a forked process begins with none, and without the work of
 * the process it came from. */
#ifndef MYR_POOL_H
#define MYR_POOL_H

#include <stdbool.h>

#include "io/loop.h"

#define POOL_QUEUE 1024                 /* jobs that may wait for a thread */

struct job {
	int  (*work)(void *arg);        /* in a thread of the pool */
	void  *arg;
	int    result;                  /* what it returned */
	struct myr_loop *loop;          /* where ended.fn is called; must live until then */
	struct post ended;
	struct list link;               /* pool.c's */
	bool   waits;                   /* pool.c's: no thread has it yet */
};

/* While anybody holds it the pool keeps threads that are idle, for a while.  The last to release it
 * waits for those that work. */
void pool_hold(void);
void pool_release(void);
/* The job is the pool's until ended.fn runs in its loop.  0; -EAGAIN: the queue is full, or there can be
 * no thread; -EMFILE and the like: the loop cannot be woken by others. */
int  pool_submit(struct job *);
/* True: it has been taken back, and neither runs nor ends.  False: it has begun. */
bool pool_cancel(struct job *);

#endif
