/* SPDX-License-Identifier: MIT
 *
 * test_store_errors.c - addresses that are wrong, files that are none of ours, disks that are full, and servers
 * that only claim to be Redis: each ends in a clear error, and the server goes on. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "stores/keeper.h"

static struct keeper keeper;
static char directory[64];
static pid_t fake;

static int begin(void **state)
{
	(void)state;
	snprintf(directory, sizeof directory, "/tmp/myriad-stores-XXXXXX");
	keeper = (struct keeper){ .engine = "epoll", .workers = 1 };
	return mkdtemp(directory) == NULL;
}

static int end(void **state)
{
	char command[128];

	(void)state;
	keeper_kill(&keeper);
	if (fake > 0) {
		kill(fake, SIGKILL);
		waitpid(fake, NULL, 0);
		fake = 0;
	}
	snprintf(command, sizeof command, "rm -rf %s", directory);
	return system(command);
}

static void refused(const char *store, const char *because)
{
	char said[1024];

	keeper.store = store;
	if (!keeper_refuses(&keeper, said, sizeof said))
		fail_msg("\"%s\" was taken", store);
	if (strstr(said, because) == NULL)
		fail_msg("\"%s\": expected \"%s\", got \"%s\"", store, because, said);
}

static void test_wrong_addresses(void **state)
{
	static const char *const wrong[][2] = {
		{ "", "what is that? Try mem" }, { "memory", "mem takes nothing more" }, { "http://x/y", "what is that?" },
		{ "sqlite:", "which file?" }, { "sqlite:/nowhere/at/all.db", "cannot open" }, { "sqlite:/", "cannot open" },
		{ "redis://", "which key?" }, { "redis://127.0.0.1", "which key?" }, { "redis://127.0.0.1/", "which key?" },
		{ "redis:///list", "which host?" }, { "redis://h/a/b", "the key is not right" },
		{ "redis://h/%zz", "the key is not right" }, { "redis://h/%", "the key is not right" },
		{ "redis://h/%4", "the key is not right" }, { "redis://h/%00", "the key is not right" },
		{ "redis://secret@h/k", "before the @" }, { "redis://127.0.0.1:99999/k", "99999" },
		{ "redis://127.0.0.1:x/k", "redis://127.0.0.1:x/k" }, { "redis+unix:list", "which key?" },
		{ "redis+unix:/list", "which socket?" }, { "redis+unix:/no/such/socket/list", "cannot connect" },
		{ "redis://127.0.0.1:1/list", "connection refused" },
	};
	char key[200], said[1024];

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		refused(wrong[i][0], wrong[i][1]);
	snprintf(key, sizeof key, "redis://h/%0150d", 1);
	refused(key, "the key is not right");
	keeper.store = "redis://:hush-hush@127.0.0.1:1/list";
	assert_true(keeper_refuses(&keeper, said, sizeof said));
	assert_null(strstr(said, "hush"));
}

static const char *file_with(const char *bytes, size_t n)
{
	static char store[128];
	int fd;

	snprintf(store, sizeof store, "sqlite:%s/file", directory);
	fd = open(store + 7, O_CREAT | O_TRUNC | O_WRONLY, 0644);
	assert_int_equal(write(fd, bytes, n), n);
	close(fd);
	return store;
}

static void test_files_that_are_none_of_ours(void **state)
{
	char zeros[4096] = { 0 };
	char command[256];

	(void)state;
	memset(zeros, 'z', sizeof zeros);
	refused(file_with(zeros, sizeof zeros), "file is not a database");
	file_with("", 0);
	snprintf(command, sizeof command, "python3 -c 'import sqlite3; d = sqlite3.connect(\"%s/file\"); "
	         "d.execute(\"CREATE TABLE t (x)\"); d.commit()'", directory);
	assert_int_equal(system(command), 0);
	snprintf(command, sizeof command, "sqlite:%s/file", directory);
	refused(command, "the database of something else");
}

static void ask(const char *request, const char *expected)
{
	char reply[256];

	keeper_ask(&keeper, request, reply, sizeof reply);
	assert_string_equal(reply, expected);
}

static void test_a_file_that_is_removed_is_not_written_to(void **state)
{
	char store[128];

	(void)state;
	snprintf(store, sizeof store, "sqlite:%s/list.db", directory);
	keeper.store = store;
	keeper_start(&keeper);
	ask("+kept", "Ack");
	ask("LIST", "kept");
	assert_int_equal(unlink(store + 7), 0);
	ask("+lost", "error -2");
	ask("LIST", "error -2");
}

static void small_files(void)
{
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 200000, 200000 });
}

static void test_what_does_not_fit_on_the_disk_is_not_acknowledged(void **state)
{
	char store[128], request[8002], reply[64];
	unsigned kept = 0;

	(void)state;
	snprintf(store, sizeof store, "sqlite:%s/list.db", directory);
	memset(request, 'x', sizeof request - 1);
	request[0] = '+';
	request[sizeof request - 1] = '\0';
	keeper.store = store;
	keeper.before = small_files;
	keeper_start(&keeper);
	for (int i = 0; i < 100; i++) {
		keeper_ask(&keeper, request, reply, sizeof reply);
		kept += strcmp(reply, "Ack") == 0;
		assert_true(strcmp(reply, "Ack") == 0 || strncmp(reply, "error -", 7) == 0);
	}
	assert_in_range(kept, 1, 90);
	keeper_kill(&keeper);
	keeper.before = NULL;
	keeper.limits.items = kept + 1;                 /* so many are there, and no more */
	keeper_start(&keeper);
	ask("+last", "Ack");
	ask("+more", "error -28");
}

/* --- What only claims to be Redis ------------------------------------------------------------------------------ */

static void fake_answers(int fd, const char *reply)
{
	char in[4096];
	ssize_t n;

	while ((n = recv(fd, in, sizeof in - 1, 0)) > 0) {
		const char *say = reply;

		in[n] = '\0';
		if (strstr(in, "TYPE") != NULL)
			say = "+none\r\n";
		else if (strstr(in, "LLEN") != NULL)
			say = ":2\r\n";
		if (say == NULL)
			return;                         /* the connection ends */
		while (send(fd, say, strlen(say), MSG_NOSIGNAL) > 0 && say == reply && strcmp(say, "$ENDLESS ") == 0)
			;
	}
}

static const char *fake_redis(const char *reply)
{
	static char store[64];
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	fflush(NULL);
	fake = fork();
	assert_true(fake >= 0);
	for (int c; fake == 0 && (c = accept(fd, NULL, NULL)) >= 0; close(c))
		fake_answers(c, reply);
	if (fake == 0)
		_exit(0);
	close(fd);
	snprintf(store, sizeof store, "redis://127.0.0.1:%d/list", ntohs(a.sin_port));
	return store;
}

static void answers(const char *reply, const char *to_append, const char *to_list)
{
	keeper.store = fake_redis(reply);
	keeper_start(&keeper);
	for (int i = 0; i < 2; i++) {
		ask("+item", to_append);
		ask("LIST", to_list);
	}
	keeper_kill(&keeper);
	kill(fake, SIGKILL);
	waitpid(fake, NULL, 0);
	fake = 0;
}

/* -121 is EREMOTEIO: in doubt. */
static void test_replies_that_are_wrong(void **state)
{
	(void)state;
	answers("-ERR no\r\n", "error -5", "error -5");
	answers("-NOAUTH Authentication required.\r\n", "error -13", "error -13");
	answers("-LOADING Redis is loading\r\n", "error -11", "error -11");
	answers("-OOM command not allowed\r\n", "error -28", "error -28");
	answers("-READONLY You can't write\r\n", "error -30", "error -30");
	answers("-WRONGTYPE Operation\r\n", "error -22", "error -22");
	answers("+OK\r\n", "error -121", "error -71");
	answers("$-1\r\n", "error -121", "error -71");
	answers("*-1\r\n", "error -121", "error -71");
	answers("$5\r\nhello\r\n", "error -121", "error -71");
	answers("HTTP/1.1 400 Bad Request\r\n\r\n", "error -121", "error -71");
	answers(":99999999999999999999999999\r\n", "error -121", "error -71");
	answers("$99999999999999999999999\r\n", "error -121", "error -71");
	answers("*2147483647\r\n*2147483647\r\n", "error -121", "error -71");
	answers("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", "error -121", "error -71");
	answers("*2\r\n:1\r\n:2\r\n", "error -121", "error -71");
	answers("*2\r\n$1\r\na\r\n-ERR\r\n", "error -121", "a");
	answers(":1\r\n:2\r\n", "error -121", "error -71");
	answers("*1\r\n$1\r\na\r\n", "error -121", "a");
	answers(NULL, "error -121", "error -104");
}

static void test_replies_without_end(void **state)
{
	(void)state;
	answers("$ENDLESS ", "error -121", "error -90");
	keeper.store = fake_redis("$2000000000\r\n");
	keeper_start(&keeper);
	ask("+item", "error -121");             /* after REDIS_REPLY_MS */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_wrong_addresses),
		TEST(test_files_that_are_none_of_ours),
		TEST(test_a_file_that_is_removed_is_not_written_to),
		TEST(test_what_does_not_fit_on_the_disk_is_not_acknowledged),
		TEST(test_replies_that_are_wrong),
		TEST(test_replies_without_end),
	};

	return cmocka_run_group_tests_name("store_errors", tests, NULL, NULL);
}
