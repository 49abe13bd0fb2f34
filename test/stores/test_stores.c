/* SPDX-License-Identifier: MIT
 *
 * test_stores.c - many add to a list at the same time, and something dies in the middle: what was acknowledged
 * is in the list once, whatever the engine and the kind of store.
 *
 * Arguments: STORE ENGINE WORKERS, workers as in the matrix: "3" are threads, "3p" processes. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "stores/keeper.h"

static struct {
	const char *kind;
	unsigned items, clients;
	char directory[64], store[128];
	struct keeper keeper, other;
	pid_t redis;
} the;

/* --- A Redis of our own ------------------------------------------------------------------------------------ */

static bool redis_is_ready(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	char reply[8] = "";
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ready;

	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	ready = connect(fd, (struct sockaddr *)&a, sizeof a) == 0 && send(fd, "PING\r\n", 6, MSG_NOSIGNAL) == 6 &&
		recv(fd, reply, sizeof reply - 1, 0) > 0 && reply[0] == '+';
	close(fd);
	return ready;
}

static void redis_start(void)
{
	char socket[96];

	snprintf(socket, sizeof socket, "%s/socket", the.directory);
	fflush(NULL);
	the.redis = fork();
	assert_true(the.redis >= 0);
	if (the.redis == 0) {
		dup2(open("/dev/null", O_RDWR), 1);
		execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", socket, "--dir", the.directory,
		       "--appendonly", "yes", "--appendfsync", "always", "--save", "", (char *)NULL);
		_exit(127);
	}
	for (int ms = 0; ms < 20000 && !redis_is_ready(socket); ms += 5)
		usleep(5000);
	assert_true(redis_is_ready(socket));
}

static void redis_kill(void)
{
	if (the.redis > 0) {
		kill(the.redis, SIGKILL);
		waitpid(the.redis, NULL, 0);
	}
	the.redis = 0;
}

/* --- What dies in the middle ------------------------------------------------------------------------------- */

static bool dies_alone(void)
{
	return strcmp(the.keeper.engine, "fork") == 0 || the.keeper.are == MYR_PROCESSES;
}

/* The process that serves one client: a child under fork, a worker with process workers. */
static void kill_a_process(struct crowd *c)
{
	unsigned first = c->happened * 7 % c->clients;

	for (unsigned n = 0; dies_alone() && n < c->clients; n++) {
		pid_t who = c->who[(first + n) % c->clients];

		assert_int_not_equal(who, the.keeper.pid);
		if (who != 0 && kill(who, SIGKILL) == 0)        /* else between two connections, or just killed */
			return;
	}
	assert_false(dies_alone());
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

static void restart_redis(struct crowd *c)
{
	(void)c;
	redis_kill();
	redis_start();
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

static void test_kill_9_of_the_whole_server_loses_nothing_acknowledged(void **state)
{
	struct crowd c = crowd_of(the.items / 2, 3, restart_the_server);

	(void)state;
	keeper_start(&the.keeper);
	crowd_run(&c);
	assert_int_equal(c.refused, 0);
	crowd_check(&c, &the.keeper);
	crowd_free(&c);
}

static void test_a_drain_loses_nothing_acknowledged(void **state)
{
	struct crowd c = crowd_of(the.items / 2, 1, drain_the_server);

	(void)state;
	c.window = 1;                           /* so that handlers wait with nothing to do, and are told */
	keeper_start(&the.keeper);
	crowd_run(&c);
	assert_in_range(c.kept, 1, c.clients * c.each - 1);
	assert_int_equal(keeper_wait(&the.keeper), 0);
	keeper_start(&the.keeper);
	crowd_check(&c, &the.keeper);
	crowd_free(&c);
}

static void test_two_servers_see_one_list(void **state)
{
	char reply[64];

	(void)state;
	the.other = the.keeper;
	keeper_start(&the.keeper);
	keeper_start(&the.other);
	for (int i = 0; i < 20; i++) {
		keeper_ask(i % 2 ? &the.keeper : &the.other, "+one list", reply, sizeof reply);
		assert_string_equal(reply, "Ack");
	}
	keeper_ask(&the.keeper, "LIST", reply, sizeof reply);
	assert_string_equal(reply, "one list");
	keeper_ask(&the.other, "CLEAR", reply, sizeof reply);
	assert_string_equal(reply, "Ack");
	keeper_ask(&the.keeper, "LIST", reply, sizeof reply);
	assert_string_equal(reply, ".");
}

static void test_a_limit_of_items_is_told(void **state)
{
	char reply[64];

	(void)state;
	the.keeper.limits.items = 2;
	keeper_start(&the.keeper);
	for (int i = 0; i < 4; i++) {
		keeper_ask(&the.keeper, "+x", reply, sizeof reply);
		assert_string_equal(reply, i < 2 ? "Ack" : "error -122");
	}
	keeper_ask(&the.keeper, "CLEAR", reply, sizeof reply);
	keeper_ask(&the.keeper, "+x", reply, sizeof reply);
	assert_string_equal(reply, "Ack");
}

static void test_a_redis_that_is_restarted_loses_nothing_acknowledged(void **state)
{
	struct crowd c = crowd_of(the.items / 2, 2, restart_redis);

	(void)state;
	keeper_start(&the.keeper);
	crowd_run(&c);
	assert_in_range(c.refused, 1, the.items / 4);   /* those that Redis did not answer */
	crowd_check(&c, &the.keeper);
	crowd_free(&c);
}

/* --- Each test has a fresh place ------------------------------------------------------------------------------ */

static int begin(void **state)
{
	(void)state;
	snprintf(the.directory, sizeof the.directory, "/tmp/myriad-stores-XXXXXX");
	if (mkdtemp(the.directory) == NULL)
		return -1;
	snprintf(the.store, sizeof the.store, "%s", "mem");
	if (strcmp(the.kind, "sqlite") == 0)
		snprintf(the.store, sizeof the.store, "sqlite:%s/list.db", the.directory);
	if (strcmp(the.kind, "redis") != 0)
		return 0;
	snprintf(the.store, sizeof the.store, "redis+unix:%s/socket/list", the.directory);
	redis_start();
	return 0;
}

static int end(void **state)
{
	char command[128];

	(void)state;
	keeper_kill(&the.keeper);
	keeper_kill(&the.other);
	the.keeper.limits = (struct store_limits){ 0 };
	redis_kill();
	snprintf(command, sizeof command, "rm -rf %s", the.directory);
	return system(command);
}

static bool works_here(const char *engine)
{
	for (const char *const *e = myr_engines(); *e != NULL; e++)
		if (strcmp(*e, engine) == 0)
			return true;
	return false;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

#define OF_EVERY_STORE \
	TEST(test_many_at_once_none_lost_none_doubled), \
	TEST(test_a_limit_of_items_is_told)
/* What mem holds ends with its server, and is that server's alone: that is what it is. */
#define OF_STORES_THAT_LAST \
	TEST(test_kill_9_of_the_whole_server_loses_nothing_acknowledged), \
	TEST(test_a_drain_loses_nothing_acknowledged), \
	TEST(test_two_servers_see_one_list)
#define OF_STORES_IN_A_SERVER \
	TEST(test_a_redis_that_is_restarted_loses_nothing_acknowledged)

static int run_what_holds(void)
{
	const struct CMUnitTest mem[] = { OF_EVERY_STORE };
	const struct CMUnitTest sqlite[] = { OF_EVERY_STORE, OF_STORES_THAT_LAST };
	const struct CMUnitTest redis[] = { OF_EVERY_STORE, OF_STORES_THAT_LAST, OF_STORES_IN_A_SERVER };

	if (strcmp(the.kind, "mem") == 0)
		return cmocka_run_group_tests_name("stores", mem, NULL, NULL);
	if (strcmp(the.kind, "sqlite") == 0)
		return cmocka_run_group_tests_name("stores", sqlite, NULL, NULL);
	return cmocka_run_group_tests_name("stores", redis, NULL, NULL);
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: test_stores mem|sqlite|redis ENGINE WORKERS\n");
		return 2;
	}
	the.kind = argv[1];
	if (strcmp(the.kind, "redis") == 0 && system("command -v redis-server >/dev/null") != 0) {
		printf("1..0 # SKIP redis-server is not installed\n");
		return 0;
	}
	if (!works_here(argv[2])) {
		printf("1..0 # SKIP the engine %s does not work here\n", argv[2]);
		return 0;
	}
	the.clients = 64;
	the.items = strcmp(the.kind, "mem") == 0 ? 100000 : 5000;
	the.keeper = (struct keeper){ .engine = argv[2], .workers = (unsigned)atoi(argv[3]), .store = the.store,
	                              .are = strchr(argv[3], 'p') != NULL ? MYR_PROCESSES : MYR_THREADS };
	return run_what_holds();
}
