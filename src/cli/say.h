/* SPDX-License-Identifier: MIT
 *
 * say.h - messages, all on standard error: what failed, on what, why, then what to try. */
#ifndef CLI_SAY_H
#define CLI_SAY_H

#include <myriad.h>
#include <stdbool.h>
#include <stddef.h>

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_PARTLY = 4, EXIT_CONFIG = 78, EXIT_INTERRUPTED = 130 };

/* "myriad serve: ..." and a newline. */
void say_error(const char *command, const char *fmt, ...) MYR_PRINTF(2, 3);
/* "  ..." and a newline: more about the error before. */
void say_more(const char *fmt, ...) MYR_PRINTF(1, 2);
/* "  try: ..." and a newline. */
void say_try(const char *fmt, ...) MYR_PRINTF(1, 2);
/* "myriad serve: unknown service "ecko". Did you mean "echo"?   (myriad serve --list shows all)" */
void say_unknown(const char *command, const char *kind, const char *word,
                 const char *const *names, size_t n, const char *shows_all);

/* A line of log, written whole, if its level is among those asked for. */
extern int say_level;                           /* syslog(3); LOG_NOTICE at first */
void say_log(int level, const char *line, void *arg);

#endif
