/* SPDX-License-Identifier: MIT
 *
 * leaks.h - what a process holds: descriptors, threads, children.
 *
 * Take a census before and another one after: what has been added is a leak, told in words. */
#ifndef TEST_LEAKS_H
#define TEST_LEAKS_H

#include <stdbool.h>
#include <stddef.h>

#define LEAKS_FDS 2048

struct census {
	bool     open[LEAKS_FDS];
	unsigned tasks;
	bool     children;
};

void census_take(struct census *);
/* Write what there is more than before; "" if nothing.  Ended threads may take the kernel a moment to
 * bury: they have until the deadline (test_now()). */
void census_compare(const struct census *before, char *dst, size_t size, long deadline_ms);

#endif
