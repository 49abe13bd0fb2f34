/* SPDX-License-Identifier: MIT
 *
 * test_store_errors.c - addresses that are wrong, files that are none of ours or locked, disks that are full, and
 * servers that only claim to be Redis: each ends in a clear error, and the server goes on. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/sqlite_file.h"
#include "stores/keeper.h"

static struct keeper keeper, more[3];
static char directory[64];
static pid_t fake;
static sqlite3 *locker;                 /* another program that writes to the same file */

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
	for (unsigned i = 0; i < sizeof more / sizeof *more; i++)
		keeper_kill(&more[i]);
	sqlite3_close(locker);
	locker = NULL;
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
	ask("+more", "error -122");
}

/* --- A file that another program writes to -------------------------------------------------------------------- */

#define CLIENTS 12

static const char *list_file(void)
{
	static char store[128];

	snprintf(store, sizeof store, "sqlite:%s/list.db", directory);
	return store;
}

static void lock(void)
{
	assert_int_equal(sqlite3_open(list_file() + 7, &locker), SQLITE_OK);
	assert_int_equal(sqlite3_exec(locker, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
}

static void unlock(void)
{
	assert_int_equal(sqlite3_exec(locker, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
}

static int kept(const char *what)
{
	sqlite3_stmt *s;
	int n;

	assert_int_equal(sqlite3_prepare_v2(locker, what, -1, &s, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(s), SQLITE_ROW);
	n = sqlite3_column_int(s, 0);
	sqlite3_finalize(s);
	return n;
}

/* A client that has asked for an item of n bytes to be kept, and does not wait for the reply yet. */
static int ask_for(const struct keeper *k, size_t n)
{
	static char item[STORE_ITEM_MAX];
	const struct timeval patience = { .tv_sec = 30 };
	int fd = keeper_dial(k);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	memset(item, 'x', n);
	assert_int_equal(send(fd, "+", 1, MSG_NOSIGNAL), 1);
	assert_int_equal(send(fd, item, n, MSG_NOSIGNAL), n);
	assert_int_equal(send(fd, "\n", 1, MSG_NOSIGNAL), 1);
	return fd;
}

static void is_told(int fd, const char *expected)
{
	char reply[64];
	size_t n = 0;

	while (n + 1 < sizeof reply && recv(fd, reply + n, 1, 0) == 1 && reply[n] != '\n')
		n++;
	reply[n] = '\0';
	assert_string_equal(reply, expected);
	close(fd);
}

static void assert_silent(int fd)
{
	assert_int_equal(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0), 0);
}

static void start_on_the_list(struct keeper *k, const char *engine, unsigned workers, enum myr_workers are)
{
	*k = (struct keeper){ .engine = engine, .workers = workers, .are = are, .store = list_file() };
	keeper_start(k);
}

static void test_a_locked_file_answers_all_after_one_wait(void **state)
{
	struct keeper *of[] = { &keeper, &more[0], &more[1], &more[2] };
	int fd[4][CLIENTS];
	struct timespec from, to;

	(void)state;
	start_on_the_list(&keeper, "epoll", 1, MYR_THREADS);
	start_on_the_list(&more[0], "thread", 1, MYR_THREADS);
	start_on_the_list(&more[1], "fork", 1, MYR_PROCESSES);
	start_on_the_list(&more[2], "epoll", 3, MYR_PROCESSES);
	lock();
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int k = 0; k < 4; k++)
		for (int i = 0; i < CLIENTS; i++)
			fd[k][i] = ask_for(of[k], 1);
	for (int k = 0; k < 4; k++)
		for (int i = 0; i < CLIENTS; i++)
			is_told(fd[k][i], "error -16");
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_true((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 < 2 * SQLITE_BUSY_MS);
	unlock();
	for (int k = 0; k < 4; k++)
		is_told(ask_for(of[k], 1), "Ack");
	assert_int_equal(kept("SELECT count(*) FROM list"), 4);
}

static void test_a_locked_file_holds_up_nobody_who_reads(void **state)
{
	int fd[CLIENTS];

	(void)state;
	start_on_the_list(&keeper, "epoll", 1, MYR_THREADS);
	lock();
	for (int i = 0; i < CLIENTS; i++)
		fd[i] = ask_for(&keeper, 1);
	ask("LIST", ".");
	for (int i = 0; i < CLIENTS; i++)
		assert_silent(fd[i]);
	unlock();
	for (int i = 0; i < CLIENTS; i++)
		is_told(fd[i], "Ack");
	assert_int_equal(kept("SELECT items FROM total"), CLIENTS);
}

static void test_all_is_kept_when_more_waits_than_one_transaction_takes(void **state)
{
	enum { MANY = 40 };
	int fd[MANY];

	(void)state;
	start_on_the_list(&keeper, "epoll", 1, MYR_THREADS);
	lock();
	for (int i = 0; i < MANY; i++)
		fd[i] = ask_for(&keeper, STORE_ITEM_MAX - 1);
	ask("LIST", ".");                       /* by then all of it has been read */
	unlock();
	for (int i = 0; i < MANY; i++)
		is_told(fd[i], "Ack");
	assert_int_equal(kept("SELECT items FROM total"), MANY);
	assert_int_equal(kept("SELECT count(*) FROM list"), MANY);
}

/* Two have a thread that waits for them, as its result points to them: their items are kept. */
static void test_what_a_client_asked_who_left_while_the_file_was_locked_is_taken_back(void **state)
{
	int fd[CLIENTS], late;

	(void)state;
	start_on_the_list(&keeper, "epoll", 1, MYR_THREADS);
	lock();
	for (int i = 0; i < CLIENTS; i++)
		fd[i] = ask_for(&keeper, 1);
	ask("LIST", ".");
	for (int i = 1; i < CLIENTS; i += 2) {
		setsockopt(fd[i], SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
		close(fd[i]);
	}
	ask("LIST", ".");                       /* by then it has seen them go */
	late = ask_for(&keeper, 1);
	ask("LIST", ".");
	unlock();
	for (int i = 0; i < CLIENTS; i += 2)
		is_told(fd[i], "Ack");
	is_told(late, "Ack");
	assert_in_range(kept("SELECT count(*) FROM list"), CLIENTS / 2 + 1, CLIENTS / 2 + 3);
	assert_int_equal(kept("SELECT items FROM total"), kept("SELECT count(*) FROM list"));
	keeper_drain(&keeper);
	assert_int_equal(keeper_wait(&keeper), 0);
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
	answers("-OOM command not allowed\r\n", "error -12", "error -12");
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
		TEST(test_a_locked_file_answers_all_after_one_wait),
		TEST(test_a_locked_file_holds_up_nobody_who_reads),
		TEST(test_all_is_kept_when_more_waits_than_one_transaction_takes),
		TEST(test_what_a_client_asked_who_left_while_the_file_was_locked_is_taken_back),
		TEST(test_replies_that_are_wrong),
		TEST(test_replies_without_end),
	};

	return cmocka_run_group_tests_name("store_errors", tests, NULL, NULL);
}
