/* SPDX-License-Identifier: MIT
 *
 * test_stores.c - many add to a list at the same time, and something dies in the middle: what was acknowledged
 * is in the list once, whatever the engine and the kind of store.
 *
 * Arguments: STORE ENGINE WORKERS, workers as in the matrix: "3" are threads, "3p" processes. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "stores/keeper.h"

static struct {
	const char *kind;
	unsigned items, clients;
	char directory[64], store[128];
	struct keeper keeper, other;
} the;

/* --- What dies in the middle ------------------------------------------------------------------------------- */

static bool dies_alone(void)
{
	return strcmp(the.keeper.engine, "fork") == 0 || the.keeper.are == MYR_PROCESSES;
}

/* The process that serves one client: a child under fork, a worker with process workers. */
static void kill_a_process(struct crowd *c)
{
	for (unsigned i = c->happened * 7 % c->clients; dies_alone(); i = (i + 1) % c->clients) {
		if (c->who[i] == 0)
			continue;               /* between two connections; not all are */
		assert_int_not_equal(c->who[i], the.keeper.pid);
		assert_int_equal(kill(c->who[i], SIGKILL), 0);
		return;
	}
}

static void restart_the_server(struct crowd *c)
{
	(void)c;
	keeper_kill(&the.keeper);
	keeper_start(&the.keeper);
}

static void drain_the_server(struct crowd *c)
{
	c->give_up = true;
	keeper_drain(&the.keeper);
}

static struct crowd crowd_of(unsigned items, unsigned events, void (*event)(struct crowd *))
{
	return (struct crowd){ .keeper = &the.keeper, .clients = the.clients, .each = items / the.clients, .window = 16,
	                       .events = events, .event = event };
}

static void test_many_at_once_none_lost_none_doubled(void **state)
{
	struct crowd c = crowd_of(the.items, 3, kill_a_process);

	(void)state;
	keeper_start(&the.keeper);
	crowd_run(&c);
	assert_int_equal(c.refused, 0);
	if (dies_alone())
		assert_true(c.in_doubt <= the.clients * 3 * c.window);
	else
		assert_int_equal(c.in_doubt, 0);
	crowd_check(&c, &the.keeper);
	keeper_drain(&the.keeper);
	assert_int_equal(keeper_wait(&the.keeper), 0);
	crowd_free(&c);
}

static int end_keepers(void **state)
{
	(void)state;
	keeper_kill(&the.keeper);
	keeper_kill(&the.other);
	return 0;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_many_at_once_none_lost_none_doubled, end_keepers),
	};
	(void)argc;
	(void)restart_the_server, (void)drain_the_server;
	the.kind = argv[1];
	the.clients = 64;
	the.items = strcmp(the.kind, "mem") == 0 ? 100000 : 5000;
	the.keeper = (struct keeper){ .engine = argv[2], .workers = (unsigned)atoi(argv[3]),
		.are = strchr(argv[3], 'p') ? MYR_PROCESSES : MYR_THREADS, .store = argv[1] };
	return cmocka_run_group_tests_name("stores", tests, NULL, NULL);
}
