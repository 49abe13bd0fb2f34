/* SPDX-License-Identifier: MIT
 *
 * engine.h - an engine is two columns: who runs a connection x how its bytes move. */
#ifndef MYR_ENGINE_H
#define MYR_ENGINE_H

#include "io/mover.h"

struct listener;
struct selector_ops;

enum {                                  /* traits */
	SHARED_LISTENER = 1,            /* all workers accept from one socket */
	PROCESSES_ONLY  = 2,            /* several workers must be processes */
	ONE_AT_A_TIME   = 4,            /* a worker takes its next connection when the last is over */
	SIMULATED       = 8,
	SOLO            = 16            /* each connection has a loop to itself */
};

struct datagram;

struct accepted {                       /* a new socket, the receiver's to keep or close; or a datagram */
	int32_t handle;
	uint8_t flags;                  /* PORT_SLOT */
	const struct sockaddr *address;
	socklen_t address_len;
	const struct datagram *datagram;        /* lent for the call; NULL: a socket */
};

struct engine {
	const char *name;
	/* Start the connection, which the board has counted in.  On an error the socket is closed and
	 * nothing has happened; otherwise its end will give its place back (worker_left). */
	int (*dispatch)(struct listener *, const struct accepted *);
	const struct mover *mover;      /* NULL: not in this build */
	const struct selector_ops *selector;    /* for mover_ready */
	unsigned traits;
	const char *about;              /* one line for `myriad engines` */
};

/* By name, or the best that works here (NULL).  NULL: none; *err, with the reason and what to try said. */
const struct engine *engine_find(const char *name, int *err);
/* Why an engine does not work here; NULL: it does. */
const char *engine_why_not(const struct engine *);
const struct engine *engine_table(unsigned *n);         /* best first */

#endif
