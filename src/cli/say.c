/* SPDX-License-Identifier: MIT
 *
 * say.c - messages for people.
 *
 * Each line leaves with one write(2), so that lines of several threads and processes never mix. */
#include "cli/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cli/text.h"

#define SAY_MAX 1024

int say_level = LOG_NOTICE;

static void say_put(const char *line, size_t n)
{
	ssize_t put = write(STDERR_FILENO, line, n);

	(void)put;                              /* nobody is left to be told */
}

MYR_PRINTF(3, 0) MYR_PRINTF(3, 0)
static void say_line(const char *prefix, const char *separator, const char *fmt, va_list ap)
{
	char line[SAY_MAX];
	int n = snprintf(line, sizeof line - 1, "%s%s", prefix, separator);

	n += vsnprintf(line + n, sizeof line - 1 - (size_t)n, fmt, ap);
	if (n > SAY_MAX - 2)
		n = SAY_MAX - 2;
	line[n++] = '\n';
	say_put(line, (size_t)n);
}

void say_error(const char *command, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_line(command, ": ", fmt, ap);
	va_end(ap);
}

void say_more(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_line("  ", "", fmt, ap);
	va_end(ap);
}

void say_try(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_line("  ", "try: ", fmt, ap);
	va_end(ap);
}

void say_unknown(const char *command, const char *kind, const char *word,
                 const char *const *names, size_t n, const char *shows_all)
{
	const char *nearest = text_nearest(word, names, n);

	if (nearest)
		say_error(command, "unknown %s \"%s\". Did you mean \"%s\"?   (%s shows all)",
		          kind, word, nearest, shows_all);
	else
		say_error(command, "unknown %s \"%s\"   (%s shows all)", kind, word, shows_all);
}

void say_log(int level, const char *line, void *arg)
{
	const char *mark = level <= LOG_ERR ? "error: " : level == LOG_WARNING ? "warning: " : "";
	char text[SAY_MAX];
	int n;

	(void)arg;
	if (level > say_level)
		return;
	n = snprintf(text, sizeof text, "%s%.*s\n", mark, SAY_MAX - 32, line);
	say_put(text, (size_t)n);
}
