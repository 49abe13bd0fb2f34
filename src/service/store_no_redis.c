/* SPDX-License-Identifier: MIT
 *
 * store_no_redis.c - redis://HOST/KEY where this was built without it. */
#include <errno.h>

#include "service/store_ops.h"

/* What follows the prefix may be a password: not repeated. */
static int no_redis(struct store **out, const char *after, const struct store_limits *l, struct store_why *why)
{
	(void)out, (void)after, (void)l;
	return store_because(why, -ENOTSUP, "store redis: this myriad was built without redis (libhiredis-dev)");
}

const struct store_ops store_redis = { .prefix = "redis://", .open = no_redis };
const struct store_ops store_redis_unix = { .prefix = "redis+unix:", .open = no_redis };
