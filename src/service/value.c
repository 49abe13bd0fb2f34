/* SPDX-License-Identifier: MIT
 *
 * value.c - options of services, from text. */
#include "service/value.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

struct unit { const char *name; uint64_t factor; };

static const struct unit times[] = { { "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "h", 3600000 }, { NULL, 0 } };
static const struct unit sizes[] = { { "", 1 }, { "k", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 }, { NULL, 0 } };

static int value_parse(const char *text, const struct unit *u, uint64_t *out)
{
	char *end;
	uint64_t n;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0)
		return -EINVAL;
	while (u->name && strcmp(u->name, end) != 0)
		u++;
	if ((!u->name && (n != 0 || *end != '\0')) || (u->name && __builtin_mul_overflow(n, u->factor, &n)))
		return -EINVAL;
	*out = n;
	return 0;
}

static int value_wrong(const char *name, const char *text, const char *right)
{
	myr_log(NULL, LOG_ERR, "%s \"%.100s\": that must be %s", name, text, right);
	return -EINVAL;
}

int value_switch(struct myr_server *v, const char *name, bool *out)
{
	const char *text = myr_app_value(v, name);

	*out = strcmp(text, "yes") == 0;
	return *out || strcmp(text, "no") == 0 ? 0 : value_wrong(name, text, "yes or no");
}

int value_ms(struct myr_server *v, const char *name, int *out)
{
	const char *text = myr_app_value(v, name);
	uint64_t n;

	if (value_parse(text, times, &n) < 0 || n > INT_MAX)
		return value_wrong(name, text, "a time, say 500ms, 5s or 2m");
	*out = (int)n;
	return 0;
}

int value_number(struct myr_server *v, const char *name, uint64_t least, uint64_t most, uint64_t *out)
{
	const char *text = myr_app_value(v, name);
	char right[120], upto[40] = "";

	if (value_parse(text, sizes, out) == 0 && *out >= least && *out <= most)
		return 0;
	if (most != UINT64_MAX)
		snprintf(upto, sizeof upto, " to %" PRIu64, most);
	snprintf(right, sizeof right, "a number from %" PRIu64 "%s, say 1000, 64k or 16M", least, upto);
	return value_wrong(name, text, right);
}
