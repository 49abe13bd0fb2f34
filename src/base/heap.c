/* SPDX-License-Identifier: MIT
 *
 * heap.c - the timer heap: items[i] is never due after items[2i] and items[2i + 1].
 *
 * Timers due at the same time fire in an order that depends only on the calls made, so that a
 * simulated run can be repeated. */
#include "base/heap.h"

#include <assert.h>
#include <errno.h>

#include "base/sys.h"

#define HEAP_MIN 16u

static void heap_place(struct heap *h, struct timer *t, uint32_t at)
{
	h->items[at] = t;
	t->at = at;
}

static void heap_up(struct heap *h, struct timer *t, uint32_t at)
{
	while (at > 1 && h->items[at / 2]->due > t->due) {
		heap_place(h, h->items[at / 2], at);
		at /= 2;
	}
	heap_place(h, t, at);
}

static void heap_down(struct heap *h, struct timer *t, uint32_t at)
{
	uint32_t child;

	while ((child = 2 * at) <= h->count) {
		if (child < h->count && h->items[child + 1]->due < h->items[child]->due)
			child++;
		if (h->items[child]->due >= t->due)
			break;
		heap_place(h, h->items[child], at);
		at = child;
	}
	heap_place(h, t, at);
}

int heap_reserve(struct heap *h, uint32_t n)
{
	uint32_t room = h->room > 0 ? h->room : HEAP_MIN;
	struct timer **items;

	if (n <= h->room)
		return 0;
	if (n > UINT32_MAX / 2)         /* so that 2 * at cannot wrap */
		return -ENOMEM;
	while (room < n)
		room *= 2;
	items = sys_realloc(h->items, ((size_t)room + 1) * sizeof *items);
	if (items == NULL)
		return -ENOMEM;
	h->items = items;
	h->room = room;
	return 0;
}

void heap_set(struct heap *h, struct timer *t, int64_t due)
{
	if (t->at == 0) {
		assert(h->count < h->room);
		t->due = due;
		heap_up(h, t, ++h->count);
		return;
	}
	assert(t->at <= h->count && h->items[t->at] == t);
	if (due < t->due) {
		t->due = due;
		heap_up(h, t, t->at);
	} else {
		t->due = due;
		heap_down(h, t, t->at);
	}
}

void heap_remove(struct heap *h, struct timer *t)
{
	uint32_t at = t->at;
	struct timer *last;

	if (at == 0)
		return;
	assert(at <= h->count && h->items[at] == t);
	t->at = 0;
	last = h->items[h->count--];
	if (last == t)
		return;
	if (at > 1 && h->items[at / 2]->due > last->due)
		heap_up(h, last, at);
	else
		heap_down(h, last, at);
}

void heap_done(struct heap *h)
{
	for (uint32_t i = 1; i <= h->count; i++)
		h->items[i]->at = 0;
	free(h->items);
	*h = (struct heap){ .items = NULL };
}
