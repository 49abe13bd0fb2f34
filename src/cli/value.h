/* SPDX-License-Identifier: MIT
 *
 * value.h - numbers as users write them: counts 10k 1M, sizes 64 4k 1M, durations 250us 10ms 3s 5m. */
#ifndef CLI_VALUE_H
#define CLI_VALUE_H

#include <stddef.h>

/* 0; -EINVAL: not such a value; -ERANGE: too large for any use.  Never negative. */
int value_count   (const char *text, long long *n);     /* k = 1,000 */
int value_size    (const char *text, long long *n);     /* k = 1,024 */
int value_duration(const char *text, long long *ms);    /* rounded up to 1 ms; a unit is asked for */

/* The shortest way to write it, which reads back as the same value.  Return dst. */
char *value_put_size    (char *dst, size_t size, long long n);
char *value_put_duration(char *dst, size_t size, long long ms);

#define VALUE_TEXT 24

#endif
