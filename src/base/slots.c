/* SPDX-License-Identifier: MIT
 *
 * slots.c - the table of names.
 *
 * A slot's generation goes up when it is taken (odd) and when it is given back (even), so a name
 * is alive exactly while its generation is the slot's and odd.  When the 24 bits that fit into a
 * name are used up the slot is retired: a few bytes lost every eight million names.  Other threads
 * read only page pointers and generations, both published with release. */
#include "base/slots.h"

#include <assert.h>
#include <errno.h>

#include "base/sys.h"

#define GENERATION_MASK 0xffffffu

/* The slot, or NULL if no such slot was ever made; safe in any thread. */
static struct slot *slot_at(const struct slots *s, uint32_t index)
{
	struct slot *_Atomic *pages = atomic_load_explicit(&s->pages, memory_order_acquire);
	struct slot *page;

	if (pages == NULL || index >= SLOTS_PAGE * SLOTS_PAGES)
		return NULL;
	page = atomic_load_explicit(&pages[index / SLOTS_PAGE], memory_order_acquire);
	return page == NULL ? NULL : &page[index % SLOTS_PAGE];
}

static struct slot *slot_named(const struct slots *s, uint64_t name)
{
	uint32_t generation = (uint32_t)name & GENERATION_MASK;
	struct slot *slot;

	if (slots_worker(name) != s->worker || generation % 2 == 0)
		return NULL;
	slot = slot_at(s, (uint32_t)(name >> 24) & 0xffffff);
	if (slot == NULL || atomic_load_explicit(&slot->generation, memory_order_acquire) != generation)
		return NULL;
	return slot;
}

/* Make the slot after the last one; its page too if it is the first of a page. */
static int slots_extend(struct slots *s)
{
	struct slot *_Atomic *pages = atomic_load_explicit(&s->pages, memory_order_relaxed);
	struct slot *page;

	if (s->used == SLOTS_PAGE * SLOTS_PAGES)
		return -ENOMEM;
	if (pages == NULL) {
		pages = sys_calloc(SLOTS_PAGES, sizeof *pages);
		if (pages == NULL)
			return -ENOMEM;
		atomic_store_explicit(&s->pages, pages, memory_order_release);
	}
	if (s->used % SLOTS_PAGE == 0) {
		page = sys_calloc(SLOTS_PAGE, sizeof *page);
		if (page == NULL)
			return -ENOMEM;
		atomic_store_explicit(&pages[s->used / SLOTS_PAGE], page, memory_order_release);
	}
	s->free = ++s->used;
	return 0;
}

int slots_add(struct slots *s, void *thing, uint64_t *name)
{
	struct slot *slot;
	uint32_t index, generation;
	int err;

	assert(thing != NULL && s->worker < UINT16_MAX);
	if (s->free == 0 && (err = slots_extend(s)) != 0)
		return err;
	index = s->free - 1;
	slot = slot_at(s, index);
	s->free = slot->next_free;
	generation = atomic_load_explicit(&slot->generation, memory_order_relaxed) + 1;
	slot->thing = thing;
	atomic_store_explicit(&slot->generation, generation, memory_order_release);
	s->count++;
	*name = slots_name(s->worker, index, generation);
	return 0;
}

void *slots_get(const struct slots *s, uint64_t name)
{
	struct slot *slot = slot_named(s, name);

	return slot == NULL ? NULL : slot->thing;
}

void slots_remove(struct slots *s, uint64_t name)
{
	uint32_t generation = ((uint32_t)name & GENERATION_MASK) + 1;
	struct slot *slot = slot_named(s, name);

	if (slot == NULL)
		return;
	slot->thing = NULL;
	atomic_store_explicit(&slot->generation, generation, memory_order_release);
	s->count--;
	if (generation > GENERATION_MASK)
		return;
	slot->next_free = s->free;
	s->free = ((uint32_t)(name >> 24) & 0xffffff) + 1;
}

bool slots_alive(const struct slots *s, uint64_t name)
{
	return slot_named(s, name) != NULL;
}

void *slots_next(const struct slots *s, uint32_t *at)
{
	while (*at < s->used) {
		void *thing = slot_at(s, (*at)++)->thing;

		if (thing != NULL)
			return thing;
	}
	return NULL;
}

void slots_done(struct slots *s)
{
	struct slot *_Atomic *pages = atomic_load_explicit(&s->pages, memory_order_relaxed);

	for (uint32_t i = 0; pages != NULL && i < SLOTS_PAGES; i++)
		free(atomic_load_explicit(&pages[i], memory_order_relaxed));
	free((void *)(uintptr_t)pages);         /* the cast drops _Atomic */
	atomic_store_explicit(&s->pages, NULL, memory_order_relaxed);
	s->used = s->free = s->count = 0;
}
