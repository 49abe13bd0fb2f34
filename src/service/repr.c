/* SPDX-License-Identifier: MIT
 *
 * repr.c - the tutorials' programs print Python values; byte for byte means these rules.
 *
 * Rules after CPython's unicode_repr() and PyBytes_Repr(): double quotes only around what holds a
 * single quote and no double one. */
#include "service/repr.h"

#include <inttypes.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/unprintable.h"

#define POINT_MAX 0x10ffff
#define POINTS    (sizeof unprintable / sizeof *unprintable)

/* Text that counts on when there is no more room. */
struct sink {
	char *dst;
	size_t size, n;
};

static void sink_put(struct sink *s, const void *p, size_t n)
{
	if (s->n < s->size)
		memcpy(s->dst + s->n, p, n < s->size - s->n ? n : s->size - s->n);
	s->n += n;
}

MYR_PRINTF(2, 3)
static void sink_print(struct sink *s, const char *fmt, ...)
{
	char text[64];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	sink_put(s, text, (size_t)n);
}

static size_t sink_end(struct sink *s)
{
	if (s->size > 0)
		s->dst[s->n < s->size ? s->n : s->size - 1] = '\0';
	return s->n;
}

static char repr_quote(const void *bytes, size_t n)
{
	return n > 0 && memchr(bytes, '\'', n) && !memchr(bytes, '"', n) ? '"' : '\'';
}

static bool repr_is_plain(unsigned char c, char quote)
{
	return c >= 0x20 && c < 0x7f && c != '\\' && c != (unsigned char)quote;
}

/* How many bytes at p stay as they are. */
static size_t repr_plain(const unsigned char *p, const unsigned char *end, char quote)
{
	const unsigned char *q = p;

	while (q < end && repr_is_plain(*q, quote))
		q++;
	return (size_t)(q - p);
}

/* A character below U+0080 that does not stay as it is, or any other byte. */
static void repr_byte(struct sink *s, unsigned char c, char quote)
{
	switch (c) {
	case '\t': sink_put(s, "\\t", 2); break;
	case '\n': sink_put(s, "\\n", 2); break;
	case '\r': sink_put(s, "\\r", 2); break;
	default:
		if (c == '\\' || c == (unsigned char)quote)
			sink_put(s, (const char[]){ '\\', (char)c }, 2);
		else
			sink_print(s, "\\x%02x", c);
	}
}

size_t repr_bytes(char *dst, size_t size, const void *bytes, size_t n)
{
	struct sink s = { dst, size, 0 };
	const char quote = repr_quote(bytes, n);
	const unsigned char *p = bytes, *end = p + n;

	sink_put(&s, "b", 1);
	sink_put(&s, &quote, 1);
	while (p < end) {
		size_t plain = repr_plain(p, end, quote);

		sink_put(&s, p, plain);
		p += plain;
		if (p < end)
			repr_byte(&s, *p++, quote);
	}
	sink_put(&s, &quote, 1);
	return sink_end(&s);
}

/* The code point at p, and its length; 0: no UTF-8 (RFC 3629) starts there. */
static size_t repr_decode(const unsigned char *p, size_t n, uint32_t *point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;
	uint32_t v = len < 2 ? p[0] : p[0] & (0x7fu >> len);

	if (len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	*point = v;
	return v < least[len] || v > POINT_MAX || (v >= 0xd800 && v < 0xe000) ? 0 : len;
}

static bool repr_is_printable(uint32_t point)
{
	size_t low = 0, high = POINTS;          /* how many bounds are at or below the point */

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (unprintable[middle] <= point)
			low = middle + 1;
		else
			high = middle;
	}
	return low % 2 == 0;
}

/* What is beyond ASCII; returns the bytes taken. */
static size_t repr_point(struct sink *s, const unsigned char *p, size_t n)
{
	uint32_t point = 0;
	size_t len = repr_decode(p, n, &point);

	if (len == 0)
		sink_print(s, "\\udc%02x", p[0]);
	else if (repr_is_printable(point))
		sink_put(s, p, len);
	else
		sink_print(s, point < 0x100 ? "\\x%02" PRIx32 : point < 0x10000 ? "\\u%04" PRIx32 : "\\U%08" PRIx32, point);
	return len > 0 ? len : 1;
}

static void repr_text(struct sink *s, const void *text, size_t n)
{
	const char quote = repr_quote(text, n);
	const unsigned char *p = text, *end = p + n;

	sink_put(s, &quote, 1);
	while (p < end) {
		size_t plain = repr_plain(p, end, quote);

		sink_put(s, p, plain);
		p += plain;
		if (p < end && *p < 0x80)
			repr_byte(s, *p++, quote);
		else if (p < end)
			p += repr_point(s, p, (size_t)(end - p));
	}
	sink_put(s, &quote, 1);
}

size_t repr_str(char *dst, size_t size, const void *text, size_t n)
{
	struct sink s = { dst, size, 0 };

	repr_text(&s, text, n);
	return sink_end(&s);
}

size_t repr_list(char *dst, size_t size, const struct myr_bytes *items, size_t n)
{
	struct sink s = { dst, size, 0 };

	sink_put(&s, "[", 1);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			sink_put(&s, ", ", 2);
		repr_text(&s, items[i].p, items[i].n);
	}
	sink_put(&s, "]", 1);
	return sink_end(&s);
}

/* fe80::1%eth0 has its interface's number as the fourth member. */
static unsigned repr_scope(const char *host)
{
	const char *zone = strchr(host, '%');
	unsigned index = zone ? if_nametoindex(zone + 1) : 0;

	return zone && index == 0 ? (unsigned)strtoul(zone + 1, NULL, 10) : index;
}

size_t repr_address(char *dst, size_t size, const char *host, int port)
{
	struct sink s = { dst, size, 0 };

	if (port == 0 && strcmp(host, "unix") == 0) {
		repr_text(&s, "", 0);
		return sink_end(&s);
	}
	sink_put(&s, "(", 1);
	repr_text(&s, host, strlen(host));
	sink_print(&s, ", %d", port);
	if (strchr(host, ':'))
		sink_print(&s, ", 0, %u", repr_scope(host));
	sink_put(&s, ")", 1);
	return sink_end(&s);
}

char *repr_ctime(char dst[REPR_CTIME_MAX], time_t t)
{
	char text[64];
	struct tm tm;

	/* asctime_r() ignores the locale, as Python does; years beyond four digits are not written. */
	if (!localtime_r(&t, &tm) || tm.tm_year > 9999 - 1900 || tm.tm_year < -1900 || !asctime_r(&tm, text))
		strcpy(text, "\n");
	text[strcspn(text, "\n")] = '\0';
	snprintf(dst, REPR_CTIME_MAX, "%.*s", REPR_CTIME_MAX - 1, text);
	return dst;
}
