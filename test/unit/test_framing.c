/* SPDX-License-Identifier: MIT
 *
 * test_framing.c - frames do not depend on how a stream is cut; limits hold to the byte; and no
 * byte is looked at again without need. */
#include "unit.h"

#include <string.h>

#include "fuzz/feed.h"

#define BYTES(s) (s), sizeof (s) - 1

static const struct myr_framing *const all[] = {
	&myr_lines, &myr_crlf, &myr_netstrings, &myr_counted,
	&myr_prefix8, &myr_prefix16, &myr_prefix32, &myr_fixed,
};
#define ALL (sizeof all / sizeof *all)

/* --- One stream, and what comes of it --- */

struct stream {
	const struct myr_framing *framing;
	size_t max;
	const char *bytes;
	size_t n;
	const char *frames;             /* as feed.h writes them */
	size_t text_n;
};

static const struct stream streams[] = {
	{ &myr_lines, 9, BYTES("hello\nyou\n"), BYTES("[5:hello][3:you]") },
	{ &myr_lines, 9, BYTES("hello\r\nyou"), BYTES("[5:hello]+") },
	{ &myr_lines, 9, BYTES("\n\r\n\n"), BYTES("[0:][0:][0:]") },
	{ &myr_lines, 9, BYTES("\r\r\n\ra\r\n"), BYTES("[1:\r][2:\ra]") },
	{ &myr_lines, 9, BYTES("a\rb\nc\0d\n"), BYTES("[3:a\rb][3:c\0d]") },
	{ &myr_lines, 3, BYTES("abc\nabc\r\nab"), BYTES("[3:abc][3:abc]+") },
	{ &myr_lines, 3, BYTES("abc\r"), BYTES("+") },
	{ &myr_lines, 3, BYTES("abcd"), BYTES("!") },
	{ &myr_lines, 3, BYTES("\nabcd\n"), BYTES("[0:]!") },
	{ &myr_lines, 3, BYTES("abc\r\r\n"), BYTES("!") },
	{ &myr_lines, 3, BYTES("abc\rd"), BYTES("!") },
	{ &myr_lines, 0, BYTES("\n\r\n\r"), BYTES("[0:][0:]+") },
	{ &myr_lines, 0, BYTES("\na"), BYTES("[0:]!") },
	{ &myr_lines, SIZE_MAX, BYTES("hello\r\n"), BYTES("[5:hello]") },
	{ &myr_crlf, 9, BYTES("a\nb\r\n\r\n\n"), BYTES("[1:a][1:b][0:][0:]") },
	{ &myr_netstrings, 9, BYTES("5:hello,0:,"), BYTES("[5:hello][0:]") },
	{ &myr_netstrings, 9, BYTES("1:,,1::,2:1:,"), BYTES("[1:,][1::][2:1:]") },
	{ &myr_netstrings, 9, BYTES("3:a\0b,4:abc,"), BYTES("[3:a\0b]+") },
	{ &myr_netstrings, 12, BYTES("12:twelve bytes,"), BYTES("[12:twelve bytes]") },
	{ &myr_netstrings, 12, BYTES("13"), BYTES("!") },
	{ &myr_netstrings, 12, BYTES("2"), BYTES("+") },
	{ &myr_netstrings, 12, BYTES("20"), BYTES("!") },
	{ &myr_netstrings, 9, BYTES("3:abcd"), BYTES("!") },
	{ &myr_netstrings, 9, BYTES("0:a"), BYTES("!") },
	{ &myr_netstrings, 9, BYTES("00:,"), BYTES("!") },
	{ &myr_netstrings, 9, BYTES("05:hello,"), BYTES("!") },
	{ &myr_netstrings, 9, BYTES(":,"), BYTES("!") },
	{ &myr_netstrings, 9, BYTES("-1:,"), BYTES("!") },
	{ &myr_netstrings, 9, BYTES("+1:a,"), BYTES("!") },
	{ &myr_netstrings, 9, BYTES(" 1:a,"), BYTES("!") },
	{ &myr_netstrings, 9, BYTES("1 :a,"), BYTES("!") },
	{ &myr_netstrings, 9, BYTES("1:a,\n"), BYTES("[1:a]!") },
	{ &myr_netstrings, 0, BYTES("0:,1"), BYTES("[0:]!") },
	{ &myr_netstrings, 5, BYTES("6"), BYTES("!") },
	{ &myr_netstrings, SIZE_MAX, BYTES("5:hello,"), BYTES("[5:hello]") },
	{ &myr_counted, 9, BYTES("5 hello0 1 x"), BYTES("[5:hello][0:][1:x]") },
	{ &myr_counted, 9, BYTES("2  33 abc"), BYTES("[2: 3][3:abc]") },
	{ &myr_counted, 9, BYTES("5 hell"), BYTES("+") },
	{ &myr_counted, 9, BYTES(" 5 hello"), BYTES("!") },
	{ &myr_counted, 9, BYTES("05 hello"), BYTES("!") },
	{ &myr_counted, 9, BYTES("-5 hello"), BYTES("!") },
	{ &myr_counted, 9, BYTES("five hello"), BYTES("!") },
	{ &myr_counted, 9, BYTES("1 a2\tbc"), BYTES("[1:a]!") },
	{ &myr_counted, 99, BYTES("99"), BYTES("+") },
	{ &myr_counted, 98, BYTES("99"), BYTES("!") },
	{ &myr_prefix8, 5, BYTES("\5hello\0\1x"), BYTES("[5:hello][0:][1:x]") },
	{ &myr_prefix8, 5, BYTES("\0\6"), BYTES("[0:]!") },
	{ &myr_prefix16, 5, BYTES("\0\5hello\0\0\0"), BYTES("[5:hello][0:]+") },
	{ &myr_prefix16, 255, BYTES("\1\0"), BYTES("!") },
	{ &myr_prefix16, 256, BYTES("\1\0"), BYTES("+") },
	{ &myr_prefix32, 5, BYTES("\0\0\0\3abc\0\0\0\0"), BYTES("[3:abc][0:]") },
	{ &myr_prefix32, 0xffffff, BYTES("\1\0\0\0"), BYTES("!") },
	{ &myr_prefix32, 0x1000000, BYTES("\1\0\0\0"), BYTES("+") },
	{ &myr_prefix32, SIZE_MAX, BYTES("\xff\xff\xff\xff"), BYTES("+") },
	{ &myr_fixed, 3, BYTES("abcdefgh"), BYTES("[3:abc][3:def]+") },
	{ &myr_fixed, 1, BYTES("\0\n"), BYTES("[1:\0][1:\n]") },
	{ &myr_fixed, 0, BYTES("a"), BYTES("!") },
	{ &myr_fixed, SIZE_MAX, BYTES("a"), BYTES("+") },
};
#define STREAMS (sizeof streams / sizeof *streams)

/* Bit i of cuts: the stream is cut behind byte i (of the first 64). */
static char *frames_of(const struct stream *s, uint64_t cuts, size_t *length)
{
	size_t begin = 0;
	struct feed f;
	char *text;

	feed_open(&f, s->framing, s->max, s->n);
	for (size_t i = 0; i < s->n; i++)
		if (i + 1 == s->n || cuts >> (i % 64) & 1) {
			feed(&f, s->bytes + begin, i + 1 - begin);
			begin = i + 1;
		}
	text = feed_close(&f);
	*length = f.length;
	return text;
}

static void expect_frames(const struct stream *s, uint64_t cuts, const char *frames, size_t n)
{
	size_t length;
	char *text = frames_of(s, cuts, &length);

	if (length != n || memcmp(text, frames, n) != 0)
		fail_msg("%s of %s, max %zu, cuts %llx: \"%s\", not \"%s\"", s->framing->name, s->bytes,
		         s->max, (unsigned long long)cuts, text, frames);
	free(text);
}

static void streams_in_one_piece(void **state)
{
	(void)state;
	for (size_t i = 0; i < STREAMS; i++)
		expect_frames(&streams[i], 0, streams[i].frames, streams[i].text_n);
}

static void streams_in_all_pieces(void **state)
{
	(void)state;
	for (size_t i = 0; i < STREAMS; i++)
		for (uint64_t cuts = 0; cuts < UINT64_C(1) << (streams[i].n - 1); cuts++)
			expect_frames(&streams[i], cuts, streams[i].frames, streams[i].text_n);
}

/* Every stream of up to five bytes over the letters that matter, good or bad, cut in every way. */
static void all_short_streams(void **state)
{
	static const char *const letters[] = {
		"a\r\n", "a\r\n", "0123:,a", "0123 a-", "\0\1\2\3\4a", "\0\1\2\3a", "\0\1\2a", "ab",
	};
	static const size_t n_letters[] = { 3, 3, 7, 7, 6, 5, 4, 2 };
	char bytes[6] = "";

	(void)state;
	for (size_t which = 0; which < ALL; which++)
		for (size_t n = 1; n <= 5; n++) {
			struct stream s = { all[which], 2, bytes, n, NULL, 0 };
			size_t streams_n = 1, length;

			for (size_t i = 0; i < n; i++)
				streams_n *= n_letters[which];
			for (size_t k = 0; k < streams_n; k++) {
				char *whole;

				for (size_t i = 0, rest = k; i < n; i++, rest /= n_letters[which])
					bytes[i] = letters[which][rest % n_letters[which]];
				whole = frames_of(&s, 0, &length);
				for (uint64_t cuts = 1; cuts < UINT64_C(1) << (n - 1); cuts++)
					expect_frames(&s, cuts, whole, length);
				free(whole);
			}
		}
}

/* --- What we write, we can read --- */

/* A frame round n bytes, none of which is a newline, at the end of dst; returns its length. */
static size_t put_frame(const struct myr_framing *f, uint8_t *dst, size_t n)
{
	struct myr_wrap w;

	memset(&w, 0xff, sizeof w);
	f->wrap(n, &w);
	assert_true(w.head_n <= sizeof w.head && w.tail_n <= sizeof w.tail);
	memcpy(dst, w.head, w.head_n);
	for (size_t i = 0; i < n; i++)
		dst[w.head_n + i] = (uint8_t)('a' + unit_below(26));
	memcpy(dst + w.head_n + n, w.tail, w.tail_n);
	return w.head_n + n + w.tail_n;
}

static void random_round_trips(void **state)
{
	static uint8_t bytes[4096];

	(void)state;
	unit_seed("framing");
	for (int round = 0; round < 2000; round++) {
		const struct myr_framing *f = all[unit_below(ALL - 1)];
		size_t length, n = 0, expected = 0;
		struct stream s = { f, 64, (char *)bytes, 0, NULL, 0 };
		char *whole;

		while (n < 200) {
			n += put_frame(f, bytes + n, unit_below(65));
			expected++;
		}
		s.n = n;
		whole = frames_of(&s, 0, &length);
		for (size_t i = 0; i < length; i++)
			expected -= whole[i] == '[';
		assert_int_equal(expected, 0);
		assert_true(whole[length - 1] == ']');
		for (int i = 0; i < 5; i++)
			expect_frames(&s, unit_random() & unit_random(), whole, length);
		free(whole);
	}
}

static void written_forms(void **state)
{
	static const struct { const struct myr_framing *f; size_t n; const char *head, *tail; size_t head_n; } rows[] = {
		{ &myr_lines, 5, "", "\n", 0 }, { &myr_crlf, 5, "", "\r\n", 0 },
		{ &myr_netstrings, 5, "5:", ",", 2 }, { &myr_netstrings, 0, "0:", ",", 2 },
		{ &myr_netstrings, 1050, "1050:", ",", 5 }, { &myr_counted, 5, "5 ", "", 2 },
		{ &myr_netstrings, UINT32_MAX, "4294967295:", ",", 11 },
		{ &myr_counted, 0, "0 ", "", 2 }, { &myr_prefix8, 0, "\0", "", 1 },
		{ &myr_prefix8, 255, "\xff", "", 1 }, { &myr_prefix16, 258, "\1\2", "", 2 },
		{ &myr_prefix16, 65535, "\xff\xff", "", 2 }, { &myr_prefix32, 0x01020304, "\1\2\3\4", "", 4 },
		{ &myr_prefix32, UINT32_MAX, "\xff\xff\xff\xff", "", 4 }, { &myr_fixed, 3, "", "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct myr_wrap w;

		memset(&w, 0xff, sizeof w);
		rows[i].f->wrap(rows[i].n, &w);
		assert_int_equal(w.head_n, rows[i].head_n);
		assert_memory_equal(w.head, rows[i].head, w.head_n);
		assert_int_equal(w.tail_n, strlen(rows[i].tail));
		assert_memory_equal(w.tail, rows[i].tail, w.tail_n);
	}
}

static void too_long_to_announce(void **state)
{
	static const struct { const struct myr_framing *f; size_t n; } rows[] = {
		{ &myr_prefix8, 256 }, { &myr_prefix8, SIZE_MAX }, { &myr_prefix16, 65536 },
#if SIZE_MAX > UINT32_MAX
		{ &myr_prefix32, (size_t)UINT32_MAX + 1 }, { &myr_prefix32, SIZE_MAX },
#endif
	};
	struct myr_wrap w;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		rows[i].f->wrap(rows[i].n, &w);
		assert_true(w.head_n == SIZE_MAX);
	}
	myr_netstrings.wrap(SIZE_MAX, &w);      /* fits, whatever it is good for */
	assert_in_range(w.head_n, 11, sizeof w.head);
}

/* --- Limits --- */

static void longest_frame_passes_and_no_more(void **state)
{
	static uint8_t bytes[400];
	struct myr_bytes frame;

	(void)state;
	for (size_t which = 0; which < ALL - 1; which++)
		for (size_t n = 0; n <= 255; n++) {
			size_t total = put_frame(all[which], bytes, n);

			assert_int_equal(all[which]->split((struct myr_bytes){ bytes, total }, 0, n, &frame), total);
			assert_int_equal(frame.n, n);
			if (n > 0)
				assert_int_equal(all[which]->split((struct myr_bytes){ bytes, total }, 0, n - 1, &frame),
				                 MYR_EFRAME);
		}
}

/* How many bytes, one at a time, until it says no. */
static size_t patience(const struct myr_framing *f, size_t max, const char *bytes, size_t n)
{
	struct myr_bytes frame;

	for (size_t i = 1; i <= n; i++) {
		ssize_t k = f->split((struct myr_bytes){ (const uint8_t *)bytes, i }, i - 1, max, &frame);

		if (k != 0) {
			assert_int_equal(k, MYR_EFRAME);
			return i;
		}
	}
	return SIZE_MAX;
}

static void refused_at_once(void **state)
{
	char nines[400];

	(void)state;
	memset(nines, '9', sizeof nines);
	assert_int_equal(patience(&myr_netstrings, 100, BYTES("1234567:")), 3);
	assert_int_equal(patience(&myr_netstrings, 122, BYTES("1234567:")), 3);
	assert_int_equal(patience(&myr_netstrings, 123, BYTES("1234567:")), 4);
	assert_int_equal(patience(&myr_netstrings, 8, nines, sizeof nines), 1);
	assert_int_equal(patience(&myr_counted, 65536, nines, sizeof nines), 5);
	assert_in_range(patience(&myr_netstrings, SIZE_MAX, nines, sizeof nines), 10, 20);
	assert_in_range(patience(&myr_counted, SIZE_MAX, nines, sizeof nines), 10, 20);
#if SIZE_MAX == 18446744073709551615u
	assert_true(patience(&myr_netstrings, SIZE_MAX, BYTES("18446744073709551615:abc")) == SIZE_MAX);
	assert_int_equal(patience(&myr_netstrings, SIZE_MAX, BYTES("18446744073709551616:abc")), 20);
	assert_true(patience(&myr_counted, 12345678901, BYTES("12345678901 abc")) == SIZE_MAX);
	assert_int_equal(patience(&myr_counted, 12345678900, BYTES("12345678901 abc")), 11);
#endif
	assert_int_equal(patience(&myr_lines, 399, nines, sizeof nines), 400);
	assert_int_equal(patience(&myr_lines, 100, nines, sizeof nines), 101);
	assert_int_equal(patience(&myr_prefix8, 98, BYTES("c")), 1);
	assert_int_equal(patience(&myr_prefix16, 255, BYTES("\1\0ab")), 2);
	assert_int_equal(patience(&myr_prefix32, 65535, BYTES("\0\1\0\0ab")), 4);
}

static void nothing_is_not_a_frame(void **state)
{
	struct myr_bytes frame;

	(void)state;
	for (size_t which = 0; which < ALL; which++)
		assert_int_equal(all[which]->split((struct myr_bytes){ NULL, 0 }, 0, 10, &frame), 0);
}

/* --- Work --- */

/* What was seen is changed behind its back into newlines: who looks again, stumbles. */
static void a_line_is_looked_through_once(void **state)
{
	enum { LINE = 1 << 20 };
	uint8_t *bytes = malloc(LINE + 1);
	struct myr_bytes frame = { NULL, 0 };

	(void)state;
	assert_non_null(bytes);
	for (size_t n = 0; n < LINE; n++) {
		bytes[n] = 'x';
		assert_int_equal(myr_lines.split((struct myr_bytes){ bytes, n + 1 }, n, LINE, &frame), 0);
		bytes[n] = '\n';
	}
	bytes[LINE] = '\n';
	assert_int_equal(myr_lines.split((struct myr_bytes){ bytes, LINE + 1 }, LINE, LINE, &frame), LINE + 1);
	assert_int_equal(frame.n, LINE);
	free(bytes);
}

/* A payload that cannot be read at all: who looks into it, faults. */
static void payloads_are_not_looked_at(void **state)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), total = 256 * page;
	uint8_t *bytes = mmap(NULL, total, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(bytes != MAP_FAILED);
	assert_int_equal(mprotect(bytes + page, total - 2 * page, PROT_NONE), 0);
	for (size_t which = 0; which < ALL; which++) {
		const struct myr_framing *f = all[which];
		size_t n = total - page / 2;
		struct myr_bytes frame = { NULL, 0 };
		struct myr_wrap w;
		ssize_t k;

		if (f == &myr_prefix8 || f == &myr_prefix16)
			continue;               /* not that long */
		f->wrap(n, &w);
		memset(bytes, 'x', page);
		memcpy(bytes, w.head, w.head_n);
		memset(bytes + total - page, 'x', page);
		memcpy(bytes + w.head_n + n, w.tail, w.tail_n);
		for (size_t have = total - page + 1; have < w.head_n + n + w.tail_n; have++)
			assert_int_equal(f->split((struct myr_bytes){ bytes, have }, have - 1, n, &frame), 0);
		k = f->split((struct myr_bytes){ bytes, total }, w.head_n + n + w.tail_n - 1, n, &frame);
		assert_int_equal(k, w.head_n + n + w.tail_n);
		assert_int_equal(frame.n, n);
		assert_ptr_equal(frame.p, bytes + w.head_n);
	}
	munmap(bytes, total);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(streams_in_one_piece),
		cmocka_unit_test(streams_in_all_pieces),
		cmocka_unit_test(all_short_streams),
		cmocka_unit_test(random_round_trips),
		cmocka_unit_test(written_forms),
		cmocka_unit_test(too_long_to_announce),
		cmocka_unit_test(longest_frame_passes_and_no_more),
		cmocka_unit_test(refused_at_once),
		cmocka_unit_test(nothing_is_not_a_frame),
		cmocka_unit_test(a_line_is_looked_through_once),
		cmocka_unit_test(payloads_are_not_looked_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
