/* SPDX-License-Identifier: MIT
 *
 * test_error.c - error texts fit into a sentence, and each thread has its own last failure. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#undef fail                             /* cmocka has one, too */
#include "base/error.h"

static void test_texts(void **state)
{
	const char *first = myr_strerror(-ECONNRESET);

	(void)state;
	assert_string_equal(first, "connection reset by peer");
	assert_string_equal(myr_strerror(ECONNRESET), "connection reset by peer");
	assert_string_equal(myr_strerror(-EADDRINUSE), "address already in use");
	assert_string_equal(myr_strerror(-EIO), "input/output error");
	assert_string_equal(myr_strerror(-ERFKILL), "operation not possible due to RF-kill");
	assert_string_equal(myr_strerror(-EDOTDOT), "RFS specific error");
	assert_string_equal(myr_strerror(0), "success");
	assert_string_equal(myr_strerror(MYR_EOF), "end of stream");
	assert_string_equal(myr_strerror(MYR_STOP), "the server is stopping");
	assert_string_equal(myr_strerror(MYR_EFRAME), "broken or too long frame");
	assert_ptr_equal(myr_strerror(-ECONNRESET), first);
}

static void test_every_code_has_a_text(void **state)
{
	(void)state;
	for (int e = 1; e <= 133; e++) {
		const char *text = myr_strerror(-e);

		assert_true(strlen(text) > 5 && strlen(text) < 63);
		assert_ptr_equal(strstr(text, "Unknown"), NULL);
		assert_false(text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'a' && text[1] <= 'z');
	}
}

static void test_unknown_codes(void **state)
{
	(void)state;
	assert_string_equal(myr_strerror(-134), "error -134");
	assert_string_equal(myr_strerror(-41), "error -41");            /* a hole in errno's list */
	assert_string_equal(myr_strerror(4095), "error 4095");
	assert_string_equal(myr_strerror(INT32_MIN), "error -2147483648");
	assert_string_equal(myr_strerror(INT32_MAX), "error 2147483647");
}

static void *look(void *arg)
{
	(void)arg;
	return strcmp(myr_reason(), "") == 0 && fail(-1, "mine") == -1 &&
	       strcmp(myr_reason(), "mine") == 0 ? NULL : "wrong";
}

static void test_the_reason_is_the_threads_own(void **state)
{
	char big[2000];
	pthread_t t;
	void *wrong;

	(void)state;
	assert_string_equal(myr_reason(), "");
	errno = EBUSY;
	assert_int_equal(fail(-ENOENT, "cannot open %s: %s", "x", "no"), -ENOENT);
	assert_int_equal(errno, EBUSY);
	assert_string_equal(myr_reason(), "cannot open x: no");
	assert_int_equal(pthread_create(&t, NULL, look, NULL), 0);
	pthread_join(t, &wrong);
	assert_null(wrong);
	assert_string_equal(myr_reason(), "cannot open x: no");
	fail(-EINVAL, "worker 3: %s", myr_reason());
	assert_string_equal(myr_reason(), "worker 3: cannot open x: no");
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	fail(-EINVAL, "%s", big);
	assert_int_equal(strlen(myr_reason()), 511);
	fail(-EINVAL, "short");
	assert_string_equal(myr_reason(), "short");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_every_code_has_a_text),
		cmocka_unit_test(test_unknown_codes),
		cmocka_unit_test(test_the_reason_is_the_threads_own),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
