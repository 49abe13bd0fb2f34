/* SPDX-License-Identifier: MIT
 *
 * store_no_sqlite.c - sqlite:FILE where this was built without it. */
#include <errno.h>

#include "service/store_ops.h"

static int no_sqlite(struct store **out, const char *after, const struct store_limits *l, struct store_why *why)
{
	(void)out, (void)l;
	return store_because(why, -ENOTSUP, "store sqlite:%.100s: this myriad was built without sqlite (libsqlite3-dev)", after);
}

const struct store_ops store_sqlite = { .prefix = "sqlite:", .open = no_sqlite };
