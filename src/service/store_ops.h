/* SPDX-License-Identifier: MIT
 *
 * store_ops.h - what a kind of store provides; for store.c and the kinds, not for services. */
#ifndef SERVICE_STORE_OPS_H
#define SERVICE_STORE_OPS_H

#include <stdbool.h>

#include "service/store.h"

typedef int store_each(void *arg, const void *item, size_t n);

/* Why something failed, as a sentence without the store's name; "" if there is nothing to say. */
struct store_why { char text[256]; };

struct store_ops {
	const char *prefix;             /* of the addresses that are its */
	/* after: what follows the prefix.  The store it makes begins with a struct store, from store_new(). */
	int  (*open)  (struct store **, const char *after, const struct store_limits *, struct store_why *);
	int  (*start) (struct store *, struct store_why *);     /* NULL: nothing to do */
	void (*stop)  (struct store *);
	int  (*append)(struct store *, struct myr_conn *, const void *, size_t, struct store_why *);
	int  (*clear) (struct store *, struct myr_conn *, struct store_why *);
	int  (*list)  (struct store *, struct myr_conn *, store_each *, void *, struct store_why *);
};

struct store_health;

struct store {
	const struct store_ops *ops;
	size_t mapped;
	char   name[128];               /* for the log; never a password */
	struct store_health *health;    /* shared by all processes */
};

/* Zeroed, in a mapping of its own; shared: with all who are forked later, else each has its copy.  NULL: no memory. */
void *store_new(const struct store_ops *, size_t, bool shared);

/* Keep a sentence for the log, and return the error. */
int   store_because(struct store_why *, int err, const char *, ...) MYR_PRINTF(3, 4);

extern const struct store_ops store_mem;

#endif
