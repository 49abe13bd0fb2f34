/* SPDX-License-Identifier: MIT
 *
 * test_buf.c - the byte buffer against a plain array, its cost, and its memory. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"

static void test_empty_buffer_holds_no_memory(void **state)
{
	struct buf b = { .mem = NULL };

	(void)state;
	assert_int_equal(buf_len(&b), 0);
	assert_int_equal(buf_append(&b, "", 0), 0);
	assert_null(b.mem);
	assert_int_equal(buf_append(&b, "abc", 3), 0);
	buf_consume(&b, 2);
	assert_int_equal(buf_len(&b), 1);
	assert_memory_equal(buf_bytes(&b), "c", 1);
	buf_consume(&b, 1);
	assert_null(b.mem);
	assert_int_equal(b.room, 0);
	buf_done(&b);
	buf_done(&b);
}

static void test_random_operations_match_a_plain_array(void **state)
{
	static uint8_t model[1 << 20], piece[9000];
	size_t head = 0, tail = 0;
	struct buf b = { .mem = NULL };

	(void)state;
	unit_seed("buf");
	for (int i = 0; i < 20000; i++) {
		size_t n = unit_below(unit_below(20) == 0 ? sizeof piece : 100);

		if (unit_below(2) == 0 && tail + n <= sizeof model) {
			for (size_t k = 0; k < n; k++)
				piece[k] = (uint8_t)unit_random();
			assert_int_equal(buf_append(&b, piece, n), 0);
			memcpy(model + tail, piece, n);
			tail += n;
		} else {
			n = n < tail - head ? n : tail - head;
			buf_consume(&b, n);
			head += n;
		}
		if (head == tail)
			head = tail = 0;
		assert_int_equal(buf_len(&b), tail - head);
		assert_true(b.tail <= b.room);
		assert_true(b.room <= 128 || b.room <= 8 * sizeof model);
		if (tail > head)
			assert_memory_equal(buf_bytes(&b), model + head, tail - head);
	}
	buf_done(&b);
}

/* The steady part: bytes come and go behind a long rest that nearly fills its memory. */
static void test_growth_doubles_and_steady_use_stays_put(void **state)
{
	const int n = (1 << 20) - 10;
	struct buf b = { .mem = NULL };

	(void)state;
	unit_fail_alloc(0);
	for (int i = 0; i < n; i++)
		assert_int_equal(buf_append(&b, "x", 1), 0);
	assert_true(unit_allocs <= 14);
	unit_allocs = 0;
	for (int i = 0; i < 1 << 22; i++) {
		buf_append(&b, "y", 1);
		buf_consume(&b, 1);
	}
	assert_true(unit_allocs <= 2);
	assert_int_equal(buf_len(&b), n);
	assert_true(b.room <= 4u << 20);
	assert_int_equal(buf_bytes(&b)[0], 'y');
	buf_done(&b);
}

static void test_failure_leaves_the_buffer_as_it_was(void **state)
{
	struct buf b = { .mem = NULL };
	char big[1000] = "";

	(void)state;
	unit_fail_alloc(1);
	assert_int_equal(buf_append(&b, "abc", 3), -ENOMEM);
	assert_int_equal(buf_len(&b), 0);
	unit_fail_alloc(2);
	assert_int_equal(buf_append(&b, "abc", 3), 0);
	assert_int_equal(buf_append(&b, big, sizeof big), -ENOMEM);
	assert_int_equal(buf_len(&b), 3);
	assert_memory_equal(buf_bytes(&b), "abc", 3);
	assert_int_equal(buf_append(&b, big, sizeof big), 0);
	assert_int_equal(buf_len(&b), 1003);
	unit_fail_alloc(0);
	assert_int_equal(buf_append(&b, big, SIZE_MAX), -ENOMEM);
	assert_int_equal(buf_append(&b, big, SIZE_MAX - 500), -ENOMEM);
	assert_int_equal(buf_append(&b, big, (size_t)1 << 31), -ENOMEM);
	assert_int_equal(buf_len(&b), 1003);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_buffer_holds_no_memory),
		cmocka_unit_test(test_random_operations_match_a_plain_array),
		cmocka_unit_test(test_growth_doubles_and_steady_use_stays_put),
		cmocka_unit_test(test_failure_leaves_the_buffer_as_it_was),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
