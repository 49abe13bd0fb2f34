/* SPDX-License-Identifier: MIT
 *
 * clock.h - deadlines for tests: milliseconds that only go forward. */
#ifndef TEST_CLOCK_H
#define TEST_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t test_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* For poll(): what is left until then, at least 0. */
static inline int test_left(int64_t deadline)
{
	int64_t left = deadline - test_now();

	return left < 0 ? 0 : (int)left;
}

#endif
