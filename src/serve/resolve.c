/* SPDX-License-Identifier: MIT
 *
 * resolve.c - a server's configuration: checked, completed, and every default finite.
 *
 * The limits of a connection are conn/limits.c's; here are those of the server: how many workers,
 * how many connections, and what each of them costs under each engine. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <syslog.h>

#include "base/error.h"
#include "conn/fiber.h"
#include "io/selector.h"
#include "serve/server.h"

#define CONNS_MAX   65536
#define THREADS_MAX 16384
#define KIDS_MAX    4096
#define RESERVE_FDS 64                  /* for logs, files, dialled connections */
#define ACCEPT_RATE 50000
#define DRAIN_MS    30000
#define STACK_MIN   ((size_t)16 * 1024)

static long least(long a, long b)
{
	return a < b ? a : b;
}

static long read_number(const char *path, long otherwise)
{
	FILE *f = fopen(path, "re");
	long n;

	if (f == NULL)
		return otherwise;
	if (fscanf(f, "%ld", &n) != 1)
		n = otherwise;
	fclose(f);
	return n;
}

/* Threads or processes that one server may take: half of what the system or the user has. */
static long tasks_limit(void)
{
	long n = least(read_number("/proc/sys/kernel/pid_max", 32768),
	               read_number("/proc/sys/kernel/threads-max", 32768));
	struct rlimit r;

	if (getrlimit(RLIMIT_NPROC, &r) == 0 && r.rlim_cur != RLIM_INFINITY)
		n = least(n, (long)least((long)(r.rlim_cur & 0x3fffffff), n));
	return n / 2;
}

/* Descriptors of one process that connections may have. */
static long fds_for_conns(void)
{
	long free = sock_fd_limit() - sock_fd_count();

	return free > 2 * RESERVE_FDS ? free - RESERVE_FDS : free / 2;
}

static unsigned default_conns_max(const struct myr_server *v)
{
	long n = fds_for_conns();

	if (v->engine->selector == &selector_select)
		n = least(n, FD_SETSIZE - sock_fd_count() - 16);
	if (v->engine->traits & SOLO)
		n = least(n / 2, tasks_limit());        /* each has an eventfd, or a channel and a pidfd */
	if (v->processes)
		n *= v->n_workers;
	if (v->engine->traits & PROCESSES_ONLY)
		n = least(n, KIDS_MAX);
	else if (v->engine->traits & SOLO)
		n = least(n, THREADS_MAX);
	n = least(n, CONNS_MAX);
	return n < 1 ? 1 : (unsigned)n;
}

#define PER_PEER_LEAST 64u

static unsigned default_per_peer(unsigned conns_max)
{
	uint64_t n = (uint64_t)(conns_max == BOARD_NO_LIMIT ? CONNS_MAX : conns_max) * 3 / 4;

	/* In a small house one guest may take every seat. */
	return n < PER_PEER_LEAST ? conns_max : (unsigned)n;
}

static int processors(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof set, &set) == 0)
		return CPU_COUNT(&set);
	return 1;
}

static int resolve_workers(struct myr_server *v)
{
	struct myr_config *c = &v->config;

	if (c->workers_are != MYR_THREADS && c->workers_are != MYR_PROCESSES)
		return fail(-EINVAL, "workers_are must be MYR_THREADS or MYR_PROCESSES");
	if (c->workers == MYR_PER_CPU)
		c->workers = (unsigned)processors();
	if (c->workers == 0)
		c->workers = 1;
	if (c->workers > SERVER_WORKERS)
		return fail(-EINVAL, "%u workers are too many: at most %d", c->workers, SERVER_WORKERS);
	if (v->engine->traits & PROCESSES_ONLY)
		c->workers_are = MYR_PROCESSES; /* forking needs a process with one thread */
	v->n_workers = c->workers;
	v->processes = c->workers > 1 && c->workers_are == MYR_PROCESSES && !(v->engine->traits & SIMULATED);
	return 0;
}

/* Which one was taken when nobody said, and why not the better ones. */
static void resolve_say(const struct myr_server *v)
{
	char why[400] = "";
	const struct engine *e;
	size_t at = 0;
	unsigned n;

	for (e = engine_table(&n); e != v->engine; e++)
		if (at < sizeof why)
			at += (size_t)snprintf(why + at, sizeof why - at, "; not %s: %s", e->name, engine_why_not(e));
	if (at > 0)
		log_line(&v->log, 0, LOG_NOTICE, "engine %s%s", v->engine->name, why);
}

static int resolve_engine(struct myr_server *v)
{
	int err;

	v->engine = engine_find(v->config.engine, &err);
	if (v->engine == NULL)
		return err;
	if (v->config.engine == NULL)
		resolve_say(v);
	return 0;
}

int server_resolve(struct myr_server *v, const struct myr_config *config, size_t size)
{
	struct myr_config *c = &v->config;
	int err = sized_copy(c, sizeof *c, config, config == NULL ? 0 : size, "struct myr_config");

	if (err < 0)
		return err;
	v->log = (struct log_sink){ .write = c->log, .arg = c->log_arg, .level = LOG_INFO };
	if ((err = resolve_engine(v)) < 0 || (err = resolve_workers(v)) < 0)
		return err;
	if (c->conns_max == 0)
		c->conns_max = default_conns_max(v);
	if (c->conns_per_peer == 0)
		c->conns_per_peer = default_per_peer(c->conns_max);
	if (c->accept_rate == 0)
		c->accept_rate = ACCEPT_RATE;
	if (c->drain_ms == 0)
		c->drain_ms = DRAIN_MS;
	if (c->stack == 0)
		c->stack = FIBER_STACK;
	if (c->stack < STACK_MIN)
		c->stack = STACK_MIN;
	return 0;
}
