/* SPDX-License-Identifier: MIT
 *
 * test_log.c - no bytes of a peer can end a line, hide in it or move the cursor; lines arrive whole. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include "base/log.h"

static const char *escaped(const void *bytes, size_t n)
{
	static char text[1200];
	size_t len = log_escape(text, sizeof text, bytes, n);

	assert_int_equal(len, strlen(text));
	return text;
}

/* An independent rule for what may be in a log: printable ASCII, and UTF-8 that is no control,
 * no direction mark, no separator; written without a decoder, as ranges of bytes. */
static size_t printable(const unsigned char *p, const char *never)
{
	if (p[0] >= 0x20 && p[0] < 0x7f)
		return strchr(never, p[0]) == NULL;
	if (p[0] >= 0xc2 && p[0] <= 0xdf && p[1] >= 0x80 && p[1] <= 0xbf)
		return (p[0] == 0xc2 && p[1] < 0xa0) || (p[0] == 0xd8 && p[1] == 0x9c) ? 0 : 2;
	if (p[0] >= 0xe0 && p[0] <= 0xef && p[1] >= 0x80 && p[1] <= 0xbf && p[2] >= 0x80 && p[2] <= 0xbf) {
		if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f))
			return 0;
		if (p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0x8e || p[2] == 0x8f || (p[2] >= 0xa8 && p[2] <= 0xae)))
			return 0;
		return p[0] == 0xe2 && p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9 ? 0 : 3;
	}
	if (p[0] >= 0xf0 && p[0] <= 0xf4 && p[1] >= 0x80 && p[1] <= 0xbf && p[2] >= 0x80 && p[2] <= 0xbf &&
	    p[3] >= 0x80 && p[3] <= 0xbf)
		return (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f) ? 0 : 4;
	return 0;
}

static void check_printable(const char *text, const char *never)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p != '\0') {
		size_t n = printable(p, never);

		if (n == 0)
			fail_msg("byte %02x at %zu", *p, (size_t)(p - (const unsigned char *)text));
		p += n;
	}
}

/* The bytes behind an escaped text: what a reader of the log would reconstruct. */
static size_t unescape(const char *text, unsigned char *dst)
{
	size_t n = 0;
	unsigned v;
	int used;

	while (*text != '\0') {
		if (sscanf(text, "\\x%2x%n", &v, &used) == 1) {
			dst[n++] = (unsigned char)v;
			text += used;
		} else if (sscanf(text, "\\u{%4x}%n", &v, &used) == 1) {
			if (v >= 0x800)
				dst[n++] = (unsigned char)(0xe0 | v >> 12);
			dst[n++] = (unsigned char)(v >= 0x800 ? 0x80 | (v >> 6 & 0x3f) : 0xc0 | v >> 6);
			dst[n++] = (unsigned char)(0x80 | (v & 0x3f));
			text += used;
		} else {
			assert_true(*text != '\\');
			dst[n++] = (unsigned char)*text++;
		}
	}
	return n;
}

static void test_every_single_byte(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		unsigned char byte = (unsigned char)i;
		char want[8];

		if (i >= 0x20 && i < 0x7f && strchr("\\\"'", (int)i) == NULL)
			snprintf(want, sizeof want, "%c", (int)i);
		else
			snprintf(want, sizeof want, "\\x%02x", i);
		assert_string_equal(escaped(&byte, 1), want);
	}
	assert_string_equal(escaped("", 0), "");
	assert_string_equal(escaped("a\0b", 3), "a\\x00b");
}

static void test_controls_written_as_utf8(void **state)
{
	(void)state;
	for (unsigned i = 0x80; i <= 0x9f; i++) {
		unsigned char two[2] = { 0xc2, (unsigned char)i };
		char want[12];

		snprintf(want, sizeof want, "\\u{%04x}", i);
		assert_string_equal(escaped(two, 2), want);
	}
	assert_string_equal(escaped("\xc2\xa0", 2), "\xc2\xa0");
}

static void test_what_is_shown_and_what_is_not(void **state)
{
	static const struct {
		const char *bytes, *text;
	} cases[] = {
		{ "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "\xd7\xa9\xd7\x9c", "\xd7\xa9\xd7\x9c" },                     /* Hebrew is not a direction mark */
		{ "GET / HTTP/1.1\r\nx", "GET / HTTP/1.1\\x0d\\x0ax" },
		{ "\x1b[2J\x07", "\\x1b[2J\\x07" },
		{ "say \"it's\" \\n", "say \\x22it\\x27s\\x22 \\x5cn" },
		{ "\xe2\x80\xae" "exe.txt", "\\u{202e}exe.txt" },
		{ "\xe2\x80\xaa\xe2\x80\xab\xe2\x80\xac\xe2\x80\xad", "\\u{202a}\\u{202b}\\u{202c}\\u{202d}" },
		{ "\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa", "\xe2\x81\xa5\\u{2066}\\u{2069}\xe2\x81\xaa" },
		{ "\xe2\x80\x8d\xe2\x80\x8e\xe2\x80\x8f\xe2\x80\x90", "\xe2\x80\x8d\\u{200e}\\u{200f}\xe2\x80\x90" },
		{ "\xd8\x9b\xd8\x9c\xd8\x9d", "\xd8\x9b\\u{061c}\xd8\x9d" },
		{ "\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaf", "\xe2\x80\xa7\\u{2028}\\u{2029}\xe2\x80\xaf" },
		{ "\xc0\xaf", "\\xc0\\xaf" },                                   /* overlong '/' */
		{ "\xc1\xbf", "\\xc1\\xbf" },
		{ "\xe0\x9f\xbf\xe0\xa0\x80", "\\xe0\\x9f\\xbf\xe0\xa0\x80" },
		{ "\xf0\x8f\xbf\xbf\xf0\x90\x80\x80", "\\xf0\\x8f\\xbf\\xbf\xf0\x90\x80\x80" },
		{ "\xe0\x80\x8a", "\\xe0\\x80\\x8a" },                          /* overlong newline */
		{ "\xed\x9f\xbf\xed\xa0\x80\xed\xbf\xbf\xee\x80\x80",
		  "\xed\x9f\xbf\\xed\\xa0\\x80\\xed\\xbf\\xbf\xee\x80\x80" },   /* surrogates */
		{ "\xf4\x8f\xbf\xbf\xf4\x90\x80\x80", "\xf4\x8f\xbf\xbf\\xf4\\x90\\x80\\x80" },
		{ "\xf5\x80\x80\x80\xff\xfe", "\\xf5\\x80\\x80\\x80\\xff\\xfe" },
		{ "\xe2\x82", "\\xe2\\x82" },                                   /* cut short */
		{ "\xe2\x82" "a", "\\xe2\\x82" "a" },
		{ "\xe2\n\xac", "\\xe2\\x0a\\xac" },
		{ "\xf0\x9f\x98", "\\xf0\\x9f\\x98" },
		{ "\x80\xbf", "\\x80\\xbf" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_string_equal(escaped(cases[i].bytes, strlen(cases[i].bytes)), cases[i].text);
}

/* Every byte of it can be read back, so nothing is hidden. */
static void test_random_bytes_are_shown_in_full(void **state)
{
	static const char *const parts[] = {
		"\xe2\x80\xae", "\xc2\x85", "\n", "\x1b[", "\xf0\x9f\x98\x80", "\xe2\x82", "\\x0a", "\\u{202e}", "\"", "...+9"
	};
	unsigned char bytes[256], back[256];

	(void)state;
	unit_seed("log");
	for (int i = 0; i < 10000; i++) {
		size_t n = 0, want = unit_below(sizeof bytes - 16);
		const char *text;

		while (n < want) {
			const char *part = parts[unit_below(10)];

			if (unit_below(2) == 0)
				bytes[n++] = (unsigned char)unit_random();
			else
				for (; *part != '\0'; part++)
					bytes[n++] = (unsigned char)*part;
		}
		text = escaped(bytes, n);
		assert_null(strchr(text, '\n'));
		check_printable(text, "\"'");
		assert_int_equal(unescape(text, back), n);
		assert_memory_equal(back, bytes, n);
	}
}

static void test_long_text_is_cut_and_says_so(void **state)
{
	char bytes[1000], want[300];

	(void)state;
	memset(bytes, 'x', sizeof bytes);
	memset(want, 'x', 256);
	want[256] = '\0';
	assert_string_equal(escaped(bytes, 256), want);
	strcpy(want + 256, "...+1");
	assert_string_equal(escaped(bytes, 257), want);
	strcpy(want + 256, "...+744");
	assert_string_equal(escaped(bytes, 1000), want);
	memcpy(bytes + 254, "\xe2\x82\xac", 3);         /* a character that the cut would halve */
	strcpy(want + 254, "...+746");
	assert_string_equal(escaped(bytes, 1000), want);
	memset(bytes, '\n', sizeof bytes);
	assert_int_equal(strlen(escaped(bytes, 1000)), 4 * 256 + 7);
}

/* Any size of the destination: terminated, inside it, not cut within an escape. */
static void test_short_destinations(void **state)
{
	char bytes[100], dst[200], text[200];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = i % 3 == 0 ? '\n' : 'a';
	for (size_t size = 1; size < sizeof dst; size++) {
		size_t len, shown;
		const char *more;

		memset(dst, '#', sizeof dst);
		len = log_escape(dst, size, bytes, sizeof bytes);
		assert_true(len < size);
		assert_int_equal(strlen(dst), len);
		for (size_t i = len + 1; i < sizeof dst; i++)
			assert_true(dst[i] == '#' || i < size);
		more = strstr(dst, "...+");
		assert_int_equal(more != NULL, size > 24);
		snprintf(text, sizeof text, "%.*s", (int)(more != NULL ? (size_t)(more - dst) : len), dst);
		for (shown = 0, len = 0; len < strlen(text); len += text[len] == '\\' ? 4 : 1)
			shown++;
		assert_int_equal(len, strlen(text));
		if (more != NULL)
			assert_int_equal(atoi(more + 4), sizeof bytes - shown);
	}
}

/* --- Lines ----------------------------------------------------------------------------- */

static char seen[4 * LOG_LINE_MAX];
static int seen_level, seen_count;

static void see(int level, const char *line, void *arg)
{
	assert_ptr_equal(arg, seen);
	seen_level = level;
	seen_count++;
	snprintf(seen, sizeof seen, "%s", line);
}

static const struct log_sink sink = { see, seen, LOG_INFO };

static void test_lines(void **state)
{
	char big[3 * LOG_LINE_MAX];

	(void)state;
	seen_count = 0;
	errno = ENOENT;
	log_line(&sink, 0, LOG_INFO, "%s: %m", "hello");
	assert_string_equal(seen, "hello: No such file or directory");
	assert_int_equal(seen_level, LOG_INFO);
	assert_int_equal(errno, ENOENT);
	log_line(&sink, 12, LOG_ERR, "bye\n");
	assert_string_equal(seen, "#12 bye");
	log_line(&sink, 0, LOG_ERR, "%s", "a\nFORGED \x1b[2J\xc2\x9b\r\xe2\x80\xae\xff \"quoted\" C:\\dir caf\xc3\xa9\n\n");
	assert_string_equal(seen, "a\\x0aFORGED \\x1b[2J\\u{009b}\\x0d\\u{202e}\\xff \"quoted\" C:\\dir caf\xc3\xa9\\x0a");
	log_line(&sink, 0, LOG_ERR, "%s", "");
	assert_string_equal(seen, "");
	assert_int_equal(seen_count, 4);
	log_line(&sink, 0, LOG_DEBUG, "dropped");
	assert_int_equal(seen_count, 4);
	memset(big, '\n', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	log_line(&sink, ~0ul, LOG_ERR, "%s", big);
	assert_true(strlen(seen) < LOG_LINE_MAX);
	assert_non_null(strstr(seen, "...+"));
	check_printable(seen, "");
	log_line(&sink, 0, LOG_ERR, "%ls", L"\xdfff");          /* has no bytes: the call goes on */
	assert_int_equal(seen_count, 6);
}

static void test_what_is_escaped_once_is_not_escaped_twice(void **state)
{
	char text[64];

	(void)state;
	log_escape(text, sizeof text, "\"\n\\", 3);
	log_line(&sink, 0, LOG_ERR, "got \"%s\"", text);
	assert_string_equal(seen, "got \"\\x22\\x0a\\x5c\"");
}

static int writes, write_error;
static char written[2 * LOG_LINE_MAX];

static ssize_t catch_write(int fd, const void *p, size_t n)
{
	assert_int_equal(fd, STDERR_FILENO);
	writes++;
	snprintf(written, sizeof written, "%.*s", (int)n, (const char *)p);
	if (write_error != 0) {
		errno = write_error;
		return -1;
	}
	return (ssize_t)n;
}

static void test_stderr_gets_a_line_with_one_write(void **state)
{
	const struct log_sink to_stderr = { .level = LOG_INFO };
	char text[64];
	struct stat st;

	(void)state;
	unsetenv("JOURNAL_STREAM");
	sys_table.write = catch_write;
	writes = 0;
	log_line(&to_stderr, 3, LOG_WARNING, "one %d", 1);
	assert_int_equal(writes, 1);
	assert_string_equal(written, "#3 one 1\n");
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(text, sizeof text, "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
	log_line(&to_stderr, 0, LOG_WARNING, "two");
	assert_string_equal(written, "<4>two\n");
	setenv("JOURNAL_STREAM", "1:2", 1);
	log_line(&to_stderr, 0, LOG_WARNING, "three");
	assert_string_equal(written, "three\n");
	setenv("JOURNAL_STREAM", "nonsense", 1);
	write_error = ENOSPC;
	errno = 0;
	log_line(&to_stderr, 0, LOG_WARNING, "four");
	assert_int_equal(errno, 0);
	assert_int_equal(writes, 4);
	write_error = 0;
	sys_table.write = sys_direct.write;
	unsetenv("JOURNAL_STREAM");
}

/* A child with a closed pipe at stderr and SIGPIPE at its default: exit status 7 if it lives on. */
static int log_into_a_closed_pipe(void)
{
	const struct log_sink to_stderr = { .level = LOG_INFO };
	sigset_t set, before;
	int fds[2];

	signal(SIGPIPE, SIG_DFL);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	if (pipe(fds) != 0 || dup2(fds[1], STDERR_FILENO) < 0)
		return 1;
	close(fds[0]);
	close(fds[1]);
	log_line(&to_stderr, 0, LOG_ERR, "nobody reads this");
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	if (sigismember(&set, SIGPIPE) != sigismember(&before, SIGPIPE))
		return 2;
	/* one that was pending before is the program's own and stays */
	sigemptyset(&set);
	sigaddset(&set, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	raise(SIGPIPE);
	log_line(&to_stderr, 0, LOG_ERR, "nor this");
	sigpending(&set);
	return sigismember(&set, SIGPIPE) ? 7 : 3;
}

static void test_a_closed_stderr_costs_the_line_and_not_the_process(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(log_into_a_closed_pipe());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_single_byte),
		cmocka_unit_test(test_controls_written_as_utf8),
		cmocka_unit_test(test_what_is_shown_and_what_is_not),
		cmocka_unit_test(test_random_bytes_are_shown_in_full),
		cmocka_unit_test(test_long_text_is_cut_and_says_so),
		cmocka_unit_test(test_short_destinations),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_what_is_escaped_once_is_not_escaped_twice),
		cmocka_unit_test(test_stderr_gets_a_line_with_one_write),
		cmocka_unit_test(test_a_closed_stderr_costs_the_line_and_not_the_process),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
