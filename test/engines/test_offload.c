/* SPDX-License-Identifier: MIT
 *
 * test_offload.c - work in other threads, under every engine and in both styles: its result, and what
 * happens when the client goes, when the server stops, when there is too much of it. */
#include <pthread.h>

#include "serving.h"

static const struct shape shapes[] = {
	{ "io_uring", 1, MYR_THREADS }, { "io_uring", 3, MYR_PROCESSES }, { "epoll", 1, MYR_THREADS },
	{ "epoll", 3, MYR_THREADS },    { "epoll", 3, MYR_PROCESSES },    { "poll", 1, MYR_THREADS },
	{ "select", 1, MYR_THREADS },   { "thread", 1, MYR_THREADS },     { "fork", 1, MYR_THREADS },
	{ "iterative", 1, MYR_THREADS },
};

#define SHAPES (sizeof shapes / sizeof shapes[0])
#define LINE 64
#define FLOOD 2000
#define CROWD 200

enum { OPENED, BEGUN, TOLD, CANCELLED, TURNED_AWAY, CLOSED, TOO_EARLY, ASKED }; /* counters */

static void count(int i)
{
	atomic_fetch_add(&serving.shared->counters[i], 1);
}

/* --- Services: a line is a job ---------------------------------------------------------------------- */

struct job {                            /* the connection's state, and the work's argument */
	char line[LINE];
	int  out;                       /* jobs that are not told yet */
	bool ended;
};

/* "7": twice as much.  "gate": until the test opens it. */
static int work(void *arg)
{
	struct job *j = arg;

	count(BEGUN);
	if (strcmp(j->line, "gate") == 0)
		while (counter(OPENED) == 0)
			usleep(500);
	return 2 * atoi(j->line);
}

static void told(struct myr_conn *c, int result, void *arg)
{
	struct job *j = arg;

	if (j != myr_state(c) || j->ended)
		count(TOO_EARLY);               /* counted only if it is too late, in truth */
	count(result == -ECANCELED ? CANCELLED : TOLD);
	if (--j->out == 0)
		myr_printf(c, "%d\n", result);
	myr_resume(c);
}

static int offload(struct myr_conn *c, struct job *j)
{
	int err = myr_offload(c, work, j, told);

	count(ASKED);
	if (err == 0)
		j->out++;
	else
		count(TURNED_AWAY);
	return err;
}

static void job_frame(struct myr_conn *c, const void *p, size_t n)
{
	struct job *j = myr_state(c);
	int many = 1;

	snprintf(j->line, sizeof j->line, "%.*s", (int)n, (const char *)p);
	if (sscanf(j->line, "flood %d", &many) == 1)
		snprintf(j->line, sizeof j->line, "gate");
	while (many-- > 0)
		offload(c, j);
	myr_pause(c);
}

static void job_close(struct myr_conn *c, int why)
{
	struct job *j = myr_state(c);

	(void)why;
	if (j->out > 0)
		count(TOO_EARLY);
	j->ended = true;
	count(CLOSED);
}

/* The simplest form: wait for it.  A flood does not wait, and leaves the handler with work out. */
static void job_handle(struct myr_conn *c)
{
	struct job *j = myr_state(c);
	int many;

	while (myr_recv(c, j->line, sizeof j->line) >= 0) {
		if (sscanf(j->line, "flood %d", &many) == 1) {
			snprintf(j->line, sizeof j->line, "gate");
			while (many-- > 0)
				offload(c, j);
			return;
		}
		count(ASKED);           /* waits from here on: nobody else runs in between */
		myr_printf(c, "%d\n", myr_offload(c, work, j, NULL));
		count(TOLD);
	}
}

static void job_finish(struct myr_conn *c)
{
	job_close(c, 0);
}

static const struct myr_service services[] = {
	{ .name = "jobs", .framing = &myr_lines, .state = sizeof(struct job), .handle = job_handle, .finish = job_finish },
	{ .name = "jobs", .framing = &myr_lines, .state = sizeof(struct job), .on_frame = job_frame, .on_close = job_close },
};

static void open_gate(void)
{
	atomic_store(&serving.shared->counters[OPENED], 1);
}

/* --- Scenarios ---------------------------------------------------------------------------------------- */

static void results(const struct shape *shape, const struct myr_service *service)
{
	char text[32];
	int fd;

	serve(shape, service);
	fd = dial();
	for (int i = 1; i <= 50; i++) {
		snprintf(text, sizeof text, "%d\n", i);
		say(fd, text);
	}
	for (int i = 1; i <= 50; i++) {
		snprintf(text, sizeof text, "%d\n", 2 * i);
		expect(fd, text);
	}
	shutdown(fd, SHUT_WR);
	expect_end(fd);
	await_counter(CLOSED, 1);
	assert_int_equal(counter(TOO_EARLY), 0);
	stop_serving();
	assert_int_equal(served()->run, 0);
}

static void test_the_result_comes_back(void **state)
{
	(void)state;
	in_both_styles(shapes, SHAPES, services, results);
}

static void others(const struct shape *shape, const struct myr_service *service)
{
	bool alone = strcmp(shape->engine, "iterative") == 0;
	int a, b[20];

	serve(shape, service);
	a = dial();
	say(a, "gate\n");
	await_counter(BEGUN, 1);
	for (int i = 0; !alone && i < 20; i++) {
		b[i] = dial();
		say(b[i], "21\n");
		expect(b[i], "42\n");
	}
	open_gate();
	expect(a, "0\n");
	shutdown(a, SHUT_WR);
	expect_end(a);
	for (int i = 0; !alone && i < 20; i++)
		close(b[i]);
	stop_serving();
	assert_int_equal(served()->run, 0);
}

static void test_others_are_served_while_work_is_done(void **state)
{
	(void)state;
	in_both_styles(shapes, SHAPES, services, others);
}

static void leave(int fd, bool rudely)
{
	const struct linger rude = { .l_onoff = rudely };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &rude, sizeof rude);
	close(fd);
}

static void client_leaves(const struct shape *shape, const struct myr_service *service)
{
	int fd;

	serve(shape, service);
	fd = dial();
	say(fd, "gate\n");
	await_counter(BEGUN, 1);
	leave(fd, true);
	fd = dial();                            /* whoever serves this one has seen the reset as well */
	if (shape->workers == 1 && strcmp(shape->engine, "iterative") != 0) {
		say(fd, "1\n");
		expect(fd, "2\n");
	}
	assert_int_equal(counter(CLOSED), 0);
	open_gate();
	await_counter(CLOSED, 1);
	assert_int_equal(counter(TOO_EARLY), 0);
	close(fd);
	stop_serving();
	assert_int_equal(served()->run, 0);
}

static void test_a_client_that_leaves_waits_for_its_work(void **state)
{
	(void)state;
	in_both_styles(shapes, SHAPES, services, client_leaves);
}

static void stop_meanwhile(const struct shape *shape, const struct myr_service *service)
{
	int fd;

	serve(shape, service);
	fd = dial();
	say(fd, "gate\n");
	await_counter(BEGUN, 1);
	stop_serving();
	assert_true(is_silent(fd, 30));
	open_gate();
	expect(fd, "0\n");
	expect_end(fd);
	assert_int_equal(served()->run, 0);
}

static void test_a_drain_waits_for_the_result(void **state)
{
	(void)state;
	in_both_styles(shapes, SHAPES, services, stop_meanwhile);
}

/* What runs at the cut is waited for; what does not, never will. */
static void cut_meanwhile(const struct shape *shape, const struct myr_service *service)
{
	int fd, begun;

	serving.config.drain_ms = 30;
	serve(shape, service);
	fd = dial();
	say(fd, "flood 300\n");
	await_counter(BEGUN, 1);
	stop_serving();
	await_counter(CANCELLED, 1);
	assert_int_equal(counter(CLOSED), 0);
	open_gate();
	await_counter(CLOSED, 1);
	begun = counter(BEGUN);
	assert_int_equal(counter(TOLD), begun);
	assert_int_equal(counter(CANCELLED), 300 - begun);
	assert_int_equal(counter(TOO_EARLY), 0);
	expect_gone(fd);
	served();
}

static void test_a_cut_cancels_what_has_not_begun(void **state)
{
	(void)state;
	in_both_styles(shapes, SHAPES, services, cut_meanwhile);
}

static void too_much(const struct shape *shape, const struct myr_service *service)
{
	char text[32];
	int fd;

	serve(shape, service);
	fd = dial();
	snprintf(text, sizeof text, "flood %d\n", FLOOD);
	say(fd, text);
	await_counter(TURNED_AWAY, 1);
	open_gate();
	expect(fd, "0\n");
	assert_in_range(counter(TURNED_AWAY), 1, FLOOD - 1024);
	assert_int_equal(counter(TOLD) + counter(TURNED_AWAY), FLOOD);
	shutdown(fd, SHUT_WR);
	expect_end(fd);
	stop_serving();
	assert_int_equal(served()->run, 0);
}

static void test_more_work_than_may_wait_is_refused(void **state)
{
	(void)state;
	in_both_styles(shapes, SHAPES, services, too_much);
}

/* All have work out before any of it can end: more than the pool has threads, so most of it is queued.  Under
 * "fork" each has a process and a pool of its own, far below the limit of 4,096 processes.  Under "iterative" one
 * is served at a time, and only that one has work out: the others, those who leave too, are in the backlog. */
static void crowd(const struct shape *shape, const struct myr_service *service)
{
	int fd[CROWD], out = strcmp(shape->engine, "iterative") == 0 ? 1 : CROWD;

	serve(shape, service);
	for (int i = 0; i < CROWD; i++) {
		fd[i] = dial();
		say(fd[i], "gate\n");
	}
	await_counter(ASKED, out);
	for (int i = 0; i < CROWD; i += 4)      /* 50 of them, every other one rudely */
		leave(fd[i], i % 8 == 0);
	assert_int_equal(counter(ASKED), out);
	assert_int_equal(counter(TOLD), 0);
	assert_int_equal(counter(CLOSED), 0);
	open_gate();
	for (int i = 0; i < CROWD; i++) {
		if (i % 4 == 0)
			continue;
		expect(fd[i], "0\n");
		shutdown(fd[i], SHUT_WR);
		expect_end(fd[i]);
	}
	if (out == CROWD) {                     /* in the backlog a rude one may vanish unseen */
		await_counter(CLOSED, CROWD);
		assert_int_equal(counter(TOLD), CROWD);
		assert_int_equal(counter(BEGUN), CROWD);
	}
	assert_int_equal(counter(TURNED_AWAY), 0);
	assert_int_equal(counter(TOO_EARLY), 0);
	stop_serving();
	assert_int_equal(served()->run, 0);
}

static void test_200_with_work_out_at_once_get_their_results(void **state)
{
	(void)state;
	in_both_styles(shapes, SHAPES, services, crowd);
}

/* Longer than idle_ms and open_ms: it is not the client who keeps us waiting. */
static void slow_work(const struct shape *shape, const struct myr_service *service)
{
	int fd;

	serving.config.idle_ms = serving.config.open_ms = 20;
	serve(shape, service);
	fd = dial();
	say(fd, "gate\n");
	await_counter(BEGUN, 1);
	assert_true(is_silent(fd, 100));
	open_gate();
	expect(fd, "0\n");
	expect_end(fd);                         /* and now it is idle */
	stop_serving();
	served();
}

static void test_no_timeout_runs_while_work_is_done(void **state)
{
	(void)state;
	in_both_styles(shapes, SHAPES, services, slow_work);
}

/* --- Work on a dialled connection ------------------------------------------------------------------------ */

static void told_dialled(struct myr_conn *c, int result, void *arg)
{
	const struct job *j = arg;

	(void)c, (void)result;
	count(j->ended ? TOO_EARLY : TOLD);
}

/* "PORT return", "PORT close", "PORT abort": at once after work on the connection to it was given away.  "PORT write":
 * until that breaks. */
static void caller_handle(struct myr_conn *c)
{
	static const char plenty[1 << 16];
	char line[LINE], at[LINE], how[LINE];
	struct job *j = myr_state(c);
	struct myr_conn *d;
	int port;

	if (myr_recv(c, line, sizeof line) < 0 || sscanf(line, "%d %63s", &port, how) != 2)
		return;
	snprintf(at, sizeof at, "tcp:127.0.0.1:%d", port);
	snprintf(j->line, sizeof j->line, "gate");
	if (myr_dial(&d, at, PATIENCE_S * 1000) < 0 || myr_offload(d, work, j, told_dialled) < 0)
		return;
	while (strcmp(how, "write") == 0 && myr_write(d, plenty, sizeof plenty) >= 0)
		;
	if (strcmp(how, "abort") == 0)
		myr_abort(d);
	else if (strcmp(how, "return") != 0)
		myr_close(d);
}

static const struct myr_service caller = {
	.name = "caller", .framing = &myr_lines, .state = sizeof(struct job), .handle = caller_handle, .finish = job_finish
};

/* A listening socket of the test's own. */
static int listen_here(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof a;
	int ear = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(ear, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(ear, 8), 0);
	assert_int_equal(getsockname(ear, (struct sockaddr *)&a, &n), 0);
	*port = ntohs(a.sin_port);
	return ear;
}

static void call(const struct shape *shape, const char *how)
{
	int fd, called, port, ear = listen_here(&port);
	char text[LINE];

	serve(shape, &caller);
	fd = dial();
	snprintf(text, sizeof text, "%d %s\n", port, how);
	say(fd, text);
	called = accept(ear, NULL, NULL);
	assert_true(called >= 0);
	await_counter(BEGUN, 1);
	assert_true(is_silent(fd, 20));         /* not even its end */
	assert_int_equal(counter(CLOSED), 0);
	open_gate();
	if (strcmp(how, "write") == 0)
		leave(called, true);            /* with a result that had to wait for the write */
	expect_end(fd);
	await_counter(CLOSED, 1);
	assert_int_equal(counter(TOLD), 1);
	assert_int_equal(counter(TOO_EARLY), 0);
	if (strcmp(how, "write") != 0)
		close(called);
	close(ear);
	stop_serving();
	assert_int_equal(served()->run, 0);
}

static void call_everywhere(const char *how)
{
	for (size_t i = 0; i < SHAPES; i++)
		if (works(shapes[i].engine))
			call(&shapes[i], how);
}

static void test_work_on_a_dialled_connection_ends_before_its_handler(void **state)
{
	(void)state;
	call_everywhere("return");
	call_everywhere("close");
	call_everywhere("abort");
}

static void test_a_result_that_waited_for_a_write_is_told_when_that_breaks(void **state)
{
	(void)state;
	call_everywhere("write");
}

/* --- In a client's loop ----------------------------------------------------------------------------------- */

static int client_finished;

static void client_handle(struct myr_conn *c)
{
	struct job *j = myr_arg(c);

	myr_offload(c, work, j, NULL);
}

static void client_finish(struct myr_conn *c)
{
	(void)c;
	client_finished = 1;
}

/* Once the work runs the connection is reset; only long after that the work may end. */
static void *open_after_reset(void *arg)
{
	await_counter(BEGUN, 1);
	leave(*(int *)arg, true);
	usleep(50000);
	open_gate();
	return NULL;
}

/* The connection is gone, its handler is not: there is something to wait for. */
static void test_a_loop_runs_until_the_handlers_in_it_have_ended(void **state)
{
	static const char *const loops[] = { "io_uring", "epoll", "poll", "select" };
	const struct myr_service client = { .name = "client", .handle = client_handle, .finish = client_finish };
	struct board_of_test board = { 0 };
	struct job job = { .line = "3" };

	(void)state;
	serving.shared = &board;
	for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
		const struct myr_config config = { .engine = loops[i] };
		int called, port, ear;
		struct myr_loop *l;
		struct myr_conn *c;
		pthread_t opener;
		char at[LINE];

		if (!works(loops[i]))
			continue;
		ear = listen_here(&port);
		snprintf(at, sizeof at, "tcp:127.0.0.1:%d", port);
		snprintf(job.line, sizeof job.line, "gate");
		client_finished = 0;
		atomic_store(&board.counters[OPENED], 0);
		atomic_store(&board.counters[BEGUN], 0);
		assert_int_equal(myr_loop_new(&l, &config), 0);
		assert_int_equal(myr_connect(&c, l, &client, at, &job), 0);
		called = accept(ear, NULL, NULL);
		assert_int_equal(pthread_create(&opener, NULL, open_after_reset, &called), 0);
		assert_int_equal(myr_loop_run(l), 0);
		assert_int_equal(client_finished, 1);
		pthread_join(opener, NULL);
		myr_loop_free(l);
		close(ear);
	}
	serving.shared = NULL;
}

/* --- Without a kernel ---------------------------------------------------------------------------------- */

static void test_in_a_test_of_a_service(void **state)
{
	struct board_of_test board = { 0 };

	(void)state;
	serving.shared = &board;
	for (size_t s = 0; s < 2; s++) {
		struct myr_test *t;

		assert_int_equal(myr_test_new(&t, &services[s], NULL), 0);
		assert_int_equal(myr_test_feed(t, "3\n4\n", 4), 1);
		assert_string_equal(myr_test_sent(t, NULL), "6\n8\n");
		myr_test_free(t);
	}
	assert_int_equal(counter(TOO_EARLY), 0);
	serving.shared = NULL;
}

/* --- Misuse -------------------------------------------------------------------------------------------- */

static int misused[6];

static size_t misuse_data(struct myr_conn *c, const void *p, size_t n)
{
	(void)p;
	misused[0] = myr_offload(c, work, NULL, NULL);          /* a callback cannot wait */
	misused[1] = myr_offload(c, NULL, NULL, told);
	myr_close(c);
	misused[2] = myr_offload(c, work, NULL, told);
	return n;
}

static void misuse_close(struct myr_conn *c, int why)
{
	(void)why;
	misused[3] = myr_offload(c, work, NULL, told);
}

static void misuse_handle(struct myr_conn *c)
{
	myr_lock(c);
	misused[4] = myr_offload(c, work, NULL, NULL);          /* others wait for the lock */
	myr_unlock(c);
	myr_abort(c);
	misused[5] = myr_offload(c, work, NULL, NULL);
}

static void test_misuse_is_refused(void **state)
{
	const struct myr_service callback = { .on_data = misuse_data, .on_close = misuse_close };
	const struct myr_service blocking = { .shared = 8, .handle = misuse_handle };
	const int expected[] = { -EINVAL, -EINVAL, -EPIPE, -EPIPE, -EDEADLK, -ECONNABORTED };
	struct myr_test *t;

	(void)state;
	assert_int_equal(myr_test_new(&t, &callback, NULL), 0);
	myr_test_feed(t, "x", 1);
	myr_test_free(t);
	assert_int_equal(myr_test_new(&t, &blocking, NULL), 0);
	myr_test_feed(t, "x", 1);
	myr_test_free(t);
	assert_memory_equal(misused, expected, sizeof expected);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_the_result_comes_back, end_serving),
		cmocka_unit_test_teardown(test_others_are_served_while_work_is_done, end_serving),
		cmocka_unit_test_teardown(test_a_client_that_leaves_waits_for_its_work, end_serving),
		cmocka_unit_test_teardown(test_a_drain_waits_for_the_result, end_serving),
		cmocka_unit_test_teardown(test_a_cut_cancels_what_has_not_begun, end_serving),
		cmocka_unit_test_teardown(test_more_work_than_may_wait_is_refused, end_serving),
		cmocka_unit_test_teardown(test_200_with_work_out_at_once_get_their_results, end_serving),
		cmocka_unit_test_teardown(test_no_timeout_runs_while_work_is_done, end_serving),
		cmocka_unit_test_teardown(test_work_on_a_dialled_connection_ends_before_its_handler, end_serving),
		cmocka_unit_test_teardown(test_a_result_that_waited_for_a_write_is_told_when_that_breaks, end_serving),
		cmocka_unit_test(test_a_loop_runs_until_the_handlers_in_it_have_ended),
		cmocka_unit_test(test_in_a_test_of_a_service),
		cmocka_unit_test(test_misuse_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
