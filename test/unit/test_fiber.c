/* SPDX-License-Identifier: MIT
 *
 * test_fiber.c - stacks and switching: what must survive a switch, what must not be shared, what
 * an idle fiber costs, and that a stack's end is guarded in each of the three ways. */
#include "unit.h"

#include <errno.h>
#include <fenv.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "conn/fiber.h"
#include "conn/switch.h"

#if defined __SANITIZE_THREAD__ || defined __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined __has_feature
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined __has_include
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define ON_VALGRIND RUNNING_ON_VALGRIND
#endif
#endif
#ifndef ON_VALGRIND
#define ON_VALGRIND 0
#endif

#ifdef SANITIZED                        /* which have limits of their own */
#define MANY 1000
#define CROWD 2000
#else
#define MANY 10000
#define CROWD 20000
#endif
#define WARM_MOST 1024                  /* free stacks whose memory a pool keeps */

static struct fiber_pool *pool;

static int pool_setup(void **state)
{
	(void)state;
	pool = fiber_pool_new(FIBER_STACK);
	return pool == NULL;
}

static int pool_teardown(void **state)
{
	(void)state;
	fiber_pool_free(pool);
	return 0;
}

/* Pages in memory among the n bytes that end just behind `end`. */
static unsigned resident(const void *end, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uintptr_t top = ((uintptr_t)end + page) & ~(page - 1);
	unsigned char *map = malloc(n / page);
	unsigned count = 0;

	assert_non_null(map);
	assert_int_equal(mincore((void *)(top - n), n, map), 0);
	for (size_t i = 0; i < n / page; i++)
		count += map[i] & 1;
	free(map);
	return count;
}

/* --- Taking turns --- */

struct worker {
	struct fiber *fiber;
	unsigned rounds, done;
	uint64_t sum;
};

static void count_rounds(void *arg)
{
	struct worker *w = arg;
	uint64_t sum = 0;

	while (w->done < w->rounds) {
		sum += w->done++;
		fiber_yield(w->fiber);
	}
	w->sum = sum;
}

static void worker_new(struct worker *w, unsigned rounds)
{
	*w = (struct worker){ .rounds = rounds };
	w->fiber = fiber_new(pool, count_rounds, w);
	assert_non_null(w->fiber);
}

static void runs_only_when_resumed(void **state)
{
	struct worker w;

	(void)state;
	worker_new(&w, 2);
	assert_int_equal(w.done, 0);
	assert_true(fiber_resume(w.fiber));
	assert_int_equal(w.done, 1);
	assert_true(fiber_resume(w.fiber));
	assert_int_equal(w.done, 2);
	assert_false(fiber_resume(w.fiber));
	assert_int_equal(w.sum, 1);
	fiber_free(pool, w.fiber);
}

static void many_interleaved(void **state)
{
	struct worker *w = calloc(MANY, sizeof *w);
	unsigned alive = MANY;

	(void)state;
	assert_non_null(w);
	for (unsigned i = 0; i < MANY; i++)
		worker_new(&w[i], i % 7);
	while (alive > 0)
		for (unsigned i = 0; i < MANY; i++)
			if (w[i].fiber != NULL && !fiber_resume(w[i].fiber)) {
				fiber_free(pool, w[i].fiber);
				w[i].fiber = NULL;
				alive--;
			}
	for (uint64_t i = 0; i < MANY; i++) {
		uint64_t n = i % 7;

		assert_int_equal(w[i].done, n);
		assert_int_equal(w[i].sum, n == 0 ? 0 : n * (n - 1) / 2);
	}
	free(w);
}

static void many_switches(void **state)
{
	struct worker a, b;

	(void)state;
	worker_new(&a, 200000);
	worker_new(&b, 200000);
	while (fiber_resume(a.fiber) && fiber_resume(b.fiber))
		;
	assert_false(fiber_resume(b.fiber));
	assert_int_equal(a.sum, b.sum);
	assert_int_equal(a.sum, UINT64_C(200000) * 199999 / 2);
	fiber_free(pool, a.fiber);
	fiber_free(pool, b.fiber);
}

/* A handler that dials waits on its own fiber, but nothing forbids one that has fibers itself. */
static void resumes_another(void *arg)
{
	struct worker *w = arg;

	while (fiber_resume(w->fiber))
		w->sum++;
}

static void fiber_inside_fiber(void **state)
{
	struct worker w;
	struct fiber *outer;

	(void)state;
	worker_new(&w, 3);
	outer = fiber_new(pool, resumes_another, &w);
	assert_non_null(outer);
	assert_false(fiber_resume(outer));
	assert_int_equal(w.done, 3);
	fiber_free(pool, outer);
	fiber_free(pool, w.fiber);
}

/* --- What survives --- */

static void yield_plainly(void *fiber)
{
	fiber_yield(fiber);
}

static void resume_plainly(void *fiber)
{
	fiber_resume(fiber);
}

/* Fill what a call must preserve, make one that switches, and look: 0 if all is still there. */
static uint64_t registers_lost(void (*fn)(void *), void *arg, uint64_t seed)
{
#if defined __x86_64__ && defined __LP64__
	uint64_t lost;

	__asm__ volatile(
		"movq %%rsp, %%rax\n\t"
		"subq $256, %%rsp\n\t"
		"andq $-64, %%rsp\n\t"
		"pushq %%rax\n\t"
		"pushq %%rbp\n\t"
		"pushq %%rsi\n\t"
		"pushq %%rsi\n\t"
		"leaq 1(%%rsi), %%rbx\n\t"
		"leaq 2(%%rsi), %%rbp\n\t"
		"leaq 3(%%rsi), %%r12\n\t"
		"leaq 4(%%rsi), %%r13\n\t"
		"leaq 5(%%rsi), %%r14\n\t"
		"leaq 6(%%rsi), %%r15\n\t"
		"call *%%rdx\n\t"
		"popq %%rsi\n\t"
		"popq %%rcx\n\t"
		"movq %%rcx, %%rax\n\t"
		"xorq %%rsi, %%rax\n\t"
		"leaq 1(%%rsi), %%rcx\n\t" "xorq %%rbx, %%rcx\n\t" "orq %%rcx, %%rax\n\t"
		"leaq 2(%%rsi), %%rcx\n\t" "xorq %%rbp, %%rcx\n\t" "orq %%rcx, %%rax\n\t"
		"leaq 3(%%rsi), %%rcx\n\t" "xorq %%r12, %%rcx\n\t" "orq %%rcx, %%rax\n\t"
		"leaq 4(%%rsi), %%rcx\n\t" "xorq %%r13, %%rcx\n\t" "orq %%rcx, %%rax\n\t"
		"leaq 5(%%rsi), %%rcx\n\t" "xorq %%r14, %%rcx\n\t" "orq %%rcx, %%rax\n\t"
		"leaq 6(%%rsi), %%rcx\n\t" "xorq %%r15, %%rcx\n\t" "orq %%rcx, %%rax\n\t"
		"popq %%rbp\n\t"
		"popq %%rsp\n\t"
		: "=a"(lost), "+D"(arg), "+S"(seed), "+d"(fn)
		:
		: "rbx", "rcx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1",
		  "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
		  "xmm12", "xmm13", "xmm14", "xmm15", "memory", "cc");
	return lost;
#elif defined __aarch64__
	uint64_t in[18], out[18], lost = 0;
	register void *x0 __asm__("x0") = arg;
	register void (*x1)(void *) __asm__("x1") = fn;
	register uint64_t *x2 __asm__("x2") = in, *x3 __asm__("x3") = out;

	for (int i = 0; i < 18; i++)
		in[i] = seed + 1 + (uint64_t)i;
	__asm__ volatile(
		"str x3, [sp, #-16]!\n\t"
		"ldp x19, x20, [x2, #0]\n\t" "ldp x21, x22, [x2, #16]\n\t" "ldp x23, x24, [x2, #32]\n\t"
		"ldp x25, x26, [x2, #48]\n\t" "ldp x27, x28, [x2, #64]\n\t" "ldp d8, d9, [x2, #80]\n\t"
		"ldp d10, d11, [x2, #96]\n\t" "ldp d12, d13, [x2, #112]\n\t" "ldp d14, d15, [x2, #128]\n\t"
		"blr x1\n\t"
		"ldr x3, [sp], #16\n\t"
		"stp x19, x20, [x3, #0]\n\t" "stp x21, x22, [x3, #16]\n\t" "stp x23, x24, [x3, #32]\n\t"
		"stp x25, x26, [x3, #48]\n\t" "stp x27, x28, [x3, #64]\n\t" "stp d8, d9, [x3, #80]\n\t"
		"stp d10, d11, [x3, #96]\n\t" "stp d12, d13, [x3, #112]\n\t" "stp d14, d15, [x3, #128]\n\t"
		: "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)
		:
		: "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18",
		  "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x30", "d0", "d1",
		  "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9", "d10", "d11", "d12", "d13", "d14", "d15",
		  "d16", "d17", "d18", "d19", "d20", "d21", "d22", "d23", "d24", "d25", "d26", "d27", "d28",
		  "d29", "d30", "d31", "memory", "cc");
	for (int i = 0; i < 18; i++)
		lost |= in[i] ^ out[i];
	return lost;
#else
	(void)seed;
	fn(arg);
	return 0;
#endif
}

struct keeper {
	struct fiber *fiber;
	uint64_t seed, lost;
};

static void keep_registers(void *arg)
{
	struct keeper *k = arg;

	for (int i = 0; i < 10; i++)
		k->lost |= registers_lost(yield_plainly, k->fiber, k->seed + (uint64_t)i * 100);
}

static void registers_survive(void **state)
{
	struct keeper k[2] = { { .seed = 1000 }, { .seed = 500000 } };

	(void)state;
	for (int i = 0; i < 2; i++) {
		k[i].fiber = fiber_new(pool, keep_registers, &k[i]);
		assert_non_null(k[i].fiber);
	}
	for (uint64_t turn = 0; turn < 11; turn++)
		for (int i = 0; i < 2; i++)
			assert_int_equal(registers_lost(resume_plainly, k[i].fiber, 77 * turn), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(k[i].lost, 0);
		fiber_free(pool, k[i].fiber);
	}
}

/* Both units have a mode of their own; fegetround() tells of one. */
static unsigned sse_mode(void)
{
#ifdef __SSE__
	return __builtin_ia32_stmxcsr() >> 13 & 3;
#else
	return 0;
#endif
}

static void round_down(void *fiber)
{
	unsigned mode;

	assert_int_equal(fegetround(), FE_UPWARD);
	fesetround(FE_DOWNWARD);
	mode = sse_mode();
	fiber_yield(fiber);
	assert_int_equal(fegetround(), FE_DOWNWARD);
	assert_int_equal(sse_mode(), mode);
}

static void take_fiber(void *slot)
{
	round_down(*(void **)slot);
}

static void rounding_survives(void **state)
{
	struct fiber *f;
	unsigned mode;

	(void)state;
	fesetround(FE_UPWARD);
	mode = sse_mode();
	f = fiber_new(pool, take_fiber, &f);
	assert_non_null(f);
	assert_true(fiber_resume(f));
	assert_int_equal(fegetround(), FE_UPWARD);
	assert_int_equal(sse_mode(), mode);
	fesetround(FE_TOWARDZERO);
	mode = sse_mode();
	assert_false(fiber_resume(f));
	assert_int_equal(fegetround(), FE_TOWARDZERO);
	assert_int_equal(sse_mode(), mode);
	fesetround(FE_TONEAREST);
	fiber_free(pool, f);
}

static void keep_errno(void *arg)
{
	struct worker *w = arg;

	errno = 1000 + (int)w->rounds;
	fiber_yield(w->fiber);
	w->sum = (uint64_t)errno;
}

static void errno_survives(void **state)
{
	struct worker w[2] = { { .rounds = 1 }, { .rounds = 2 } };

	(void)state;
	for (int i = 0; i < 2; i++) {
		w[i].fiber = fiber_new(pool, keep_errno, &w[i]);
		assert_non_null(w[i].fiber);
		assert_true(fiber_resume(w[i].fiber));
	}
	for (int i = 0; i < 2; i++) {
		errno = EAGAIN;
		assert_false(fiber_resume(w[i].fiber));
		assert_int_equal(w[i].sum, 1001 + i);
		fiber_free(pool, w[i].fiber);
	}
}

static void look_at_stack(void *arg)
{
	uintptr_t *frame = arg;

	*frame = (uintptr_t)__builtin_frame_address(0);
}

static void stack_is_aligned(void **state)
{
	uintptr_t frame = 1;
	struct fiber *f = fiber_new(pool, look_at_stack, &frame);

	(void)state;
	assert_non_null(f);
	assert_false(fiber_resume(f));
	assert_int_equal(frame % 16, 0);
	fiber_free(pool, f);
}

/* --- Threads --- */

static _Thread_local uint64_t mine;

struct pair {
	uint64_t seed, bad;
	struct fiber *fiber;
};

static void look_at_mine(void *arg)
{
	struct pair *p = arg;

	for (int i = 0; i < 1000; i++) {
		p->bad += mine != p->seed;
		errno = (int)p->seed;
		fiber_yield(p->fiber);
		p->bad += errno != (int)p->seed;
	}
}

static void *thread_main(void *arg)
{
	uint64_t seed = *(uint64_t *)arg, bad = 0;
	struct fiber_pool *own = fiber_pool_new(0);
	struct pair pairs[8];

	mine = seed;
	for (int i = 0; i < 8; i++) {
		pairs[i] = (struct pair){ .seed = seed };
		pairs[i].fiber = fiber_new(own, look_at_mine, &pairs[i]);
	}
	for (int round = 0; round < 1001; round++)
		for (int i = 0; i < 8; i++) {
			errno = 0;
			bad += fiber_resume(pairs[i].fiber) != (round < 1000);
		}
	for (int i = 0; i < 8; i++) {
		bad += pairs[i].bad;
		fiber_free(own, pairs[i].fiber);
	}
	fiber_pool_free(own);
	*(uint64_t *)arg = bad;
	return NULL;
}

static void thread_locals_stay_true(void **state)
{
	uint64_t arg[3] = { 11, 22, 33 };
	pthread_t thread[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, thread_main, &arg[i]), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		assert_int_equal(arg[i], 0);
	}
}

/* --- Memory --- */

static void use_deeply(void *arg)
{
	char deep[FIBER_STACK - 16 * 1024];

	memset(deep, 1, sizeof deep);
	__asm__ volatile("" : : "r"(deep) : "memory");
	*(char *)arg = deep[sizeof deep / 2];
}

static void whole_stack_is_usable(void **state)
{
	char a = 0, b = 0;
	struct fiber *f = fiber_new(pool, use_deeply, &a), *g = fiber_new(pool, use_deeply, &b);

	(void)state;
	assert_true(f != NULL && g != NULL);
	assert_false(fiber_resume(f));
	assert_false(fiber_resume(g));
	assert_int_equal(a + b, 2);
	fiber_free(pool, f);
	fiber_free(pool, g);
}

static void free_without_running(void **state)
{
	struct worker w;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		worker_new(&w, 1);
		fiber_free(pool, w.fiber);
	}
	assert_int_equal(w.done, 0);
}

static void last_in_first_out(void **state)
{
	struct worker a, b;
	struct fiber *last;

	(void)state;
	worker_new(&a, 0);
	worker_new(&b, 0);
	assert_ptr_not_equal(a.fiber, b.fiber);
	assert_false(fiber_resume(b.fiber));
	last = b.fiber;
	fiber_free(pool, a.fiber);
	fiber_free(pool, b.fiber);
	worker_new(&b, 0);
	assert_ptr_equal(b.fiber, last);
	assert_false(fiber_resume(b.fiber));
	fiber_free(pool, b.fiber);
}

static void wait_below(struct fiber *f)
{
	char text[200];

	memset(text, 'x', sizeof text);
	__asm__ volatile("" : : "r"(text) : "memory");
	fiber_yield(f);
}

/* What echo does: a buffer, and a few frames below it. */
static void wait_with_buffer(void *arg)
{
	char buf[4096];

	buf[0] = 0;
	__asm__ volatile("" : : "r"(buf) : "memory");
	wait_below(*(struct fiber **)arg);
}

static void idle_costs_two_pages(void **state)
{
	struct fiber *f = fiber_new(pool, wait_with_buffer, &f);

	(void)state;
	assert_non_null(f);
	assert_true(fiber_resume(f));
#if !defined SANITIZED && !defined SWITCH_UCONTEXT
	assert_in_range(resident(f, FIBER_STACK), 1, 2);
#endif
	assert_false(fiber_resume(f));
	fiber_free(pool, f);
}

static void crowd(void **state)
{
	struct worker *w = calloc(CROWD, sizeof *w);
	unsigned kept = 0;

	(void)state;
	assert_non_null(w);
	for (unsigned i = 0; i < CROWD; i++) {
		worker_new(&w[i], 1);
		assert_true(fiber_resume(w[i].fiber));
	}
	for (unsigned i = 0; i < CROWD; i++) {
		assert_int_equal(w[i].done, 1);
		assert_false(fiber_resume(w[i].fiber));
		fiber_free(pool, w[i].fiber);
	}
	for (unsigned i = 0; i < CROWD; i++)
		kept += resident(w[i].fiber, FIBER_STACK) > 0;
	assert_in_range(kept, 1, WARM_MOST);
	for (unsigned i = 0; i < CROWD; i++)            /* and all of them once more */
		worker_new(&w[i], 0);
	for (unsigned i = 0; i < CROWD; i++) {
		assert_false(fiber_resume(w[i].fiber));
		fiber_free(pool, w[i].fiber);
	}
	free(w);
}

static void *no_mmap(void *a, size_t n, int p, int f, int fd, off_t o)
{
	(void)a, (void)n, (void)p, (void)f, (void)fd, (void)o;
	errno = ENOMEM;
	return MAP_FAILED;
}

static void survives_lack_of_memory(void **state)
{
	struct fiber_pool *own = fiber_pool_new(0);
	struct worker w;
	struct fiber *all[1000], *f;
	unsigned n = 0;

	(void)state;
	assert_non_null(own);
	unit_fail_alloc(1);
	assert_null(fiber_pool_new(0));
	unit_fail_alloc(2);
	assert_null(fiber_pool_new(0));
	unit_fail_alloc(0);
	sys_table.mmap = no_mmap;
	assert_null(fiber_pool_new(0));
	while ((f = fiber_new(own, count_rounds, &w)) != NULL && n < 999)
		all[n++] = f;
	sys_table.mmap = sys_direct.mmap;
	assert_in_range(n, 1, 998);
	assert_non_null(all[n++] = fiber_new(own, count_rounds, &w));
	while (n > 0)
		fiber_free(own, all[--n]);
	fiber_pool_free(own);
}

/* --- The end of the stack --- */

static void run_over(void *arg)
{
	static volatile char *p;        /* not on the stack, which is overwritten */
	static size_t i;
	static struct fiber *f;

	f = *(struct fiber **)arg;
	p = __builtin_frame_address(0);
	p -= 1024;                      /* leaves us a frame to live in */
	for (i = 1024; i < FIBER_STACK; i++)
		*p-- = 0;
	fiber_yield(f);
}

/* In a process of its own: how it ended. */
static int status_of_run_over(void)
{
	struct fiber *first, *f;
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		signal(SIGSEGV, SIG_DFL);
		signal(SIGABRT, SIG_DFL);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(1);
		first = fiber_new(pool, count_rounds, NULL);    /* has a neighbour below the next */
		f = fiber_new(pool, run_over, &f);
		if (first != NULL && f != NULL)
			fiber_resume(f);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void expect_guard(const char *disable, const char *name, int sig)
{
	int status;

	if (disable != NULL)
		setenv("MYRIAD_DISABLE", disable, 1);
	pool = fiber_pool_new(FIBER_STACK);
	unsetenv("MYRIAD_DISABLE");
	assert_non_null(pool);
	if (name != NULL)
		assert_string_equal(fiber_pool_guard(pool), name);
	else if (strcmp(fiber_pool_guard(pool), "canary") == 0)
		skip();
	status = status_of_run_over();
#ifndef SANITIZED
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), sig);
#else
	(void)sig;
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
#endif
	many_interleaved(NULL);
	fiber_pool_free(pool);
}

static void best_guard_faults(void **state)
{
	(void)state;
	expect_guard(NULL, NULL, SIGSEGV);
}

static void mprotect_guard_faults(void **state)
{
	(void)state;
	expect_guard("recv_bundle,guard_install", "mprotect", SIGSEGV);
}

static void canary_is_seen(void **state)
{
	(void)state;
	expect_guard("guard_install guard_mprotect", "canary", SIGABRT);
}

/* Guards that cost mappings stop at half of those that the system allows, and come back. */
static void mprotect_guards_are_limited(void **state)
{
	FILE *f = fopen("/proc/sys/vm/max_map_count", "r");
	unsigned long mappings = 0;
	struct fiber **all;
	int n;

	assert_non_null(f);
	n = fscanf(f, "%lu", &mappings);
	fclose(f);
	if (n != 1 || mappings / 4 >= CROWD || ON_VALGRIND)
		skip();                 /* valgrind has a limit of its own */
	all = calloc(CROWD, sizeof *all);
	assert_non_null(all);
	setenv("MYRIAD_DISABLE", "guard_install", 1);
	pool_setup(state);
	assert_string_equal(fiber_pool_guard(pool), "mprotect");
	for (unsigned i = 0; i < CROWD; i++) {
		all[i] = fiber_new(pool, take_fiber, &all[i]);
		assert_non_null(all[i]);
	}
	assert_string_equal(fiber_pool_guard(pool), "canary");
	for (unsigned i = 0; i < CROWD; i++)
		fiber_free(pool, all[i]);
	pool_teardown(state);
	pool_setup(state);
	assert_string_equal(fiber_pool_guard(pool), "mprotect");
	pool_teardown(state);
	unsetenv("MYRIAD_DISABLE");
	free(all);
}

#define WITH_POOL(f) cmocka_unit_test_setup_teardown(f, pool_setup, pool_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_POOL(runs_only_when_resumed),
		WITH_POOL(many_interleaved),
		WITH_POOL(many_switches),
		WITH_POOL(fiber_inside_fiber),
		WITH_POOL(registers_survive),
		WITH_POOL(rounding_survives),
		WITH_POOL(errno_survives),
		WITH_POOL(stack_is_aligned),
		cmocka_unit_test(thread_locals_stay_true),
		WITH_POOL(whole_stack_is_usable),
		WITH_POOL(free_without_running),
		WITH_POOL(last_in_first_out),
		WITH_POOL(idle_costs_two_pages),
		WITH_POOL(crowd),
		cmocka_unit_test(survives_lack_of_memory),
		cmocka_unit_test(best_guard_faults),
		cmocka_unit_test(mprotect_guard_faults),
		cmocka_unit_test(canary_is_seen),
		cmocka_unit_test(mprotect_guards_are_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
