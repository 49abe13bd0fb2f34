/* SPDX-License-Identifier: MIT
 *
 * heap.h - timers in an intrusive binary heap.
 *
 * The heap holds pointers; each timer knows its place, so moving and removing cost O(log n) and
 * a timer that is set later than all others costs O(1), the common case for idle deadlines. */
#ifndef MYR_HEAP_H
#define MYR_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct timer {
	int64_t due;                   /* milliseconds on the loop's clock */
	void  (*fire)(struct timer *); /* taken out before it is called; may set itself again */
	uint32_t at;                   /* place in the heap, from 1; 0: not set */
};

struct heap {
	struct timer **items;          /* items[1] is the earliest; items[0] is unused */
	uint32_t       count, room;
};

void heap_done(struct heap *);
/* Make room for n timers in all, so that heap_set() cannot fail.  0 or -ENOMEM. */
int  heap_reserve(struct heap *, uint32_t n);
/* Put in, or move to a new time.  The room must have been reserved. */
void heap_set(struct heap *, struct timer *, int64_t due);
void heap_remove(struct heap *, struct timer *);           /* harmless if not set */

static inline struct timer *heap_first(const struct heap *h)
{
	return h->count > 0 ? h->items[1] : NULL;
}

#endif
