/* SPDX-License-Identifier: MIT
 *
 * slots.h - names that are never reused, for things that come and go.
 *
 * A name (public: myr_id) is worker, slot and generation in 64 bits.  The table belongs to one
 * loop and one thread; slots_alive() alone may be asked from any thread, and answers for a moment
 * that may be over.  Pages never move, which is what makes that safe. */
#ifndef MYR_SLOTS_H
#define MYR_SLOTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SLOTS_PAGE 1024u               /* slots in a page */
#define SLOTS_PAGES 2048u              /* pages at most: 2 million things in one loop */

struct slot {
	void *thing;                   /* NULL: free */
	_Atomic uint32_t generation;   /* odd while in use */
	uint32_t next_free;            /* 1-based; 0: none */
};

struct slots {
	struct slot *_Atomic *_Atomic pages;   /* SLOTS_PAGES pointers, made with the first name */
	uint32_t used;                 /* slots ever used; the rest are untouched */
	uint32_t free;                 /* 1-based first free slot */
	uint32_t count;                /* things in the table */
	uint16_t worker;               /* goes into every name */
};

/* bits 63..48 worker + 1, 47..24 slot, 23..0 generation, so that no name is 0 */
static inline uint64_t slots_name(uint16_t worker, uint32_t slot, uint32_t generation)
{
	return ((uint64_t)worker + 1) << 48 | (uint64_t)(slot & 0xffffff) << 24 | (generation & 0xffffff);
}

static inline int slots_worker(uint64_t name)
{
	return (int)(name >> 48) - 1;
}

int   slots_add(struct slots *, void *thing, uint64_t *name);           /* 0 or -ENOMEM */
void *slots_get(const struct slots *, uint64_t name);                   /* NULL: gone */
void  slots_remove(struct slots *, uint64_t name);
bool  slots_alive(const struct slots *, uint64_t name);                 /* [any] */
/* Walk: start with *at = 0; returns each thing once, NULL at the end.  Removing while walking is fine. */
void *slots_next(const struct slots *, uint32_t *at);
void  slots_done(struct slots *);

#endif
