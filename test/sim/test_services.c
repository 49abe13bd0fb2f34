/* SPDX-License-Identifier: MIT
 *
 * test_services.c - the services that frame what they read: however the bytes are cut into arrivals, the
 * answer is the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/services.h"
#include "service/store.h"

#define OPEN 1

static struct myr_test *begin(const struct myr_service *s, void *arg)
{
	struct myr_test *t;

	assert_int_equal(myr_test_new(&t, s, arg), 0);
	return t;
}

static void expect(struct myr_test *t, const char *bytes, size_t n)
{
	size_t got_n;
	const char *got = myr_test_sent(t, &got_n);

	assert_int_equal(got_n, n);
	assert_memory_equal(got, bytes, n);
}

/* One arrival after the other; what comes after the end of the connection is not fed. */
static int feed(struct myr_test *t, const char *bytes, size_t n, size_t each)
{
	int state = OPEN;

	for (size_t i = 0; i < n && state == OPEN; i += each)
		state = myr_test_feed(t, bytes + i, n - i < each ? n - i : each);
	return state;
}

/* In two arrivals, cut at each place, and byte by byte; then the peer ends. */
static void same_however_cut(const struct myr_service *s, const char *in, size_t n, const char *out)
{
	for (size_t cut = 0; cut <= n + 1; cut++) {
		struct store *store = NULL;
		struct myr_test *t;

		if (s == &service_list)
			assert_int_equal(store_open(&store, NULL, "mem", NULL), 0);
		t = begin(s, store);
		if (cut > n)
			feed(t, in, n, 1);
		else if (feed(t, in, cut, n + 1) == OPEN)
			feed(t, in + cut, n - cut, n + 1);
		myr_test_end(t, MYR_EOF);
		expect(t, out, strlen(out));
		myr_test_free(t);
		store_free(store);
	}
}

static void test_lines_however_cut(void **state)
{
	static const char list[] = "ola\r\nit's\n\nLIST\nCLEAR\n\xc3\xa1\n\xff\nLIST\nlost";

	(void)state;
	same_however_cut(&service_list, list, sizeof list - 1,
		"Ack\nAck\nError: an empty line is no item\n['ola', \"it's\"]\nLista apagada\nAck\n"
		"Error: not UTF-8 at byte 0: invalid start byte\n['\xc3\xa1']\n");
	same_however_cut(&service_reverse, "abc\r\n\nOl\xc3\xa1\nlost", 16, "cba\n\n\xc3\xa1lO\n");
}

static void test_count_however_cut(void **state)
{
	(void)state;
	same_however_cut(&service_count, "10 0123456789", 13, "0123456789");
	same_however_cut(&service_count, "10 0123456789and more", 21, "0123456789");
	same_however_cut(&service_count, "3  1 ", 5, " 1 ");
	same_however_cut(&service_count, "0 more", 6, "");
	same_however_cut(&service_count, "5 abc", 5, "abc");
	same_however_cut(&service_count, "12", 2, "");
}

static void test_count_echoes_any_byte(void **state)
{
	struct myr_test *t = begin(&service_count, NULL);
	char all[4 + 256] = "256 ";

	(void)state;
	for (int i = 0; i < 256; i++)
		all[4 + i] = (char)i;
	feed(t, all, sizeof all, 1);
	expect(t, all + 4, 256);
	myr_test_free(t);
}

static void test_count_closes_at_the_last_byte(void **state)
{
	struct myr_test *t = begin(&service_count, NULL);

	(void)state;
	assert_int_equal(myr_test_feed(t, "5 hell", 6), OPEN);
	expect(t, "hell", 4);
	myr_test_feed(t, "o", 1);
	expect(t, "o", 1);
	myr_test_feed(t, "x", 1);
	expect(t, "", 0);
	assert_int_equal(myr_test_end(t, MYR_EOF), 0);
	myr_test_free(t);
}

/* A simulation that looked at the real clock gave another hash each second. */
static void test_the_time_is_the_simulations_own(void **state)
{
	static const char then[] = "Saturday, January 01, 2000 00:00:01-UTC\r\n", seconds[] = "\xbc\x17\xc2\x01",
	                  stamp[] = "Resposta eco => b'x' as Sat Jan  1 00:00:21 2000\n";
	struct myr_test *t;

	(void)state;
	t = begin(&service_daytime, NULL);
	expect(t, then, sizeof then - 1);
	myr_test_free(t);
	t = begin(&service_time, NULL);
	expect(t, seconds, sizeof seconds - 1);
	myr_test_free(t);
	t = begin(&service_stamp, NULL);
	myr_test_feed(t, "x", 1);
	myr_test_pass(t, 20000);
	assert_int_equal(myr_test_feed(t, "\n", 1), OPEN);
	expect(t, stamp, sizeof stamp - 1);
	myr_test_free(t);
}

static void test_count_takes_no_other_length(void **state)
{
	static const char *const wrong[] = {
		"+5 hello", "-5 hello", "05 hello", "00 x", " 5 hello", "\n5 hello", "5\thello", "0x5 hello", "\xff", "five ",
		"1073741825 x", "18446744073709551615 x", "18446744073709551616 x", "99999999999999999999999999999999 x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		same_however_cut(&service_count, wrong[i], strlen(wrong[i]), "");
	same_however_cut(&service_count, "5\0 hello", 8, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_however_cut),
		cmocka_unit_test(test_count_however_cut),
		cmocka_unit_test(test_count_echoes_any_byte),
		cmocka_unit_test(test_count_closes_at_the_last_byte),
		cmocka_unit_test(test_count_takes_no_other_length),
		cmocka_unit_test(test_the_time_is_the_simulations_own),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
