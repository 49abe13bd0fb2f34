/* SPDX-License-Identifier: MIT
 *
 * test_repr.c - Python's way of writing values: known answers, and what happens without room.
 * (repr_python.py compares with a real Python.) */
#include "unit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "service/repr.h"

#define ITEM(text) { (const uint8_t *)(text), sizeof (text) - 1 }
#define check(call, ...) do { \
	char text_[512]; \
	size_t n_ = call(text_, sizeof text_, __VA_ARGS__); \
	assert_int_equal(n_, strlen(text_)); \
	snprintf(last, sizeof last, "%s", text_); \
} while (0)

static char last[512];

static const char *bytes(const void *p, size_t n)
{
	check(repr_bytes, p, n);
	return last;
}

static const char *str(const char *p)
{
	check(repr_str, p, strlen(p));
	return last;
}

static const char *address(const char *host, int port)
{
	check(repr_address, host, port);
	return last;
}

static void test_bytes(void **state)
{
	(void)state;
	assert_string_equal(bytes(NULL, 0), "b''");
	assert_string_equal(bytes("Hello, world", 12), "b'Hello, world'");
	assert_string_equal(bytes("it's", 4), "b\"it's\"");
	assert_string_equal(bytes("\"it's\"", 6), "b'\"it\\'s\"'");
	assert_string_equal(bytes("\"", 1), "b'\"'");
	assert_string_equal(bytes("\0\t\n\r\\\x1b\x7f\x80\xff", 9), "b'\\x00\\t\\n\\r\\\\\\x1b\\x7f\\x80\\xff'");
	assert_string_equal(bytes("Ol\xc3\xa1", 4), "b'Ol\\xc3\\xa1'");
}

static void test_str(void **state)
{
	(void)state;
	assert_string_equal(str(""), "''");
	assert_string_equal(str("Olá\n"), "'Olá\\n'");
	assert_string_equal(str("it's"), "\"it's\"");
	assert_string_equal(str("Ξένος €😀"), "'Ξένος €😀'");
	assert_string_equal(str("a\u00a0b\u00ad\u200b\u2028\ufeff"), "'a\\xa0b\\xad\\u200b\\u2028\\ufeff'");
	assert_string_equal(str("\U000e0001\U0010ffff\U0010fffe"), "'\\U000e0001\\U0010ffff\\U0010fffe'");
}

static void test_what_is_no_utf8(void **state)
{
	(void)state;
	assert_string_equal(str("\xff"), "'\\udcff'");
	assert_string_equal(str("a\xc3"), "'a\\udcc3'");                 /* cut */
	assert_string_equal(str("\xc0\xaf"), "'\\udcc0\\udcaf'");        /* overlong */
	assert_string_equal(str("\xed\xa0\x80"), "'\\udced\\udca0\\udc80'");     /* a surrogate */
	assert_string_equal(str("\xf4\x90\x80\x80"), "'\\udcf4\\udc90\\udc80\\udc80'");
	assert_string_equal(str("\xe2\x82z"), "'\\udce2\\udc82z'");
}

static void test_list(void **state)
{
	static const struct myr_bytes items[] = { ITEM("ola"), ITEM("it's"), ITEM("Olá\n") };

	(void)state;
	check(repr_list, NULL, 0);
	assert_string_equal(last, "[]");
	check(repr_list, items, 1);
	assert_string_equal(last, "['ola']");
	check(repr_list, items, 3);
	assert_string_equal(last, "['ola', \"it's\", 'Olá\\n']");
}

static void test_address(void **state)
{
	(void)state;
	assert_string_equal(address("127.0.0.1", 61354), "('127.0.0.1', 61354)");
	assert_string_equal(address("localhost", 50007), "('localhost', 50007)");
	assert_string_equal(address("::1", 61354), "('::1', 61354, 0, 0)");
	assert_string_equal(address("fe80::1%lo", 7), "('fe80::1%lo', 7, 0, 1)");
	assert_string_equal(address("fe80::1%77", 7), "('fe80::1%77', 7, 0, 77)");
	assert_string_equal(address("unix", 0), "''");
}

static void test_ctime(void **state)
{
	char text[REPR_CTIME_MAX];

	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	repr_ctime(text, 1500749037);
	assert_string_equal(text, "Sat Jul 22 18:43:57 2017");
	repr_ctime(text, 0);
	assert_string_equal(text, "Thu Jan  1 00:00:00 1970");          /* the day padded with a blank */
	repr_ctime(text, (time_t)1 << 62);
	assert_string_equal(text, "");
}

/* Whatever the room: the same length, the same beginning, always terminated, and not a byte beyond. */
static void test_any_room(void **state)
{
	static const char data[] = "it's\n\"Olá\" \xff\u2028 😀";
	char whole[256], part[256];
	size_t n = repr_str(whole, sizeof whole, data, sizeof data - 1);

	(void)state;
	assert_int_equal(repr_str(NULL, 0, data, sizeof data - 1), n);
	for (size_t size = 1; size <= n + 1; size++) {
		memset(part, '#', sizeof part);
		assert_int_equal(repr_str(part, size, data, sizeof data - 1), n);
		assert_int_equal(strlen(part), size - 1);
		assert_memory_equal(part, whole, size - 1);
		assert_int_equal(part[size], '#');
	}
}

static void test_the_room_promised_is_enough(void **state)
{
	char data[256];

	(void)state;
	unit_seed("repr");
	for (int round = 0; round < 2000; round++) {
		size_t n = unit_below(sizeof data + 1);

		for (size_t i = 0; i < n; i++)
			data[i] = (char)(round % 2 ? unit_random() : 0x80 | unit_random());
		assert_true(repr_bytes(NULL, 0, data, n) < REPR_BYTES_MAX(n));
		assert_true(repr_str(NULL, 0, data, n) < REPR_STR_MAX(n));
	}
	memset(data, '\x80', sizeof data);
	assert_int_equal(repr_str(NULL, 0, data, sizeof data), REPR_STR_MAX(sizeof data) - 1);
	memset(data, 0, sizeof data);
	assert_int_equal(repr_bytes(NULL, 0, data, sizeof data), REPR_BYTES_MAX(sizeof data) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes), cmocka_unit_test(test_str), cmocka_unit_test(test_what_is_no_utf8),
		cmocka_unit_test(test_list), cmocka_unit_test(test_address), cmocka_unit_test(test_ctime),
		cmocka_unit_test(test_any_room), cmocka_unit_test(test_the_room_promised_is_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
