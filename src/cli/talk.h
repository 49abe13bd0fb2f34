/* SPDX-License-Identifier: MIT
 *
 * talk.h - conversations in turns, in straight-line code: one line is asked for and sent, its answer is
 * waited for and shown. */
#ifndef CLI_TALK_H
#define CLI_TALK_H

#include <stdbool.h>

#define TALK "myriad connect"

struct talk {
	const char *endpoint, *eol;
	bool per_message;               /* a connection for each line */
	int  ms;                        /* for connecting, and for each wait; MYR_NONE: as long as it takes */
};

/* Both return the exit status. */
int talk_per_message(const struct talk *);      /* the answer is all that comes until the server's end */
/* The tutorials' clients, print for print: S0-P1, S1-P1, S3-P2, S3-P4; endpoint and eol are theirs. */
int talk_exact(struct talk *, const char *id, char **args, int args_n);

#endif
