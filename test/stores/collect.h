/* SPDX-License-Identifier: MIT
 *
 * collect.h - the items of a list, in memory. */
#ifndef TEST_COLLECT_H
#define TEST_COLLECT_H

#include <stdlib.h>
#include <string.h>

#include "service/store.h"

struct collected {
	size_t n, room, bytes;
	struct item { char *p; size_t n; } *items;
	size_t stop_at;                 /* each() refuses this one with -EBADF, if not 0 */
};

static inline int collect(void *arg, const void *item, size_t n)
{
	struct collected *c = arg;

	if (c->stop_at != 0 && c->n + 1 == c->stop_at)
		return -9;              /* EBADF */
	if (c->n == c->room)
		c->items = realloc(c->items, (c->room = c->room * 2 + 64) * sizeof *c->items);
	c->items[c->n].p = malloc(n + 1);
	memcpy(c->items[c->n].p, item, n);
	c->items[c->n].p[n] = '\0';
	c->items[c->n++].n = n;
	c->bytes += n;
	return 0;
}

static inline void collected_free(struct collected *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->items[i].p);
	free(c->items);
	*c = (struct collected){ 0 };
}

#endif
