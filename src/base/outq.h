/* SPDX-License-Identifier: MIT
 *
 * outq.h - bytes waiting to leave: a queue of chunks that stay put until they are consumed.
 *
 * Chunks come from a pool (one per loop, one thread), so a message that is queued and sent within
 * a turn costs no heap traffic.  Two sizes: small ones for messages, large ones for bulk. */
#ifndef MYR_OUTQ_H
#define MYR_OUTQ_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>

#include "myriad.h"

#define CHUNK_SMALL ((uint32_t)(4096 - 24))
#define CHUNK_LARGE ((uint32_t)(65536 - 24))

struct chunk {
	struct chunk *next;
	uint32_t head, tail, room;     /* bytes are data[head..tail) */
	uint32_t spare;
	uint8_t  data[];
};

struct chunk_pool {
	struct chunk *small, *large;   /* free ones */
	unsigned n_small, n_large;     /* how many; above CHUNK_POOL_* they go back to the heap */
};

#define CHUNK_POOL_SMALL 128
#define CHUNK_POOL_LARGE 16

struct outq {
	struct chunk *first, *last;
	size_t len;
};

void chunk_pool_done(struct chunk_pool *);

/* The general cases of the two below; call those. */
int  outq_append_more(struct outq *, struct chunk_pool *, const void *, size_t n);
void outq_consume_some(struct outq *, struct chunk_pool *, size_t n);

/* The front of the queue as at most max pieces; returns how many (0: empty). */
int  outq_gather(const struct outq *, struct iovec *, int max);
void outq_done(struct outq *, struct chunk_pool *);                     /* drops all */

/* Datagrams: a queue is filled by one or the other.  Each has a chunk to itself, a little longer than it
 * is, so that an empty one counts, too. */
#define WHOLE_HEAD 8

int  outq_append_whole(struct outq *, const void *, size_t n);          /* 0 or -ENOMEM */
/* The first one; of a queue that is not empty. */
static inline struct myr_bytes outq_first_whole(const struct outq *q)
{
	const struct chunk *c = q->first;

	return (struct myr_bytes){ c->data + WHOLE_HEAD, c->tail - WHOLE_HEAD };
}

/* Drop it: it has left. */
static inline void outq_consume_whole(struct outq *q, struct chunk_pool *pool)
{
	outq_consume_some(q, pool, q->first->tail);
}

/* Copy all n bytes, or none: 0 or -ENOMEM.  Inline because every message pays for it: a small one
 * into an empty queue, the usual case, costs a copy and no call. */
static inline int outq_append(struct outq *q, struct chunk_pool *pool, const void *p, size_t n)
{
	struct chunk *c = pool->small;

	if (q->first != NULL || n - 1 >= CHUNK_SMALL || c == NULL)
		return outq_append_more(q, pool, p, n);
	pool->small = c->next;
	pool->n_small--;
	c->next = NULL;
	c->head = 0;
	c->tail = (uint32_t)n;
	q->first = q->last = c;
	q->len = n;
	memcpy(c->data, p, n);
	return 0;
}

/* The queue's only chunk has left whole. */
static inline void outq_consume_only(struct outq *q, struct chunk_pool *pool)
{
	struct chunk *c = q->first;

	if (c->room != CHUNK_SMALL || pool->n_small >= CHUNK_POOL_SMALL) {
		outq_consume_some(q, pool, q->len);
		return;
	}
	q->first = q->last = NULL;
	q->len = 0;
	c->next = pool->small;
	pool->small = c;
	pool->n_small++;
}

/* Drop n <= len bytes from the front: they have left. */
static inline void outq_consume(struct outq *q, struct chunk_pool *pool, size_t n)
{
	struct chunk *c = q->first;

	assert(n <= q->len);
	if (n != q->len || c == NULL || c->next != NULL)
		outq_consume_some(q, pool, n);
	else
		outq_consume_only(q, pool);
}

#endif
