/* SPDX-License-Identifier: MIT
 *
 * server.c - the public life of a server: new, run, statistics, free. */
#include "serve/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>

#include "base/error.h"
#include "io/pool.h"
#include "io/sim.h"
#include "serve/worker.h"

/* --- New ----------------------------------------------------------------------------------------- */

/* "sim:12" or MYRIAD_SEED=12: that world again; else a new one. */
static int server_seed(const struct myr_server *v, uint64_t *seed)
{
	const char *text = strchr(v->config.engine, ':');
	char *end;

	text = text != NULL ? text + 1 : getenv("MYRIAD_SEED");
	if (text == NULL) {
		if (getrandom(seed, sizeof *seed, 0) != sizeof *seed)
			return fail(-EIO, "no random numbers");
		return 0;
	}
	errno = 0;
	*seed = strtoull(text, &end, 0);
	if (errno != 0 || *end != '\0' || *text < '0' || *text > '9')
		return fail(-EINVAL, "\"%.40s\" is not a seed: it must be a number", text);
	return 0;
}

static int server_world(struct myr_server *v)
{
	/* What a network may do to bytes, it does; what would break connections, it does not. */
	static const struct sim_faults faults = { .random_split = true, .split_max = 4096, .delay_ms = 5, .late = true };
	uint64_t seed;
	int err;

	if (!(v->engine->traits & SIMULATED))
		return 0;
	err = server_seed(v, &seed);
	if (err < 0)
		return err;
	v->world = sim_new(seed, &faults);
	return v->world == NULL ? fail(-ENOMEM, "out of memory") : 0;
}

static int server_workers(struct myr_server *v)
{
	const struct myr_config *c = &v->config;

	v->board = board_new(v->n_workers, c->conns_max, c->conns_per_peer, c->accept_rate);
	v->workers = sys_calloc(v->n_workers, sizeof *v->workers);
	if (v->board == NULL || v->workers == NULL)
		return fail(-ENOMEM, "out of memory");
	for (unsigned i = 0; i < v->n_workers; i++) {
		v->workers[i].server = v;
		v->workers[i].index = i;
		v->workers[i].row = &v->board->row[i];
		pthread_mutex_init(&v->workers[i].door, NULL);
	}
	return 0;
}

static int server_bell(struct myr_server *v)
{
	if (v->world != NULL)
		return 0;
	v->bell = sys_eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return v->bell < 0 ? fail(-errno, "cannot make an eventfd: %s", myr_strerror(-errno)) : 0;
}

int myr_server_new_sized(struct myr_server **out, const struct myr_config *config, size_t size)
{
	struct myr_server *v = sys_calloc(1, sizeof *v);
	int err;

	*out = NULL;
	if (v == NULL)
		return fail(-ENOMEM, "out of memory");
	pool_hold();
	v->bell = v->uplink = -1;
	pthread_mutex_init(&v->door, NULL);
	if ((err = server_resolve(v, config, size)) < 0 || (err = server_world(v)) < 0 ||
	    (err = server_workers(v)) < 0 || (err = server_bell(v)) < 0) {
		myr_server_free(v);
		return err;
	}
	*out = v;
	return 0;
}

/* --- Run ----------------------------------------------------------------------------------------- */

int myr_server_run(struct myr_server *v)
{
	struct myr_stats stats;
	int err;

	if (v->n_sites == 0)
		return fail(-EINVAL, "the server has no service: myr_server_add() comes first");
	if (v->has_run)
		return fail(-EBUSY, "a server runs once");
	v->has_run = true;
	if (v->world != NULL)
		err = simulate_run(v);
	else if (v->n_workers == 1)
		err = home_run(v);
	else
		err = crew_run(v);
	if (err < 0)
		return err;
	board_sum(v->board, &stats);
	if (stats.cut > 0)
		log_line(&v->log, 0, LOG_WARNING, "drained, %llu connection%s cut", (unsigned long long)stats.cut,
		         stats.cut == 1 ? "" : "s");
	else
		log_line(&v->log, 0, LOG_INFO, "drained");
	return stats.cut > INT32_MAX ? INT32_MAX : (int)stats.cut;
}

int myr_server_stats_sized(struct myr_server *v, struct myr_stats *out, size_t size)
{
	struct myr_stats sum;

	board_sum(v->board, &sum);
	memset(out, 0, size);
	memcpy(out, &sum, size < sizeof sum ? size : sizeof sum);
	return 0;
}

/* --- Free ---------------------------------------------------------------------------------------- */

void myr_server_free(struct myr_server *v)
{
	if (v == NULL)
		return;
	sites_free(v);
	if (v->haunted)
		return;                 /* handlers and work that did not end after the cut still use the rest */
	if (v->world != NULL)
		sim_free(v->world);
	if (v->bell >= 0)
		sys_close(v->bell);
	for (unsigned i = 0; v->workers != NULL && i < v->n_workers; i++)
		pthread_mutex_destroy(&v->workers[i].door);
	free(v->workers);
	board_free(v->board);
	pthread_mutex_destroy(&v->door);
	free(v);
	pool_release();
}
