/* SPDX-License-Identifier: MIT
 *
 * outq.c - the output queue: chunks from and to the pool, and the cases that outq.h does not
 * settle inline.
 *
 * No chunk in a queue is empty, and only the last one may have room; len is the sum of all.  The
 * bytes of a chunk never move, so an operation in flight may point at them until they are consumed. */
#include "base/outq.h"

#include <errno.h>
#include <stdbool.h>

#include "base/sys.h"

static struct chunk *chunk_take(struct chunk_pool *pool, uint32_t room)
{
	bool small = room == CHUNK_SMALL;
	struct chunk **list = small ? &pool->small : &pool->large;
	struct chunk *c = *list;

	if (c != NULL) {
		*list = c->next;
		*(small ? &pool->n_small : &pool->n_large) -= 1;
	} else if ((c = sys_malloc(sizeof *c + room)) == NULL) {
		return NULL;
	}
	*c = (struct chunk){ .room = room };
	return c;
}

static void chunk_give(struct chunk_pool *pool, struct chunk *c)
{
	bool small = c->room == CHUNK_SMALL;
	struct chunk **list = small ? &pool->small : &pool->large;
	unsigned *n = small ? &pool->n_small : &pool->n_large;

	if ((!small && c->room != CHUNK_LARGE) || *n >= (small ? CHUNK_POOL_SMALL : CHUNK_POOL_LARGE)) {
		free(c);
		return;
	}
	c->next = *list;
	*list = c;
	*n += 1;
}

static void chunks_free(struct chunk *c)
{
	while (c != NULL) {
		struct chunk *next = c->next;

		free(c);
		c = next;
	}
}

void chunk_pool_done(struct chunk_pool *pool)
{
	chunks_free(pool->small);
	chunks_free(pool->large);
	*pool = (struct chunk_pool){ .small = NULL };
}

/* Empty chunks for n bytes, linked; what is left over after large ones goes into a small one.
 * All of them are had before anything is copied, so a failure changes nothing. */
static int chunks_take(struct chunk_pool *pool, size_t n, struct chunk **first)
{
	struct chunk **end = first;

	*first = NULL;
	while (n > 0) {
		uint32_t room = n > CHUNK_SMALL ? CHUNK_LARGE : CHUNK_SMALL;
		struct chunk *c = chunk_take(pool, room);

		if (c == NULL)
			goto fail;
		*end = c;
		end = &c->next;
		n -= n < room ? n : room;
	}
	return 0;

fail:
	while (*first != NULL) {
		struct chunk *c = *first;

		*first = c->next;
		chunk_give(pool, c);
	}
	return -ENOMEM;
}

int outq_append_more(struct outq *q, struct chunk_pool *pool, const void *p, size_t n)
{
	struct chunk *last = q->last, *more, *c;
	size_t room = last != NULL ? last->room - last->tail : 0;
	const uint8_t *from = p;
	int err;

	if (n > room && (err = chunks_take(pool, n - room, &more)) != 0)
		return err;
	if (n <= room)
		more = NULL;
	if (last != NULL)
		last->next = more;
	else
		q->first = more;
	q->len += n;
	for (c = last != NULL ? last : more; n > 0; c = c->next) {
		size_t part = c->room - c->tail < n ? c->room - c->tail : n;

		memcpy(c->data + c->tail, from, part);
		c->tail += (uint32_t)part;
		from += part;
		n -= part;
		q->last = c;
	}
	return 0;
}

int outq_append_whole(struct outq *q, const void *p, size_t n)
{
	struct chunk *c = sys_malloc(sizeof *c + WHOLE_HEAD + n);

	if (c == NULL)
		return -ENOMEM;
	*c = (struct chunk){ .tail = (uint32_t)(WHOLE_HEAD + n), .room = (uint32_t)(WHOLE_HEAD + n) };
	memset(c->data, 0, WHOLE_HEAD);
	if (n > 0)
		memcpy(c->data + WHOLE_HEAD, p, n);
	if (q->last != NULL)
		q->last->next = c;
	else
		q->first = c;
	q->last = c;
	q->len += c->tail;
	return 0;
}

int outq_gather(const struct outq *q, struct iovec *iov, int max)
{
	int n = 0;

	for (struct chunk *c = q->first; c != NULL && n < max; c = c->next)
		iov[n++] = (struct iovec){ c->data + c->head, c->tail - c->head };
	return n;
}

void outq_consume_some(struct outq *q, struct chunk_pool *pool, size_t n)
{
	q->len -= n;
	while (n > 0) {
		struct chunk *c = q->first;
		size_t part = c->tail - c->head;

		if (n < part) {
			c->head += (uint32_t)n;
			return;
		}
		n -= part;
		q->first = c->next;
		if (c->next == NULL)
			q->last = NULL;
		chunk_give(pool, c);
	}
}

void outq_done(struct outq *q, struct chunk_pool *pool)
{
	outq_consume_some(q, pool, q->len);
}
