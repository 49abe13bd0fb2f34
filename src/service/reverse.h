/* SPDX-License-Identifier: MIT
 *
 * reverse.h - what the reverse service and its editions share. */
#ifndef SERVICE_REVERSE_H
#define SERVICE_REVERSE_H

#include <stdbool.h>
#include <stddef.h>

extern bool reverse_loop;               /* S3-P3 in a loop; set in build() */

void reverse_bytes(char *dst, const char *src, size_t n);

#endif
