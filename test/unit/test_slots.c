/* SPDX-License-Identifier: MIT
 *
 * test_slots.c - names are never reused, walks meet each thing once, other threads may ask. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/slots.h"

static void test_a_name_dies_with_its_thing_and_stays_dead(void **state)
{
	struct slots s = { .worker = 7 };
	uint64_t old[1000], name;
	int thing;

	(void)state;
	assert_null(slots_get(&s, 0));
	assert_false(slots_alive(&s, slots_name(7, 0, 1)));
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(slots_add(&s, &thing, &old[i]), 0);
		assert_true(old[i] != 0);
		assert_int_equal(slots_worker(old[i]), 7);
		assert_ptr_equal(slots_get(&s, old[i]), &thing);
		assert_true(slots_alive(&s, old[i]));
		assert_int_equal(s.count, 1);
		for (int k = 0; k < i; k++) {
			assert_true(old[k] != old[i]);
			assert_false(slots_alive(&s, old[k]));
		}
		slots_remove(&s, old[i]);
		slots_remove(&s, old[i]);
		assert_null(slots_get(&s, old[i]));
		assert_int_equal(s.count, 0);
	}
	assert_int_equal(s.used, 1);
	assert_int_equal(slots_add(&s, &thing, &name), 0);
	slots_remove(&s, old[999]);             /* a stale name does not take the new thing out */
	assert_ptr_equal(slots_get(&s, name), &thing);
	slots_done(&s);
}

static void test_names_nobody_gave_are_dead(void **state)
{
	struct slots s = { .worker = 0 };
	uint64_t name;
	int thing;

	(void)state;
	unit_seed("slots");
	assert_int_equal(slots_add(&s, &thing, &name), 0);
	for (int i = 0; i < 100000; i++) {
		uint64_t forged = unit_random();

		assert_true(forged == name || slots_get(&s, forged) == NULL);
	}
	assert_null(slots_get(&s, 0));
	assert_null(slots_get(&s, UINT64_MAX));
	assert_null(slots_get(&s, slots_name(1, 0, 1)));                /* another worker's */
	assert_null(slots_get(&s, slots_name(0, 0, 0)));
	assert_null(slots_get(&s, slots_name(0, 0, 2)));
	assert_null(slots_get(&s, slots_name(0, 0, 3)));
	assert_null(slots_get(&s, slots_name(0, 1, 1)));                /* a free slot */
	assert_null(slots_get(&s, slots_name(0, SLOTS_PAGE, 1)));       /* no page */
	assert_null(slots_get(&s, slots_name(0, SLOTS_PAGE * SLOTS_PAGES, 1)));
	assert_null(slots_get(&s, slots_name(0, 0xffffff, 1)));
	slots_done(&s);
}

static void test_a_slot_whose_generations_are_used_up_is_retired(void **state)
{
	struct slots s = { .worker = 0 };
	uint64_t name, next;
	int thing;

	(void)state;
	assert_int_equal(slots_add(&s, &thing, &name), 0);
	slots_remove(&s, name);
	atomic_store(&s.pages[0][0].generation, 0xfffffe);
	assert_int_equal(slots_add(&s, &thing, &name), 0);
	assert_true(name == slots_name(0, 0, 0xffffff));
	assert_ptr_equal(slots_get(&s, name), &thing);
	slots_remove(&s, name);
	assert_false(slots_alive(&s, name));
	for (int i = 0; i < 5; i++) {
		assert_int_equal(slots_add(&s, &thing, &next), 0);
		assert_int_equal(next >> 24 & 0xffffff, 1);
		slots_remove(&s, next);
	}
	assert_false(slots_alive(&s, slots_name(0, 0, 1)));
	slots_done(&s);
}

static void test_a_walk_meets_each_thing_once_while_things_go(void **state)
{
	enum { N = 3000 };
	static char things[N], met[N];
	static uint64_t names[N];
	struct slots s = { .worker = 3 };
	uint32_t at = 0;
	size_t n = 0;
	char *thing;

	(void)state;
	for (size_t i = 0; i < N; i++)
		assert_int_equal(slots_add(&s, &things[i], &names[i]), 0);
	for (size_t i = 0; i < N; i += 3)
		slots_remove(&s, names[i]);
	assert_int_equal(s.count, N - N / 3);
	while ((thing = slots_next(&s, &at)) != NULL) {
		size_t i = (size_t)(thing - things);

		assert_true(i % 3 != 0 && !met[i]);
		met[i] = 1;
		slots_remove(&s, names[i]);             /* this one, and sometimes one to come */
		n++;
		if (i % 9 == 1) {
			slots_remove(&s, names[i + 1]);
			met[i + 1] = 1;
			n++;
		}
	}
	assert_int_equal(n, N - N / 3);
	assert_int_equal(s.count, 0);
	assert_null(slots_next(&s, &at));
	slots_done(&s);
}

static void test_failure_leaves_the_table_as_it_was(void **state)
{
	struct slots s = { .worker = 0 };
	uint64_t names[SLOTS_PAGE + 1], name = 0;
	int thing;

	(void)state;
	for (unsigned at = 1; at <= 2; at++) {
		unit_fail_alloc(at);
		assert_int_equal(slots_add(&s, &thing, &name), -ENOMEM);
		assert_int_equal(s.count, 0);
		assert_int_equal(name, 0);
		slots_done(&s);
	}
	unit_fail_alloc(3);
	for (unsigned i = 0; i < SLOTS_PAGE; i++)
		assert_int_equal(slots_add(&s, &thing, &names[i]), 0);
	assert_int_equal(slots_add(&s, &thing, &name), -ENOMEM);
	assert_int_equal(s.count, SLOTS_PAGE);
	assert_int_equal(slots_add(&s, &thing, &names[SLOTS_PAGE]), 0);
	for (unsigned i = 0; i <= SLOTS_PAGE; i++)
		assert_ptr_equal(slots_get(&s, names[i]), &thing);
	unit_fail_alloc(0);
	slots_done(&s);
}

/* The table full: made so by hand, for two million slots are 48 MB. */
static void test_a_full_table_refuses(void **state)
{
	struct slots s = { .worker = 0 };
	uint64_t name;
	int thing;

	(void)state;
	assert_int_equal(slots_add(&s, &thing, &name), 0);
	s.used = SLOTS_PAGE * SLOTS_PAGES;
	assert_int_equal(slots_add(&s, &thing, &name), -ENOMEM);
	s.used = 1;
	slots_done(&s);
}

struct asked {
	const struct slots *s;
	_Atomic uint64_t name;          /* 0: stop */
	_Atomic unsigned rounds;
	uint64_t kept;
	unsigned wrong;
};

static void *ask(void *arg)
{
	struct asked *a = arg;

	for (uint64_t name; (name = atomic_load(&a->name)) != 0; atomic_fetch_add(&a->rounds, 1)) {
		slots_alive(a->s, name);
		slots_alive(a->s, slots_name(0, (uint32_t)atomic_load(&a->rounds) % 5000, 1));
		a->wrong += !slots_alive(a->s, a->kept);
	}
	return NULL;
}

/* For the thread sanitizer above all: another thread asks while names come and go and pages are made. */
static void test_another_thread_may_ask(void **state)
{
	struct slots s = { .worker = 0 };
	struct asked a = { .s = &s, .name = 1 };
	static uint64_t names[5000];
	pthread_t t;
	int thing;

	(void)state;
	assert_int_equal(slots_add(&s, &thing, &a.kept), 0);
	assert_int_equal(pthread_create(&t, NULL, ask, &a), 0);
	for (int i = 0; i < 5000; i++) {
		slots_add(&s, &thing, &names[i]);
		atomic_store(&a.name, names[i]);
		if (i % 3 == 0)
			slots_remove(&s, names[i]);
	}
	while (atomic_load(&a.rounds) < 100)
		;
	atomic_store(&a.name, 0);
	pthread_join(t, NULL);
	assert_int_equal(a.wrong, 0);
	slots_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_name_dies_with_its_thing_and_stays_dead),
		cmocka_unit_test(test_names_nobody_gave_are_dead),
		cmocka_unit_test(test_a_slot_whose_generations_are_used_up_is_retired),
		cmocka_unit_test(test_a_walk_meets_each_thing_once_while_things_go),
		cmocka_unit_test(test_failure_leaves_the_table_as_it_was),
		cmocka_unit_test(test_a_full_table_refuses),
		cmocka_unit_test(test_another_thread_may_ask),
	};

	return cmocka_run_group_tests_name("slots", tests, NULL, NULL);
}
