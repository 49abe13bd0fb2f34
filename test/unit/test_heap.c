/* SPDX-License-Identifier: MIT
 *
 * test_heap.c - the timer heap against a plain search, its order, and its room. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/heap.h"

#define TIMERS 300

static void check(const struct heap *h)
{
	for (uint32_t i = 1; i <= h->count; i++) {
		assert_int_equal(h->items[i]->at, i);
		assert_true(i == 1 || h->items[i / 2]->due <= h->items[i]->due);
	}
}

static int64_t earliest(const struct timer *t, size_t n, uint32_t *set)
{
	int64_t due = INT64_MAX;

	*set = 0;
	for (size_t i = 0; i < n; i++)
		if (t[i].at != 0) {
			++*set;
			due = t[i].due < due ? t[i].due : due;
		}
	return due;
}

static void test_random_operations_match_a_search(void **state)
{
	struct timer timers[TIMERS];
	struct heap h = { .items = NULL };
	uint32_t set;

	(void)state;
	unit_seed("heap");
	memset(timers, 0, sizeof timers);
	assert_int_equal(heap_reserve(&h, TIMERS), 0);
	for (int i = 0; i < 100000; i++) {
		struct timer *t = &timers[unit_below(TIMERS)];
		int64_t due, expected;

		if (unit_below(3) == 0) {
			heap_remove(&h, t);
			assert_int_equal(t->at, 0);
		} else {
			due = (int64_t)unit_below(500) - 20;
			heap_set(&h, t, due);
			assert_int_equal(t->due, due);
		}
		expected = earliest(timers, TIMERS, &set);
		assert_int_equal(h.count, set);
		if (set == 0)
			assert_null(heap_first(&h));
		else
			assert_int_equal(heap_first(&h)->due, expected);
		if (i % 100 == 0)
			check(&h);
	}
	heap_done(&h);
	assert_int_equal(earliest(timers, TIMERS, &set), INT64_MAX);
}

static void test_timers_come_out_in_order(void **state)
{
	static struct timer timers[5000];
	struct heap h = { .items = NULL };
	int64_t last = INT64_MIN;
	size_t n = 0;

	(void)state;
	unit_seed("heap order");
	for (size_t i = 0; i < 5000; i++) {
		assert_int_equal(heap_reserve(&h, (uint32_t)i + 1), 0);
		heap_set(&h, &timers[i], (int64_t)unit_random());
	}
	for (struct timer *t; (t = heap_first(&h)) != NULL; n++) {
		assert_true(t->due >= last);
		last = t->due;
		heap_remove(&h, t);
		heap_remove(&h, t);
	}
	assert_int_equal(n, 5000);
	heap_done(&h);
}

static void test_extreme_times(void **state)
{
	struct timer t[3] = { { .at = 0 } };
	struct heap h = { .items = NULL };

	(void)state;
	assert_int_equal(heap_reserve(&h, 3), 0);
	heap_set(&h, &t[0], INT64_MAX);
	heap_set(&h, &t[1], INT64_MIN);
	heap_set(&h, &t[2], 0);
	assert_ptr_equal(heap_first(&h), &t[1]);
	heap_set(&h, &t[1], INT64_MAX);
	assert_ptr_equal(heap_first(&h), &t[2]);
	heap_set(&h, &t[0], INT64_MIN);
	assert_ptr_equal(heap_first(&h), &t[0]);
	heap_done(&h);
}

static void test_room_is_kept_and_a_failure_changes_nothing(void **state)
{
	static struct timer timers[1000];
	struct heap h = { .items = NULL };

	(void)state;
	unit_fail_alloc(1);
	assert_int_equal(heap_reserve(&h, 1), -ENOMEM);
	assert_null(heap_first(&h));
	unit_fail_alloc(2);
	assert_int_equal(heap_reserve(&h, 10), 0);
	for (int i = 0; i < 10; i++)
		heap_set(&h, &timers[i], 100 - i);
	assert_int_equal(heap_reserve(&h, 1000), -ENOMEM);
	assert_int_equal(h.count, 10);
	assert_ptr_equal(heap_first(&h), &timers[9]);
	assert_int_equal(heap_reserve(&h, UINT32_MAX), -ENOMEM);
	assert_int_equal(heap_reserve(&h, 1000), 0);
	unit_fail_alloc(1);
	for (int i = 10; i < 1000; i++)
		heap_set(&h, &timers[i], 100 + i);
	assert_int_equal(heap_reserve(&h, 1000), 0);
	assert_int_equal(unit_allocs, 0);
	check(&h);
	unit_fail_alloc(0);
	heap_done(&h);
}

static void test_growth_doubles(void **state)
{
	struct heap h = { .items = NULL };

	(void)state;
	unit_fail_alloc(0);
	for (uint32_t i = 1; i <= 100000; i++)
		assert_int_equal(heap_reserve(&h, i), 0);
	assert_true(unit_allocs <= 16);
	heap_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_operations_match_a_search),
		cmocka_unit_test(test_timers_come_out_in_order),
		cmocka_unit_test(test_extreme_times),
		cmocka_unit_test(test_room_is_kept_and_a_failure_changes_nothing),
		cmocka_unit_test(test_growth_doubles),
	};

	return cmocka_run_group_tests_name("heap", tests, NULL, NULL);
}
