/* SPDX-License-Identifier: MIT
 *
 * simulate.c - all workers as loops of one simulated world, in the calling thread.
 *
 * Whose turn it is, is drawn from the world's seed; when nobody has anything to do the clock jumps.
 * The run ends when it is stopped, or when nothing is left that could ever happen. */
#include <inttypes.h>
#include <syslog.h>

#include "base/error.h"
#include "io/sim.h"
#include "serve/worker.h"

static void simulate_stop(struct myr_server *v, int level)
{
	for (unsigned i = 0; level > 0 && i < v->n_workers; i++)
		worker_stop(&v->workers[i], level);
}

/* The k-th worker that has something to do; NULL: fewer have.  Counts them in *n. */
static struct worker *simulate_pick(struct myr_server *v, uint64_t k, unsigned *n)
{
	*n = 0;
	for (unsigned i = 0; i < v->n_workers; i++) {
		struct worker *w = &v->workers[i];

		if (sim_has_work(v->world, &w->loop) && (*n)++ == k)
			return w;
	}
	return NULL;
}

static bool simulate_is_over(const struct myr_server *v)
{
	for (unsigned i = 0; i < v->n_workers; i++)
		if (!worker_is_over(&v->workers[i]))
			return false;
	return true;
}

static void simulate_live(struct myr_server *v)
{
	int level = 0;

	sim_share(v->world, true);
	while (!simulate_is_over(v)) {
		unsigned n;

		if (level < server_stop_level(v))
			simulate_stop(v, level = server_stop_level(v));
		simulate_pick(v, UINT64_MAX, &n);
		if (n > 0)
			worker_turn(simulate_pick(v, sim_random(v->world) % n, &n));
		else if (!sim_advance(v->world, CLOCK_NEVER))
			simulate_stop(v, ++level);      /* nothing can ever happen again */
	}
	sim_share(v->world, false);             /* the loops are closed one by one */
}

int simulate_run(struct myr_server *v)
{
	unsigned started = 0;
	int err = 0;

	log_line(&v->log, 0, LOG_NOTICE, "sim: seed %" PRIu64, sim_seed(v->world));
	while (err == 0 && started < v->n_workers) {
		err = worker_start(&v->workers[started]);
		started += err == 0;
	}
	for (unsigned i = 0; err == 0 && i < started; i++)
		err = worker_go(&v->workers[i]);
	if (err == 0)
		simulate_live(v);
	for (unsigned i = 0; i < started; i++) {
		if (err < 0)
			worker_stop(&v->workers[i], 2);
		worker_finish(&v->workers[i]);
	}
	log_line(&v->log, 0, LOG_NOTICE, "sim: seed %" PRIu64 ", hash %016" PRIx64 ", %" PRId64 " virtual ms",
	         sim_seed(v->world), sim_hash(v->world), sim_now(v->world));
	return err;
}
