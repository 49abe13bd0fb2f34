/* SPDX-License-Identifier: MIT
 *
 * log.c - escaping, and lines to a function or to stderr.
 *
 * Two passes with one escaper: log_escape() is for bytes of clients and escapes backslashes and
 * quotes too, so that its output can be quoted and read back; a whole line is escaped once more
 * but for these, so that nothing a format brought in can end the line or move the cursor. */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/sys.h"

#define LOG_BYTES_MAX ((size_t)256)
#define LOG_CUT_TEXT  24                /* "...+18446744073709551615" */
#define ESCAPE_MAX    16                /* the longest is "\u{2028}" */

/* Length of the UTF-8 character at p, its code in *code; 0: there is none.  Table 3-7 of the
 * Unicode standard: nothing overlong, no surrogates, nothing above 10FFFF. */
static size_t utf8_decode(const uint8_t *p, size_t n, uint32_t *code)
{
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0;

	if (len == 0 || len > n)
		return 0;
	*code = len == 1 ? p[0] : p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3f);
	}
	if ((len == 3 && *code < 0x800) || (len == 4 && *code < 0x10000) || *code > 0x10ffff)
		return 0;
	return *code >= 0xd800 && *code <= 0xdfff ? 0 : len;
}

/* Characters that change how the others are read: C1, bidirectional controls, line separators. */
static bool is_deceiving(uint32_t code)
{
	return (code >= 0x80 && code <= 0x9f) || code == 0x061c || code == 0x200e || code == 0x200f ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

/* One character as it may be shown, into dst; returns the bytes of p it stands for. */
static size_t escape_one(char dst[ESCAPE_MAX], const uint8_t *p, size_t n, const char *also)
{
	uint32_t code;
	size_t len = utf8_decode(p, n, &code);

	if (len == 0 || code < 0x20 || code == 0x7f || (len == 1 && strchr(also, (int)code) != NULL)) {
		snprintf(dst, ESCAPE_MAX, "\\x%02x", p[0]);
		return 1;
	}
	if (is_deceiving(code)) {
		snprintf(dst, ESCAPE_MAX, "\\u{%04x}", (unsigned)code);
		return len;
	}
	memcpy(dst, p, len);
	dst[len] = '\0';
	return len;
}

/* Show n bytes, but at most `max` of them and what fits; the rest becomes "...+N" if there is room
 * for that.  Never cuts inside an escape or a character. */
static size_t escape(char *dst, size_t size, const uint8_t *p, size_t n, size_t max, const char *also)
{
	size_t from = 0, to = 0;        /* done so far */
	size_t cut_from = 0, cut_to = 0;        /* the last place where "...+N" still fits */
	char one[ESCAPE_MAX];

	assert(size > 0);
	while (from < n) {
		size_t used = escape_one(one, p + from, n - from, also), len = strlen(one);

		if (to + LOG_CUT_TEXT < size) {
			cut_from = from;
			cut_to = to;
		}
		if (from + used > max || to + len >= size)
			break;
		memcpy(dst + to, one, len);
		from += used;
		to += len;
	}
	if (from < n && size > LOG_CUT_TEXT)
		to = cut_to + (size_t)sprintf(dst + cut_to, "...+%zu", n - cut_from);
	dst[to] = '\0';
	return to;
}

size_t log_escape(char *dst, size_t size, const void *bytes, size_t n)
{
	return escape(dst, size, bytes, n, LOG_BYTES_MAX, "\\\"'");
}

/* Is stderr the journal?  Asked for every line, because a program may point it elsewhere. */
static bool stderr_is_journal(void)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	return text != NULL && sscanf(text, "%llu:%llu", &dev, &ino) == 2 &&
	       fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

/* A closed pipe at stderr must cost the line, not the process; and the host program's idea of
 * SIGPIPE is its own, so only a signal that this very write raised is taken back. */
static void write_stderr(const char *line, size_t n)
{
	sigset_t pipe, before, pending;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&pending);
	if (pthread_sigmask(SIG_BLOCK, &pipe, &before) != 0)
		return;
	if (sys_write(STDERR_FILENO, line, n) < 0 && errno == EPIPE && !sigismember(&pending, SIGPIPE))
		while (sigtimedwait(&pipe, NULL, &(struct timespec){ 0, 0 }) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void log_stderr(int level, const char *text)
{
	char line[LOG_LINE_MAX + 8];
	int n;

	if (stderr_is_journal())
		n = snprintf(line, sizeof line, "<%d>%s\n", level & 7, text);
	else
		n = snprintf(line, sizeof line, "%s\n", text);
	write_stderr(line, (size_t)n);
}

void log_vline(const struct log_sink *sink, unsigned long conn, int level, const char *fmt, va_list ap)
{
	char raw[2 * LOG_LINE_MAX], line[LOG_LINE_MAX];
	int saved = errno, n, head = 0;

	if (level > sink->level)
		return;
	if (conn != 0)
		head = snprintf(line, sizeof line, "#%lu ", conn);
	n = vsnprintf(raw, sizeof raw, fmt, ap);
	if (n < 0)
		n = snprintf(raw, sizeof raw, "%s", fmt);       /* a wide string that has no bytes */
	n = n < (int)sizeof raw ? n : (int)sizeof raw - 1;
	if (n > 0 && raw[n - 1] == '\n')
		n--;
	escape(line + head, sizeof line - (size_t)head, (const uint8_t *)raw, (size_t)n, SIZE_MAX, "");
	if (sink->write != NULL)
		sink->write(level, line, sink->arg);
	else
		log_stderr(level, line);
	errno = saved;
}

void log_line(const struct log_sink *sink, unsigned long conn, int level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	log_vline(sink, conn, level, fmt, ap);
	va_end(ap);
}
