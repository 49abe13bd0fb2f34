/* SPDX-License-Identifier: MIT
 *
 * engine.c - the engine table: the whole difference between the engines.
 *
 * Who runs a connection is a function of dispatch.h; how its bytes move is a mover and, for the one
 * that waits for readiness, a selector.  Whether an engine works here is found out by trying. */
#include "serve/engine.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "io/loop.h"
#include "io/selector.h"
#include "serve/dispatch.h"

#ifdef MYR_HAVE_URING
#define URING &mover_uring
#else
#define URING NULL
#endif

static const struct engine engines[] = {
	/* name        who runs it      how bytes move  by which selector  traits */
	{ "io_uring",  dispatch_adopt,  URING,          NULL,              0,
	  "one loop, completions from the kernel's rings" },
	{ "epoll",     dispatch_adopt,  &mover_ready,   &selector_epoll,   0,
	  "one loop, readiness from the kernel's interest list" },
	{ "poll",      dispatch_adopt,  &mover_ready,   &selector_poll,    0,
	  "one loop, readiness, the whole list on every turn" },
	{ "select",    dispatch_adopt,  &mover_ready,   &selector_select,  0,
	  "one loop, readiness, descriptors below 1024" },
	{ "thread",    dispatch_thread, &mover_ready,   &selector_poll,    SHARED_LISTENER | SOLO,
	  "a thread for each connection" },
	{ "fork",      dispatch_fork,   &mover_ready,   &selector_poll,    SHARED_LISTENER | SOLO | PROCESSES_ONLY,
	  "a process for each connection" },
	{ "iterative", dispatch_adopt,  &mover_ready,   &selector_poll,    SHARED_LISTENER | ONE_AT_A_TIME,
	  "one connection after the other" },
	{ "sim",       dispatch_adopt,  &mover_sim,     NULL,              SIMULATED,
	  "a simulated network and clock, driven by a seed: sim:SEED" },
};

#define ENGINES (sizeof engines / sizeof engines[0])

const struct engine *engine_table(unsigned *n)
{
	*n = ENGINES;
	return engines;
}

/* --- Does it work here? -------------------------------------------------------------------------- */

static struct verdict {
	bool known, works;
	char why[200];
} verdicts[ENGINES];
static pthread_mutex_t verdicts_lock = PTHREAD_MUTEX_INITIALIZER;

static void engine_try(const struct engine *e, struct verdict *v)
{
	struct myr_loop *l;
	int err;

	if (e->mover == NULL) {
		snprintf(v->why, sizeof v->why, "not in this build");
		v->known = true;
		return;
	}
	l = sys_malloc(sizeof *l);
	err = l == NULL ? fail(-ENOMEM, "out of memory") : loop_open(l, e->mover, e->selector, false);
	if (err == 0)
		loop_close(l);
	else
		snprintf(v->why, sizeof v->why, "%s", myr_reason());
	free(l);
	v->works = err == 0;
	v->known = err != -ENOMEM && err != -EMFILE && err != -ENFILE;  /* those may pass */
}

const char *engine_why_not(const struct engine *e)
{
	struct verdict *v = &verdicts[e - engines];

	if (e->traits & SIMULATED)
		return NULL;
	pthread_mutex_lock(&verdicts_lock);
	if (!v->known)
		engine_try(e, v);
	pthread_mutex_unlock(&verdicts_lock);
	return v->works ? NULL : v->why;
}

const char *const *myr_engines(void)
{
	static const char *names[ENGINES + 1];
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	unsigned n = 0;

	pthread_mutex_lock(&lock);
	for (unsigned i = 0; i < ENGINES; i++)
		if (engine_why_not(&engines[i]) == NULL)
			names[n++] = engines[i].name;
	names[n] = NULL;
	pthread_mutex_unlock(&lock);
	return names;
}

/* --- By name ------------------------------------------------------------------------------------- */

/* Edits that make one short word the other. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[32], n = (unsigned)strlen(b);

	if (n >= 32 || strlen(a) >= 32)
		return 32;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 0; a[i] != '\0'; i++) {
		unsigned corner = row[0];

		row[0] = i + 1;
		for (unsigned j = 1; j <= n; j++) {
			unsigned best = corner + (a[i] != b[j - 1]);

			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

static int engine_unknown(const char *name)
{
	unsigned nearest = 4;
	const char *meant = NULL;

	for (unsigned i = 0; i < ENGINES; i++) {
		unsigned d = distance(name, engines[i].name);

		if (d < nearest) {
			nearest = d;
			meant = engines[i].name;
		}
	}
	if (meant != NULL)
		return fail(-EINVAL, "unknown engine \"%.40s\". Did you mean \"%s\"?", name, meant);
	return fail(-EINVAL, "unknown engine \"%.40s\": name none, and the best one here is taken", name);
}

static const struct engine *engine_best(int *err)
{
	for (unsigned i = 0; i < ENGINES; i++)
		if (!(engines[i].traits & SIMULATED) && engine_why_not(&engines[i]) == NULL)
			return &engines[i];
	*err = fail(-ENOTSUP, "no engine works here: %s", engine_why_not(&engines[1]));
	return NULL;
}

const struct engine *engine_find(const char *name, int *err)
{
	const char *why;

	if (name == NULL)
		return engine_best(err);
	for (unsigned i = 0; i < ENGINES; i++) {
		const struct engine *e = &engines[i];
		size_t n = strlen(e->name);

		if (strncmp(name, e->name, n) != 0 || (name[n] != '\0' && !(name[n] == ':' && (e->traits & SIMULATED))))
			continue;
		why = engine_why_not(e);
		if (why == NULL)
			return e;
		*err = fail(-ENOTSUP, "engine %s is not available: %s (try epoll)", e->name, why);
		return NULL;
	}
	*err = engine_unknown(name);
	return NULL;
}
