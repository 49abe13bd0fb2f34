/* SPDX-License-Identifier: MIT
 *
 * utf8.h - which bytes are text (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF). */
#ifndef SERVICE_UTF8_H
#define SERVICE_UTF8_H

#include <stddef.h>

/* Bytes of the code point at p, n > 0; 0: there is no valid one. */
size_t utf8_point(const void *p, size_t n);

struct utf8_error {
	size_t start, end;              /* the bytes at fault */
	const char *reason;             /* as Python has it; NULL: it is all text */
};
struct utf8_error utf8_check(const void *p, size_t n);

/* The text back to front, code point by code point; a byte that is none moves alone. */
void utf8_flip(char *dst, const char *text, size_t n);

#endif
