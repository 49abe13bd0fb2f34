/* SPDX-License-Identifier: MIT
 *
 * fuzz_escape.c - no byte of a client reaches a log as anything but text: printable, valid UTF-8,
 * within the space given, terminated.
 *
 * Input: the space, two bytes; what is to be escaped. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* Length of a well-formed character that may be shown; 0 for all others.  Another way than the
 * one tested: by what is excluded from the ranges of two bytes, three and four. */
static size_t shown(const uint8_t *p, size_t n)
{
	uint32_t code;

	if (p[0] >= 0x20 && p[0] < 0x7f)
		return 1;
	for (size_t i = 1; i < 4 && i < n; i++) {
		static const uint32_t least[] = { 0, 0xa0, 0x800, 0x10000 }, most[] = { 0, 0x7ff, 0xffff, 0x10ffff };
		static const uint8_t mark[] = { 0, 0xc0, 0xe0, 0xf0 }, mask[] = { 0, 0x1f, 0x0f, 0x07 };

		if ((p[i] & 0xc0) != 0x80)
			return 0;
		if ((p[0] & (uint8_t)~mask[i]) != mark[i])
			continue;
		code = p[0] & mask[i];
		for (size_t k = 1; k <= i; k++)
			code = code << 6 | (p[k] & 0x3f);
		return code >= least[i] && code <= most[i] && (code < 0xd800 || code > 0xdfff) &&
		       code != 0x061c && code != 0x200e && code != 0x200f &&
		       !(code >= 0x2028 && code <= 0x202e) && !(code >= 0x2066 && code <= 0x2069) ? i + 1 : 0;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	size_t size, len, used;
	char *dst;

	if (n < 2)
		return 0;
	size = 1 + (bytes[0] | (size_t)(bytes[1] & 7) << 8);
	dst = malloc(size);
	if (dst == NULL)
		abort();
	memset(dst, 0x55, size);
	len = log_escape(dst, size, bytes + 2, n - 2);
	if (len >= size || dst[len] != '\0' || strlen(dst) != len)
		abort();
	for (size_t i = 0; i < len; i += used) {
		used = shown((const uint8_t *)dst + i, len - i);
		if (used == 0) {
			fprintf(stderr, "byte %zu of \"%s\"\n", i, dst);
			abort();
		}
	}
	free(dst);
	return 0;
}
