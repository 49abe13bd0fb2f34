/* SPDX-License-Identifier: MIT
 *
 * test_faults.c - the sweep: each system call of a server made to fail with each error it can return,
 * one at a time, on the real engines.
 *
 *   test_faults [engine [style]]                    all of it, or some
 *   test_faults engine style call number error      one fault again
 *
 * A first run without a fault counts the calls.  Then the first few of each call fail, and the last one:
 * the early ones are the start and the first client, the last is the end.  MYRIAD_SWEEP=full: more.  Some
 * fail wherever they are made, see sites_of(). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engines/test_faults.h"
#include "myriad.h"

#define SITES 2
#define SITES_FULL 12

static const char *const engines[] = { "epoll", "poll", "select", "thread", "fork", "iterative", "io_uring",
                                       "processes" };       /* epoll, with two of them */
#define ENGINES (sizeof engines / sizeof engines[0])

static const char *const styles[] = { "blocking", "callback" };

struct tally {
	unsigned injected, survived;
};

static struct tally tallies[ENGINES];

static struct cell cell_of(unsigned engine, unsigned style)
{
	struct cell c = { .engine = engines[engine], .callback = style == 1 };

	c.in_turn = strcmp(c.engine, "iterative") == 0;
	c.processes = strcmp(c.engine, "processes") == 0;
	if (c.processes)
		c.engine = "epoll";
	return c;
}

static bool engine_works(const char *name)
{
	for (const char *const *e = myr_engines(); *e != NULL; e++)
		if (strcmp(*e, name) == 0)
			return true;
	return false;
}

static void show(const char *name, const struct fault *f, const char *problem)
{
	char fault[80];

	snprintf(fault, sizeof fault, "%s %u %s", fault_call_name(f->call), f->number, fault_error_name(f->error));
	print_message("# %s %s: %s\n#   again: test_faults %s %s\n", name, fault, problem, name, fault);
	scene_show_log();
}

/* What any call may come to that moves bytes or waits: it is made again, and nobody notices.  (No receive falls
 * short of what is there, unless epoll has said so: the client waits for its answer.) */
static bool costs_nobody(const struct fault *f)
{
	if (f->call == CALL_recv && f->error < 0)
		return false;
	if (f->error < 0 || f->error == EINTR)
		return true;
	return f->error == EAGAIN && f->call != CALL_fork && f->call != CALL_pthread_create;
}

static void try_fault(const struct cell *cell, const char *name, const struct fault *f, struct tally *t)
{
	struct verdict v;

	scene_play(cell, f, &v);
	if (!fault_board->injected)
		return;                 /* runs differ a little: this one had fewer calls */
	t->injected++;
	/* One fault costs one client at most, unless nobody could be served from the start. */
	if (v.problem[0] == '\0' && v.victims > (costs_nobody(f) ? 0 : 1) && !v.refused)
		snprintf(v.problem, sizeof v.problem, "one fault, %u clients cut: %s", v.victims, v.cut);
	if (v.problem[0] == '\0')
		t->survived++;
	else
		show(name, f, v.problem);
}

/* The calls of files and of work come in the middle, after others of the same name: these fail at every place. */
static unsigned sites_of(enum fault_call call, unsigned made)
{
	const char *how = getenv("MYRIAD_SWEEP");

	switch (call) {
	case CALL_fstat: case CALL_pread: case CALL_eventfd: case CALL_pthread_create: case CALL_write:
		return made;
	default:
		return how != NULL && strcmp(how, "full") == 0 ? SITES_FULL : SITES;
	}
}

static void try_call(const struct cell *cell, const char *name, enum fault_call call, unsigned made,
                     struct tally *t)
{
	unsigned sites = sites_of(call, made);

	for (const int *error = fault_errors(call); *error != 0; error++)
		for (unsigned n = 1; n <= made; n = n == sites && made > sites ? made : n + 1)
			try_fault(cell, name, &(struct fault){ call, n, *error }, t);
}

/* Without a fault all must be well; how often is each call made? */
static void count_calls(const struct cell *cell, const char *name, unsigned made[FAULT_CALLS])
{
	static const struct fault none;
	struct verdict v;

	scene_play(cell, &none, &v);
	if (v.problem[0] != '\0' || v.victims > 0 || v.refused)
		print_message("# %s, no fault: %s%s\n", name, v.problem, v.cut);
	assert_string_equal(v.problem, "");
	assert_int_equal(v.victims, 0);
	assert_false(v.refused);
	for (unsigned c = 0; c < FAULT_CALLS; c++)
		made[c] = fault_board->made[c];
}

static void sweep(void **state)
{
	unsigned at = (unsigned)(uintptr_t)*state, engine = at / 2, made[FAULT_CALLS];
	struct cell cell = cell_of(engine, at % 2);
	struct tally t = { 0 };
	char name[40];

	if (!engine_works(cell.engine)) {
		print_message("# %s does not work here\n", cell.engine);
		skip();
	}
	if (strcmp(cell.engine, "io_uring") == 0 && !fault_rings())
		print_message("# this kernel cannot inject results: completions of io_uring do not fail\n");
	snprintf(name, sizeof name, "%s %s", engines[engine], styles[at % 2]);
	count_calls(&cell, name, made);
	for (unsigned c = 0; c < FAULT_CALLS; c++)
		if (c < RING_ACCEPT || fault_rings())
			try_call(&cell, name, (enum fault_call)c, made[c], &t);
	tallies[engine].injected += t.injected;
	tallies[engine].survived += t.survived;
	assert_int_not_equal(t.injected, 0);
	assert_int_equal(t.injected, t.survived);
}

/* --- Which ones ---------------------------------------------------------------------------------- */

static int once(unsigned at, char **args)
{
	struct cell cell = cell_of(at / 2, at % 2);
	struct verdict v;
	struct fault f;

	if (!fault_parse(&f, args[0], args[1], args[2])) {
		fprintf(stderr, "test_faults: no such fault\n");
		return 2;
	}
	scene_play(&cell, &f, &v);
	printf("%s; cut: %s%s%s; %s\n", fault_board->injected ? "injected" : "not injected",
	       v.victims > 0 ? v.cut : "nobody", v.refused ? "; refused to start: " : "", fault_board->reason,
	       v.problem[0] != '\0' ? v.problem : "survived");
	scene_show_log();
	return v.problem[0] != '\0';
}

int main(int argc, char **argv)
{
	static char names[ENGINES * 2][40];
	struct CMUnitTest tests[ENGINES * 2];
	size_t n = 0;
	int failed;

	fault_board_map();
	for (unsigned at = 0; at < ENGINES * 2; at++) {
		if ((argc > 1 && strcmp(argv[1], engines[at / 2]) != 0) || (argc > 2 && strcmp(argv[2], styles[at % 2]) != 0))
			continue;
		if (argc == 6)
			return once(at, argv + 3);
		snprintf(names[n], sizeof names[n], "%s %s", engines[at / 2], styles[at % 2]);
		tests[n] = (struct CMUnitTest){ .name = names[n], .test_func = sweep,
		                                .initial_state = (void *)(uintptr_t)at };
		n++;
	}
	if (n == 0) {
		fprintf(stderr, "usage: test_faults [engine [style [call number error]]]\n");
		return 2;
	}
	failed = _cmocka_run_group_tests("faults", tests, n, NULL, NULL);
	for (unsigned e = 0; e < ENGINES; e++)
		if (tallies[e].injected > 0)
			printf("# %s: %u faults injected, %u survived\n", engines[e], tallies[e].injected, tallies[e].survived);
	return failed;
}
