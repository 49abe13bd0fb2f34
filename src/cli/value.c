/* SPDX-License-Identifier: MIT
 *
 * value.c - numbers with units, to and from text.
 *
 * Whole numbers only, and nothing is guessed: "5" is no duration (of what?), "1.5k" is no count,
 * and what does not fit is an error instead of another number. */
#include "cli/value.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *suffix;
	long long factor;
};

static const struct unit counts[] = { { "", 1 }, { "k", 1000 }, { "M", 1000000 }, { NULL, 0 } };
static const struct unit sizes[]  = { { "", 1 }, { "k", 1024 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { NULL, 0 } };
static const struct unit times[]  = { { "us", 1 }, { "ms", 1000 }, { "s", 1000000 }, { "m", 60000000 },
                                      { "h", 3600000000 }, { NULL, 0 } };

static int value_parse(const char *text, const struct unit *units, long long *n)
{
	const char *p = text;
	long long v = 0;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *p - '0', &v))
			return -ERANGE;
	for (; units->suffix; units++)
		if (strcmp(p, units->suffix) == 0)
			return __builtin_mul_overflow(v, units->factor, n) ? -ERANGE : 0;
	return -EINVAL;
}

int value_count(const char *text, long long *n)
{
	return value_parse(text, counts, n);
}

int value_size(const char *text, long long *n)
{
	return value_parse(text, sizes, n);
}

int value_duration(const char *text, long long *ms)
{
	long long us;
	int err = value_parse(text, times, &us);

	if (err == 0)
		*ms = us / 1000 + (us % 1000 != 0);
	return err;
}

/* With the largest unit that leaves a whole number. */
static char *value_put(char *dst, size_t size, const struct unit *units, long long n)
{
	const struct unit *best = units;

	for (const struct unit *u = units; u->suffix; u++)
		if (n % u->factor == 0 && n >= u->factor)
			best = u;
	snprintf(dst, size, "%lld%s", n / best->factor, best->suffix);
	return dst;
}

char *value_put_size(char *dst, size_t size, long long n)
{
	return value_put(dst, size, sizes, n);
}

char *value_put_duration(char *dst, size_t size, long long ms)
{
	if (ms == 0)
		return strcpy(dst, "0s");
	return value_put(dst, size, times, ms > LLONG_MAX / 1000 ? LLONG_MAX : ms * 1000);
}
