/* SPDX-License-Identifier: MIT
 *
 * reverse.c - each line back to front, in blocking style.
 *
 * Turned round by code point, so that "héllo" comes back as "olléh" and not as bytes that are no
 * text.  A byte that belongs to no valid sequence moves alone. */
#include <string.h>

#include "service/services.h"

#define LINE_MAX_BYTES 4096

/* How many bytes the code point at p takes up; 1 for a byte that is not the start of a valid one. */
static size_t code_point(const unsigned char *p, size_t n)
{
	static const struct { unsigned char first, last, low, high; size_t len; } forms[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },          /* low, high: of the second byte, which is */
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },          /* where overlong forms, surrogates and */
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },          /* numbers above U+10FFFF show */
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
		if (p[0] < forms[f].first || p[0] > forms[f].last)
			continue;
		if (n < forms[f].len || p[1] < forms[f].low || p[1] > forms[f].high)
			return 1;
		for (size_t i = 2; i < forms[f].len; i++)
			if ((p[i] & 0xc0) != 0x80)
				return 1;
		return forms[f].len;
	}
	return 1;
}

static void flip(char *dst, const char *line, size_t n)
{
	for (size_t i = 0, len; i < n; i += len) {
		len = code_point((const unsigned char *)line + i, n - i);
		memcpy(dst + n - i - len, line + i, len);
	}
}

static void reverse(struct myr_conn *c)
{
	char line[LINE_MAX_BYTES + 1], back[LINE_MAX_BYTES];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0) {
		flip(back, line, (size_t)n);
		if (myr_send(c, back, (size_t)n) < 0)
			return;
	}
}

const struct myr_service service_reverse = {
	.name = "reverse", .about = "each line back to front, by code point",
	.framing = &myr_lines, .frame_max = LINE_MAX_BYTES,
	.handle = reverse,
};
