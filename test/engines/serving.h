/* SPDX-License-Identifier: MIT
 *
 * serving.h - a server in a process of its own, and clients of it.
 *
 * The server process looks at itself before and after: descriptors, threads and children that are
 * left over show in its report, for every engine and every way to run workers alike. */
#ifndef SERVING_H
#define SERVING_H

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "myriad.h"

#pragma GCC diagnostic ignored "-Wunused-function"      /* no test needs all of these */

#define PATIENCE_S 10
#if defined __SANITIZE_THREAD__
#define OTHER_THREADS 2                 /* the sanitizer's own */
#else
#define OTHER_THREADS 0
#endif
#define LOG_ROOM 16384

struct shape {                          /* an engine and how its workers are */
	const char *engine;
	unsigned workers;
	enum myr_workers are;
};

struct report {                         /* what the server process says at its end */
	int  run;
	char reason[256];
	struct myr_stats stats;
	int  descriptors, threads, children;    /* more than before */
};

struct board_of_test {                  /* shared with the server and all it forks */
	_Atomic unsigned logged;
	char log[LOG_ROOM];
	_Atomic int counters[8];        /* for handlers */
	_Atomic int stops, stops_heard;
	struct report report;
};

struct serving {
	struct myr_config config;
	const struct myr_service *service;
	const char *endpoint;
	void *arg;
	bool board_is_arg;              /* arg is `shared` */
	void (*before)(void);           /* in the server process, before the server is made */
	pid_t pid;
	int   port;
	struct board_of_test *shared;
};

static struct serving serving;          /* one at a time; teardown ends it */
static struct myr_server *serving_server;

/* Here and now. */
static bool works(const char *engine)
{
	for (const char *const *e = myr_engines(); *e != NULL; e++)
		if (strcmp(*e, engine) == 0)
			return true;
	return false;
}

static int count_entries(const char *path)
{
	DIR *d = opendir(path);
	int n = 0;

	if (d == NULL)
		return -1;
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static int count_children(void)
{
	siginfo_t info = { 0 };

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* A joined thread shows a moment longer. */
static int count_threads(void)
{
	int n = count_entries("/proc/self/task") - 2;

	for (int ms = 0; ms < 1000 && n > 1 + OTHER_THREADS; ms++) {
		usleep(1000);
		n = count_entries("/proc/self/task") - 2;
	}
	return n;
}

static void serving_log(int level, const char *line, void *arg)
{
	struct board_of_test *b = arg;
	size_t n = strlen(line);
	unsigned at = atomic_fetch_add(&b->logged, (unsigned)n + 1);

	(void)level;
	if (at + n + 1 < LOG_ROOM) {
		memcpy(b->log + at, line, n);
		b->log[at + n] = '\n';
	}
}

static void serving_term(int sig)
{
	(void)sig;
	if (atomic_load(&serving.shared->stops_heard) == atomic_load(&serving.shared->stops))
		return;                 /* sent again, see below */
	atomic_fetch_add(&serving.shared->stops_heard, 1);
	myr_server_stop(serving_server);
}

static int serving_child(struct serving *s, int ready)
{
	struct report *r = &s->shared->report;
	int fds, err, port = 0;

	alarm(50);
	if (s->before != NULL)
		s->before();
	fds = count_entries("/proc/self/fd");
	s->config.log = serving_log;
	s->config.log_arg = s->shared;
	err = myr_server_new(&serving_server, &s->config);
	if (err == 0)
		err = myr_server_add(serving_server, s->service, s->endpoint, s->arg);
	if (err >= 0) {
		const char *address = myr_server_address(serving_server, 0);

		signal(SIGTERM, serving_term);
		port = strncmp(address, "unix", 4) != 0 ? atoi(strrchr(address, ':') + 1) : 1;
	}
	if (write(ready, &port, sizeof port) != sizeof port)
		return 1;
	close(ready);
	fds--;
	if (err >= 0) {
		err = myr_server_run(serving_server);
		myr_server_stats(serving_server, &r->stats);
	}
	if (err < 0)
		snprintf(r->reason, sizeof r->reason, "%s", myr_reason());
	myr_server_free(serving_server);
	r->run = err;
	r->descriptors = count_entries("/proc/self/fd") - fds;
	r->threads = count_threads() - 1;
	r->children = count_children();
	return 0;
}

/* Start; the port is known and listening when it returns.  Port 0: it did not start. */
static void serve(const struct shape *shape, const struct myr_service *service)
{
	int ready[2];

	if (shape != NULL) {
		serving.config.engine = shape->engine;
		serving.config.workers = shape->workers;
		serving.config.workers_are = shape->are;
		print_message("[          ] %s, %u %s\n", shape->engine, shape->workers,
		              shape->are == MYR_PROCESSES ? "processes" : "threads");
	}
	serving.service = service;
	if (serving.endpoint == NULL)
		serving.endpoint = "tcp:127.0.0.1:0";
	if (serving.config.drain_ms == 0)
		serving.config.drain_ms = PATIENCE_S * 1000;
	serving.shared = mmap(NULL, sizeof *serving.shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(serving.shared, MAP_FAILED);
	if (serving.board_is_arg)
		serving.arg = serving.shared;
	assert_int_equal(pipe(ready), 0);
	serving.pid = fork();
	assert_true(serving.pid >= 0);
	if (serving.pid == 0) {
		close(ready[0]);
		exit(serving_child(&serving, ready[1]));
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &serving.port, sizeof serving.port), sizeof serving.port);
	close(ready[0]);
}

static void stop_serving(void)
{
	int stops = atomic_fetch_add(&serving.shared->stops, 1) + 1;

	kill(serving.pid, SIGTERM);
	/* ThreadSanitizer puts a signal off until the next call that it knows, and those of liburing it does not: one
	 * that comes just before io_uring_enter(2) would wait with it. */
	for (int i = 1; OTHER_THREADS > 0 && i < 100 && atomic_load(&serving.shared->stops_heard) < stops; i++) {
		usleep(100000);
		kill(serving.pid, SIGTERM);
	}
}

/* Wait for the end, and check that nothing is left over. */
static const struct report *served(void)
{
	static struct report r;
	int status;

	assert_int_equal(waitpid(serving.pid, &status, 0), serving.pid);
	serving.pid = 0;
	if (status != 0 || serving.shared->report.descriptors != 0)
		print_message("%s\n", serving.shared->log);
	assert_int_equal(status, 0);
	r = serving.shared->report;
	munmap(serving.shared, sizeof *serving.shared);
	serving = (struct serving){ 0 };
	if (r.run < 0)
		print_message("             %s\n", r.reason);
	assert_int_equal(r.descriptors, 0);
	assert_in_range(r.threads, 0, OTHER_THREADS);
	assert_int_equal(r.children, 0);
	return &r;
}

static int end_serving(void **state)
{
	(void)state;
	if (serving.pid > 0) {
		print_message("%s\n", serving.shared->log);
		kill(serving.pid, SIGKILL);
		waitpid(serving.pid, NULL, 0);
	}
	serving = (struct serving){ 0 };
	return 0;
}

static void await_log(const char *text)
{
	for (int i = 0; i < PATIENCE_S * 1000 && strstr(serving.shared->log, text) == NULL; i++)
		usleep(1000);
	if (strstr(serving.shared->log, text) == NULL)
		fail_msg("\"%s\" was not logged:\n%s", text, serving.shared->log);
}

static int counter(int i)
{
	return atomic_load(&serving.shared->counters[i]);
}

static void await_counter(int i, int value)
{
	for (int ms = 0; ms < PATIENCE_S * 1000 && counter(i) < value; ms++)
		usleep(1000);
	assert_true(counter(i) >= value);
}

/* A scenario under each of the shapes that work here, with the service in one style and in the other. */
static void in_both_styles(const struct shape *shapes, size_t n, const struct myr_service styles[2],
                           void (*scenario)(const struct shape *, const struct myr_service *))
{
	for (size_t i = 0; i < n; i++)
		for (size_t s = 0; s < 2; s++)
			if (works(shapes[i].engine))
				scenario(&shapes[i], &styles[s]);
}

/* Interrupted at any time: an io_uring that this process has closed is still being taken down. */
static ssize_t receive(int fd, void *p, size_t n)
{
	ssize_t k;

	do {
		k = recv(fd, p, n, 0);
	} while (k < 0 && errno == EINTR);
	return k;
}

#ifndef SERVING_BARE                    /* whose clients speak TCP */

/* --- Clients ------------------------------------------------------------------------------------- */

static int dial(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)serving.port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static void say(int fd, const char *text)
{
	size_t n = strlen(text);

	assert_int_equal(send(fd, text, n, MSG_NOSIGNAL), n);
}

static void expect(int fd, const char *text)
{
	size_t n = strlen(text), got = 0;
	char buf[1024];

	assert_true(n < sizeof buf);
	while (got < n) {
		ssize_t k = receive(fd, buf + got, n - got);

		if (k <= 0)
			fail_msg("expected \"%s\", got \"%.*s\" and then %s", text, (int)got, buf,
			         k == 0 ? "the end" : strerror(errno));
		got += (size_t)k;
	}
	buf[got] = '\0';
	assert_string_equal(buf, text);
}

static void expect_line(int fd, char *line, size_t size)
{
	size_t n = 0;

	do {
		assert_true(n + 1 < size);
		assert_int_equal(receive(fd, line + n, 1), 1);
	} while (line[n++] != '\n');
	line[n - 1] = '\0';
}

static void expect_end(int fd)
{
	char c;

	assert_int_equal(receive(fd, &c, 1), 0);
	close(fd);
}

static void expect_reset(int fd)
{
	char c;

	assert_int_equal(receive(fd, &c, 1), -1);
	assert_int_equal(errno, ECONNRESET);
	close(fd);
}

/* The end, one way or the other, whatever was said before. */
static void expect_gone(int fd)
{
	char c;
	ssize_t n;

	while ((n = receive(fd, &c, 1)) > 0)
		;
	if (n < 0 && errno != ECONNRESET)
		fail_msg("expected the end, got %s", strerror(errno));
	close(fd);
}

#endif

static bool is_silent(int fd, int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, ms) == 0;
}

#endif
