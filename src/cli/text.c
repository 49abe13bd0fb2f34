/* SPDX-License-Identifier: MIT
 *
 * text.c - suggestions by edit distance, numbers with commas, escapes.
 *
 * What a server sends is not ours to trust: without escapes it could clear the screen, answer
 * questions in our name or hide what it did (CVE-2009-4487 and its many relatives). */
#include "cli/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define WORD_MAX 32

/* --- Suggestions ------------------------------------------------------------------------------ */

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Letters put in, left out, changed, or swapped with their neighbour. */
static unsigned text_distance(const char *a, const char *b)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *last = rows[1], *row = rows[2];
	size_t an = strlen(a), bn = strlen(b);

	if (an > WORD_MAX || bn > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= bn; j++)
		last[j] = (unsigned)j;
	for (size_t i = 1; i <= an; i++) {
		unsigned *oldest = before;

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= bn; j++) {
			row[j] = min3(row[j - 1] + 1, last[j] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] < row[j])
				row[j] = before[j - 2] + 1;
		}
		before = last;
		last = row;
		row = oldest;
	}
	return last[bn];
}

const char *text_nearest(const char *word, const char *const *names, size_t n)
{
	unsigned best = (unsigned)strlen(word) / 3 + 1;         /* more than this is another word */
	const char *nearest = NULL;

	for (size_t i = 0; i < n && strlen(word) <= WORD_MAX; i++) {
		unsigned distance = text_distance(word, names[i]);

		if (distance < best || (distance == best && !nearest)) {
			best = distance;
			nearest = names[i];
		}
	}
	return nearest;
}

/* --- Numbers ---------------------------------------------------------------------------------- */

char *text_number(char *dst, uint64_t n)
{
	char digits[TEXT_NUMBER];
	int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
	char *p = dst;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = '\0';
	return dst;
}

char *text_volume(char *dst, uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double v = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 10000) {
		text_number(dst, bytes);
		return strcat(dst, bytes == 1 ? " byte" : " bytes");
	}
	for (; v >= 1024 && unit < sizeof units / sizeof *units - 1; unit++)
		v /= 1024;
	snprintf(dst, TEXT_NUMBER, "%.1f %s", v, units[unit]);
	return dst;
}

/* --- Escapes ---------------------------------------------------------------------------------- */

/* The code point at p and its length; 0: p[0] starts none; -1: its rest has not come yet. */
static int text_decode(const unsigned char *p, size_t n, uint32_t *point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	int len = p[0] < 0x80 ? 1 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 :
		p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;
	uint32_t v = len < 2 ? p[0] : p[0] & (0x7fu >> len);

	for (int i = 1; i < len; i++) {
		if ((size_t)i == n)
			return -1;
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	if (len > 0 && (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v < 0xe000)))
		return 0;
	*point = v;
	return len;
}

static bool text_is_harmless(uint32_t point)
{
	if (point < 0x20)
		return point == '\n' || point == '\t';
	if (point >= 0x7f && point < 0xa0)
		return false;
	return point != 0x061c && point != 0x200e && point != 0x200f && point != 0xfeff &&
		(point < 0x2028 || point > 0x202e) && (point < 0x2066 || point > 0x2069);
}

/* One unit from p; returns the bytes taken, 0 if more must come first. */
static size_t text_show_one(const unsigned char *p, size_t n, bool last, char **dst)
{
	uint32_t point = 0;
	int len;

	if (p[0] == '\r' && n == 1 && !last)
		return 0;
	if (p[0] == '\r' && n > 1 && p[1] == '\n')
		return 1;                       /* CRLF ends a line as LF does */
	len = text_decode(p, n, &point);
	if (len < 0 && !last)
		return 0;
	if (len > 0 && text_is_harmless(point)) {
		memcpy(*dst, p, (size_t)len);
		*dst += len;
	} else if (len > 1) {
		*dst += snprintf(*dst, sizeof "\\u{10ffff}", "\\u{%" PRIx32 "}", point);
	} else {
		*dst += snprintf(*dst, sizeof "\\x00", "\\x%02x", p[0]);
	}
	return len > 0 ? (size_t)len : 1;
}

size_t text_show(struct text_shown *t, char *dst, const void *bytes, size_t n)
{
	const unsigned char *p = bytes, *end = p + n;
	char *out = dst;

	while (t->held_n > 0 && p < end) {
		size_t used;

		t->held[t->held_n++] = *p++;
		while (t->held_n > 0 && (used = text_show_one(t->held, t->held_n, false, &out)) > 0) {
			t->held_n -= used;
			memmove(t->held, t->held + used, t->held_n);
		}
	}
	while (p < end) {
		size_t used = text_show_one(p, (size_t)(end - p), false, &out);

		if (used == 0) {
			t->held_n = (size_t)(end - p);
			memcpy(t->held, p, t->held_n);
			break;
		}
		p += used;
	}
	return (size_t)(out - dst);
}

size_t text_show_end(struct text_shown *t, char *dst)
{
	char *out = dst;

	for (size_t i = 0; i < t->held_n; )
		i += text_show_one(t->held + i, t->held_n - i, true, &out);
	t->held_n = 0;
	return (size_t)(out - dst);
}
