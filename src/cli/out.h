/* SPDX-License-Identifier: MIT
 *
 * out.h - a server's bytes on their way to standard output: to a pipe or a file as they are, to a
 * terminal with everything escaped that could move the cursor. */
#ifndef CLI_OUT_H
#define CLI_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/text.h"

struct out {
	const char *command;            /* for messages */
	bool terminal;
	bool line;                      /* something stands on the present line */
	int  err;                       /* sticks: -EPIPE, when the reader has had enough, is not said */
	struct text_shown shown;
};

void out_open(struct out *, const char *command);
/* Each: false if nothing can be written any more; a reason other than -EPIPE has been said. */
bool out_bytes(struct out *, const void *bytes, size_t n);
bool out_text (struct out *, const char *text);         /* ours, never escaped */
bool out_end  (struct out *);                           /* what text_show() still holds */
int  out_status(const struct out *);                    /* EXIT_DONE, also for -EPIPE; EXIT_FAILED */

#endif
