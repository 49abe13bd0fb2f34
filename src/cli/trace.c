/* SPDX-License-Identifier: MIT
 *
 * trace.c - a service round a service: the first and the last call of each connection are ours.
 *
 * Nothing is kept for a connection, so the service has its state and its calls to itself. */
#include "cli/trace.h"

#include <syslog.h>

static struct myr_service inner;

static void trace_came(const struct myr_conn *c)
{
	myr_log(c, LOG_INFO, "%s has come", myr_peer(c));
}

static void trace_gone(const struct myr_conn *c, int why)
{
	const char *how = why == 0 || why == MYR_EOF ? "gone" : why == MYR_STOP ? "gone in the drain" : myr_strerror(why);

	myr_log(c, LOG_INFO, "%s: %s", myr_peer(c), how);
}

static void trace_open(struct myr_conn *c)
{
	trace_came(c);
	if (inner.on_open)
		inner.on_open(c);
}

static void trace_close(struct myr_conn *c, int why)
{
	if (inner.on_close)
		inner.on_close(c, why);
	trace_gone(c, why);
}

static int trace_setup(struct myr_conn *c)
{
	int refused;

	trace_came(c);
	refused = inner.setup ? inner.setup(c) : 0;
	if (refused)
		myr_log(c, LOG_INFO, "%s: refused by the service", myr_peer(c));
	return refused;
}

static void trace_finish(struct myr_conn *c)
{
	if (inner.finish)
		inner.finish(c);
	trace_gone(c, myr_error(c));
}

struct myr_service trace_wrap(const struct myr_service *service)
{
	struct myr_service s = inner = *service;

	if (s.handle) {
		s.setup = trace_setup;
		s.finish = trace_finish;
	} else {
		s.on_open = trace_open;
		s.on_close = trace_close;
	}
	return s;
}
