/* SPDX-License-Identifier: MIT
 *
 * switch.h - which code swaps two stacks here, and what fiber.c asks of it.
 *
 * Every implementation is compiled everywhere and all but one are empty.  A stack that does not
 * run is known by one pointer; what was saved lies on that stack, laid out as the implementation
 * likes.  Saved is what a call must preserve, the floating-point modes included; the signal mask
 * is not (but ucontext, the slow one, does that too). */
#ifndef MYR_SWITCH_H
#define MYR_SWITCH_H

#if defined MYR_FIBER_UCONTEXT
#define SWITCH_UCONTEXT 1
#elif defined __x86_64__ && defined __LP64__ && defined __ELF__
#define SWITCH_AMD64 1
#elif defined __aarch64__ && defined __LP64__ && defined __ELF__
#define SWITCH_ARM64 1
#else
#define SWITCH_UCONTEXT 1
#endif

#ifndef __ASSEMBLER__

#include <stdbool.h>

/* Prepare the unused stack low..top, so that the first switch to it calls fn(arg), which must not
 * return.  The floating-point modes are those of the caller.  Returns what to switch to. */
void *switch_prepare(void *low, void *top, void (*fn)(void *), void *arg);

/* Go on with the stack *other, and leave ours there in its place: so the same slot leads there and
 * back.  Returns when somebody switches back, with what they say. */
bool switch_stacks(void **other, bool say);

#endif
#endif
