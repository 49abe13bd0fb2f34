/* SPDX-License-Identifier: MIT
 *
 * test_store_mem.c - the list in shared memory: its limits, and what is left when somebody dies in it. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "stores/collect.h"

static struct store *open_mem(size_t items, size_t bytes)
{
	struct store *s = NULL;

	assert_int_equal(store_open(&s, NULL, "mem", &(struct store_limits){ items, bytes }), 0);
	return s;
}

static int append(struct store *s, const char *text)
{
	return store_append(s, NULL, text, strlen(text));
}

static void assert_list(struct store *s, const char *joined)
{
	struct collected c = { 0 };
	char all[256] = "";

	assert_int_equal(store_list(s, NULL, collect, &c), 0);
	for (size_t i = 0; i < c.n; i++) {
		strcat(all, c.items[i].p);
		strcat(all, ",");
	}
	assert_string_equal(all, joined);
	collected_free(&c);
}

static void test_items_are_kept_in_order_until_cleared(void **state)
{
	struct store *s = open_mem(0, 0);

	(void)state;
	assert_list(s, "");
	assert_int_equal(append(s, "one"), 0);
	assert_int_equal(append(s, ""), 0);
	assert_int_equal(append(s, "three"), 0);
	assert_list(s, "one,,three,");
	assert_int_equal(store_clear(s, NULL), 0);
	assert_list(s, "");
	assert_int_equal(append(s, "new"), 0);
	assert_list(s, "new,");
	store_free(s);
	store_free(NULL);
}

static void test_items_are_any_bytes_up_to_the_limit(void **state)
{
	struct store *s = open_mem(0, 0);
	struct collected c = { 0 };
	unsigned char *big = malloc(STORE_ITEM_MAX + 1);

	(void)state;
	for (size_t i = 0; i <= STORE_ITEM_MAX; i++)
		big[i] = (unsigned char)(i * 7);
	assert_int_equal(store_append(s, NULL, big, STORE_ITEM_MAX + 1), -EMSGSIZE);
	for (int i = 0; i < 5; i++)
		assert_int_equal(store_append(s, NULL, big, STORE_ITEM_MAX - (size_t)i), 0);
	assert_int_equal(store_list(s, NULL, collect, &c), 0);
	assert_int_equal(c.n, 5);
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(c.items[i].n, STORE_ITEM_MAX - i);
		assert_memory_equal(c.items[i].p, big, STORE_ITEM_MAX - i);
	}
	collected_free(&c);
	free(big);
	store_free(s);
}

static void test_a_full_list_refuses_whole_items_and_keeps_the_others(void **state)
{
	struct store *s = open_mem(3, 10);

	(void)state;
	assert_int_equal(append(s, "12345"), 0);
	assert_int_equal(append(s, "123456"), -EDQUOT);         /* one byte too many */
	assert_int_equal(append(s, "12345"), 0);                /* exactly full */
	assert_int_equal(append(s, "x"), -EDQUOT);
	assert_int_equal(append(s, ""), 0);                     /* no byte, but the third item */
	assert_int_equal(append(s, ""), -EDQUOT);
	assert_list(s, "12345,12345,,");
	assert_int_equal(store_clear(s, NULL), 0);
	assert_int_equal(append(s, "1234567890"), 0);
	assert_list(s, "1234567890,");
	store_free(s);
}

static void test_impossible_limits_and_addresses_are_refused(void **state)
{
	static const char *const wrong[] = { "", "mem:", "memory", "m", "MEM", "file:x", "mem x" };
	struct store *s = (struct store *)1;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_int_equal(store_open(&s, NULL, wrong[i], NULL), -EINVAL);
		assert_null(s);
	}
	assert_int_equal(store_open(&s, NULL, "mem", &(struct store_limits){ SIZE_MAX, 0 }), -EINVAL);
	assert_int_equal(store_open(&s, NULL, "mem", &(struct store_limits){ 0, SIZE_MAX }), -EINVAL);
}

static void test_each_can_end_the_list(void **state)
{
	struct store *s = open_mem(0, 0);
	struct collected c = { .stop_at = 2 };

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(append(s, "x"), 0);
	assert_int_equal(store_list(s, NULL, collect, &c), -EBADF);
	assert_int_equal(c.n, 1);
	collected_free(&c);
	store_free(s);
}

/* --- Changes while a list is being told ------------------------------------------------------------- */

struct meddling { struct store *s; size_t seen; bool clears; };

static int meddle(void *arg, const void *item, size_t n)
{
	struct meddling *m = arg;

	(void)item, (void)n;
	if (m->seen++ == 0)
		assert_int_equal(m->clears ? store_clear(m->s, NULL) : 0, 0);
	assert_int_equal(append(m->s, "later"), 0);     /* each() runs without the lock */
	return 0;
}

static void fill(struct store *s, size_t items, size_t size)
{
	char *text = calloc(1, size);

	for (size_t i = 0; i < items; i++)
		assert_int_equal(store_append(s, NULL, text, size), 0);
	free(text);
}

static void test_what_is_added_meanwhile_is_not_in_the_list(void **state)
{
	struct meddling m = { open_mem(0, 0), 0, false };

	(void)state;
	fill(m.s, 1000, 1000);
	assert_int_equal(store_list(m.s, NULL, meddle, &m), 0);
	assert_int_equal(m.seen, 1000);
	store_free(m.s);
}

static void test_a_clear_in_the_middle_is_told(void **state)
{
	struct meddling m = { open_mem(0, 0), 0, true };

	(void)state;
	fill(m.s, 1000, 1000);
	assert_int_equal(store_list(m.s, NULL, meddle, &m), -ESTALE);
	assert_in_range(m.seen, 1, 999);
	m.seen = 0;
	assert_int_equal(store_clear(m.s, NULL), 0);
	fill(m.s, 10, 10);
	assert_int_equal(store_list(m.s, NULL, meddle, &m), 0);         /* all had been copied */
	assert_int_equal(m.seen, 10);
	store_free(m.s);
}

/* --- Death --------------------------------------------------------------------------------------------- */

/* A child that appends an item whose second half cannot be read: it dies in the middle, holding the lock. */
static void die_while_appending(struct store *s)
{
	long page = sysconf(_SC_PAGESIZE);
	char *edge = mmap(NULL, (size_t)page * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid;
	int status;

	assert_ptr_not_equal(edge, MAP_FAILED);
	memset(edge, 'h', (size_t)page);
	assert_int_equal(mprotect(edge + page, (size_t)page, PROT_NONE), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		store_append(s, NULL, edge + page - 3000, 6000);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	munmap(edge, (size_t)page * 2);
}

static void test_who_dies_in_the_middle_of_an_append_leaves_the_list_whole(void **state)
{
	struct store *s = open_mem(0, 0);

	(void)state;
	assert_int_equal(append(s, "before"), 0);
	for (int i = 0; i < 3; i++)
		die_while_appending(s);
	assert_list(s, "before,");
	die_while_appending(s);
	assert_int_equal(append(s, "after"), 0);
	assert_list(s, "before,after,");
	die_while_appending(s);
	assert_int_equal(store_clear(s, NULL), 0);
	assert_list(s, "");
	store_free(s);
}

/* Children count up, telling what is acknowledged, until they are killed somewhere. */
static void append_until_killed(struct store *s, int who, volatile uint32_t *acknowledged)
{
	char text[32];

	for (uint32_t i = 1;; i++) {
		int n = snprintf(text, sizeof text, "%d %u", who, i);

		if (store_append(s, NULL, text, (size_t)n) == 0)
			*acknowledged = i;
	}
}

static void check_counts(struct store *s, const uint32_t *acknowledged, int n)
{
	uint32_t *seen = calloc((size_t)n, sizeof *seen), i;
	struct collected c = { 0 };
	int who;

	assert_int_equal(store_list(s, NULL, collect, &c), 0);
	for (size_t k = 0; k < c.n; k++) {
		assert_int_equal(sscanf(c.items[k].p, "%d %u", &who, &i), 2);
		assert_in_range(who, 0, n - 1);
		assert_int_equal(i, seen[who] + 1);             /* each once, and in order */
		seen[who] = i;
	}
	for (who = 0; who < n; who++)
		assert_in_range(seen[who], acknowledged[who], acknowledged[who] + 1);
	collected_free(&c);
	free(seen);
}

#define ROUNDS 60

static void test_killed_anywhere_none_lost_none_doubled(void **state)
{
	struct store *s = open_mem(10000000, 256u << 20);
	uint32_t *acknowledged = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pids[ROUNDS];

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			append_until_killed(s, i, &acknowledged[i]);
		while (i > 0 && ((volatile uint32_t *)acknowledged)[i - 1] < (uint32_t)i)
			usleep(10);
		if (i > 0 && kill(pids[i - 1], SIGKILL) == 0)
			waitpid(pids[i - 1], NULL, 0);
	}
	kill(pids[ROUNDS - 1], SIGKILL);
	waitpid(pids[ROUNDS - 1], NULL, 0);
	check_counts(s, acknowledged, ROUNDS);
	munmap(acknowledged, 4096);
	store_free(s);
}

static void *append_some(void *arg)
{
	for (int i = 0; i < 5000; i++)
		if (append(arg, "together") != 0)
			return "failed";
	return NULL;
}

static void test_threads_append_side_by_side(void **state)
{
	struct store *s = open_mem(0, 0);
	struct collected c = { 0 };
	pthread_t t[4];
	void *wrong;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, append_some, s), 0);
	for (int i = 0; i < 4; i++) {
		pthread_join(t[i], &wrong);
		assert_null(wrong);
	}
	assert_int_equal(store_list(s, NULL, collect, &c), 0);
	assert_int_equal(c.n, 20000);
	assert_int_equal(c.bytes, 20000 * strlen("together"));
	collected_free(&c);
	store_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_items_are_kept_in_order_until_cleared),
		cmocka_unit_test(test_items_are_any_bytes_up_to_the_limit),
		cmocka_unit_test(test_a_full_list_refuses_whole_items_and_keeps_the_others),
		cmocka_unit_test(test_impossible_limits_and_addresses_are_refused),
		cmocka_unit_test(test_each_can_end_the_list),
		cmocka_unit_test(test_what_is_added_meanwhile_is_not_in_the_list),
		cmocka_unit_test(test_a_clear_in_the_middle_is_told),
		cmocka_unit_test(test_who_dies_in_the_middle_of_an_append_leaves_the_list_whole),
		cmocka_unit_test(test_killed_anywhere_none_lost_none_doubled),
		cmocka_unit_test(test_threads_append_side_by_side),
	};

	return cmocka_run_group_tests_name("store_mem", tests, NULL, NULL);
}
