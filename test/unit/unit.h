/* SPDX-License-Identifier: MIT
 *
 * unit.h - for tests of pure modules: numbers from a seed, and allocations that fail.
 *
 * MYR_SEED=N repeats a run with other numbers; the seed is printed. */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/sys.h"

#ifndef MYR_SYS_TABLE
#error "tests need the table of system calls"
#endif

static uint64_t unit_random_state;

static inline void unit_seed(const char *what)
{
	const char *text = getenv("MYR_SEED");

	unit_random_state = text != NULL ? strtoull(text, NULL, 10) : 1;
	print_message("%s: MYR_SEED=%llu\n", what, (unsigned long long)unit_random_state);
}

/* splitmix64 */
static inline uint64_t unit_random(void)
{
	uint64_t z = (unit_random_state += 0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static inline size_t unit_below(size_t n)
{
	return (size_t)(unit_random() % n);
}

static _Atomic unsigned unit_allocs;    /* so far, in any thread */
static unsigned unit_fail_at;           /* this one fails, counted from 1; 0: none */

static inline int unit_alloc_fails(void)
{
	return ++unit_allocs == unit_fail_at;
}

static inline void *unit_malloc(size_t n)
{
	return unit_alloc_fails() ? NULL : sys_direct.malloc(n);
}

static inline void *unit_calloc(size_t n, size_t m)
{
	return unit_alloc_fails() ? NULL : sys_direct.calloc(n, m);
}

static inline void *unit_realloc(void *p, size_t n)
{
	return unit_alloc_fails() ? NULL : sys_direct.realloc(p, n);
}

/* From now on the at-th allocation fails, all others succeed; 0: none fails. */
static inline void unit_fail_alloc(unsigned at)
{
	sys_table.malloc = unit_malloc;
	sys_table.calloc = unit_calloc;
	sys_table.realloc = unit_realloc;
	unit_allocs = 0;
	unit_fail_at = at;
}

#endif
