/* SPDX-License-Identifier: MIT
 *
 * fiber.c - stacks from slabs, and what debugging tools have to be told about switching.
 *
 * A slab is one mapping with many stacks, each with a page below it that is never used:
 *
 *	| guard | stack        fiber | guard | stack        fiber | ...
 *
 * The distance between stacks is thereby an odd number of pages; a round one would make the same
 * few entries of the address translation caches serve all fibers.
 *
 * Guards are installed in the page tables where the kernel can (Linux 6.13); else by mprotect(),
 * which costs two mappings each and a process has only so many; else a word at the end of the
 * stack is looked at after each switch.  A pool only ever steps down.
 *
 * The stacks freed last are used first, and their memory is kept; that of all others is given
 * back to the system.  Slabs stay until the pool goes. */
#include "conn/fiber.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/feature.h"
#include "base/sys.h"
#include "conn/switch.h"

#if defined __SANITIZE_ADDRESS__
#define HAVE_ASAN 1
#elif defined __SANITIZE_THREAD__
#define HAVE_TSAN 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#elif __has_feature(thread_sanitizer)
#define HAVE_TSAN 1
#endif
#endif

#if HAVE_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#elif HAVE_TSAN
#include <sanitizer/tsan_interface.h>
#endif

/* Thread sanitizer notes entry and exit of functions, each for the fiber of that moment: one that
 * switches has to do without, or it would enter in one and leave in the other. */
#if HAVE_TSAN && defined __clang__
#define SWITCHES __attribute__((disable_sanitizer_instrumentation))
#elif HAVE_TSAN
#define SWITCHES __attribute__((no_sanitize("thread")))
#else
#define SWITCHES
#endif

#if defined __has_include && !defined NVALGRIND
#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define HAVE_VALGRIND 1
#endif
#endif

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#define MADV_NONSENSE 0x4d5952
#ifndef MAP_STACK
#define MAP_STACK 0
#endif

#define SLAB_STACKS 64                  /* stacks in a slab, unless they are huge */
#define SLAB_BYTES  ((size_t)64 << 20)
#define STACK_LEAST ((size_t)16 << 10)
#define STACK_MOST  ((size_t)1 << 30)
#define KEEP_WARM   1024                /* free stacks of a pool that keep their memory */
#define CANARY      UINT64_C(0x5f6e6f7461667421)

enum guard { GUARD_INSTALLED, GUARD_MPROTECT, GUARD_CANARY };
enum state { FIBER_UNUSED, FIBER_NEW, FIBER_RUNS, FIBER_FINISHED };

/* Known apart from its memory, so that an unused stack needs none. */
struct stack {
	struct stack *next;             /* in one of the pool's lists */
	char *low;
	bool  watched;                  /* by the canary at low; else a page guards it */
#if HAVE_TSAN
	void *context;                  /* made with its first fiber: making one is slow */
#endif
#if HAVE_VALGRIND
	unsigned name;
#endif
};

struct slab {
	struct slab *next;
	char    *mem;
	unsigned mapped_guards;         /* by mprotect */
	struct stack stacks[SLAB_STACKS];
};

struct fiber_pool {
	size_t page, stack;             /* bytes */
	enum guard guard;
	unsigned per_slab;
	unsigned in_use, n_warm;
	struct stack *warm, *cold;      /* free ones, last in, first out; cold ones hold no memory */
	struct slab *slabs;
};

/* At the top of its stack. */
struct fiber {
	void *other;                    /* the stack that does not run: ours or the loop's */
	const uint64_t *canary;         /* NULL: a page guards the stack */
	int *errno_at;                  /* the thread's, which never changes */
	int  saved_errno;
	enum state state;
	void (*fn)(void *);
	void *arg;
	struct stack *stack;
#if HAVE_ASAN
	const void *loop_low;           /* the stack of whoever resumed us */
	size_t loop_size;
#elif HAVE_TSAN
	void *loop_context;
#endif
};

/* --- What tools have to be told; nothing at all in a plain build --- */

struct leaving {                        /* lives on the stack that is left */
#if HAVE_ASAN
	void *fake;
#endif
};

static inline SWITCHES void tell_resume(struct fiber *f, struct leaving *l)
{
#if HAVE_ASAN
	__sanitizer_start_switch_fiber(&l->fake, f->stack->low,
	                               (size_t)((const char *)f - f->stack->low));
#elif HAVE_TSAN
	f->loop_context = __tsan_get_current_fiber();
	__tsan_switch_to_fiber(f->stack->context, 0);
#endif
	(void)f, (void)l;
}

static inline SWITCHES void tell_resumed(struct leaving *l)
{
#if HAVE_ASAN
	__sanitizer_finish_switch_fiber(l->fake, NULL, NULL);
#endif
	(void)l;
}

/* l is NULL for the last time: the tools may forget the stack. */
static inline SWITCHES void tell_yield(struct fiber *f, struct leaving *l)
{
#if HAVE_ASAN
	__sanitizer_start_switch_fiber(l != NULL ? &l->fake : NULL, f->loop_low, f->loop_size);
#elif HAVE_TSAN
	__tsan_switch_to_fiber(f->loop_context, 0);
#endif
	(void)f, (void)l;
}

/* l is NULL for the first time. */
static inline SWITCHES void tell_yielded(struct fiber *f, struct leaving *l)
{
#if HAVE_ASAN
	__sanitizer_finish_switch_fiber(l != NULL ? l->fake : NULL, &f->loop_low, &f->loop_size);
#endif
	(void)f, (void)l;
}

static inline void tell_carved(struct stack *s, size_t n)
{
#if HAVE_VALGRIND
	s->name = VALGRIND_STACK_REGISTER(s->low, s->low + n);
#endif
	(void)s, (void)n;
}

/* What the last fiber left on it means nothing any more. */
static inline void tell_use(struct stack *s, size_t n)
{
#if HAVE_ASAN
	ASAN_UNPOISON_MEMORY_REGION(s->low, n);
#elif HAVE_TSAN
	if (s->context == NULL)
		s->context = __tsan_create_fiber(0);
#endif
#if HAVE_VALGRIND
	VALGRIND_MAKE_MEM_UNDEFINED(s->low, n);
#endif
	(void)s, (void)n;
}

static inline void tell_unmap(struct stack *s)
{
#if HAVE_TSAN
	if (s->context != NULL)
		__tsan_destroy_fiber(s->context);
#endif
#if HAVE_VALGRIND
	VALGRIND_STACK_DEREGISTER(s->name);
#endif
	(void)s;
}

/* --- Switching --- */

static SWITCHES void fiber_main(void *arg)
{
	struct fiber *f = arg;

	tell_yielded(f, NULL);
	f->errno_at = &errno;
	f->state = FIBER_RUNS;
	f->fn(f->arg);
	f->state = FIBER_FINISHED;
	tell_yield(f, NULL);
	switch_stacks(&f->other, false);
	abort();                        /* resumed though finished */
}

static inline SWITCHES bool fiber_enter(struct fiber *f)
{
	struct leaving l;
	bool more;

	tell_resume(f, &l);
	more = switch_stacks(&f->other, true);
	tell_resumed(&l);
	return more;
}

/* Apart, so that the usual path saves no registers and ends in a jump. */
static __attribute__((noinline)) SWITCHES bool fiber_enter_watched(struct fiber *f)
{
	bool more = fiber_enter(f);

	if (*f->canary != CANARY) {
		fputs("myriad: a handler has used more stack than it has (see the option \"stack\")\n", stderr);
		abort();
	}
	return more;
}

SWITCHES bool fiber_resume(struct fiber *f)
{
	return f->canary == NULL ? fiber_enter(f) : fiber_enter_watched(f);
}

SWITCHES void fiber_yield(struct fiber *f)
{
	struct leaving l;

	f->saved_errno = *f->errno_at;
	tell_yield(f, &l);
	switch_stacks(&f->other, true);
	tell_yielded(f, &l);
	*f->errno_at = f->saved_errno;
}

/* --- Guards --- */

/* Of the whole process, and how many there may be: half of the mappings the system allows. */
static atomic_ulong mapped_guards, mapped_guards_max;

static unsigned long guards_max(void)
{
	unsigned long mappings = 65530;
	FILE *f = fopen("/proc/sys/vm/max_map_count", "re");

	if (f != NULL) {
		if (fscanf(f, "%lu", &mappings) != 1)
			mappings = 65530;
		fclose(f);
	}
	return mappings / 4;            /* two mappings each */
}

static bool guard_by_mprotect(struct slab *s, char *at, size_t page)
{
	if (atomic_load(&mapped_guards_max) == 0)
		atomic_store(&mapped_guards_max, guards_max());
	if (atomic_fetch_add(&mapped_guards, 1) < atomic_load(&mapped_guards_max) &&
	    mprotect(at, page, PROT_NONE) == 0) {
		s->mapped_guards++;
		return true;
	}
	atomic_fetch_sub(&mapped_guards, 1);
	return false;
}

/* The best that we may try.  Emulators may say yes to any advice and do nothing; then they say so
 * to this one as well. */
static enum guard guard_best(void)
{
	if (!feature_is_off("guard_install") && madvise(NULL, 0, MADV_NONSENSE) != 0)
		return GUARD_INSTALLED;
	return feature_is_off("guard_mprotect") ? GUARD_CANARY : GUARD_MPROTECT;
}

/* Keep what is below the stack from being touched.  Steps down for good when that fails. */
static void guard_stack(struct fiber_pool *p, struct slab *s, struct stack *stack)
{
	char *at = stack->low - p->page;

	if (p->guard == GUARD_INSTALLED && madvise(at, p->page, MADV_GUARD_INSTALL) != 0)
		p->guard = GUARD_MPROTECT;
	if (p->guard == GUARD_MPROTECT && !guard_by_mprotect(s, at, p->page))
		p->guard = GUARD_CANARY;
	stack->watched = p->guard == GUARD_CANARY;
}

/* --- Slabs and stacks --- */

static size_t slab_bytes(const struct fiber_pool *p)
{
	return p->per_slab * (p->page + p->stack);
}

static void slab_carve(struct fiber_pool *p, struct slab *s)
{
	for (unsigned i = p->per_slab; i-- > 0; ) {
		struct stack *stack = &s->stacks[i];

		stack->low = s->mem + i * (p->page + p->stack) + p->page;
		guard_stack(p, s, stack);
		tell_carved(stack, p->stack);
		stack->next = p->cold;
		p->cold = stack;
	}
}

static bool slab_add(struct fiber_pool *p)
{
	struct slab *s = sys_calloc(1, sizeof *s);

	if (s == NULL)
		return false;
	s->mem = sys_mmap(NULL, slab_bytes(p), PROT_READ | PROT_WRITE,
	                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (s->mem == MAP_FAILED) {
		free(s);
		return false;
	}
	/* Huge pages would make memory of what is only addresses. */
	madvise(s->mem, slab_bytes(p), MADV_NOHUGEPAGE);
	slab_carve(p, s);
	s->next = p->slabs;
	p->slabs = s;
	return true;
}

static void slab_free(struct fiber_pool *p, struct slab *s)
{
	for (unsigned i = 0; i < p->per_slab; i++)
		tell_unmap(&s->stacks[i]);
	munmap(s->mem, slab_bytes(p));
	atomic_fetch_sub(&mapped_guards, s->mapped_guards);
	free(s);
}

static struct stack *stack_take(struct fiber_pool *p)
{
	struct stack *s;

	if (p->warm == NULL && p->cold == NULL && !slab_add(p))
		return NULL;
	s = p->warm;
	if (s != NULL) {
		p->warm = s->next;
		p->n_warm--;
	} else {
		s = p->cold;
		p->cold = s->next;
	}
	p->in_use++;
	return s;
}

static void stack_give(struct fiber_pool *p, struct stack *s)
{
	struct stack **list = &p->warm;

	assert(p->in_use > 0);
	p->in_use--;
	if (p->n_warm < KEEP_WARM)
		p->n_warm++;
	else if (madvise(s->low, p->stack, MADV_DONTNEED) == 0)
		list = &p->cold;
	s->next = *list;
	*list = s;
}

/* --- Pools and fibers --- */

struct fiber_pool *fiber_pool_new(size_t stack)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct fiber_pool *p = sys_calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	if (stack == 0)
		stack = FIBER_STACK;
	stack = stack < STACK_LEAST ? STACK_LEAST : stack > STACK_MOST ? STACK_MOST : stack;
	p->page = page;
	p->stack = (stack + page - 1) & ~(page - 1);
	p->per_slab = SLAB_STACKS;
	while (p->per_slab > 1 && p->per_slab * p->stack > SLAB_BYTES)
		p->per_slab /= 2;
	p->guard = guard_best();
	/* One slab at once, to find out how it can be guarded. */
	if (!slab_add(p)) {
		free(p);
		return NULL;
	}
	return p;
}

void fiber_pool_free(struct fiber_pool *p)
{
	struct slab *s;

	if (p == NULL)
		return;
	assert(p->in_use == 0);
	while ((s = p->slabs) != NULL) {
		p->slabs = s->next;
		slab_free(p, s);
	}
	free(p);
}

const char *fiber_pool_guard(const struct fiber_pool *p)
{
	static const char *const names[] = { "guarded", "mprotect", "canary" };

	return names[p->guard];
}

struct fiber *fiber_new(struct fiber_pool *p, void (*fn)(void *), void *arg)
{
	struct stack *s = stack_take(p);
	struct fiber *f;

	if (s == NULL)
		return NULL;
	f = (void *)(s->low + ((p->stack - sizeof *f) & ~(size_t)63));
	tell_use(s, p->stack);
	*f = (struct fiber){ .fn = fn, .arg = arg, .state = FIBER_NEW, .stack = s };
	if (s->watched)
		f->canary = memcpy(s->low, &(uint64_t){ CANARY }, sizeof(uint64_t));
	f->other = switch_prepare(s->low, f, fiber_main, f);
	return f;
}

void fiber_free(struct fiber_pool *p, struct fiber *f)
{
	assert(f->state == FIBER_NEW || f->state == FIBER_FINISHED);
	f->state = FIBER_UNUSED;
	stack_give(p, f->stack);
}
