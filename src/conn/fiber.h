/* SPDX-License-Identifier: MIT
 *
 * fiber.h - stacks, and switching between them.  A fiber never changes threads.
 *
 *	high addresses
 *	+------------------+  <- the struct fiber itself: no page of its own
 *	| struct fiber     |
 *	| fn's frames      |
 *	|        |         |
 *	|        v         |
 *	|   (untouched)    |     costs addresses, not memory
 *	+------------------+
 *	| guard page       |     touching it is a fault, not a corruption
 *	+------------------+
 *	low addresses
 *
 * Stacks are carved from slabs, pooled per loop, and reused last in, first out. */
#ifndef MYR_FIBER_H
#define MYR_FIBER_H

#include <stdbool.h>
#include <stddef.h>

#define FIBER_STACK ((size_t)256 * 1024)        /* addresses, not memory */

struct fiber;
struct fiber_pool;

/* Bytes of each stack, rounded to pages, 16 KiB to 1 GiB; 0: FIBER_STACK.  NULL: out of memory. */
struct fiber_pool *fiber_pool_new(size_t stack);
void fiber_pool_free(struct fiber_pool *);              /* all fibers have been freed */
const char *fiber_pool_guard(const struct fiber_pool *);        /* "guarded", "mprotect" or "canary" */

/* Ready to run fn(arg) on its own stack at the first fiber_resume().  NULL: out of memory. */
struct fiber *fiber_new(struct fiber_pool *, void (*fn)(void *arg), void *arg);
/* Switch to it until it yields or fn returns.  True while it is not finished. */
bool fiber_resume(struct fiber *);
void fiber_yield(struct fiber *);       /* from inside it: back to fiber_resume() */
/* Give the stack back; it must have finished, or never have run. */
void fiber_free(struct fiber_pool *, struct fiber *);

#endif
