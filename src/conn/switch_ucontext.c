/* SPDX-License-Identifier: MIT
 *
 * switch_ucontext.c - swap two stacks where we have no assembly, by what the C library offers.
 *
 * Thirty times slower: swapcontext() makes a system call for the signal mask.  The remembered
 * pointer is a record in the frame of the switch_stacks() that was left. */
#include "conn/switch.h"

#if SWITCH_UCONTEXT

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <ucontext.h>

struct record {
	ucontext_t context;
	bool  said;
	void (*fn)(void *);             /* the first time only */
	void *arg;
};

/* makecontext() passes ints, and a pointer is two of them. */
static void begin(unsigned high, unsigned low)
{
	const struct record *r = (const void *)(uintptr_t)((uint64_t)high << 32 | low);

	r->fn(r->arg);
	abort();
}

void *switch_prepare(void *low, void *top, void (*fn)(void *), void *arg)
{
	uint64_t at = ((uintptr_t)top - sizeof(struct record)) & ~(uintptr_t)63;
	struct record *r = (void *)(uintptr_t)at;

	if (getcontext(&r->context) != 0)
		abort();
	r->fn = fn;
	r->arg = arg;
	r->context.uc_stack.ss_sp = low;
	r->context.uc_stack.ss_size = (size_t)((char *)r - (char *)low);
	r->context.uc_link = NULL;
	makecontext(&r->context, (void (*)(void))begin, 2, (unsigned)(at >> 32), (unsigned)at);
	return r;
}

bool switch_stacks(void **other, bool say)
{
	struct record here, *there = *other;

	there->said = say;
	*other = &here;
	if (swapcontext(&here.context, &there->context) != 0)
		abort();
	return here.said;
}

#else

typedef int not_used_here;              /* an empty file is not C */

#endif
