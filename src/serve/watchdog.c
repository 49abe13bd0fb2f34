/* SPDX-License-Identifier: MIT
 *
 * watchdog.c - says which handler keeps its worker, while it does. */
#include "serve/watchdog.h"

#include <errno.h>
#include <stdio.h>
#include <syslog.h>

#include "base/error.h"
#include "base/threads.h"
#include "serve/worker.h"

#define LOOK_MS 100
#define STACK   ((size_t)256 * 1024)

struct seen {
	uint32_t turn;
	uint64_t call;
	const char *service;
	bool asleep;
};

static void look(const struct myr_loop *l, struct seen *s)
{
	s->asleep = atomic_load_explicit(&l->doing.asleep, memory_order_relaxed);
	s->turn = atomic_load_explicit(&l->doing.turn, memory_order_relaxed);
	s->call = atomic_load_explicit(&l->doing.call, memory_order_relaxed);
	s->service = atomic_load_explicit(&l->doing.service, memory_order_relaxed);
}

static bool is_the_same(const struct seen *a, const struct seen *b)
{
	return !b->asleep && a->turn == b->turn && a->call == b->call && a->service == b->service;
}

/* "on_data of "echo" (connection 12)" */
static void describe(const struct seen *s, char *dst, size_t size)
{
	static const char *const names[] = {
		[CALL_ON_OPEN] = "on_open", [CALL_ON_DATA] = "on_data", [CALL_ON_FRAME] = "on_frame",
		[CALL_ON_ROOM] = "on_room", [CALL_ON_EOF] = "on_eof", [CALL_ON_CLOSE] = "on_close",
		[CALL_ON_TICK] = "on_tick", [CALL_ON_TELL] = "on_tell", [CALL_ON_STOP] = "on_stop", [CALL_HANDLE] = "handle",
	};
	enum doing what = (enum doing)(s->call & 0xff);

	if (what == CALL_OTHER)
		snprintf(dst, size, "a timer, a watch or a post of the program's");
	else if (s->service == NULL)
		snprintf(dst, size, "%s (connection %u)", names[what], (unsigned)(s->call >> 8));
	else
		snprintf(dst, size, "%s of \"%s\" (connection %u)", names[what], s->service, (unsigned)(s->call >> 8));
}

static void tell(const struct worker *w, const struct seen *s, int64_t since, bool over)
{
	char what[160];
	long long ms = clock_ms() - since;

	describe(s, what, sizeof what);
	if (over)
		log_line(&w->server->log, 0, LOG_WARNING, "worker %u: %s has given its worker back after %lld.%lld s", w->index, what,
		         ms / 1000, ms % 1000 / 100);
	else
		log_line(&w->server->log, 0, LOG_WARNING, "worker %u: %s has kept its worker for %lld ms, and everybody else "
		         "waiting; myr_offload() is for such work", w->index, what, ms);
}

/* Locked.  False: it is to end. */
static bool pause_between(struct watchdog *d)
{
	struct timespec until;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LOOK_MS * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	while (!d->ends && err == 0)
		err = pthread_cond_timedwait(&d->end, &d->lock, &until);
	return !d->ends;
}

/* In the loop's thread, which waited for so long that nobody watches it any more. */
static void rouse(struct myr_loop *l)
{
	struct watchdog *d = &((struct worker *)l->worker)->watchdog;

	pthread_mutex_lock(&d->lock);
	atomic_store(&l->doing.unwatched, false);
	pthread_cond_signal(&d->end);
	pthread_mutex_unlock(&d->lock);
}

/* Locked.  The loop slept and has not turned since `before`.  It was told to say when it does, and had the time of a
 * look to notice: so no turn goes unwatched, and an idle server's watchdog does nothing at all. */
static bool may_rest(const struct watchdog *d, const struct seen *before, const struct seen *now)
{
	return before->asleep && now->asleep && before->turn == now->turn &&
	       atomic_load(&d->worker->loop.doing.unwatched);
}

static void rest(struct watchdog *d)
{
	while (!d->ends && atomic_load(&d->worker->loop.doing.unwatched))
		pthread_cond_wait(&d->end, &d->lock);
}

/* A process that was stopped, or a machine that slept, is nobody's fault: such a pause starts the count anew. */
static void *watch(void *arg)
{
	struct watchdog *d = arg;
	struct worker *w = d->worker;
	struct seen before, now;
	int64_t since = clock_ms(), last = since;
	bool told = false;

	pthread_mutex_lock(&d->lock);
	look(&w->loop, &before);
	while (pause_between(d)) {
		int64_t at = clock_ms();
		bool late = at - last > 5 * LOOK_MS;

		last = at;
		look(&w->loop, &now);
		if (is_the_same(&before, &now)) {
			if (late && !told)
				since = at;
			else if (!told)
				tell(w, &now, since, false);
			told = told || !late;
			continue;
		}
		if (told)
			tell(w, &before, since, true);
		told = false;
		if (may_rest(d, &before, &now)) {
			rest(d);
			at = last = clock_ms();
			look(&w->loop, &now);
		}
		atomic_store(&w->loop.doing.unwatched, now.asleep);
		since = at;
		before = now;
	}
	if (told)
		tell(w, &before, since, true);
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

void watchdog_start(struct watchdog *d, struct worker *w)
{
	pthread_condattr_t attr;

	d->worker = w;
	d->ends = false;
	w->loop.doing.awake = rouse;
	pthread_mutex_init(&d->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&d->end, &attr);
	pthread_condattr_destroy(&attr);
	d->runs = thread_start(&d->thread, STACK, watch, d) == 0;
	if (!d->runs)
		log_line(&w->server->log, 0, LOG_NOTICE, "worker %u: no thread for its watchdog", w->index);
}

void watchdog_stop(struct watchdog *d)
{
	if (!d->runs)
		return;
	pthread_mutex_lock(&d->lock);
	d->ends = true;
	pthread_cond_signal(&d->end);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
	atomic_store(&d->worker->loop.doing.unwatched, false);
	d->runs = false;
	pthread_cond_destroy(&d->end);
	pthread_mutex_destroy(&d->lock);
}
