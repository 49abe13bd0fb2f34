/* SPDX-License-Identifier: MIT
 *
 * screen.h - what a tutorial's program prints, on standard output.
 *
 * A text is put together in memory and leaves with one write(2), so the lines of several threads and
 * processes do not tear each other.  A standard output that is closed, or a full disk, harms no client:
 * what cannot be printed is lost.  A pipe that nobody reads holds up who prints, as it does the tutorials'
 * programs.  Any thread; one struct screen belongs to one. */
#ifndef SERVICE_SCREEN_H
#define SERVICE_SCREEN_H

#include <myriad.h>
#include <stdbool.h>

struct screen {                         /* all zero: empty */
	char *text;
	size_t n, room;
	bool failed;                    /* memory ran out: nothing will be printed */
};

void screen_add  (struct screen *, const char *, ...) MYR_PRINTF(2, 3);
void screen_bytes(struct screen *, const void *, size_t n);     /* b'...' */
void screen_str  (struct screen *, const void *, size_t n);     /* '...' */
/* The bytes themselves; on a terminal control characters are escaped, for a client must not steer it. */
void screen_raw  (struct screen *, const void *, size_t n);
void screen_peer (struct screen *, const struct myr_conn *);    /* ('127.0.0.1', 61354) */
void screen_show (struct screen *);     /* prints it, and is empty again */

/* A line at once. */
void screen_print(const char *, ...) MYR_PRINTF(1, 2);

/* ('127.0.0.1', 65432) for "tcp:127.0.0.1:65432" */
void screen_address(struct screen *, const char *address);

#endif
