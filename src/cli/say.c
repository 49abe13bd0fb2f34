/* SPDX-License-Identifier: MIT
 *
 * say.c - messages for people.
 *
 * Each line leaves with one write(2), so that lines of several threads and processes never mix. */
#include "cli/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cli/text.h"

#define SAY_MAX 1024
#define SAY_HEAD 500                    /* of a message that is longer: the beginning, */
#define SAY_TAIL 300                    /* and the end, which says why */

int say_level = LOG_NOTICE;

static void say_put(const char *line, size_t n)
{
	ssize_t put = write(STDERR_FILENO, line, n);

	(void)put;                              /* nobody is left to be told */
}

/* Words of the command line and names of files are in it: a line of ours is one line, and moves no cursor. */
static size_t say_shown(char *dst, const char *text, size_t n)
{
	struct text_shown shown = { .held_n = 0 };
	size_t made = 0;

	for (size_t i = 0, line; i <= n; i += line + 1) {
		const char *end = memchr(text + i, '\n', n - i);

		line = end ? (size_t)(end - text) - i : n - i;
		made += text_show(&shown, dst + made, text + i, line);
		made += text_show_end(&shown, dst + made);
		if (end)
			made += (size_t)sprintf(dst + made, "\\n");
	}
	return made;
}

MYR_PRINTF(3, 0)
static void say_line(const char *prefix, const char *separator, const char *fmt, va_list ap)
{
	char line[4 * (SAY_MAX + 64)], *text;
	int n = vasprintf(&text, fmt, ap);
	size_t made = (size_t)snprintf(line, sizeof line, "%.100s%s", prefix, separator);

	if (n < 0)
		return;                         /* no memory for a word about it */
	if (n <= SAY_MAX) {
		made += say_shown(line + made, text, (size_t)n);
	} else {
		made += say_shown(line + made, text, SAY_HEAD);
		made += (size_t)sprintf(line + made, " ... ");
		made += say_shown(line + made, text + n - SAY_TAIL, SAY_TAIL);
	}
	free(text);
	line[made++] = '\n';
	say_put(line, made);
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
