/* SPDX-License-Identifier: MIT
 *
 * tell.h - bytes for a connection, wherever it lives.
 *
 * A letter travels by mailbox (loop_post) between threads and by channel between processes, always
 * through the worker that the name names: sender -> worker -> the connection's own loop.  Each step
 * keeps the order, so one sender's letters to one receiver arrive in order, at most once. */
#ifndef MYR_TELL_H
#define MYR_TELL_H

#include "serve/channel.h"
#include "serve/worker.h"

#define TELL_MAX CHANNEL_BYTES

struct letter {
	struct post post;               /* first */
	myr_id   to;
	int      site;                  /* of a letter to all */
	size_t   n;
	uint8_t  bytes[];
};

struct letter *letter_new(void (*fn)(struct myr_loop *, struct post *), const void *, size_t n);

/* In the worker's own thread. */
void tell_here(struct worker *, myr_id, const void *, size_t);
void tell_all_here(struct worker *, int site, const void *, size_t);
/* A message from a forked child has come up to a worker, from above to a worker process. */
void tell_from_kid(struct worker *, const struct message *, const uint8_t *, size_t);
/* At home, in the supervisor's loop; `from` (may be NULL) has delivered to itself already. */
void crew_tell(struct crew *, const struct message *, const uint8_t *, size_t, const struct worker *from);

#endif
