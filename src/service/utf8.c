/* SPDX-License-Identifier: MIT
 *
 * utf8.c - code points in bytes. */
#include "service/utf8.h"

#include <string.h>

struct form { unsigned char first, last, low, high; size_t len; };

static const struct form forms[] = {
	{ 0x00, 0x7f, 0x80, 0xbf, 1 },
	{ 0xc2, 0xdf, 0x80, 0xbf, 2 },          /* low, high: of the second byte, which is */
	{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },          /* where overlong forms, surrogates and */
	{ 0xe1, 0xec, 0x80, 0xbf, 3 },          /* numbers above U+10FFFF show */
	{ 0xed, 0xed, 0x80, 0x9f, 3 },
	{ 0xee, 0xef, 0x80, 0xbf, 3 },
	{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
	{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
	{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
};

static const struct form *form_of(unsigned char first)
{
	for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
		if (first >= forms[f].first && first <= forms[f].last)
			return &forms[f];
	return NULL;
}

/* How many of the bytes at p are right for the form. */
static size_t form_fits(const struct form *f, const unsigned char *p, size_t n)
{
	size_t i;

	for (i = 1; i < f->len && i < n; i++)
		if (i == 1 ? p[1] < f->low || p[1] > f->high : (p[i] & 0xc0) != 0x80)
			break;
	return i;
}

size_t utf8_point(const void *p, size_t n)
{
	const unsigned char *bytes = p;
	const struct form *f = form_of(bytes[0]);

	return f && form_fits(f, bytes, n) == f->len ? f->len : 0;
}

struct utf8_error utf8_check(const void *p, size_t n)
{
	const unsigned char *bytes = p;

	for (size_t i = 0, fits; i < n; i += fits) {
		const struct form *f = form_of(bytes[i]);

		if (!f)
			return (struct utf8_error){ i, i + 1, "invalid start byte" };
		fits = form_fits(f, bytes + i, n - i);
		if (fits < f->len)
			return (struct utf8_error){ i, i + fits,
				i + fits == n ? "unexpected end of data" : "invalid continuation byte" };
	}
	return (struct utf8_error){ 0, 0, NULL };
}

void utf8_flip(char *dst, const char *text, size_t n)
{
	for (size_t i = 0, len; i < n; i += len) {
		len = utf8_point(text + i, n - i);
		if (len == 0)
			len = 1;
		memcpy(dst + n - i - len, text + i, len);
	}
}
