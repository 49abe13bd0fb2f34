/* SPDX-License-Identifier: MIT
 *
 * pattern.h - bytes of which each place is known: what is lost, doubled or swapped shows. */
#ifndef TEST_PATTERN_H
#define TEST_PATTERN_H

#include <stddef.h>
#include <stdint.h>

static inline uint8_t pattern_at(uint64_t i)
{
	return (uint8_t)(i * 167 + (i >> 8) * 13 + (i >> 16));
}

static inline void pattern_fill(uint8_t *dst, uint64_t from, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dst[i] = pattern_at(from + i);
}

/* How many of these are as they should be. */
static inline size_t pattern_match(const uint8_t *p, uint64_t from, size_t n)
{
	size_t i = 0;

	while (i < n && p[i] == pattern_at(from + i))
		i++;
	return i;
}

#endif
