/* SPDX-License-Identifier: MIT
 *
 * test_service.c - services of both styles under myr_test_*: what their users rely on, without a
 * socket and with a clock that moves only when it is told to. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "myriad.h"

#define HOUR (3600 * 1000)

static struct {                         /* what a service's callbacks have seen */
	unsigned opens, closes, setups, finishes, starts, stops, ticks, rooms;
	int why;
} seen;

static void on_open(struct myr_conn *c)
{
	(void)c;
	seen.opens++;
}

static void on_close(struct myr_conn *c, int why)
{
	assert_null(myr_server_of(c));
	seen.closes++;
	seen.why = why;
}

static int on_setup(struct myr_conn *c)
{
	(void)c;
	seen.setups++;
	return 0;
}

static void on_finish(struct myr_conn *c)
{
	seen.finishes++;
	seen.why = myr_error(c);
}

static struct myr_test *begin(const struct myr_service *s, void *arg)
{
	struct myr_test *t;

	memset(&seen, 0, sizeof seen);
	seen.why = 77;
	assert_int_equal(myr_test_new(&t, s, arg), 0);
	return t;
}

static int feed(struct myr_test *t, const char *text)
{
	return myr_test_feed(t, text, strlen(text));
}

static void assert_sent(struct myr_test *t, const char *text)
{
	size_t n;
	const char *sent = myr_test_sent(t, &n);

	assert_string_equal(sent, text);
	assert_int_equal(n, strlen(text));
}

/* --- Echo ---------------------------------------------------------------------------------------- */

static void echo_blocking(struct myr_conn *c)
{
	char buf[64];
	ssize_t n;

	while ((n = myr_read(c, buf, sizeof buf)) > 0)
		myr_write(c, buf, (size_t)n);
}

static size_t echo_callback(struct myr_conn *c, const void *p, size_t n)
{
	myr_write(c, p, n);
	return n;
}

static const struct myr_service echoes[] = {
	{ .name = "blocking", .setup = on_setup, .handle = echo_blocking, .finish = on_finish },
	{ .name = "callback", .on_open = on_open, .on_data = echo_callback, .on_close = on_close },
};

static void test_echo(void **state)
{
	static char big[300000], got[sizeof big];
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)(i * 7 + i / 251);
	for (int i = 0; i < 2; i++) {
		struct myr_test *t = begin(&echoes[i], NULL);

		assert_int_equal(seen.opens + seen.setups, 1);
		assert_int_equal(feed(t, "hello"), 1);
		assert_sent(t, "hello");
		assert_sent(t, "");
		assert_int_equal(myr_test_feed(t, big, sizeof big), 1);
		memcpy(got, myr_test_sent(t, &n), sizeof got);
		assert_int_equal(n, sizeof big);
		assert_memory_equal(got, big, sizeof big);
		assert_int_equal(feed(t, "bye"), 1);
		assert_int_equal(myr_test_end(t, MYR_EOF), MYR_EOF);
		assert_sent(t, "bye");
		assert_int_equal(feed(t, "nobody listens"), MYR_EOF);
		assert_int_equal(myr_test_end(t, -ECONNRESET), MYR_EOF);
		assert_int_equal(myr_test_pass(t, HOUR), MYR_EOF);
		assert_sent(t, "");
		assert_int_equal(seen.closes + seen.finishes, 1);
		myr_test_free(t);
		assert_int_equal(seen.closes + seen.finishes, 1);
	}
}

/* --- The ends a connection can come to -------------------------------------------------------------- */

static void test_reset(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct myr_test *t = begin(&echoes[i], NULL);

		assert_int_equal(feed(t, "x"), 1);
		assert_int_equal(myr_test_end(t, -ECONNRESET), -ECONNRESET);
		assert_int_equal(seen.why, -ECONNRESET);
		assert_int_equal(seen.closes + seen.finishes, 1);
		myr_test_free(t);
		assert_int_equal(seen.closes + seen.finishes, 1);
	}
}

static void test_another_error(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct myr_test *t = begin(&echoes[i], NULL);

		assert_int_equal(myr_test_end(t, 0), -EINVAL);
		assert_int_equal(myr_test_end(t, -EHOSTUNREACH), -EHOSTUNREACH);
		assert_int_equal(seen.why, -EHOSTUNREACH);
		assert_int_equal(seen.closes + seen.finishes, 1);
		myr_test_free(t);
	}
}

static void test_free_while_open(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct myr_test *t = begin(&echoes[i], NULL);

		assert_int_equal(feed(t, "x"), 1);
		assert_int_equal(seen.closes + seen.finishes, 0);
		myr_test_free(t);
		assert_int_equal(seen.closes + seen.finishes, 1);
	}
	myr_test_free(NULL);
}

static void test_idle(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct myr_test *t = begin(&echoes[i], NULL);

		assert_int_equal(feed(t, "x"), 1);
		assert_int_equal(myr_test_pass(t, 24 * HOUR), -ETIMEDOUT);
		assert_int_equal(seen.why, -ETIMEDOUT);
		assert_int_equal(seen.closes + seen.finishes, 1);
		myr_test_free(t);
	}
}

static void quit_blocking(struct myr_conn *c)
{
	char line[16];

	while (myr_recv(c, line, sizeof line) >= 0)
		if (strcmp(line, "quit") == 0) {
			myr_send(c, "bye", 3);
			return;
		}
}

static void quit_callback(struct myr_conn *c, const void *p, size_t n)
{
	if (n == 4 && memcmp(p, "quit", 4) == 0) {
		myr_send(c, "bye", 3);
		myr_close(c);
	}
}

static const struct myr_service quits[] = {
	{ .framing = &myr_lines, .handle = quit_blocking, .finish = on_finish },
	{ .framing = &myr_lines, .on_frame = quit_callback, .on_close = on_close },
};

/* The peer has more on its way when the service closes: the reply must arrive all the same. */
static void test_the_service_closes(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct myr_test *t = begin(&quits[i], NULL);

		assert_int_equal(feed(t, "hello\n"), 1);
		assert_int_equal(feed(t, "quit\nand much more\n"), 0);
		assert_sent(t, "bye\n");
		assert_int_equal(seen.closes + seen.finishes, 1);
		assert_int_equal(seen.why, 0);
		myr_test_free(t);
	}
}

static void abort_callback(struct myr_conn *c, const void *p, size_t n)
{
	(void)p;
	(void)n;
	myr_write(c, "lost", 4);
	myr_abort(c);
}

static void test_the_service_aborts(void **state)
{
	const struct myr_service s = { .framing = &myr_lines, .on_frame = abort_callback, .on_close = on_close };
	struct myr_test *t = begin(&s, NULL);

	(void)state;
	assert_true(feed(t, "x\ny\n") <= 0);
	assert_sent(t, "");
	assert_int_equal(seen.closes, 1);
	myr_test_free(t);
	assert_int_equal(seen.closes, 1);
}

static int refuse_setup(struct myr_conn *c)
{
	myr_write(c, "no\n", 3);
	return -1;
}

static void refuse_open(struct myr_conn *c)
{
	myr_write(c, "no\n", 3);
	myr_close(c);
}

static void never(struct myr_conn *c)
{
	(void)c;
	fail_msg("it was refused");
}

static void test_refusals(void **state)
{
	const struct myr_service refusing[] = {
		{ .setup = refuse_setup, .handle = never, .finish = never },
		{ .on_open = refuse_open, .on_data = echo_callback, .on_close = on_close },
	};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct myr_test *t = begin(&refusing[i], NULL);

		assert_sent(t, "no\n");
		assert_int_equal(feed(t, "x"), 0);
		assert_sent(t, "");
		assert_int_equal(seen.closes, i);
		myr_test_free(t);
	}
}

/* --- Frames ------------------------------------------------------------------------------------------- */

static void frames_blocking(struct myr_conn *c)
{
	char line[64];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0)
		myr_printf(c, "[%s]", line);
}

static void frames_callback(struct myr_conn *c, const void *p, size_t n)
{
	myr_printf(c, "[%.*s]", (int)n, (const char *)p);
}

static const struct myr_service framed[] = {
	{ .framing = &myr_lines, .frame_max = 16, .handle = frames_blocking, .finish = on_finish },
	{ .framing = &myr_lines, .frame_max = 16, .on_frame = frames_callback, .on_close = on_close },
};

static void test_frames(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct myr_test *t = begin(&framed[i], NULL);

		assert_int_equal(feed(t, "on"), 1);
		assert_sent(t, "");
		assert_int_equal(feed(t, "e\r\ntwo\n\nthr"), 1);
		assert_sent(t, "[one][two][]");
		assert_int_equal(feed(t, "ee\n"), 1);
		assert_sent(t, "[three]");
		assert_int_equal(feed(t, "half"), 1);
		assert_int_equal(myr_test_end(t, MYR_EOF), MYR_EFRAME);
		assert_int_equal(seen.why, MYR_EFRAME);
		assert_int_equal(seen.closes + seen.finishes, 1);
		myr_test_free(t);
	}
}

static void test_oversize_frame(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct myr_test *t = begin(&framed[i], NULL);

		assert_int_equal(feed(t, "ok\n0123456789abcdef\n"), 1);
		assert_sent(t, "[ok][0123456789abcdef]");
		assert_int_equal(feed(t, "0123456789abcdef"), 1);
		assert_int_equal(feed(t, "g"), MYR_EFRAME);
		assert_int_equal(seen.why, MYR_EFRAME);
		assert_int_equal(seen.closes + seen.finishes, 1);
		myr_test_free(t);
	}
}

static void test_slow_frame(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct myr_test *t = begin(&framed[i], NULL);
		int status = 1, drops;

		for (drops = 0; status == 1 && drops < 10; drops++) {   /* each byte is news, the frame is not */
			assert_int_equal(feed(t, "x"), 1);
			status = myr_test_pass(t, 9000);
		}
		assert_int_equal(status, -ETIMEDOUT);
		assert_int_equal(seen.why, -ETIMEDOUT);
		myr_test_free(t);
	}
}

static size_t refuse_data(struct myr_conn *c, const void *p, size_t n)
{
	(void)c;
	(void)p;
	(void)n;
	return 0;
}

static void test_input_that_is_never_used_ends(void **state)
{
	const struct myr_service s = { .on_data = refuse_data, .on_close = on_close };
	struct myr_test *t = begin(&s, NULL);
	char block[4096];
	int status = 1, blocks = 0;

	(void)state;
	memset(block, 'x', sizeof block);
	while (status == 1 && blocks++ < 10000)
		status = myr_test_feed(t, block, sizeof block);
	assert_int_equal(status, -EMSGSIZE);
	assert_int_equal(seen.why, -EMSGSIZE);
	assert_int_equal(seen.closes, 1);
	myr_test_free(t);
}

/* --- Half-close --------------------------------------------------------------------------------------- */

static void count_blocking(struct myr_conn *c)
{
	unsigned long total = 0;
	char buf[8];
	ssize_t n;

	while ((n = myr_read(c, buf, sizeof buf)) > 0)
		total += (unsigned long)n;
	if (n == MYR_EOF)
		myr_printf(c, "%lu\n", total);
}

static size_t count_data(struct myr_conn *c, const void *p, size_t n)
{
	(void)p;
	*(unsigned long *)myr_state(c) += n;
	return n;
}

static void count_eof(struct myr_conn *c)
{
	myr_printf(c, "%lu\n", *(unsigned long *)myr_state(c));
	myr_close(c);
}

static void test_an_answer_after_the_end(void **state)
{
	const struct myr_service counts[] = {
		{ .handle = count_blocking, .finish = on_finish },
		{ .state = sizeof(unsigned long), .on_data = count_data, .on_eof = count_eof, .on_close = on_close },
	};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct myr_test *t = begin(&counts[i], NULL);

		assert_int_equal(feed(t, "0123456789"), 1);
		assert_int_equal(feed(t, "abc"), 1);
		assert_int_equal(myr_test_end(t, MYR_EOF), MYR_EOF);
		assert_sent(t, "13\n");
		assert_int_equal(seen.closes + seen.finishes, 1);
		myr_test_free(t);
	}
}

static void half_open(struct myr_conn *c)
{
	myr_write(c, "that is all\n", 12);
	myr_write_eof(c);
}

static void test_the_service_ends_its_half(void **state)
{
	const struct myr_service s = { .state = sizeof(unsigned long), .on_open = half_open, .on_data = count_data,
	                               .on_close = on_close };
	struct myr_test *t = begin(&s, NULL);

	(void)state;
	assert_sent(t, "that is all\n");
	assert_int_equal(feed(t, "I still talk"), 1);
	assert_int_equal(myr_test_end(t, MYR_EOF), 0);
	assert_int_equal(seen.closes, 1);
	myr_test_free(t);
}

/* --- Time ---------------------------------------------------------------------------------------------- */

static void tick(struct myr_conn *c)
{
	seen.ticks++;
	myr_printf(c, "tick %u\n", seen.ticks);
	myr_tick(c, 100);
}

static void tick_open(struct myr_conn *c)
{
	myr_tick(c, 100);
}

static void tick_blocking(struct myr_conn *c)
{
	myr_tick(c, 100);
	echo_blocking(c);
}

static void test_ticks(void **state)
{
	const struct myr_service ticking[] = {
		{ .handle = tick_blocking, .finish = on_finish, .on_tick = tick },
		{ .on_open = tick_open, .on_data = echo_callback, .on_close = on_close, .on_tick = tick },
	};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct myr_test *t = begin(&ticking[i], NULL);

		assert_int_equal(myr_test_pass(t, 99), 1);
		assert_sent(t, "");
		assert_int_equal(myr_test_pass(t, 1), 1);
		assert_sent(t, "tick 1\n");
		assert_int_equal(feed(t, "and\n"), 1);
		assert_int_equal(myr_test_pass(t, 250), 1);
		assert_sent(t, "and\ntick 2\ntick 3\n");
		assert_int_equal(myr_test_end(t, MYR_EOF), MYR_EOF);
		assert_int_equal(myr_test_pass(t, HOUR), MYR_EOF);
		assert_int_equal(seen.ticks, 3);
		myr_test_free(t);
	}
}

static void patient(struct myr_conn *c)
{
	char buf[16];
	ssize_t n;

	myr_set_timeout(c, 1000);
	while ((n = myr_read(c, buf, sizeof buf)) > 0 || n == -ETIMEDOUT) {
		if (n > 0)
			myr_write(c, buf, (size_t)n);
		else
			myr_write(c, "?", 1);
	}
}

static void test_a_wait_that_expires_does_not_stick(void **state)
{
	const struct myr_service s = { .handle = patient, .finish = on_finish };
	struct myr_test *t = begin(&s, NULL);

	(void)state;
	assert_int_equal(myr_test_pass(t, 999), 1);
	assert_sent(t, "");
	assert_int_equal(myr_test_pass(t, 1), 1);
	assert_sent(t, "?");
	assert_int_equal(feed(t, "a"), 1);
	assert_int_equal(myr_test_pass(t, 2000), 1);
	assert_sent(t, "a??");
	assert_int_equal(myr_test_end(t, MYR_EOF), MYR_EOF);
	myr_test_free(t);
}

static void sleeper(struct myr_conn *c)
{
	if (myr_sleep(c, 5000) == 0)
		myr_write(c, "good morning\n", 13);
}

static void test_sleep(void **state)
{
	const struct myr_service s = { .handle = sleeper, .finish = on_finish };
	struct myr_test *t = begin(&s, NULL);

	(void)state;
	assert_int_equal(feed(t, "wake up!"), 1);
	assert_int_equal(myr_test_pass(t, 4999), 1);
	assert_sent(t, "");
	assert_int_equal(myr_test_pass(t, MYR_NONE), 0);
	assert_sent(t, "good morning\n");
	myr_test_free(t);

	t = begin(&s, NULL);
	assert_int_equal(myr_test_end(t, -ECONNRESET), -ECONNRESET);
	assert_int_equal(seen.finishes, 1);
	myr_test_free(t);
}

static void restless(struct myr_conn *c)
{
	char byte;

	if (myr_read(c, &byte, 1) == 1)
		while (myr_sleep(c, 0) == 0)
			;
}

static void test_a_service_that_never_waits_is_found(void **state)
{
	const struct myr_service s = { .handle = restless, .finish = on_finish };
	struct myr_test *t = begin(&s, NULL);

	(void)state;
	assert_int_equal(feed(t, "x"), -ELOOP);
	assert_non_null(strstr(myr_reason(), "never waits"));
	myr_test_free(t);
	assert_int_equal(seen.finishes, 1);
}

/* --- The drain --------------------------------------------------------------------------------------------- */

static void drain_blocking(struct myr_conn *c)
{
	char buf[16];
	ssize_t n;

	while ((n = myr_read(c, buf, sizeof buf)) > 0)
		myr_write(c, buf, (size_t)n);
	if (n == MYR_STOP)
		myr_write(c, "good-bye\n", 9);
}

static void drain_stop(struct myr_conn *c)
{
	myr_write(c, "good-bye\n", 9);
	myr_close(c);
}

static void test_the_drain_is_told(void **state)
{
	const struct myr_service polite[] = {
		{ .handle = drain_blocking, .finish = on_finish },
		{ .on_data = echo_callback, .on_close = on_close, .on_stop = drain_stop },
		{ .on_data = echo_callback, .on_close = on_close },
	};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct myr_test *t = begin(&polite[i], NULL);

		assert_int_equal(feed(t, "hello\n"), 1);
		assert_true(myr_test_end(t, MYR_STOP) <= 0);
		assert_sent(t, i < 2 ? "hello\ngood-bye\n" : "hello\n");
		assert_int_equal(seen.closes + seen.finishes, 1);
		myr_test_free(t);
	}
}

static void stubborn(struct myr_conn *c)
{
	char buf[16];
	ssize_t n;

	while ((n = myr_read(c, buf, sizeof buf)) > 0 || (n == MYR_STOP && myr_error(c) == 0))
		if (n > 0)
			myr_write(c, buf, (size_t)n);
}

static void test_the_drain_is_told_once(void **state)
{
	const struct myr_service s = { .handle = stubborn, .finish = on_finish };
	struct myr_test *t = begin(&s, NULL);

	(void)state;
	assert_int_equal(myr_test_end(t, MYR_STOP), 1);
	assert_int_equal(myr_test_end(t, MYR_STOP), 1);
	assert_int_equal(feed(t, "still here"), 1);
	assert_sent(t, "still here");
	myr_test_free(t);
	assert_int_equal(seen.finishes, 1);
	assert_int_equal(seen.why, -ECANCELED);         /* freed: cut; MYR_STOP would be ignored for ever */
}

/* --- Output ------------------------------------------------------------------------------------------------ */

#define FLOOD ((size_t)3 << 20)

static void flood_blocking(struct myr_conn *c)
{
	char block[1000];

	memset(block, 'f', sizeof block);
	for (size_t sent = 0; sent < FLOOD; sent += sizeof block)
		if (myr_write(c, block, sizeof block) < 0)
			return;
}

static void flood_more(struct myr_conn *c)
{
	size_t *sent = myr_state(c);
	char block[1000];

	memset(block, 'f', sizeof block);
	for (; *sent < FLOOD && !myr_full(c); *sent += sizeof block)
		assert_int_equal(myr_write(c, block, sizeof block), sizeof block);
	if (*sent >= FLOOD)
		myr_close(c);
}

static void flood_room(struct myr_conn *c)
{
	seen.rooms++;
	flood_more(c);
}

static void test_floods(void **state)
{
	const struct myr_service floods[] = {
		{ .handle = flood_blocking, .finish = on_finish },
		{ .state = sizeof(size_t), .on_open = flood_more, .on_room = flood_room, .on_close = on_close },
	};
	size_t n;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct myr_test *t = begin(&floods[i], NULL);

		assert_int_equal(feed(t, "x"), 0);
		myr_test_sent(t, &n);
		assert_true(n >= FLOOD && n < FLOOD + 1000);
		assert_int_equal(seen.closes + seen.finishes, 1);
		assert_true(i == 0 || seen.rooms > 1);
		myr_test_free(t);
	}
}

/* --- Around it ----------------------------------------------------------------------------------------------- */

static int start(struct myr_loop *l, void *arg)
{
	assert_non_null(l);
	seen.starts++;
	return arg != NULL && strcmp(arg, "fail") == 0 ? -EADDRNOTAVAIL : 0;
}

static void stop(struct myr_loop *l, void *arg)
{
	assert_non_null(l);
	(void)arg;
	assert_int_equal(seen.closes, 1);
	seen.stops++;
}

static void introduce(struct myr_conn *c)
{
	unsigned *visits = myr_shared(c);

	assert_int_equal(myr_lock(c), 0);
	++*visits;
	myr_printf(c, "%s #%lu from %s visit %u\n", (const char *)myr_arg(c), myr_number(c), myr_peer(c), *visits);
	myr_unlock(c);
	assert_true(myr_conn_id(c) != 0);
}

static void test_surroundings(void **state)
{
	const struct myr_service s = { .shared = sizeof(unsigned), .on_open = introduce, .on_close = on_close,
	                               .start = start, .stop = stop };
	char name[] = "arg", wrong[] = "fail";
	struct myr_test *t = begin(&s, name);

	(void)state;
	assert_int_equal(seen.starts, 1);
	assert_sent(t, "arg #1 from 127.0.0.1:40000 visit 1\n");
	assert_int_equal(seen.stops, 0);
	myr_test_free(t);
	assert_int_equal(seen.stops, 1);

	assert_int_equal(myr_test_new(&t, &s, wrong), -EADDRNOTAVAIL);
	assert_null(t);
	assert_int_equal(seen.stops, 1);
}

static void test_bad_services(void **state)
{
	const struct myr_service both = { .handle = echo_blocking, .on_data = echo_callback }, none = { .name = "x" };
	struct myr_test *t;

	(void)state;
	assert_int_equal(myr_test_new(&t, &both, NULL), -EINVAL);
	assert_int_equal(myr_test_new(&t, &none, NULL), -EINVAL);
	assert_int_equal(myr_test_new(&t, NULL, NULL), -EINVAL);
	assert_null(t);
}

static void dialler(struct myr_conn *c)
{
	struct myr_conn *other;
	int err = myr_dial(&other, "tcp:127.0.0.1:7", 1000);

	myr_printf(c, "%s\n", err == -ECONNREFUSED ? "nobody there" : "what?");
}

static void test_there_is_nobody_else_in_the_world(void **state)
{
	const struct myr_service s = { .handle = dialler, .finish = on_finish };
	struct myr_test *t = begin(&s, NULL);

	(void)state;
	assert_sent(t, "nobody there\n");
	assert_int_equal(myr_test_pass(t, 0), 0);
	myr_test_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_another_error),
		cmocka_unit_test(test_free_while_open),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_the_service_closes),
		cmocka_unit_test(test_the_service_aborts),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_oversize_frame),
		cmocka_unit_test(test_slow_frame),
		cmocka_unit_test(test_input_that_is_never_used_ends),
		cmocka_unit_test(test_an_answer_after_the_end),
		cmocka_unit_test(test_the_service_ends_its_half),
		cmocka_unit_test(test_ticks),
		cmocka_unit_test(test_a_wait_that_expires_does_not_stick),
		cmocka_unit_test(test_sleep),
		cmocka_unit_test(test_a_service_that_never_waits_is_found),
		cmocka_unit_test(test_the_drain_is_told),
		cmocka_unit_test(test_the_drain_is_told_once),
		cmocka_unit_test(test_floods),
		cmocka_unit_test(test_surroundings),
		cmocka_unit_test(test_bad_services),
		cmocka_unit_test(test_there_is_nobody_else_in_the_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
