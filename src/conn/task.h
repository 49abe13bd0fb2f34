/* SPDX-License-Identifier: MIT
 *
 * task.h - one blocking handler, and the two ways in which it can wait.
 *
 * On a loop that serves many connections a handler runs on a fiber and waits by switching away; in
 * a loop of its own (a thread, a forked child, a client's main()) it waits by turning that loop.
 * Nothing else in conn/ knows which. */
#ifndef MYR_TASK_H
#define MYR_TASK_H

#include <stdbool.h>

#include "conn/fiber.h"
#include "io/loop.h"

struct myr_conn;
struct task;

struct runner {
	const char *name;
	int  (*start)(struct myr_conn *);       /* begin setup/handle/finish; 0 or -ENOMEM */
	void (*wait) (struct task *);           /* come back when task->woken */
};

extern const struct runner runner_fiber, runner_solo;

struct task {
	struct runnable run;                    /* on loop->ready while woken (fibers) */
	const struct runner *runner;
	struct myr_loop *loop;
	struct fiber *fiber;                    /* NULL: solo */
	struct myr_conn *conn;                  /* whose handler this is; NULL: main() */
	struct myr_conn *waits;                 /* what happens to this one wakes it */
	struct list dialled;                    /* connections it dialled and has not given back */
	bool woken, locked;                     /* locked: holds the shared lock, must not wait */
};

extern MYR_TLS struct task *task_current;       /* NULL in callbacks and in the loop */

void task_init(struct task *, const struct runner *, struct myr_loop *, struct myr_conn *);
void task_wake(struct task *);                  /* it goes on when the loop runs what is ready */
void task_ended(struct task *);                 /* its fiber has returned */
void task_run(struct task *);                   /* setup, handle, finish: the body of every runner */

/* It goes on now: from the loop, for a task that waits. */
static inline void task_resume(struct task *t)
{
	bool alive;

	t->woken = true;
	if (t->fiber == NULL)
		return;                         /* solo: its own turn of the loop ends with this */
	if (!list_empty(&t->run.link))
		list_remove(&t->run.link);      /* it had been woken as well */
	task_current = t;
	alive = fiber_resume(t->fiber);
	task_current = NULL;
	if (!alive)
		task_ended(t);
}

#endif
