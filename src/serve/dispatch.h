/* SPDX-License-Identifier: MIT
 *
 * dispatch.h - who runs an accepted connection: the engines' first column.
 *
 * adopt (dispatch.c): the worker's own loop.  thread (thread.c), fork (kid.c): a loop to itself, in
 * a new thread or process; the worker keeps a record under the connection's name in worker->solos. */
#ifndef MYR_DISPATCH_H
#define MYR_DISPATCH_H

#include "serve/worker.h"

int dispatch_adopt (struct listener *, const struct accepted *);
int dispatch_thread(struct listener *, const struct accepted *);
int dispatch_fork  (struct listener *, const struct accepted *);
int kid_prepare(struct worker *);       /* for dispatch_fork, before the first child; 0 or an error */

/* The record of a connection with a loop to itself. */
struct solo {
	const struct solo_ops *ops;
	struct worker *worker;
	struct site *site;
	uint64_t peer_key;
	myr_id   id;
};

struct solo_ops {
	void (*stop)(struct solo *, int level);         /* 1: drain, 2: cut */
	void (*tell)(struct solo *, const void *, size_t n);
	/* It has ignored the cut.  True: it is left behind and will never end. */
	bool (*give_up)(struct solo *);
};

void accepted_close(const struct accepted *);   /* nobody will serve it */
int  solo_begin(struct solo *, const struct solo_ops *, struct listener *, const struct accepted *);
void solo_end(struct solo *);           /* it is over: name, place and record of it are gone */
void solo_prepare(struct myr_loop *, struct myr_server *);
void solo_tell_loop(struct myr_loop *, const void *, size_t n);  /* to whom a solo loop serves */
/* Stop (1) or cut (2) what was accepted in any loop; a cut ends what was dialled, too. */
void serve_stop_loop(struct myr_loop *, int level);

/* Accepted at a site; not dialled, and not being told that the house is full. */
static inline bool conn_is_served(const struct myr_conn *c)
{
	return c->origin->server != NULL && !(c->bits & C_CLIENT);
}

#endif
