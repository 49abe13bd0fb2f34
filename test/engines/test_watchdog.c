/* SPDX-License-Identifier: MIT
 *
 * test_watchdog.c - a handler that keeps its worker is named while it does, once; others are not. */
#include "serving.h"

static const struct shape shapes[] = {
	{ "io_uring", 1, MYR_THREADS }, { "io_uring", 3, MYR_PROCESSES }, { "epoll", 1, MYR_THREADS },
	{ "epoll", 3, MYR_THREADS },    { "epoll", 3, MYR_PROCESSES },    { "poll", 1, MYR_THREADS },
	{ "select", 1, MYR_THREADS },   { "iterative", 1, MYR_THREADS },
};

#define SHAPES (sizeof shapes / sizeof shapes[0])
#define LOOKS_MS 350                    /* it looks three times */

enum { RELEASED, ANSWERED };            /* counters */

/* "hold": does not return before the test has seen the line. */
static void answer(struct myr_conn *c, const char *line, size_t n)
{
	if (n == 4 && memcmp(line, "hold", 4) == 0)
		while (counter(RELEASED) == 0)
			usleep(1000);
	myr_printf(c, "ok\n");
}

static void answer_frame(struct myr_conn *c, const void *p, size_t n)
{
	answer(c, p, n);
}

static void answer_handle(struct myr_conn *c)
{
	char line[64];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0)
		answer(c, line, (size_t)n);
}

static const struct myr_service services[] = {
	{ .name = "answers", .framing = &myr_lines, .handle = answer_handle },
	{ .name = "answers", .framing = &myr_lines, .on_frame = answer_frame },
};

static const char *const named[] = { "handle of \"answers\" (connection ", "on_frame of \"answers\" (connection " };

static unsigned times_logged(const char *text)
{
	unsigned n = 0;

	for (const char *p = serving.shared->log; (p = strstr(p, text)) != NULL; p += strlen(text))
		n++;
	return n;
}

static void held(const struct shape *shape, size_t style)
{
	int fd;

	serve(shape, &services[style]);
	fd = dial();
	say(fd, "quick\n");
	expect(fd, "ok\n");
	assert_int_equal(times_logged("kept its worker"), 0);
	say(fd, "hold\n");
	await_log("has kept its worker for");
	assert_non_null(strstr(serving.shared->log, named[style]));
	assert_true(is_silent(fd, LOOKS_MS));
	assert_int_equal(times_logged("kept its worker"), 1);
	atomic_store(&serving.shared->counters[RELEASED], 1);
	expect(fd, "ok\n");
	await_log("has given its worker back after");
	close(fd);
	stop_serving();
	served();
}

static void test_who_keeps_a_worker_is_named_while_it_does(void **state)
{
	(void)state;
	for (size_t i = 0; i < SHAPES; i++)
		for (size_t style = 0; style < 2; style++)
			if (works(shapes[i].engine))
				held(&shapes[i], style);
}

/* Nobody has asked for anything, and that is nobody's fault. */
static void test_a_worker_that_waits_is_not_blamed(void **state)
{
	int fd;

	(void)state;
	for (size_t i = 0; i < SHAPES; i++) {
		if (!works(shapes[i].engine))
			continue;
		serve(&shapes[i], &services[0]);
		fd = dial();
		say(fd, "quick\n");
		expect(fd, "ok\n");
		assert_true(is_silent(fd, LOOKS_MS));
		assert_int_equal(times_logged("its worker"), 0);
		close(fd);
		stop_serving();
		served();
	}
}

/* How often the threads of a process have given their processor up by themselves. */
static long waits_of(pid_t pid)
{
	char path[300], line[128];
	struct dirent *e;
	long sum = 0, n;
	FILE *f;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
	d = opendir(path);
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		snprintf(path, sizeof path, "/proc/%d/task/%.20s/status", (int)pid, e->d_name);
		f = e->d_name[0] != '.' ? fopen(path, "r") : NULL;
		while (f != NULL && fgets(line, sizeof line, f) != NULL)
			if (sscanf(line, "voluntary_ctxt_switches: %ld", &n) == 1)
				sum += n;
		if (f != NULL)
			fclose(f);
	}
	closedir(d);
	return sum;
}

/* Ten looks a second at a server that has nothing to do kept its processor from sleeping. */
static void test_an_idle_server_does_nothing_at_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < SHAPES; i++) {
		long before;
		int fd;

		if (!works(shapes[i].engine) || shapes[i].are == MYR_PROCESSES || OTHER_THREADS > 0)
			continue;
		serve(&shapes[i], &services[0]);
		fd = dial();
		say(fd, "quick\n");
		expect(fd, "ok\n");
		do {
			before = waits_of(serving.pid);
			assert_true(is_silent(fd, 2 * LOOKS_MS));
		} while (waits_of(serving.pid) > before);       /* for ever, with a watchdog that always looks */
		say(fd, "hold\n");
		await_log("has kept its worker for");
		atomic_store(&serving.shared->counters[RELEASED], 1);
		expect(fd, "ok\n");
		close(fd);
		stop_serving();
		served();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_who_keeps_a_worker_is_named_while_it_does, end_serving),
		cmocka_unit_test_teardown(test_a_worker_that_waits_is_not_blamed, end_serving),
		cmocka_unit_test_teardown(test_an_idle_server_does_nothing_at_all, end_serving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
