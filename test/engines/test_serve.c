/* SPDX-License-Identifier: MIT
 *
 * test_serve.c - servers under every engine, with workers of every kind: service, drain, cut, crash,
 * tells, limits, and nothing left over. */
#include <sys/un.h>

#include "base/sys.h"
#include "serving.h"

static const struct shape shapes[] = {
	{ "io_uring", 1, MYR_THREADS },  { "io_uring", 3, MYR_THREADS },  { "io_uring", 3, MYR_PROCESSES },
	{ "epoll", 1, MYR_THREADS },     { "epoll", 3, MYR_THREADS },     { "epoll", 3, MYR_PROCESSES },
	{ "poll", 1, MYR_THREADS },      { "poll", 3, MYR_THREADS },      { "select", 3, MYR_PROCESSES },
	{ "select", 1, MYR_THREADS },    { "thread", 1, MYR_THREADS },    { "thread", 3, MYR_THREADS },
	{ "thread", 3, MYR_PROCESSES },  { "fork", 1, MYR_THREADS },      { "fork", 3, MYR_PROCESSES },
};

#define SHAPES (sizeof shapes / sizeof shapes[0])

static void everywhere(void (*scenario)(const struct shape *))
{
	for (size_t i = 0; i < SHAPES; i++)
		if (works(shapes[i].engine))
			scenario(&shapes[i]);
}

/* --- Echo ---------------------------------------------------------------------------------------- */

static void echo_handle(struct myr_conn *c)
{
	char buf[512];
	ssize_t n;

	while ((n = myr_read(c, buf, sizeof buf)) > 0)
		myr_write(c, buf, (size_t)n);
}

static size_t echo_data(struct myr_conn *c, const void *p, size_t n)
{
	myr_write(c, p, n);
	return n;
}

static const struct myr_service echo_blocking = { .name = "echo", .handle = echo_handle };
static const struct myr_service echo_callback = { .name = "echo", .on_data = echo_data };

static void echo_clients(unsigned n, bool at_once)
{
	int fds[64];
	char text[32];

	assert_true(n <= 64);
	for (unsigned i = 0; i < n; i++) {
		fds[i] = dial();
		snprintf(text, sizeof text, "client %u", i);
		say(fds[i], text);
		if (at_once)
			continue;
		expect(fds[i], text);
		shutdown(fds[i], SHUT_WR);
		expect_end(fds[i]);
	}
	for (unsigned i = 0; at_once && i < n; i++) {
		snprintf(text, sizeof text, "client %u", i);
		expect(fds[i], text);
		shutdown(fds[i], SHUT_WR);
		expect_end(fds[i]);
	}
}

static void check_echo(const struct shape *shape, const struct myr_service *service, bool at_once)
{
	const struct report *r;

	serve(shape, service);
	assert_true(serving.port > 0);
	echo_clients(24, at_once);
	stop_serving();
	r = served();
	assert_int_equal(r->run, 0);
	assert_int_equal(r->stats.accepted, 24);
	assert_int_equal(r->stats.conns_open, 0);
	assert_int_equal(r->stats.refused, 0);
	assert_true(r->stats.bytes_in > 0);
	assert_int_equal(r->stats.bytes_in, r->stats.bytes_out);
}

static void echo_both(const struct shape *shape)
{
	check_echo(shape, &echo_blocking, true);
	check_echo(shape, &echo_callback, true);
}

static void test_echo_everywhere(void **state)
{
	const struct shape one = { "iterative", 1, MYR_THREADS }, two = { "iterative", 2, MYR_PROCESSES };

	(void)state;
	everywhere(echo_both);
	check_echo(&one, &echo_blocking, false);
	check_echo(&one, &echo_callback, false);
	check_echo(&two, &echo_blocking, false);
}

/* One connection after the other: the second is served when the first has ended. */
static void test_iterative_serves_in_turn(void **state)
{
	const struct shape one = { "iterative", 1, MYR_THREADS };
	int a, b;

	(void)state;
	serve(&one, &echo_blocking);
	a = dial();
	say(a, "a");
	expect(a, "a");
	b = dial();
	say(b, "b");
	assert_true(is_silent(b, 50));
	close(a);
	expect(b, "b");
	close(b);
	stop_serving();
	assert_int_equal(served()->run, 0);
}

/* --- Stopping ------------------------------------------------------------------------------------ */

static void polite_handle(struct myr_conn *c)
{
	char buf[64];
	ssize_t n;

	myr_printf(c, "hello\n");
	while ((n = myr_read(c, buf, sizeof buf)) > 0)
		myr_write(c, buf, (size_t)n);
	if (n == MYR_STOP)
		myr_printf(c, "good-bye\n");
}

static void polite_open(struct myr_conn *c)
{
	myr_printf(c, "hello\n");
}

static void polite_stop(struct myr_conn *c)
{
	myr_printf(c, "good-bye\n");
	myr_close(c);
}

static const struct myr_service polite_blocking = { .name = "polite", .handle = polite_handle };
static const struct myr_service polite_callback = { .name = "polite", .on_open = polite_open, .on_stop = polite_stop };

static void check_drain(const struct shape *shape, const struct myr_service *service)
{
	int fds[9];

	serve(shape, service);
	for (int i = 0; i < 9; i++) {
		fds[i] = dial();
		expect(fds[i], "hello\n");
	}
	stop_serving();
	for (int i = 0; i < 9; i++)
		expect(fds[i], "good-bye\n");
	for (int i = 0; i < 9; i++)
		expect_end(fds[i]);
	assert_int_equal(served()->run, 0);
}

static void drain_both(const struct shape *shape)
{
	check_drain(shape, &polite_blocking);
	check_drain(shape, &polite_callback);
}

static void test_drain_lets_handlers_say_goodbye(void **state)
{
	(void)state;
	everywhere(drain_both);
}

static void stubborn_handle(struct myr_conn *c)
{
	char buf[64];
	ssize_t n;
	int told = 0;

	myr_printf(c, "hello\n");
	while ((n = myr_read(c, buf, sizeof buf)) > 0 || (n == MYR_STOP && told++ == 0))
		;
}

static void ignore_stop(struct myr_conn *c)
{
	(void)c;
}

static const struct myr_service stubborn_blocking = { .name = "stubborn", .handle = stubborn_handle };
static const struct myr_service stubborn_callback = { .name = "stubborn", .on_open = polite_open,
                                                      .on_stop = ignore_stop };

static void check_cut(const struct shape *shape, const struct myr_service *service, bool twice)
{
	const struct report *r;
	int fds[5];

	if (!twice)
		serving.config.drain_ms = 50;
	serve(shape, service);
	for (int i = 0; i < 5; i++) {
		fds[i] = dial();
		expect(fds[i], "hello\n");
	}
	stop_serving();
	if (twice) {
		assert_true(is_silent(fds[0], 20));
		stop_serving();
	}
	for (int i = 0; i < 5; i++)
		expect_reset(fds[i]);
	r = served();
	assert_int_equal(r->run, 5);
	assert_int_equal(r->stats.cut, 5);
}

static void cut_all(const struct shape *shape)
{
	check_cut(shape, &stubborn_blocking, false);
	check_cut(shape, &stubborn_callback, false);
	check_cut(shape, &stubborn_blocking, true);
}

static void test_cut_at_the_deadline_or_the_second_stop(void **state)
{
	(void)state;
	everywhere(cut_all);
}

static void stopper_handle(struct myr_conn *c)
{
	char buf[64];

	myr_printf(c, "hello\n");
	while (myr_read(c, buf, sizeof buf) > 0)
		myr_server_stop(myr_server_of(c));
}

static void stop_from_handler(const struct shape *shape)
{
	static const struct myr_service stopper = { .name = "stopper", .handle = stopper_handle };
	int a, b;

	serve(shape, &stopper);
	a = dial();
	expect(a, "hello\n");
	b = dial();
	expect(b, "hello\n");
	say(b, "stop");
	expect_end(a);
	expect_end(b);
	assert_int_equal(served()->run, 0);
}

static void test_a_handler_stops_the_server(void **state)
{
	(void)state;
	everywhere(stop_from_handler);
}

static void test_stop_before_run(void **state)
{
	struct myr_server *v;

	(void)state;
	assert_int_equal(myr_server_new(&v, NULL), 0);
	assert_int_equal(myr_server_add(v, &echo_callback, "tcp:127.0.0.1:0", NULL), 0);
	myr_server_stop(v);
	assert_int_equal(myr_server_run(v), 0);
	assert_int_equal(myr_server_run(v), -EBUSY);
	myr_server_free(v);
}

static void busy_handle(struct myr_conn *c)
{
	alarm(20);
	myr_printf(c, "busy\n");
	myr_flush(c);
	for (;;)
		pause();
}

/* A handler that hears nothing: its process is killed, its thread is left behind, and the server ends. */
static void test_deaf_handlers_do_not_keep_the_server(void **state)
{
	static const struct myr_service busy = { .name = "busy", .handle = busy_handle };
	static const struct shape deaf[] = { { "fork", 1, MYR_THREADS }, { "fork", 2, MYR_PROCESSES },
	                                     { "epoll", 2, MYR_PROCESSES } };
	const struct shape thread = { "thread", 1, MYR_THREADS };
	int fd, status;

	(void)state;
	for (size_t i = 0; i < sizeof deaf / sizeof deaf[0]; i++) {
		serving.config.drain_ms = 20;
		serve(&deaf[i], &busy);
		fd = dial();
		expect(fd, "busy\n");
		stop_serving();
		expect_gone(fd);
		assert_int_equal(served()->run, 1);
	}
	serving.config.drain_ms = 20;
	serve(&thread, &busy);
	fd = dial();
	expect(fd, "busy\n");
	stop_serving();
	await_log("left behind");
	assert_int_equal(waitpid(serving.pid, &status, 0), serving.pid);
	serving.pid = 0;
	assert_int_equal(serving.shared->report.run, 1);
	expect_gone(fd);
}

/* --- Crashes ------------------------------------------------------------------------------------- */

static void fragile_handle(struct myr_conn *c)
{
	char buf[64];
	ssize_t n;

	while ((n = myr_read(c, buf, sizeof buf)) > 0) {
		if (buf[0] == '!') {
			signal(SIGSEGV, SIG_DFL);
			raise(SIGSEGV);
		}
		if (buf[0] == 'p')
			myr_printf(c, "%d\n", (int)getpid());
		else
			myr_write(c, buf, (size_t)n);
	}
}

static const struct myr_service fragile = { .name = "fragile", .handle = fragile_handle };

static void test_crash_in_a_forked_child_hurts_nobody_else(void **state)
{
	static const struct shape forks[] = { { "fork", 1, MYR_THREADS }, { "fork", 2, MYR_PROCESSES } };
	int a, b, c;

	(void)state;
	for (int i = 0; i < 2; i++) {
		serve(&forks[i], &fragile);
		a = dial();
		b = dial();
		say(a, "a");
		expect(a, "a");
		say(b, "!");
		expect_gone(b);
		await_log("fragile serving 127.0.0.1:");
		await_log("killed by signal 11");
		say(a, "still here");
		expect(a, "still here");
		c = dial();
		say(c, "c");
		expect(c, "c");
		close(a);
		close(c);
		stop_serving();
		assert_int_equal(served()->run, 0);
	}
}

static pid_t ask_pid(int fd)
{
	char line[32];

	say(fd, "p");
	expect_line(fd, line, sizeof line);
	return atoi(line);
}

static void crash_a_worker(const struct shape *shape)
{
	int fds[12];
	pid_t pids[12];
	const struct report *r;

	if (shape->are != MYR_PROCESSES || strcmp(shape->engine, "fork") == 0)
		return;
	serve(shape, &fragile);
	for (int i = 0; i < 12; i++) {
		fds[i] = dial();
		pids[i] = ask_pid(fds[i]);
	}
	kill(pids[0], SIGSTOP);                 /* so that some wait in its queue when it dies */
	for (int i = 1; i < 12; i++)
		if (pids[i] != pids[0])
			assert_int_equal(ask_pid(fds[i]), pids[i]);
	for (int i = 0; i < 12; i++)
		if (pids[i] == pids[0])
			close(fds[i]);
	for (int i = 0; i < 12; i++)
		if (pids[i] == pids[0])
			fds[i] = dial();
	kill(pids[0], SIGKILL);
	await_log("killed by signal 9");
	for (int i = 0; i < 12; i++) {
		assert_int_not_equal(ask_pid(fds[i]), pids[0]);
		close(fds[i]);
	}
	stop_serving();
	r = served();
	assert_int_equal(r->run, 0);
	assert_int_equal(r->stats.conns_open, 0);
}

static void test_a_crashed_worker_is_replaced(void **state)
{
	(void)state;
	everywhere(crash_a_worker);
}

/* Workers whose supervisor is gone drain by themselves, and so do forked children. */
static void orphan(const struct shape *shape)
{
	int fds[6];

	if (shape->are != MYR_PROCESSES && strcmp(shape->engine, "fork") != 0)
		return;
	serve(shape, &polite_blocking);
	for (int i = 0; i < 6; i++) {
		fds[i] = dial();
		expect(fds[i], "hello\n");
	}
	kill(serving.pid, SIGKILL);
	waitpid(serving.pid, NULL, 0);
	serving.pid = 0;
	for (int i = 0; i < 6; i++) {
		expect(fds[i], "good-bye\n");
		expect_end(fds[i]);
	}
}

static void test_orphans_drain(void **state)
{
	(void)state;
	everywhere(orphan);
}

/* --- start and stop ------------------------------------------------------------------------------ */

static int counting_start(struct myr_loop *l, void *arg)
{
	struct board_of_test *b = serving.shared;

	(void)l;
	atomic_fetch_add(&b->counters[0], 1);
	return arg != NULL && atomic_load(&b->counters[0]) >= *(int *)arg ? -EDOM : 0;
}

static void counting_stop(struct myr_loop *l, void *arg)
{
	(void)l;
	(void)arg;
	atomic_fetch_add(&serving.shared->counters[1], 1);
}

static const struct myr_service counting = { .name = "counting", .on_data = echo_data, .start = counting_start,
                                             .stop = counting_stop };

static void start_and_stop(const struct shape *shape)
{
	struct board_of_test *b;

	serve(shape, &counting);
	echo_clients(3, true);
	b = serving.shared;
	stop_serving();
	await_counter(1, (int)shape->workers);
	assert_int_equal(atomic_load(&b->counters[0]), shape->workers);
	assert_int_equal(atomic_load(&b->counters[1]), shape->workers);
	assert_int_equal(served()->run, 0);
}

static void failing_start(const struct shape *shape)
{
	int last = (int)shape->workers;
	const struct report *r;

	serving.arg = &last;
	serve(shape, &counting);
	r = served();
	assert_int_equal(r->run, -EDOM);
	assert_non_null(strstr(r->reason, "counting"));
	assert_int_equal(r->stats.accepted, 0);
}

static void test_start_and_stop_run_once_in_each_worker(void **state)
{
	(void)state;
	everywhere(start_and_stop);
	everywhere(failing_start);
}

/* --- Tells --------------------------------------------------------------------------------------- */

/* Many at once: none is lost as long as the mailboxes have room. */
static int tell_burst(struct myr_conn *c, myr_id to, int n)
{
	char text[32];
	int err = 0;

	for (int i = 0; i < n && err == 0; i++) {
		snprintf(text, sizeof text, "letter %d", i);
		err = myr_tell(myr_server_of(c), to, text, strlen(text));
	}
	return err;
}

/* "i": who am I; "t ID TEXT": tell; "b ID COUNT": tell so many; "a TEXT": tell all. */
static void teller_frame(struct myr_conn *c, const void *p, size_t n)
{
	char line[256], *text;
	myr_id to;

	snprintf(line, sizeof line, "%.*s", (int)n, (const char *)p);
	if (line[0] == 'i') {
		myr_printf(c, "%llu\n", (unsigned long long)myr_conn_id(c));
	} else if (line[0] == 't') {
		to = strtoull(line + 2, &text, 10);
		myr_printf(c, "%d\n", myr_tell(myr_server_of(c), to, text + 1, strlen(text + 1)));
	} else if (line[0] == 'b') {
		to = strtoull(line + 2, &text, 10);
		myr_printf(c, "%d\n", tell_burst(c, to, atoi(text)));
	} else if (line[0] == 'a') {
		myr_printf(c, "%d\n", myr_tell_all(myr_server_of(c), myr_arg(c), line + 2, strlen(line + 2)));
	}
}

static void teller_handle(struct myr_conn *c)
{
	char line[256];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0)
		teller_frame(c, line, (size_t)n);
}

static const struct myr_service teller_callback = { .name = "teller", .framing = &myr_lines,
                                                    .on_frame = teller_frame };
static const struct myr_service teller_blocking = { .name = "teller", .framing = &myr_lines,
                                                    .handle = teller_handle };

static void check_tells(const struct shape *shape, const struct myr_service *service)
{
	char line[64], text[128];
	unsigned long long ids[8];
	int fds[8];

	serving.arg = (void *)(uintptr_t)service;
	serve(shape, service);
	for (int i = 0; i < 8; i++) {
		fds[i] = dial();
		say(fds[i], "i\n");
		expect_line(fds[i], line, sizeof line);
		ids[i] = strtoull(line, NULL, 10);
		assert_true(ids[i] != 0);
	}
	for (int i = 1; i < 8; i++) {           /* in order from one to each */
		for (int k = 0; k < 3; k++) {
			snprintf(text, sizeof text, "t %llu letter %d\n", ids[i], k);
			say(fds[0], text);
			expect(fds[0], "0\n");
		}
		expect(fds[i], "letter 0\nletter 1\nletter 2\n");
	}
	snprintf(text, sizeof text, "b %llu 2000\n", ids[5]);
	say(fds[6], text);
	expect(fds[6], "0\n");
	for (int i = 0; i < 2000; i++) {
		snprintf(text, sizeof text, "letter %d\n", i);
		expect(fds[5], text);
	}
	snprintf(text, sizeof text, "t %llu myself\n", ids[3]);
	say(fds[3], text);
	expect_line(fds[3], line, sizeof line);
	expect_line(fds[3], text, sizeof text);
	assert_string_equal(strcmp(line, "0") == 0 ? text : line, "myself");
	say(fds[4], "a news\n");
	for (int i = 0; i < 8; i++) {
		expect_line(fds[i], line, sizeof line);
		if (i == 4 && strcmp(line, "0") == 0)
			expect_line(fds[i], line, sizeof line);
		else if (i == 4)
			expect(fds[i], "0\n");
		assert_string_equal(line, "news");
	}
	close(fds[7]);                          /* a gone one is harmless */
	snprintf(text, sizeof text, "t %llu lost\nt 7 nobody\n", ids[7]);
	say(fds[0], text);
	expect_line(fds[0], line, sizeof line);
	expect_line(fds[0], line, sizeof line);
	assert_int_equal(atoi(line), -ENOTCONN);
	for (int i = 0; i < 7; i++)
		close(fds[i]);
	stop_serving();
	assert_int_equal(served()->run, 0);
}

static void tells_both(const struct shape *shape)
{
	check_tells(shape, &teller_blocking);
	check_tells(shape, &teller_callback);
}

static void test_tells_arrive_wherever_it_lives(void **state)
{
	(void)state;
	everywhere(tells_both);
}

/* --- Limits -------------------------------------------------------------------------------------- */

static void full_house(const struct shape *shape)
{
	int fds[4], late;

	serving.config.conns_max = 4;
	serving.config.conns_per_peer = (unsigned)MYR_NONE;
	serve(shape, &polite_blocking);
	for (int i = 0; i < 4; i++) {
		fds[i] = dial();
		expect(fds[i], "hello\n");
	}
	late = dial();
	assert_true(is_silent(late, 30));
	close(fds[2]);
	expect(late, "hello\n");
	close(late);
	for (int i = 0; i < 4; i++)
		if (i != 2)
			close(fds[i]);
	stop_serving();
	assert_int_equal(served()->stats.accepted, 5);
}

static void full_house_says_so(const struct shape *shape)
{
	static const struct myr_service full = { .name = "full", .full = "sorry\n", .on_open = polite_open };
	const struct report *r;
	int fds[2], late;

	serving.config.conns_max = 2;
	serving.config.conns_per_peer = (unsigned)MYR_NONE;
	serve(shape, &full);
	for (int i = 0; i < 2; i++) {
		fds[i] = dial();
		expect(fds[i], "hello\n");
	}
	for (int i = 0; i < 3; i++) {
		late = dial();
		expect(late, "sorry\n");
		expect_end(late);
	}
	close(fds[0]);
	close(fds[1]);
	stop_serving();
	r = served();
	assert_int_equal(r->stats.accepted, 2);
	assert_int_equal(r->stats.refused, 3);
}

static void crowd_from_one_address(const struct shape *shape)
{
	const struct report *r;
	int fds[3], late;

	serving.config.conns_per_peer = 3;
	serve(shape, &polite_blocking);
	for (int i = 0; i < 3; i++) {
		fds[i] = dial();
		expect(fds[i], "hello\n");
	}
	late = dial();
	expect_gone(late);
	await_log("conns_per_peer");
	close(fds[0]);
	do {                                    /* until the server has seen that one leave */
		late = dial();
	} while (!is_silent(late, 100) && recv(late, fds, 1, MSG_PEEK) <= 0 && close(late) == 0);
	expect(late, "hello\n");
	close(late);
	close(fds[1]);
	close(fds[2]);
	stop_serving();
	r = served();
	assert_int_equal(r->stats.accepted, 4);
	assert_true(r->stats.refused >= 1);
}

static void limits_all(const struct shape *shape)
{
	full_house(shape);
	full_house_says_so(shape);
}

static void test_limits_hold_for_all_workers_together(void **state)
{
	static const struct shape some[] = { { "epoll", 1, MYR_THREADS }, { "poll", 3, MYR_THREADS },
	                                     { "thread", 2, MYR_PROCESSES }, { "fork", 1, MYR_PROCESSES } };

	(void)state;
	everywhere(limits_all);
	for (int i = 0; i < 4; i++)
		crowd_from_one_address(&some[i]);
}

static void test_accept_rate(void **state)
{
	const struct shape epoll = { "epoll", 2, MYR_THREADS };
	struct timespec from, to;
	int fds[30];

	(void)state;
	serving.config.accept_rate = 20;
	serve(&epoll, &polite_callback);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int i = 0; i < 30; i++)
		fds[i] = dial();
	for (int i = 0; i < 30; i++)
		expect(fds[i], "hello\n");
	clock_gettime(CLOCK_MONOTONIC, &to);
	for (int i = 0; i < 30; i++)
		close(fds[i]);
	/* A second's worth at once, the other ten at twenty a second. */
	assert_true((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 >= 400);
	stop_serving();
	assert_int_equal(served()->run, 0);
}

static void few_descriptors(void)
{
	const struct rlimit r = { 26, 26 };

	setrlimit(RLIMIT_NOFILE, &r);
}

/* More clients than descriptors: who is in is served, who leaves makes room. */
static void test_out_of_descriptors(void **state)
{
	static const struct shape some[] = { { "epoll", 1, MYR_THREADS }, { "thread", 1, MYR_THREADS },
	                                     { "fork", 1, MYR_THREADS }, { "select", 1, MYR_THREADS } };
	int fds[40], fresh;
	char hello[1];

	(void)state;
	for (int k = 0; k < 4; k++) {
		serving.config.conns_max = 1000;
		serving.config.conns_per_peer = 1000;
		serving.before = few_descriptors;
		serve(&some[k], &polite_blocking);
		for (int i = 0; i < 40; i++)
			fds[i] = dial();
		expect(fds[0], "hello\n");
		await_log("pausing");
		say(fds[0], "served");
		expect(fds[0], "served");
		for (int i = 0; i < 40; i++)
			close(fds[i]);
		while (fresh = dial(), receive(fresh, hello, 1) != 1)
			close(fresh);           /* the dead ones before it are still being sorted out */
		close(fresh);
		stop_serving();
		assert_true(served()->run >= 0);
	}
}

/* --- Calls that fail ----------------------------------------------------------------------------- */

static int failing_calls;

static int no_thread(pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *p)
{
	return failing_calls-- > 0 ? EAGAIN : sys_direct.pthread_create(t, a, f, p);
}

static pid_t no_fork(void)
{
	errno = EAGAIN;
	return failing_calls-- > 0 ? -1 : sys_direct.fork();
}

static int no_pidfd(pid_t pid, unsigned flags)
{
	errno = EMFILE;
	return failing_calls-- > 0 ? -1 : sys_direct.pidfd(pid, flags);
}

static int no_socketpair(int d, int t, int p, int sv[2])
{
	errno = EMFILE;
	return failing_calls-- > 0 ? -1 : sys_direct.socketpair(d, t, p, sv);
}

static void fail_threads(void)
{
	sys_table.pthread_create = no_thread;
	failing_calls = 3;
}

static void fail_forks(void)
{
	sys_table.fork = no_fork;
	failing_calls = 3;
}

static void fail_pidfds(void)
{
	sys_table.pidfd = no_pidfd;
	failing_calls = 3;
}

static void fail_channels(void)
{
	sys_table.socketpair = no_socketpair;
	failing_calls = 3;
}

/* Three clients are turned away, and the fourth is served. */
static void test_no_thread_or_process_to_be_had(void **state)
{
	static const struct { struct shape shape; void (*before)(void); } cases[] = {
		{ { "thread", 1, MYR_THREADS }, fail_threads },
		{ { "fork", 1, MYR_THREADS }, fail_forks },
		{ { "fork", 1, MYR_THREADS }, fail_pidfds },
		{ { "fork", 1, MYR_THREADS }, fail_channels },
	};
	const struct report *r;
	int fd;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		serving.before = cases[i].before;
		serve(&cases[i].shape, &polite_blocking);
		for (int k = 0; k < 3; k++) {
			fd = dial();
			expect_gone(fd);
		}
		fd = dial();
		expect(fd, "hello\n");
		close(fd);
		stop_serving();
		r = served();
		assert_int_equal(r->run, 0);
		assert_int_equal(r->stats.accepted, 1);
		assert_int_equal(r->stats.refused, 3);
	}
}

static void no_crew(const struct shape *shape, void (*before)(void), int err)
{
	const struct report *r;

	serving.before = before;
	serve(shape, &echo_callback);
	r = served();
	assert_int_equal(r->run, err);
}

static void test_no_workers_to_be_had(void **state)
{
	const struct shape threads = { "epoll", 4, MYR_THREADS }, processes = { "epoll", 4, MYR_PROCESSES };

	(void)state;
	no_crew(&threads, fail_threads, -EAGAIN);
	no_crew(&processes, fail_forks, -EAGAIN);
	no_crew(&processes, fail_pidfds, -EMFILE);
	no_crew(&processes, fail_channels, -EMFILE);
}

/* --- Mistakes ------------------------------------------------------------------------------------ */

static int try_config(const struct myr_config *c)
{
	struct myr_server *v;
	int err = myr_server_new(&v, c);

	myr_server_free(v);
	return err;
}

static void test_configurations_that_cannot_be(void **state)
{
	struct { struct myr_service s; char more[16]; } newer = { .s = echo_callback };
	struct myr_server *v;

	(void)state;
	assert_int_equal(try_config(&(struct myr_config){ .engine = "epol" }), -EINVAL);
	assert_non_null(strstr(myr_reason(), "\"epoll\""));
	assert_int_equal(try_config(&(struct myr_config){ .engine = "coroutines" }), -EINVAL);
	assert_int_equal(try_config(&(struct myr_config){ .engine = "sim:x" }), -EINVAL);
	assert_int_equal(try_config(&(struct myr_config){ .workers = 5000 }), -EINVAL);
	assert_int_equal(try_config(&(struct myr_config){ .workers = MYR_PER_CPU }), 0);
	assert_int_equal(myr_server_new(&v, NULL), 0);
	assert_int_equal(myr_server_run(v), -EINVAL);
	assert_int_equal(myr_server_add(v, &echo_callback, "tcp:127.0.0.1:70000", NULL), -EINVAL);
	assert_int_equal(myr_server_add_sized(v, &newer.s, sizeof newer, "tcp:127.0.0.1:0", NULL), 0);
	newer.more[3] = 1;
	assert_int_equal(myr_server_add_sized(v, &newer.s, sizeof newer, "tcp:127.0.0.1:0", NULL), -E2BIG);
	assert_int_equal(myr_tell(v, 12345, "x", 1), -ENOTCONN);
	assert_int_equal(myr_tell(v, 12345, "x", 65537), -EMSGSIZE);
	assert_int_equal(myr_tell_all(v, &echo_blocking, "x", 1), -EINVAL);
	myr_server_free(v);
}

static void test_a_unix_socket_is_removed(void **state)
{
	char path[] = "/tmp/myriad-serve-XXXXXX", endpoint[64];

	(void)state;
	assert_non_null(mkdtemp(path));
	snprintf(endpoint, sizeof endpoint, "unix:%s/s", path);
	serving.endpoint = endpoint;
	serving.config.workers = 2;
	serve(NULL, &echo_callback);
	assert_int_equal(access(endpoint + 5, F_OK), 0);
	stop_serving();
	assert_int_equal(served()->run, 0);
	assert_int_equal(access(endpoint + 5, F_OK), -1);
	assert_int_equal(rmdir(path), 0);
}

static struct { char dir[32], sock[64], victim[64]; bool socket, hard; } swap;

/* As somebody who can write the folder and is quick. */
static int swapping_bind(int fd, const struct sockaddr *a, socklen_t n)
{
	int ret = sys_direct.bind(fd, a, n);

	unlink(swap.sock);
	assert_int_equal(swap.hard ? link(swap.victim, swap.sock) : symlink(swap.victim, swap.sock), 0);
	return ret;
}

static void make_victim(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = swap.socket ? socket(AF_UNIX, SOCK_STREAM, 0) : open(swap.victim, O_CREAT | O_WRONLY, 0600);

	strcpy(a.sun_path, swap.victim);
	assert_true(fd >= 0);
	if (swap.socket)
		assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(chmod(swap.victim, 0600), 0);
	close(fd);
}

static void try_swapped(const char *endpoint)
{
	struct stat st;

	make_victim();
	sys_table.bind = swapping_bind;
	assert_int_equal(myr_listen(endpoint), -ESTALE);
	sys_table.bind = sys_direct.bind;
	assert_non_null(strstr(myr_reason(), "somebody has put another file in the socket's place"));
	assert_int_equal(stat(swap.victim, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(unlink(swap.victim), 0);
	assert_int_equal(unlink(swap.sock), 0);
}

/* Or root would change any file's mode for who can write the folder. */
static void test_the_mode_of_what_was_put_in_a_sockets_place_stays(void **state)
{
	char endpoint[96];
	struct stat st;
	mode_t before = umask(077);
	int fd;

	(void)state;
	strcpy(swap.dir, "/tmp/myriad-serve-XXXXXX");
	assert_non_null(mkdtemp(swap.dir));
	snprintf(swap.sock, sizeof swap.sock, "%s/s", swap.dir);
	snprintf(swap.victim, sizeof swap.victim, "%s/victim", swap.dir);
	for (int i = 0; i < 8; i++) {
		swap.socket = i & 1;
		swap.hard = i & 2;
		snprintf(endpoint, sizeof endpoint, "%s:%s,mode=0666", i & 4 ? "unixgram" : "unix", swap.sock);
		try_swapped(endpoint);
	}
	fd = myr_listen(endpoint);
	assert_true(fd >= 0);
	assert_int_equal(stat(swap.sock, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0666);
	close(fd);
	unlink(swap.sock);
	assert_int_equal(rmdir(swap.dir), 0);
	umask(before);
}

/* --- What forked children see -------------------------------------------------------------------- */

static int users_fd = -1;

static void open_users_file(void)
{
	users_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
}

static void descriptors_handle(struct myr_conn *c)
{
	bool mine = write(users_fd, "x", 1) == 1;

	myr_printf(c, "%d %s\n", count_entries("/proc/self/fd") - 3, mine ? "kept" : "lost");
}

/* Besides the standard three and the user's: its socket, its channel, the bell, and its selector's. */
static void test_forked_children_keep_what_is_the_users(void **state)
{
	static const struct myr_service descriptors = { .name = "descriptors", .handle = descriptors_handle };
	static const struct shape forks[] = { { "fork", 1, MYR_THREADS }, { "fork", 2, MYR_PROCESSES } };
	int others, fds[5];
	char line[32], want[32];

	(void)state;
	for (int k = 0; k < 2; k++) {
		serving.before = open_users_file;
		others = count_entries("/proc/self/fd") - 3;    /* inherited by the server, so the user's */
		serve(&forks[k], &descriptors);
		snprintf(want, sizeof want, "%d kept", others + 1 + 3);
		for (int i = 0; i < 5; i++) {
			fds[i] = dial();
			expect_line(fds[i], line, sizeof line);
			assert_string_equal(line, want);
		}
		for (int i = 0; i < 5; i++)
			close(fds[i]);
		stop_serving();
		assert_int_equal(served()->run, 0);
	}
}

/* --- The simulated world ------------------------------------------------------------------------- */

static struct { unsigned replies, bytes; char last[200]; } sim_seen;

static void sim_log(int level, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	if (strstr(line, "hash") != NULL)
		snprintf(sim_seen.last, sizeof sim_seen.last, "%s", line);
}

static void client_open(struct myr_conn *c)
{
	myr_printf(c, "ping %lu", myr_number(c));
}

static size_t client_data(struct myr_conn *c, const void *p, size_t n)
{
	(void)p;
	sim_seen.bytes += (unsigned)n;
	if (sim_seen.bytes % 7 == 0)
		sim_seen.replies++;
	if (sim_seen.bytes >= 6)
		myr_close(c);
	return n;
}

static int sim_start(struct myr_loop *l, void *arg)
{
	static const struct myr_service client = { .name = "client", .on_open = client_open, .on_data = client_data };
	struct myr_conn *c;

	for (int i = 0; i < 20; i++)
		if (myr_connect(&c, l, &client, "tcp:127.0.0.1:7", arg) < 0)
			return -EIO;
	return 0;
}

static void simulate(const char *engine, char *hash, size_t size)
{
	static const struct myr_service service = { .name = "echo", .handle = echo_handle, .start = sim_start };
	const struct myr_config config = { .engine = engine, .workers = 3, .log = sim_log };
	struct myr_server *v;
	struct myr_stats stats;

	memset(&sim_seen, 0, sizeof sim_seen);
	assert_int_equal(myr_server_new(&v, &config), 0);
	assert_int_equal(myr_server_add(v, &service, "tcp:127.0.0.1:7", NULL), 0);
	assert_int_equal(myr_server_run(v), 0);
	myr_server_stats(v, &stats);
	assert_int_equal(stats.accepted, 60);
	assert_int_equal(stats.conns_open, 0);
	assert_true(sim_seen.bytes > 0);
	myr_server_free(v);
	snprintf(hash, size, "%s", strstr(sim_seen.last, "hash"));
}

static void test_the_same_seed_gives_the_same_run(void **state)
{
	char a[200], b[200], c[200];

	(void)state;
	simulate("sim:1", a, sizeof a);
	simulate("sim:1", b, sizeof b);
	simulate("sim:2", c, sizeof c);
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
}

#define CASE(f) cmocka_unit_test_teardown(f, end_serving)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CASE(test_echo_everywhere),
		CASE(test_iterative_serves_in_turn),
		CASE(test_drain_lets_handlers_say_goodbye),
		CASE(test_cut_at_the_deadline_or_the_second_stop),
		CASE(test_a_handler_stops_the_server),
		CASE(test_stop_before_run),
		CASE(test_deaf_handlers_do_not_keep_the_server),
		CASE(test_crash_in_a_forked_child_hurts_nobody_else),
		CASE(test_a_crashed_worker_is_replaced),
		CASE(test_orphans_drain),
		CASE(test_start_and_stop_run_once_in_each_worker),
		CASE(test_tells_arrive_wherever_it_lives),
		CASE(test_limits_hold_for_all_workers_together),
		CASE(test_accept_rate),
		CASE(test_out_of_descriptors),
		CASE(test_no_thread_or_process_to_be_had),
		CASE(test_no_workers_to_be_had),
		CASE(test_configurations_that_cannot_be),
		CASE(test_a_unix_socket_is_removed),
		CASE(test_the_mode_of_what_was_put_in_a_sockets_place_stays),
		CASE(test_forked_children_keep_what_is_the_users),
		CASE(test_the_same_seed_gives_the_same_run),
	};

	signal(SIGPIPE, SIG_IGN);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
