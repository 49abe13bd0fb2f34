/* SPDX-License-Identifier: MIT
 *
 * test_selector.c - one contract, run against every selector through the public myr_selector_*:
 * level-triggered, as Python's selectors. */
#include "unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "myriad.h"
#include "support/clock.h"
#include "support/leaks.h"

#define MANY 500
#define FOREVER_MS 8000                 /* a wait for what has happened already returns long before */

static const char *const names[] = { "epoll", "poll", "select" };

struct fixture {
	const char *name;
	struct myr_selector *s;
	struct census before;
};

static int set_up(void **state)
{
	struct fixture *f = *state;

	census_take(&f->before);
	return myr_selector_new(&f->s, f->name);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char leaks[400];

	myr_selector_free(f->s);
	f->s = NULL;
	census_compare(&f->before, leaks, sizeof leaks, 1000);
	if (leaks[0] != '\0')
		print_message("%s\n", leaks);
	return leaks[0] != '\0';
}

static void make_pair(int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
}

static void close_pair(const int pair[2])
{
	close(pair[0]);
	close(pair[1]);
}

static void put(int fd)
{
	assert_int_equal(write(fd, "x", 1), 1);
}

static void get(int fd)
{
	char c;

	assert_int_equal(read(fd, &c, 1), 1);
}

/* What one wait that must not last reports about the only descriptor watched. */
static unsigned told(const struct fixture *f, int fd, const void *data)
{
	struct myr_event e[4];
	int n = myr_selector_wait(f->s, e, 4, 0);

	assert_in_range(n, 0, 1);
	if (n == 0)
		return 0;
	assert_int_equal(e[0].fd, fd);
	assert_ptr_equal(e[0].data, data);
	assert_true(e[0].events != 0);
	return e[0].events;
}

static void test_an_event_is_reported_as_long_as_it_holds(void **state)
{
	const struct fixture *f = *state;
	int pair[2], data;

	make_pair(pair);
	assert_int_equal(myr_selector_set(f->s, pair[0], MYR_READ, &data), 0);
	assert_int_equal(told(f, pair[0], &data), 0);
	put(pair[1]);
	for (int i = 0; i < 3; i++)
		assert_int_equal(told(f, pair[0], &data), MYR_READ);
	get(pair[0]);
	assert_int_equal(told(f, pair[0], &data), 0);
	assert_int_equal(myr_selector_set(f->s, pair[0], 0, NULL), 0);
	close_pair(pair);
}

static void test_setting_again_replaces_events_and_data(void **state)
{
	const struct fixture *f = *state;
	int pair[2], first, second;

	make_pair(pair);
	put(pair[1]);
	assert_int_equal(myr_selector_set(f->s, pair[0], MYR_READ, &first), 0);
	assert_int_equal(myr_selector_set(f->s, pair[0], MYR_WRITE, &first), 0);
	assert_int_equal(told(f, pair[0], &first), MYR_WRITE);
	assert_int_equal(myr_selector_set(f->s, pair[0], MYR_WRITE, &second), 0);
	assert_int_equal(told(f, pair[0], &second), MYR_WRITE);
	assert_int_equal(myr_selector_set(f->s, pair[0], MYR_READ | MYR_WRITE, NULL), 0);
	assert_int_equal(told(f, pair[0], NULL), MYR_READ | MYR_WRITE);
	assert_int_equal(myr_selector_set(f->s, pair[0], MYR_READ, &first), 0);
	assert_int_equal(told(f, pair[0], &first), MYR_READ);
	assert_int_equal(myr_selector_set(f->s, pair[0], 0, NULL), 0);
	assert_int_equal(told(f, pair[0], NULL), 0);
	assert_int_equal(myr_selector_set(f->s, pair[0], 0, NULL), 0);
	close_pair(pair);
}

static void test_a_forgotten_number_may_come_back_as_another_socket(void **state)
{
	const struct fixture *f = *state;
	int pair[2], other[2], old, new;

	make_pair(pair);
	make_pair(other);
	put(pair[1]);
	assert_int_equal(myr_selector_set(f->s, pair[0], MYR_READ, &old), 0);
	assert_int_equal(told(f, pair[0], &old), MYR_READ);
	assert_int_equal(myr_selector_set(f->s, pair[0], 0, NULL), 0);
	assert_int_equal(dup2(other[0], pair[0]), pair[0]);     /* closes the old one */
	assert_int_equal(told(f, pair[0], NULL), 0);
	assert_int_equal(myr_selector_set(f->s, pair[0], MYR_READ, &new), 0);
	assert_int_equal(told(f, pair[0], &new), 0);
	put(other[1]);
	assert_int_equal(told(f, pair[0], &new), MYR_READ);
	assert_int_equal(myr_selector_set(f->s, pair[0], 0, NULL), 0);
	close_pair(pair);
	close_pair(other);
}

/* Whatever is asked for is reported, and nothing else: a reset, and a peer that has gone. */
static void end_shows_as(const struct fixture *f, int fd)
{
	for (unsigned events = MYR_READ; events <= (MYR_READ | MYR_WRITE); events++) {
		assert_int_equal(myr_selector_set(f->s, fd, events, &fd), 0);
		assert_int_equal(told(f, fd, &fd), events);
	}
	assert_int_equal(myr_selector_set(f->s, fd, 0, NULL), 0);
}

static int connected_tcp(int *listening)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof a;
	int fd;

	*listening = myr_listen("tcp:127.0.0.1:0");
	assert_true(*listening >= 0);
	assert_int_equal(getsockname(*listening, (struct sockaddr *)&a, &n), 0);
	fd = socket(a.ss_family, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, n), 0);
	return fd;
}

static void test_an_error_shows_as_every_event_asked_for(void **state)
{
	const struct linger reset = { .l_onoff = 1 };
	const struct fixture *f = *state;
	int listening, peer, fd = connected_tcp(&listening);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	peer = accept(listening, NULL, NULL);
	assert_true(peer >= 0);
	setsockopt(peer, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(peer);
	assert_int_equal(poll(&p, 1, FOREVER_MS), 1);
	end_shows_as(f, fd);
	close(fd);
	close(listening);
}

static void test_a_hang_up_shows_as_every_event_asked_for(void **state)
{
	const struct fixture *f = *state;
	int pair[2];

	make_pair(pair);
	close(pair[1]);
	end_shows_as(f, pair[0]);
	close(pair[0]);
}

/* The reading end has gone: select(2) and poll(2) must agree that writing is worth a try. */
static void test_a_pipe_nobody_reads_is_writable(void **state)
{
	const struct fixture *f = *state;
	char page[4096] = "";
	int ends[2], data;

	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
	while (write(ends[1], page, sizeof page) > 0)
		;
	assert_int_equal(myr_selector_set(f->s, ends[1], MYR_WRITE, &data), 0);
	assert_int_equal(told(f, ends[1], &data), 0);
	close(ends[0]);
	assert_int_equal(told(f, ends[1], &data), MYR_WRITE);
	assert_int_equal(myr_selector_set(f->s, ends[1], 0, NULL), 0);
	close(ends[1]);
}

static void test_waits_last_as_long_as_they_should(void **state)
{
	const struct fixture *f = *state;
	struct myr_event e;
	int pair[2];
	int64_t began;

	make_pair(pair);
	assert_int_equal(myr_selector_wait(f->s, &e, 1, 0), 0);        /* nothing at all is watched */
	assert_int_equal(myr_selector_set(f->s, pair[0], MYR_READ, NULL), 0);
	began = test_now();
	assert_int_equal(myr_selector_wait(f->s, &e, 1, 0), 0);
	assert_int_equal(myr_selector_wait(f->s, &e, 1, 30), 0);
	assert_true(test_now() - began >= 29);                          /* two clocks, rounded down */
	put(pair[1]);
	began = test_now();
	assert_int_equal(myr_selector_wait(f->s, &e, 1, 0), 1);
	assert_int_equal(myr_selector_wait(f->s, &e, 1, FOREVER_MS), 1);
	assert_int_equal(myr_selector_wait(f->s, &e, 1, MYR_NONE), 1);
	assert_int_equal(myr_selector_wait(f->s, &e, 1, -77), 1);
	assert_true(test_now() - began < FOREVER_MS);
	assert_int_equal(myr_selector_set(f->s, pair[0], 0, NULL), 0);
	close_pair(pair);
}

static void on_alarm(int signal)
{
	(void)signal;
}

static void test_a_signal_ends_the_wait(void **state)
{
	const struct itimerspec soon = { .it_value.tv_nsec = 20000000, .it_interval.tv_nsec = 20000000 };
	struct sigaction act = { .sa_handler = on_alarm, .sa_flags = SA_RESTART }, old;
	const struct fixture *f = *state;
	struct myr_event e;
	timer_t timer;
	int pair[2];

	make_pair(pair);
	assert_int_equal(myr_selector_set(f->s, pair[0], MYR_READ, NULL), 0);
	assert_int_equal(sigaction(SIGALRM, &act, &old), 0);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, NULL, &timer), 0);
	assert_int_equal(timer_settime(timer, 0, &soon, NULL), 0);
	assert_int_equal(myr_selector_wait(f->s, &e, 1, FOREVER_MS), -EINTR);
	timer_delete(timer);
	sigaction(SIGALRM, &old, NULL);
	assert_int_equal(myr_selector_set(f->s, pair[0], 0, NULL), 0);
	close_pair(pair);
}

struct crowd {
	int pairs[MANY][2];
	int seen[MANY];                 /* how often each was reported */
};

static void crowd_open(struct crowd *c, const struct fixture *f)
{
	memset(c, 0, sizeof *c);
	for (int i = 0; i < MANY; i++) {
		/* Numbers that mix: the watched ends are not neighbours. */
		make_pair(c->pairs[i]);
		assert_int_equal(myr_selector_set(f->s, c->pairs[i][0], MYR_READ, &c->seen[i]), 0);
		close(c->pairs[i][1]);          /* hung up for good: ready for ever */
	}
}

static void crowd_close(struct crowd *c, const struct fixture *f)
{
	for (int i = 0; i < MANY; i++) {
		assert_int_equal(myr_selector_set(f->s, c->pairs[i][0], 0, NULL), 0);
		close(c->pairs[i][0]);
	}
}

static void crowd_count(const struct crowd *c, const struct myr_event *e, int n)
{
	for (int i = 0; i < n; i++) {
		int *seen = e[i].data;
		ptrdiff_t at = seen - c->seen;

		assert_in_range(at, 0, MANY - 1);
		assert_int_equal(e[i].fd, c->pairs[at][0]);
		assert_int_equal(e[i].events, MYR_READ);
		++*seen;
	}
}

/* More are ready than one wait may report: successive waits leave nobody out. */
static void test_a_small_batch_starves_nobody(void **state)
{
	const struct fixture *f = *state;
	const int max = 7;
	struct myr_event e[7];
	static struct crowd c;
	int waits = 0, missing = MANY;

	crowd_open(&c, f);
	while (missing > 0 && waits++ < 3 * MANY / max) {
		int n = myr_selector_wait(f->s, e, max, FOREVER_MS);

		assert_int_equal(n, max);
		for (int i = 0; i < n; i++)
			missing -= *(int *)e[i].data == 0;
		crowd_count(&c, e, n);
	}
	assert_int_equal(missing, 0);
	crowd_close(&c, f);
}

static void test_five_hundred_descriptors_come_and_go(void **state)
{
	const struct fixture *f = *state;
	static struct myr_event e[MANY];
	static struct crowd c;

	unit_seed(f->name);
	crowd_open(&c, f);
	for (int left = MANY; left > 0; ) {
		size_t gone = unit_below(MANY);
		int reported = 0, n;

		memset(c.seen, 0, sizeof c.seen);
		for (int waits = 0; reported < left && waits < MANY; waits++, reported += n) {
			n = myr_selector_wait(f->s, e, MANY, 0);
			assert_true(n > 0);
			crowd_count(&c, e, n);
		}
		for (size_t k = 0; k < (size_t)left / 2 + 1; k++, gone = (gone + 1) % MANY) {
			while (c.pairs[gone][1] == -1)
				gone = (gone + 1) % MANY;
			assert_true(c.seen[gone] > 0);
			assert_int_equal(myr_selector_set(f->s, c.pairs[gone][0], 0, NULL), 0);
			c.pairs[gone][1] = -1;          /* forgotten: not to be reported again */
			c.seen[gone] = -1;
		}
		left -= left / 2 + 1;
		n = myr_selector_wait(f->s, e, MANY, 0);
		for (int i = 0; i < n; i++)
			assert_true(*(int *)e[i].data >= 0);
		assert_int_equal(n > 0, left > 0);
	}
	for (int i = 0; i < MANY; i++)
		close(c.pairs[i][0]);
}

static void test_a_high_descriptor_is_watched_or_refused(void **state)
{
	const struct fixture *f = *state;
	int pair[2], data, high = 1500;
	struct rlimit r;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &r), 0);
	if (r.rlim_cur <= (rlim_t)high) {
		print_message("no more than %llu descriptors are allowed here\n", (unsigned long long)r.rlim_cur);
		skip();
	}
	make_pair(pair);
	assert_int_equal(dup2(pair[0], high), high);
	put(pair[1]);
	if (strcmp(f->name, "select") == 0) {
		assert_int_equal(myr_selector_set(f->s, high, MYR_READ, &data), -EMFILE);
		assert_non_null(strstr(myr_reason(), "1500"));
		assert_non_null(strstr(myr_reason(), "1024"));
		assert_int_equal(told(f, high, &data), 0);
		assert_int_equal(myr_selector_set(f->s, pair[0], MYR_READ, &data), 0);   /* and works on */
		assert_int_equal(told(f, pair[0], &data), MYR_READ);
		assert_int_equal(myr_selector_set(f->s, pair[0], 0, NULL), 0);
	} else {
		assert_int_equal(myr_selector_set(f->s, high, MYR_READ, &data), 0);
		assert_int_equal(told(f, high, &data), MYR_READ);
		assert_int_equal(myr_selector_set(f->s, high, 0, NULL), 0);
	}
	close(high);
	close_pair(pair);
}

static void test_bad_arguments_are_errors_and_change_nothing(void **state)
{
	const struct fixture *f = *state;
	struct myr_event e;
	int pair[2], data, closed;

	make_pair(pair);
	put(pair[1]);
	assert_int_equal(myr_selector_set(f->s, pair[0], MYR_READ, &data), 0);
	assert_int_equal(myr_selector_set(f->s, pair[0], 4, NULL), -EINVAL);
	assert_int_equal(myr_selector_set(f->s, pair[0], ~0u, NULL), -EINVAL);
	assert_int_equal(told(f, pair[0], &data), MYR_READ);
	assert_int_equal(myr_selector_set(f->s, -1, MYR_READ, NULL), -EBADF);
	assert_int_equal(myr_selector_set(f->s, -1, 0, NULL), -EBADF);
	assert_int_equal(myr_selector_set(f->s, INT_MIN, MYR_READ, NULL), -EBADF);
	assert_int_equal(myr_selector_wait(f->s, &e, 0, 0), -EINVAL);
	assert_int_equal(myr_selector_wait(f->s, &e, -1, 0), -EINVAL);
	closed = dup(pair[0]);
	close(closed);
	assert_int_equal(myr_selector_set(f->s, closed, MYR_READ, NULL), -EBADF);
	assert_int_equal(told(f, pair[0], &data), MYR_READ);
	assert_int_equal(myr_selector_set(f->s, pair[0], 0, NULL), 0);
	close_pair(pair);
}

/* A number no descriptor can have: no table of its size, and nothing to forget. */
static void test_an_absurd_number_is_a_bad_descriptor(void **state)
{
	const struct fixture *f = *state;
	int limited = strcmp(f->name, "select") == 0;

	assert_int_equal(myr_selector_set(f->s, INT_MAX, MYR_READ, NULL), limited ? -EMFILE : -EBADF);
	assert_int_equal(myr_selector_set(f->s, INT_MAX, 0, NULL), limited ? -EMFILE : 0);
}

static void test_no_memory_is_an_error_and_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct myr_selector *s;
	int pair[2], data, err = -ENOMEM;

	make_pair(pair);
	put(pair[1]);
	for (unsigned at = 1; err != 0; at++) {
		assert_in_range(at, 1, 20);
		unit_fail_alloc(at);
		err = myr_selector_new(&s, f->name);
		if (err == 0)
			err = myr_selector_set(s, pair[0], MYR_READ, &data);
		unit_fail_alloc(0);
		if (err != 0)
			assert_int_equal(err, -ENOMEM);
		if (s != NULL && err != 0) {
			assert_int_equal(myr_selector_set(s, pair[0], MYR_READ, &data), 0);
			myr_selector_free(f->s);
			f->s = s;
			assert_int_equal(told(f, pair[0], &data), MYR_READ);
			assert_int_equal(myr_selector_set(s, pair[0], 0, NULL), 0);
		} else if (s != NULL) {
			myr_selector_free(s);
		}
	}
	close_pair(pair);
}

static void test_names(void **state)
{
	struct myr_selector *s = (struct myr_selector *)state;

	assert_int_equal(myr_selector_new(&s, "kqueue"), -EINVAL);
	assert_null(s);
	assert_non_null(strstr(myr_reason(), "kqueue"));
	assert_non_null(strstr(myr_reason(), "epoll"));
	assert_int_equal(myr_selector_new(&s, ""), -EINVAL);
	assert_int_equal(myr_selector_new(&s, NULL), 0);
	assert_non_null(s);
	myr_selector_free(s);
	myr_selector_free(NULL);
}

#define CONTRACT(X)                                                                                \
	X(test_an_event_is_reported_as_long_as_it_holds)                                           \
	X(test_setting_again_replaces_events_and_data)                                             \
	X(test_a_forgotten_number_may_come_back_as_another_socket)                                 \
	X(test_an_error_shows_as_every_event_asked_for)                                            \
	X(test_a_hang_up_shows_as_every_event_asked_for)                                           \
	X(test_a_pipe_nobody_reads_is_writable)                                                    \
	X(test_waits_last_as_long_as_they_should)                                                  \
	X(test_a_signal_ends_the_wait)                                                             \
	X(test_a_small_batch_starves_nobody)                                                       \
	X(test_five_hundred_descriptors_come_and_go)                                               \
	X(test_a_high_descriptor_is_watched_or_refused)                                            \
	X(test_bad_arguments_are_errors_and_change_nothing)                                        \
	X(test_an_absurd_number_is_a_bad_descriptor)                                               \
	X(test_no_memory_is_an_error_and_changes_nothing)

static const struct { const char *name; CMUnitTestFunction run; } contract[] = {
#define CASE(test) { #test, test },
	CONTRACT(CASE)
};

#define CASES (sizeof contract / sizeof *contract)
#define NAMES (sizeof names / sizeof *names)

int main(void)
{
	static struct CMUnitTest tests[NAMES * CASES + 1] = { { "test_names", test_names, NULL, NULL, NULL } };
	static struct fixture fixtures[NAMES];
	static char titles[NAMES * CASES + 1][100];
	size_t n = 1;

	for (size_t i = 0; i < NAMES; i++) {
		fixtures[i].name = names[i];
		for (size_t k = 0; k < CASES; k++, n++) {
			snprintf(titles[n], sizeof titles[n], "%s: %s", names[i], contract[k].name);
			tests[n] = (struct CMUnitTest){ titles[n], contract[k].run, set_up, tear_down, &fixtures[i] };
		}
	}
	return cmocka_run_group_tests_name("selector", tests, NULL, NULL);
}
