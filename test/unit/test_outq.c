/* SPDX-License-Identifier: MIT
 *
 * test_outq.c - the output queue against a plain array, its pool, and its failures. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/outq.h"

static uint8_t pattern[1 << 20];

static int setup(void **state)
{
	(void)state;
	unit_seed("outq");
	for (size_t i = 0; i < sizeof pattern; i++)
		pattern[i] = (uint8_t)unit_random();
	unit_fail_alloc(0);
	return 0;
}

/* What the header promises of every queue. */
static void check(const struct outq *q)
{
	const struct chunk *last = NULL;
	size_t len = 0;

	for (const struct chunk *c = q->first; c != NULL; last = c, c = c->next) {
		assert_true(c->head < c->tail && c->tail <= c->room);
		assert_true(c->room == CHUNK_SMALL || c->room == CHUNK_LARGE);
		assert_true(c->next == NULL || c->tail == c->room);
		len += c->tail - c->head;
	}
	assert_ptr_equal(q->last, last);
	assert_int_equal(q->len, len);
}

static unsigned list_length(const struct chunk *c, uint32_t room)
{
	unsigned n = 0;

	for (; c != NULL; c = c->next, n++)
		assert_int_equal(c->room, room);
	return n;
}

static void check_pool(const struct chunk_pool *pool)
{
	assert_int_equal(list_length(pool->small, CHUNK_SMALL), pool->n_small);
	assert_int_equal(list_length(pool->large, CHUNK_LARGE), pool->n_large);
	assert_true(pool->n_small <= CHUNK_POOL_SMALL);
	assert_true(pool->n_large <= CHUNK_POOL_LARGE);
}

static void check_front(const struct outq *q, const uint8_t *want, int max)
{
	struct iovec iov[32];
	int n = outq_gather(q, iov, max);

	assert_true(n <= max);
	assert_int_equal(n == 0, q->len == 0);
	for (int i = 0; i < n; i++) {
		assert_true(iov[i].iov_len > 0);
		assert_memory_equal(iov[i].iov_base, want, iov[i].iov_len);
		want += iov[i].iov_len;
	}
}

static size_t random_size(void)
{
	switch (unit_below(8)) {
	case 0:  return unit_below(3) == 0 ? CHUNK_SMALL + unit_below(3) - 1 : 0;
	case 1:  return unit_below(200000);
	case 2:  return CHUNK_LARGE + unit_below(3) - 1;
	case 3:  return unit_below(3 * CHUNK_SMALL);
	default: return unit_below(300);
	}
}

static void test_random_operations_match_a_plain_array(void **state)
{
	struct chunk_pool pool = { .small = NULL };
	struct outq q = { .first = NULL };
	size_t head = 0, tail = 0;      /* of the pattern */

	(void)state;
	for (int i = 0; i < 50000; i++) {
		size_t n = random_size();

		if (unit_below(2) == 0 && tail + n <= sizeof pattern) {
			assert_int_equal(outq_append(&q, &pool, pattern + tail, n), 0);
			tail += n;
		} else {
			n = unit_below(4) == 0 || n > tail - head ? tail - head : n;
			outq_consume(&q, &pool, n);
			head += n;
		}
		if (unit_below(1000) == 0) {
			outq_done(&q, &pool);
			head = tail;
		}
		if (head == tail)
			head = tail = 0;
		assert_int_equal(q.len, tail - head);
		check(&q);
		check_pool(&pool);
		check_front(&q, pattern + head, 1 + (int)unit_below(32));
	}
	outq_done(&q, &pool);
	chunk_pool_done(&pool);
	assert_null(pool.small);
	assert_int_equal(pool.n_large, 0);
}

static void test_bytes_stay_put_while_more_is_queued(void **state)
{
	struct chunk_pool pool = { .small = NULL };
	struct outq q = { .first = NULL };
	struct iovec before[8], after[8];
	int n;

	(void)state;
	outq_append(&q, &pool, pattern, 10000);
	outq_consume(&q, &pool, 100);
	n = outq_gather(&q, before, 8);
	for (int i = 0; i < 50; i++)
		outq_append(&q, &pool, pattern, 5000);
	assert_int_equal(outq_gather(&q, after, n), n);
	for (int i = 0; i < n; i++)
		assert_ptr_equal(before[i].iov_base, after[i].iov_base);
	assert_true(outq_gather(&q, after, 8) <= 8);
	outq_done(&q, &pool);
	chunk_pool_done(&pool);
}

static void test_a_message_within_a_turn_costs_no_heap_traffic(void **state)
{
	struct chunk_pool pool = { .small = NULL };
	struct outq q = { .first = NULL };

	(void)state;
	unit_fail_alloc(0);
	for (int i = 0; i < 1000; i++) {
		outq_append(&q, &pool, pattern, 64);
		outq_consume(&q, &pool, 64);
		assert_null(q.first);
		outq_append(&q, &pool, pattern, 100000);
		outq_consume(&q, &pool, 100000);
	}
	assert_true(unit_allocs <= 4);
	chunk_pool_done(&pool);
}

static void test_the_pool_gives_back_what_it_need_not_keep(void **state)
{
	struct chunk_pool pool = { .small = NULL };
	struct outq q[2 * CHUNK_POOL_SMALL] = { { .first = NULL } };

	(void)state;
	for (size_t i = 0; i < 2 * CHUNK_POOL_SMALL; i++)
		outq_append(&q[i], &pool, pattern, 1 + i % 2 * CHUNK_SMALL);
	for (size_t i = 0; i < 2 * CHUNK_POOL_SMALL; i++)
		outq_consume(&q[i], &pool, q[i].len);
	check_pool(&pool);
	assert_int_equal(pool.n_small, CHUNK_POOL_SMALL);
	assert_int_equal(pool.n_large, CHUNK_POOL_LARGE);
	chunk_pool_done(&pool);
}

/* Each allocation of an append fails in turn: nothing is appended, and all goes on. */
static void test_failure_appends_nothing(void **state)
{
	static const size_t first[] = { 0, 1, CHUNK_SMALL, 5000 };

	(void)state;
	for (size_t f = 0; f < 4; f++) {
		for (unsigned at = 1; ; at++) {
			struct chunk_pool pool = { .small = NULL };
			struct outq q = { .first = NULL };
			int err;

			unit_fail_alloc(0);
			assert_int_equal(outq_append(&q, &pool, pattern, first[f]), 0);
			unit_fail_alloc(at);
			err = outq_append(&q, &pool, pattern + first[f], 300000);
			check(&q);
			if (err != 0) {
				assert_int_equal(err, -ENOMEM);
				assert_int_equal(q.len, first[f]);
				assert_int_equal(pool.n_large, at - 1 < 4 ? at - 1 : 4);
				err = outq_append(&q, &pool, pattern + first[f], 300000);
				assert_int_equal(err, 0);
				err = -ENOMEM;
			}
			check(&q);
			check_pool(&pool);
			assert_int_equal(q.len, first[f] + 300000);
			check_front(&q, pattern, 32);
			outq_done(&q, &pool);
			chunk_pool_done(&pool);
			if (err == 0) {
				assert_true(at >= 5);
				break;
			}
		}
	}
}

/* Whole ones: in order, each as it was, the empty too; and their chunks are not the pool's. */
static void test_datagrams_stay_whole(void **state)
{
	static const size_t sizes[] = { 0, 1, 0, 100, CHUNK_SMALL - WHOLE_HEAD, CHUNK_SMALL, 65507, 65536, 0 };
	const size_t n = sizeof sizes / sizeof sizes[0];
	struct chunk_pool pool = { .small = NULL };
	struct outq q = { .first = NULL };

	(void)state;
	for (size_t i = 0; i < n; i++) {
		unit_fail_alloc(1);
		assert_int_equal(outq_append_whole(&q, pattern + i, sizes[i]), -ENOMEM);
		unit_fail_alloc(0);
		assert_int_equal(outq_append_whole(&q, pattern + i, sizes[i]), 0);
	}
	for (size_t i = 0; i < n; i++) {
		struct myr_bytes whole = outq_first_whole(&q);

		assert_true(q.len > 0);
		assert_int_equal(whole.n, sizes[i]);
		assert_memory_equal(whole.p, pattern + i, sizes[i]);
		outq_consume_whole(&q, &pool);
	}
	assert_int_equal(q.len, 0);
	assert_null(q.first);
	assert_null(q.last);
	check_pool(&pool);
	assert_int_equal(outq_append_whole(&q, pattern, 5), 0);
	outq_done(&q, &pool);
	chunk_pool_done(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_operations_match_a_plain_array),
		cmocka_unit_test(test_bytes_stay_put_while_more_is_queued),
		cmocka_unit_test(test_a_message_within_a_turn_costs_no_heap_traffic),
		cmocka_unit_test(test_the_pool_gives_back_what_it_need_not_keep),
		cmocka_unit_test(test_failure_appends_nothing),
		cmocka_unit_test(test_datagrams_stay_whole),
	};

	return cmocka_run_group_tests_name("outq", tests, setup, NULL);
}
