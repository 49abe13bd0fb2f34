/* SPDX-License-Identifier: MIT
 *
 * crowd.h - many connections to one server, from one loop: started with measure, each with a deadline,
 * each told apart.  What is shown of it is its owner's business (struct crowd_show). */
#ifndef CLI_CROWD_H
#define CLI_CROWD_H

#include <myriad.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/tally.h"

struct member {
	struct crowd *crowd;
	struct myr_conn *conn;          /* NULL: not yet, or over */
	unsigned id;
	bool tried, open, done;         /* done: all that was expected has come */
	bool over;
	size_t said;                    /* messages */
	uint64_t got;                   /* bytes */
	int64_t began, opened, asked;   /* tally_clock(): first try, connection, last message */
	int why;                        /* we ended it: an error, or 0 */
};

/* Each may be NULL. */
struct crowd_show {
	void (*starting)(struct member *);
	void (*opened)  (struct member *);
	void (*saying)  (struct member *, const void *, size_t);
	void (*heard)   (struct member *, const void *, size_t);
	void (*done)    (struct member *);              /* before it is closed; in answer_each and expect modes */
	void (*ended)   (struct member *, int why);     /* 0, MYR_EOF, or why it failed */
	void (*settled) (struct crowd *);               /* each has been opened or has failed */
};

#define EXPECT_EOF  (-1LL)
#define EXPECT_NONE (-2LL)              /* stay until somebody closes it */

struct crowd {
	/* set by the owner */
	const char *endpoint;
	struct myr_loop *loop;
	const struct crowd_show *show;
	void *arg;
	unsigned n, first_id;
	const struct myr_bytes *messages;
	size_t messages_n;
	long long expect;               /* bytes */
	bool answer_each;               /* a message, whatever one read brings, the next message (S2-P1) */
	bool exactly;                   /* the bytes must be as many as expected, not at least (S1-P3) */
	size_t piece;                   /* read so many at a time; 0: as they come */
	unsigned together;              /* may be connecting at the same time */
	int stagger_ms, timeout_ms;

	/* its own */
	struct member *members;
	struct tally tally;
	unsigned started, connecting, settled, open;
	bool waiting;                   /* a timer will start the next */
	char address[80];               /* the endpoint with its name looked up, once one has been reached */
	int err;                        /* the endpoint itself is wrong */
};

int  crowd_open (struct crowd *);       /* 0, or a negative error */
int  crowd_start(struct crowd *);       /* 0; the error of an endpoint that is none: myr_reason() */
void crowd_close(struct crowd *);       /* the loop has ended; what is not over is counted as "interrupted" */
void crowd_free (struct crowd *);       /* after the loop */
bool crowd_say  (struct member *, const void *, size_t);

#endif
