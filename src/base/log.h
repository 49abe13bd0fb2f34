/* SPDX-License-Identifier: MIT
 *
 * log.h - one line per event, and the one function through which client bytes reach any sink.
 *
 * Lines are made in a buffer on the stack and handed over whole: to the server's log function, or
 * with one write(2) to stderr.  A line never holds a newline or an unprintable byte: log_line()
 * escapes what it formats.  Logging never blocks on memory and never fails the caller. */
#ifndef MYR_LOG_H
#define MYR_LOG_H

#include <stdarg.h>
#include <stddef.h>

#include "myriad.h"

struct log_sink {
	void (*write)(int level, const char *line, void *arg);      /* NULL: stderr */
	void  *arg;
	int    level;                  /* highest level passed on (syslog(3)); LOG_INFO by default */
};

#define LOG_LINE_MAX 512

/* conn: its number, 0 for none.  The line reads "#12 text" or "text". */
void log_line (const struct log_sink *, unsigned long conn, int level, const char *fmt, ...) MYR_PRINTF(4, 5);
void log_vline(const struct log_sink *, unsigned long conn, int level, const char *fmt, va_list) MYR_PRINTF(4, 0);

/* Bytes as printable text: C0, DEL, C1 (also as UTF-8), backslash, quote, invalid UTF-8 and
 * bidirectional controls become \xNN or \u{...}; longer than 256 bytes is cut with "...+N".
 * Always terminated; returns the length. */
size_t log_escape(char *dst, size_t size, const void *bytes, size_t n);

#endif
