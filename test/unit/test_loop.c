/* SPDX-License-Identifier: MIT
 *
 * test_loop.c - timers in order, mail from other threads, stopping, and the public myr_after(),
 * myr_watch(), myr_post(): replaced, forgotten, and called from inside themselves. */
#include "unit.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "io/loop.h"
#include "myriad.h"
#include "support/clock.h"
#include "support/leaks.h"

#define LATE_MS 8000                    /* what is due then has no business to happen */

struct fixture {
	struct myr_loop *l;
	struct census before;
};

static struct fixture fixture;
static char notes[4096];                /* what happened, in order */

static void note(const char *text)
{
	size_t n = strlen(notes);

	snprintf(notes + n, sizeof notes - n, "%s ", text);
}

static int set_up(void **state)
{
	const struct myr_config config = { .engine = "epoll" };

	notes[0] = '\0';
	loop_turning = NULL;            /* a test that failed in a callback has left its loop */
	*state = &fixture;
	census_take(&fixture.before);
	return myr_loop_new(&fixture.l, &config);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	char leaks[400];

	myr_loop_free(f->l);
	census_compare(&f->before, leaks, sizeof leaks, 2000);
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

static void say(struct myr_loop *l, void *arg)
{
	(void)l;
	note(arg);
}

static void stop_it(struct myr_loop *l, void *arg)
{
	(void)arg;
	note("stop");
	myr_loop_stop(l);
}

/* --- Running and stopping ------------------------------------------------------------------------ */

static void test_an_idle_loop_returns(void **state)
{
	const struct fixture *f = *state;
	int64_t began = test_now();

	assert_int_equal(myr_loop_run(f->l), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_true(test_now() - began < LATE_MS);
}

static void test_a_stop_before_running_counts_once(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(myr_after(f->l, 0, say, "timer"), 0);
	myr_loop_stop(f->l);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_string_equal(notes, "");
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_string_equal(notes, "timer ");
}

static void test_a_stopped_loop_goes_on_when_run_again(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(myr_after(f->l, 5, stop_it, NULL), 0);
	assert_int_equal(myr_after(f->l, 40, say, "later"), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_string_equal(notes, "stop ");
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_string_equal(notes, "stop later ");
}

static struct myr_loop *to_stop;

static void on_alarm(int signal)
{
	(void)signal;
	myr_loop_stop(to_stop);
}

static void test_a_signal_handler_stops_the_loop(void **state)
{
	const struct itimerspec soon = { .it_value.tv_nsec = 20000000 };
	struct sigaction act = { .sa_handler = on_alarm }, old;
	const struct fixture *f = *state;
	int64_t began = test_now();
	timer_t timer;

	to_stop = f->l;
	assert_int_equal(sigaction(SIGALRM, &act, &old), 0);
	assert_int_equal(timer_create(CLOCK_MONOTONIC, NULL, &timer), 0);
	assert_int_equal(myr_after(f->l, LATE_MS, say, "too late"), 0);
	assert_int_equal(timer_settime(timer, 0, &soon, NULL), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	timer_delete(timer);
	sigaction(SIGALRM, &old, NULL);
	assert_true(test_now() - began < LATE_MS);
	assert_string_equal(notes, "");
}

static void run_inside(struct myr_loop *l, void *arg)
{
	*(int *)arg = myr_loop_run(l);
}

static void test_a_loop_does_not_run_inside_itself(void **state)
{
	const struct fixture *f = *state;
	int result = 0;

	assert_int_equal(myr_after(f->l, 0, run_inside, &result), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_int_equal(result, -EDEADLK);
}

/* --- Timers ------------------------------------------------------------------------------------------ */

static void test_timers_run_in_the_order_of_their_times(void **state)
{
	const struct fixture *f = *state;
	int64_t began = test_now();

	assert_int_equal(myr_after(f->l, 45, say, "c"), 0);
	assert_int_equal(myr_after(f->l, 15, say, "a"), 0);
	assert_int_equal(myr_after(f->l, 60, say, "d"), 0);
	assert_int_equal(myr_after(f->l, 30, say, "b"), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_string_equal(notes, "a b c d ");
	assert_true(test_now() - began >= 59);
}

static void test_the_same_timer_is_replaced_and_forgotten(void **state)
{
	static char one[] = "one", two[] = "two";
	const struct fixture *f = *state;
	int64_t began = test_now();

	assert_int_equal(myr_after(f->l, LATE_MS, say, one), 0);
	assert_int_equal(myr_after(f->l, 20, say, two), 0);
	assert_int_equal(myr_after(f->l, 1, say, one), 0);      /* sooner */
	assert_int_equal(myr_after(f->l, 1, stop_it, two), 0);  /* the same arg, another function */
	assert_int_equal(myr_after(f->l, MYR_NONE, stop_it, two), 0);
	assert_int_equal(myr_after(f->l, MYR_NONE, stop_it, two), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_string_equal(notes, "one two ");
	assert_int_equal(myr_after(f->l, 1, say, one), 0);
	assert_int_equal(myr_after(f->l, 30, say, one), 0);     /* later */
	assert_int_equal(myr_after(f->l, 10, say, two), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_string_equal(notes, "one two two one ");
	assert_true(test_now() - began < LATE_MS);
}

static void again(struct myr_loop *l, void *arg)
{
	int *left = arg;

	note("again");
	if (--*left > 0)
		assert_int_equal(myr_after(l, 0, again, left), 0);
}

static void test_a_timer_may_set_itself_again(void **state)
{
	const struct fixture *f = *state;
	int left = 4;

	assert_int_equal(myr_after(f->l, 0, again, &left), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_string_equal(notes, "again again again again ");
	assert_int_equal(left, 0);
}

static void forget_both(struct myr_loop *l, void *arg)
{
	note("forget");
	assert_int_equal(myr_after(l, MYR_NONE, forget_both, arg), 0);
	assert_int_equal(myr_after(l, MYR_NONE, say, arg), 0);
}

static void test_a_timer_may_forget_itself_and_one_that_is_due(void **state)
{
	const struct fixture *f = *state;

	assert_int_equal(myr_after(f->l, 0, forget_both, "other"), 0);
	assert_int_equal(myr_after(f->l, 0, say, "kept"), 0);
	assert_int_equal(myr_after(f->l, 0, say, "other"), 0);
	f->l->now = clock_ms();
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_non_null(strstr(notes, "forget "));
	assert_non_null(strstr(notes, "kept "));
	assert_true(strstr(notes, "other") == NULL || strstr(notes, "other") < strstr(notes, "forget"));
}

/* A timer that is always due must not keep the rest from running. */
static int spins;

static void spin(struct myr_loop *l, void *arg)
{
	spins++;
	assert_int_equal(myr_after(l, 0, spin, arg), 0);
}

static void stop_when_read(struct myr_loop *l, int fd, unsigned events, void *arg)
{
	(void)arg;
	assert_int_equal(events, MYR_READ);
	assert_int_equal(myr_watch(l, fd, 0, NULL, NULL), 0);
	myr_loop_stop(l);
}

static void test_a_busy_timer_starves_nobody(void **state)
{
	const struct fixture *f = *state;
	int pair[2];

	make_pair(pair);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(myr_after(f->l, 0, spin, NULL), 0);
	assert_int_equal(myr_watch(f->l, pair[0], MYR_READ, stop_when_read, NULL), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_in_range(spins, 0, 10);
	close_pair(pair);
}

static int fired;
static int64_t last_due;

struct drawn {
	int64_t due;
	bool forgotten, ran;
};

static void drawn_fires(struct myr_loop *l, void *arg)
{
	struct drawn *d = arg;

	assert_false(d->forgotten);
	assert_false(d->ran);
	assert_true(d->due <= l->now);
	assert_true(d->due >= last_due);
	d->ran = true;
	last_due = d->due;
	fired++;
}

static void test_a_thousand_timers_under_a_seed(void **state)
{
	static struct drawn drawn[1000];
	const struct fixture *f = *state;
	int expected = 1000;

	unit_seed("timers");
	fired = 0;
	last_due = 0;
	for (int i = 0; i < 1500; i++) {
		struct drawn *d = &drawn[i < 1000 ? (size_t)i : unit_below(1000)];
		int ms = (int)unit_below(60);

		assert_int_equal(myr_after(f->l, ms, drawn_fires, d), 0);
		d->due = f->l->now + ms;
	}
	for (int i = 0; i < 200; i++) {
		struct drawn *d = &drawn[unit_below(1000)];

		expected -= !d->forgotten;
		d->forgotten = true;
		assert_int_equal(myr_after(f->l, MYR_NONE, drawn_fires, d), 0);
	}
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_int_equal(fired, expected);
	assert_int_equal(f->l->timer_owners, 0);
}

static void test_no_memory_for_a_timer(void **state)
{
	const struct fixture *f = *state;
	int err = -ENOMEM;
	unsigned at;

	for (at = 1; err != 0; at++) {
		assert_in_range(at, 1, 10);
		unit_fail_alloc(at);
		err = myr_after(f->l, 0, say, "x");
		unit_fail_alloc(0);
		assert_true(err == 0 || err == -ENOMEM);
	}
	sys_table = sys_direct;                 /* the count is for one thread */
	assert_true(at > 2);
	assert_int_equal(f->l->timer_owners, 1);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_string_equal(notes, "x ");
}

/* --- Mail ---------------------------------------------------------------------------------------------- */

#define MAILS 20000
#define SENDERS 3

struct sender {
	struct myr_loop *l;
	pthread_t thread;
	int number;
	int refused;
};

static int got[SENDERS], got_all;

static void mail_came(struct myr_loop *l, void *arg)
{
	int sender = (int)((uintptr_t)arg / MAILS), n = (int)((uintptr_t)arg % MAILS);

	assert_int_equal(n, got[sender]);       /* none lost, none twice, none before its time */
	got[sender]++;
	if (++got_all == SENDERS * MAILS) {
		assert_int_equal(myr_after(l, MYR_NONE, say, "too late"), 0);
		myr_loop_stop(l);
	}
}

static void *send_mails(void *arg)
{
	struct sender *s = arg;

	for (int i = 0; i < MAILS; i++) {
		void *what = (void *)(uintptr_t)(s->number * MAILS + i);
		int err;

		while ((err = myr_post(s->l, mail_came, what)) == -EAGAIN)
			s->refused++;
		if (err != 0)
			return s;
	}
	return NULL;
}

static void test_mail_of_other_threads_comes_in_order(void **state)
{
	const struct fixture *f = *state;
	struct sender senders[SENDERS] = { 0 };

	assert_int_equal(myr_after(f->l, 50000, say, "too late"), 0);
	for (int i = 0; i < SENDERS; i++) {
		senders[i].l = f->l;
		senders[i].number = i;
		assert_int_equal(pthread_create(&senders[i].thread, NULL, send_mails, &senders[i]), 0);
	}
	assert_int_equal(myr_loop_run(f->l), 0);
	for (int i = 0; i < SENDERS; i++) {
		void *result;

		pthread_join(senders[i].thread, &result);
		assert_null(result);
		assert_int_equal(got[i], MAILS);
	}
	assert_string_equal(notes, "");
}

static void *post_stop(void *arg)
{
	return myr_post(arg, stop_it, NULL) == 0 ? NULL : arg;
}

static void test_mail_wakes_a_loop_that_waits(void **state)
{
	const struct fixture *f = *state;
	int64_t began = test_now();
	pthread_t thread;
	void *result;

	assert_int_equal(myr_after(f->l, LATE_MS, say, "too late"), 0);
	assert_int_equal(pthread_create(&thread, NULL, post_stop, f->l), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	pthread_join(thread, &result);
	assert_null(result);
	assert_string_equal(notes, "stop ");
	assert_true(test_now() - began < LATE_MS);
}

struct letter {
	struct post post;               /* first */
	int number;
};

static int letters_read;

static void letter_read(struct myr_loop *l, struct post *post)
{
	struct letter *m = (struct letter *)post;

	(void)l;
	assert_int_equal(m->number, letters_read++);
	free(m);
}

static int post_letter(struct myr_loop *l, int number, size_t bytes)
{
	struct letter *m = malloc(sizeof *m);
	int err;

	*m = (struct letter){ { .fn = letter_read, .bytes = bytes }, number };
	err = loop_post(l, &m->post);
	if (err < 0)
		free(m);
	return err;
}

static void test_a_full_mailbox_refuses_until_it_is_emptied(void **state)
{
	const struct fixture *f = *state;
	const size_t half = LOOP_POSTS_BYTES / 2;

	letters_read = 0;
	assert_int_equal(post_letter(f->l, 0, half), 0);
	assert_int_equal(post_letter(f->l, 1, half + 1), -EAGAIN);
	assert_int_equal(post_letter(f->l, 1, half), 0);
	assert_int_equal(post_letter(f->l, 2, 1), -EAGAIN);
	assert_int_equal(myr_post(f->l, say, "x"), -EAGAIN);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_int_equal(letters_read, 2);
	assert_int_equal(post_letter(f->l, 2, half), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_int_equal(letters_read, 3);
	assert_string_equal(notes, "");
}

static void post_again(struct myr_loop *l, void *arg)
{
	int *left = arg;

	note("post");
	if (--*left > 0)
		assert_int_equal(myr_post(l, post_again, left), 0);
}

static void test_a_post_may_post_itself(void **state)
{
	const struct fixture *f = *state;
	int left = 3;

	assert_int_equal(myr_post(f->l, post_again, &left), 0);
	assert_int_equal(myr_post(f->l, say, "next"), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_string_equal(notes, "post next post post ");
}

static void test_mail_that_nobody_read_goes_with_the_loop(void **state)
{
	const struct fixture *f = *state;

	letters_read = 0;
	assert_int_equal(myr_post(f->l, say, "x"), 0);          /* tear_down frees the loop: no leak */
	assert_int_equal(post_letter(f->l, 0, 10), 0);
	assert_string_equal(notes, "");
}

/* --- Watches --------------------------------------------------------------------------------------------- */

static void read_byte(struct myr_loop *l, int fd, unsigned events, void *arg)
{
	char c[2] = "";

	assert_int_equal(events, MYR_READ);
	assert_int_equal(read(fd, c, 1), 1);
	note(c);
	if (*c == '.')
		assert_int_equal(myr_watch(l, fd, 0, NULL, NULL), 0);
	else if (arg != NULL)
		assert_int_equal(write(*(int *)arg, ".", 1), 1);
}

static void test_a_watch_goes_on_until_it_is_forgotten(void **state)
{
	const struct fixture *f = *state;
	int pair[2];

	make_pair(pair);
	assert_int_equal(write(pair[1], "abc.d", 5), 5);
	assert_int_equal(myr_watch(f->l, pair[0], MYR_READ, read_byte, NULL), 0);
	assert_int_equal(myr_loop_run(f->l), 0);                /* and then nothing is left to wait for */
	assert_string_equal(notes, "a b c . ");
	assert_int_equal(myr_watch(f->l, pair[0], MYR_READ, read_byte, &pair[1]), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_string_equal(notes, "a b c . d . ");
	close_pair(pair);
}

static void second_life(struct myr_loop *l, int fd, unsigned events, void *arg)
{
	(void)arg;
	assert_int_equal(events, MYR_READ);
	note("second");
	assert_int_equal(myr_watch(l, fd, 0, NULL, NULL), 0);
}

static void first_life(struct myr_loop *l, int fd, unsigned events, void *arg)
{
	assert_int_equal(events, MYR_READ);
	note("first");
	assert_int_equal(myr_watch(l, fd, 0, NULL, NULL), 0);
	if (arg != NULL) {                      /* the number comes back as another descriptor */
		assert_int_equal(dup2(*(int *)arg, fd), fd);
	}
	assert_int_equal(myr_watch(l, fd, MYR_READ, second_life, NULL), 0);
}

static void test_a_watch_may_be_forgotten_and_set_anew_from_inside(void **state)
{
	const struct fixture *f = *state;
	int pair[2], other[2];

	make_pair(pair);
	make_pair(other);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(write(other[1], "x", 1), 1);
	assert_int_equal(myr_watch(f->l, pair[0], MYR_READ, first_life, NULL), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_int_equal(myr_watch(f->l, pair[0], MYR_READ, first_life, &other[0]), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_string_equal(notes, "first second first second ");
	close_pair(pair);
	close_pair(other);
}

static void now_writable(struct myr_loop *l, int fd, unsigned events, void *arg)
{
	(void)arg;
	assert_int_equal(events, MYR_WRITE);
	note("writable");
	assert_int_equal(myr_watch(l, fd, 0, NULL, NULL), 0);
}

static void now_readable(struct myr_loop *l, int fd, unsigned events, void *arg)
{
	assert_int_equal(events, MYR_READ);
	note("readable");
	assert_int_equal(myr_watch(l, fd, MYR_WRITE, now_writable, arg), 0);
}

static void test_a_watch_may_replace_itself(void **state)
{
	const struct fixture *f = *state;
	int pair[2];

	make_pair(pair);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(myr_watch(f->l, pair[0], MYR_READ, now_readable, NULL), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_string_equal(notes, "readable writable ");
	close_pair(pair);
}

struct couple {
	int fds[2];
	int called;
};

/* Both are readable in one turn; whoever is first has the other watched for writing instead. */
static void turn_the_other(struct myr_loop *l, int fd, unsigned events, void *arg)
{
	struct couple *c = arg;
	int other = c->fds[fd == c->fds[0]];

	assert_int_equal(events, MYR_READ);
	note("turned");
	assert_int_equal(myr_watch(l, other, MYR_WRITE, now_writable, c), 0);
	assert_int_equal(myr_watch(l, fd, 0, NULL, NULL), 0);
}

static void test_a_replaced_watch_is_not_told_of_the_old_event(void **state)
{
	const struct fixture *f = *state;
	struct couple c = { .called = 0 };
	int pairs[2][2];

	for (int i = 0; i < 2; i++) {
		make_pair(pairs[i]);
		c.fds[i] = pairs[i][0];
		assert_int_equal(write(pairs[i][1], "x", 1), 1);
		assert_int_equal(myr_watch(f->l, c.fds[i], MYR_READ, turn_the_other, &c), 0);
	}
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_string_equal(notes, "turned writable ");
	close_pair(pairs[0]);
	close_pair(pairs[1]);
}

static void forget_the_other(struct myr_loop *l, int fd, unsigned events, void *arg)
{
	struct couple *c = arg;

	(void)events;
	c->called++;
	assert_int_equal(myr_watch(l, c->fds[fd == c->fds[0]], 0, NULL, NULL), 0);
	assert_int_equal(myr_watch(l, fd, 0, NULL, NULL), 0);
}

static void test_a_forgotten_watch_is_not_told_any_more(void **state)
{
	const struct fixture *f = *state;
	struct couple c = { .called = 0 };
	int pairs[2][2];

	for (int i = 0; i < 2; i++) {
		make_pair(pairs[i]);
		c.fds[i] = pairs[i][0];
		assert_int_equal(write(pairs[i][1], "x", 1), 1);
		assert_int_equal(myr_watch(f->l, c.fds[i], MYR_READ, forget_the_other, &c), 0);
	}
	assert_int_equal(myr_loop_run(f->l), 0);
	assert_int_equal(c.called, 1);
	close_pair(pairs[0]);
	close_pair(pairs[1]);
}

static void end_of_it(struct myr_loop *l, int fd, unsigned events, void *arg)
{
	assert_int_equal(events, *(unsigned *)arg);
	note("end");
	assert_int_equal(myr_watch(l, fd, 0, NULL, NULL), 0);
}

static void test_a_hang_up_shows_as_every_event_asked_for(void **state)
{
	const struct fixture *f = *state;

	for (unsigned events = MYR_READ; events <= (MYR_READ | MYR_WRITE); events++) {
		int pair[2];

		make_pair(pair);
		close(pair[1]);
		assert_int_equal(myr_watch(f->l, pair[0], events, end_of_it, &events), 0);
		assert_int_equal(myr_loop_run(f->l), 0);
		close(pair[0]);
	}
	assert_string_equal(notes, "end end end ");
}

static void test_watches_left_behind_go_with_the_loop(void **state)
{
	const struct fixture *f = *state;
	int pair[2];

	make_pair(pair);
	assert_int_equal(write(pair[1], "x", 1), 1);
	assert_int_equal(myr_watch(f->l, pair[0], MYR_READ, read_byte, NULL), 0);
	assert_int_equal(myr_watch(f->l, pair[1], MYR_READ, read_byte, NULL), 0);
	assert_int_equal(myr_after(f->l, 0, say, "x"), 0);
	myr_loop_free(f->l);
	fixture.l = NULL;
	assert_string_equal(notes, "");
	assert_int_equal(write(pair[1], "y", 1), 1);    /* the descriptors are still the user's */
	close_pair(pair);
}

static void test_bad_arguments(void **state)
{
	const struct fixture *f = *state;
	int pair[2];

	make_pair(pair);
	assert_int_equal(myr_watch(f->l, -1, MYR_READ, read_byte, NULL), -EBADF);
	assert_int_equal(myr_watch(f->l, pair[0], 4, read_byte, NULL), -EINVAL);
	assert_int_equal(myr_watch(f->l, pair[0], MYR_READ, NULL, NULL), -EINVAL);
	assert_int_equal(myr_watch(f->l, pair[0], 0, NULL, NULL), 0);
	assert_int_equal(myr_loop_run(f->l), 0);
	close_pair(pair);
	assert_int_equal(myr_watch(f->l, pair[0], MYR_READ, read_byte, NULL), -EBADF);
	assert_true(loop_is_idle(f->l));
}

/* A sanitizer starts a thread of its own with our first one: it is no leak of any test. */
static void *pass_by(void *arg)
{
	return arg;
}

static void warm_up(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, pass_by, NULL) == 0)
		pthread_join(thread, NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_an_idle_loop_returns),
		CASE(test_a_stop_before_running_counts_once),
		CASE(test_a_stopped_loop_goes_on_when_run_again),
		CASE(test_a_signal_handler_stops_the_loop),
		CASE(test_a_loop_does_not_run_inside_itself),
		CASE(test_timers_run_in_the_order_of_their_times),
		CASE(test_the_same_timer_is_replaced_and_forgotten),
		CASE(test_a_timer_may_set_itself_again),
		CASE(test_a_timer_may_forget_itself_and_one_that_is_due),
		CASE(test_a_busy_timer_starves_nobody),
		CASE(test_a_thousand_timers_under_a_seed),
		CASE(test_no_memory_for_a_timer),
		CASE(test_mail_of_other_threads_comes_in_order),
		CASE(test_mail_wakes_a_loop_that_waits),
		CASE(test_a_full_mailbox_refuses_until_it_is_emptied),
		CASE(test_a_post_may_post_itself),
		CASE(test_mail_that_nobody_read_goes_with_the_loop),
		CASE(test_a_watch_goes_on_until_it_is_forgotten),
		CASE(test_a_watch_may_be_forgotten_and_set_anew_from_inside),
		CASE(test_a_watch_may_replace_itself),
		CASE(test_a_replaced_watch_is_not_told_of_the_old_event),
		CASE(test_a_forgotten_watch_is_not_told_any_more),
		CASE(test_a_hang_up_shows_as_every_event_asked_for),
		CASE(test_watches_left_behind_go_with_the_loop),
		CASE(test_bad_arguments),
	};

	warm_up();
	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
