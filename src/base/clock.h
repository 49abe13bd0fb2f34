/* SPDX-License-Identifier: MIT
 *
 * clock.h - monotonic milliseconds, and the time of day.  Only movers read the clock; everybody else uses loop->now,
 * which is how the simulated clock reaches everything. */
#ifndef MYR_CLOCK_H
#define MYR_CLOCK_H

#include <stdint.h>

#include "base/sys.h"

#define CLOCK_NEVER INT64_MAX

static inline int64_t clock_ms(void)
{
	struct timespec t = { 0, 0 };

	sys_clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

#define CLOCK_YEAR_2000 INT64_C(946684800)

static inline int64_t clock_time_of_day(void)
{
	struct timespec t = { 0, 0 };

	sys_clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec;
}

/* From now until `until` as a poll timeout: rounded so as never to wake early, -1 for never. */
static inline int clock_timeout(int64_t now, int64_t until)
{
	if (until == CLOCK_NEVER)
		return -1;
	if (until <= now)
		return 0;
	return until - now > 86400000 ? 86400000 : (int)(until - now);
}

#endif
