/* SPDX-License-Identifier: MIT
 *
 * store_mem.c - the list in memory shared by all threads, workers and forks of a server.
 *
 * One mapping, made before the first fork: a lock and an arena in which each item is its length and its
 * bytes.  A mapping of its own and not the service's shared block, because that is one for each endpoint and
 * the list is one for all of them.
 *
 * What counts is `state`: how much of the arena is kept, stored in ONE step after the bytes it covers.
 * Whoever dies with the lock held has taken that step or not, so there is never anything to repair, and
 * reading needs the lock only so that a clear does not have the bytes overwritten meanwhile. */
#include "service/store_ops.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_STANDARD ((size_t)16 << 20)
#define ARENA_MOST     ((size_t)1 << 40)

struct mem {
	struct store store;
	pthread_mutex_t lock;
	size_t items_max, bytes_max;
	uint64_t clears;
	/* used and items are those of the copy that state names: a writer fills in the other one */
	_Atomic unsigned state;
	struct extent { size_t used, items; } extent[2];
	unsigned char arena[];
};

static struct extent *now(struct mem *m)
{
	return &m->extent[atomic_load(&m->state)];
}

static void commit(struct mem *m, struct extent e)
{
	unsigned other = !atomic_load(&m->state);

	m->extent[other] = e;
	atomic_store(&m->state, other);
}

static void lock(struct mem *m)
{
	int err = pthread_mutex_lock(&m->lock);

	if (err == EOWNERDEAD)
		err = pthread_mutex_consistent(&m->lock);       /* as the list is: see above */
	assert(err == 0);
	(void)err;
}

static void unlock(struct mem *m)
{
	pthread_mutex_unlock(&m->lock);
}

static int lock_init(pthread_mutex_t *lock)
{
	pthread_mutexattr_t a;
	int err = pthread_mutexattr_init(&a);

	if (err != 0)
		return -err;
	pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	err = pthread_mutex_init(lock, &a);
	pthread_mutexattr_destroy(&a);
	return -err;
}

static int mem_open(struct store **out, const char *after, const struct store_limits *l, struct store_why *why)
{
	size_t bytes = l->bytes != 0 ? l->bytes : BYTES_STANDARD;
	struct mem *m;
	int err;

	if (*after != '\0')
		return store_because(why, -EINVAL, "store \"mem%.100s\": mem takes nothing more", after);
	if (bytes > ARENA_MOST || l->items > ARENA_MOST / sizeof(store_length))
		return store_because(why, -EINVAL, "store mem: the limits of items or bytes are too high");
	m = store_new(&store_mem, sizeof *m + bytes + l->items * sizeof(store_length), true);
	if (m == NULL)
		return store_because(why, -ENOMEM, "store mem: no memory for %zu bytes in %zu items", bytes, l->items);
	err = lock_init(&m->lock);
	if (err < 0) {
		store_free(&m->store);
		return store_because(why, err, "store mem: no lock that processes can share: %s", myr_strerror(err));
	}
	snprintf(m->store.name, sizeof m->store.name, "store mem");
	m->items_max = l->items;
	m->bytes_max = bytes;
	*out = &m->store;
	return 0;
}

static int mem_append(struct store *s, struct myr_conn *c, const void *item, size_t n, struct store_why *why)
{
	struct mem *m = (struct mem *)s;
	store_length len = (store_length)n;
	struct extent e;
	int err = 0;

	(void)c, (void)why;
	lock(m);
	e = *now(m);
	if (e.items >= m->items_max || n > m->bytes_max - (e.used - e.items * sizeof len)) {
		err = -EDQUOT;
	} else {
		memcpy(m->arena + e.used, &len, sizeof len);
		memcpy(m->arena + e.used + sizeof len, item, n);
		commit(m, (struct extent){ e.used + sizeof len + n, e.items + 1 });
	}
	unlock(m);
	return err;
}

static int mem_clear(struct store *s, struct myr_conn *c, struct store_why *why)
{
	struct mem *m = (struct mem *)s;

	(void)c, (void)why;
	lock(m);
	m->clears++;                            /* first: nobody reads across it */
	commit(m, (struct extent){ 0, 0 });
	unlock(m);
	return 0;
}

struct reading {
	size_t at, end;
	uint64_t clears;
	bool begun;
	struct store_piece piece;
};

/* Whole items, as many as fit into a piece, of the list that there was at the first call only; none: the end. */
static int copy_piece(struct mem *m, struct reading *r)
{
	size_t n = 0;
	store_length len;

	lock(m);
	if (!r->begun) {
		r->begun = true;
		r->end = now(m)->used;
		r->clears = m->clears;
	} else if (r->at < r->end && r->clears != m->clears) {
		unlock(m);
		return -ESTALE;
	}
	while (r->at + n < r->end) {
		memcpy(&len, m->arena + r->at + n, sizeof len);
		if (n + sizeof len + len > sizeof r->piece.bytes)
			break;
		n += sizeof len + len;
	}
	memcpy(r->piece.bytes, m->arena + r->at, n);
	unlock(m);
	r->piece.n = n;
	r->at += n;
	return 0;
}

static int mem_list(struct store *s, struct myr_conn *c, store_each *each, void *arg, struct store_why *why)
{
	struct reading *r = malloc(sizeof *r);
	int err;

	(void)c, (void)why;
	if (r == NULL)
		return -ENOMEM;
	r->at = 0;
	r->begun = false;
	do {
		err = copy_piece((struct mem *)s, r);
		if (err == 0)
			err = store_piece_tell(&r->piece, each, arg);
	} while (err == 0 && r->piece.n > 0);
	free(r);
	return err;
}

const struct store_ops store_mem = {
	.prefix = "mem", .open = mem_open, .append = mem_append, .clear = mem_clear, .list = mem_list,
};
