/* SPDX-License-Identifier: MIT
 *
 * source.h - bytes to send whose number must be known before the first: a text, a file, or a pipe that
 * is copied to a temporary file first unless its length is given. */
#ifndef CLI_SOURCE_H
#define CLI_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define SOURCE_LENGTH_UNKNOWN (-1LL)

struct source {
	const char *name;               /* for messages: the file as given, "standard input" */
	uint64_t length;
	const char *text;               /* else: */
	int   fd;
	off_t start;                    /* of the payload in the file */
	bool  seekable;                 /* else a pipe, read once and as it comes */
	FILE *spool;                    /* NULL: none */
};

/* path: NULL or "-" is standard input.  length: SOURCE_LENGTH_UNKNOWN: all there is.  again: it will be read
 * twice.  0, or a negative error after it has been said. */
int  source_open (struct source *, const char *command, const char *path, long long length, bool again);
void source_text (struct source *, const char *text);
void source_close(struct source *);

/* 1..n bytes from `at` (a pipe: the next ones); 0: there are no more; or -errno. */
ssize_t source_read(struct source *, void *, size_t n, uint64_t at);

#endif
