/* SPDX-License-Identifier: MIT
 *
 * pool.c - a queue, and the threads that empty it. */
#include "io/pool.h"

#include <errno.h>
#include <sched.h>

#include "base/threads.h"

#define THREADS_LEAST 4                 /* work may be waiting (for a disk) as well as computing */
#define IDLE_S 10                       /* then a thread leaves */

static struct {
	pthread_mutex_t lock;
	pthread_cond_t more, gone;
	struct list queue;
	unsigned queued, threads, idle, users;
	pthread_t left;                 /* the thread that ended last: joined by the next one, or at the end */
	bool has_left;
} pool = {
	.lock = PTHREAD_MUTEX_INITIALIZER, .more = PTHREAD_COND_INITIALIZER, .gone = PTHREAD_COND_INITIALIZER,
	.queue = { &pool.queue, &pool.queue },
};

static pthread_once_t at_fork = PTHREAD_ONCE_INIT;

/* In a forked process: the threads are not there, and the jobs are those of loops that are not ours. */
static void pool_forked(void)
{
	unsigned users = pool.users;

	pthread_mutex_init(&pool.lock, NULL);
	pthread_cond_init(&pool.more, NULL);
	pthread_cond_init(&pool.gone, NULL);
	list_init(&pool.queue);
	pool.queued = pool.threads = pool.idle = 0;
	pool.has_left = false;
	pool.users = users;
}

static void pool_mind_forks(void)
{
	pthread_atfork(NULL, NULL, pool_forked);
}

static unsigned pool_most(void)
{
	cpu_set_t set;
	int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

	return n < THREADS_LEAST ? THREADS_LEAST : (unsigned)n;
}

/* Locked.  A job, or NULL: this thread is no longer needed. */
static struct job *pool_next(void)
{
	struct timespec until;
	struct list *n;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += IDLE_S;
	while (list_empty(&pool.queue)) {
		int err;

		if (pool.users == 0)
			return NULL;
		pool.idle++;
		err = pthread_cond_timedwait(&pool.more, &pool.lock, &until);
		pool.idle--;
		if (err != 0 && list_empty(&pool.queue))
			return NULL;
	}
	n = list_pop(&pool.queue);
	pool.queued--;
	return list_of(n, struct job, link);
}

/* Locked on entry, not on return: whoever ends waits for the one before, so that none is still there at the end. */
static void pool_leave(bool leaves_itself)
{
	pthread_t before = pool.left;
	bool had = pool.has_left;

	pool.has_left = leaves_itself;
	if (leaves_itself)
		pool.left = pthread_self();
	pthread_mutex_unlock(&pool.lock);
	if (had)
		pthread_join(before, NULL);
}

static void *pool_thread(void *arg)
{
	struct job *job;

	(void)arg;
	pthread_mutex_lock(&pool.lock);
	while ((job = pool_next()) != NULL) {
		job->waits = false;
		pthread_mutex_unlock(&pool.lock);
		job->result = job->work(job->arg);
		loop_post(job->loop, &job->ended);      /* weighs nothing: the mailbox takes it */
		pthread_mutex_lock(&pool.lock);
	}
	pool.threads--;
	pthread_cond_broadcast(&pool.gone);
	pool_leave(true);
	return NULL;
}

/* Locked. */
static int pool_grow(void)
{
	pthread_t thread;
	int err = thread_start(&thread, 0, pool_thread, NULL);

	if (err < 0)
		return pool.threads > 0 ? 0 : -EAGAIN;  /* those that are there will get to it */
	pool.threads++;
	return 0;
}

int pool_submit(struct job *job)
{
	int err = loop_need_wake(job->loop);

	if (err < 0)
		return err;
	pthread_once(&at_fork, pool_mind_forks);
	pthread_mutex_lock(&pool.lock);
	if (pool.queued >= POOL_QUEUE)
		err = -EAGAIN;
	else if (pool.idle <= pool.queued && pool.threads < pool_most())
		err = pool_grow();
	if (err == 0) {
		job->waits = true;
		job->ended.bytes = 0;
		list_append(&pool.queue, &job->link);
		pool.queued++;
		pthread_cond_signal(&pool.more);
	}
	pthread_mutex_unlock(&pool.lock);
	return err;
}

bool pool_cancel(struct job *job)
{
	bool waits;

	pthread_mutex_lock(&pool.lock);
	waits = job->waits;
	if (waits) {
		list_remove(&job->link);
		pool.queued--;
		job->waits = false;
	}
	pthread_mutex_unlock(&pool.lock);
	return waits;
}

void pool_hold(void)
{
	pthread_mutex_lock(&pool.lock);
	pool.users++;
	pthread_mutex_unlock(&pool.lock);
}

void pool_release(void)
{
	pthread_mutex_lock(&pool.lock);
	if (--pool.users > 0) {
		pthread_mutex_unlock(&pool.lock);
		return;
	}
	pthread_cond_broadcast(&pool.more);
	while (pool.threads > 0)
		pthread_cond_wait(&pool.gone, &pool.lock);
	pool_leave(false);
}
