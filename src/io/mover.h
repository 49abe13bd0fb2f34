/* SPDX-License-Identifier: MIT
 *
 * mover.h - how bytes move: six functions, three implementations (ready.c, uring.c, sim.c).
 *
 * A mover belongs to one loop and runs in its thread.  It keeps what it needs in loop->io. */
#ifndef MYR_MOVER_H
#define MYR_MOVER_H

#include <stdbool.h>

#include "base/addr.h"
#include "io/port.h"

struct mover {
	const char *name;
	bool files;                     /* it can send files itself: see port_ops.gather */
	bool virtual_time;              /* the clock is the mover's own: nobody reads the real one */
	/* Open what the loop needs (loop->io).  arg: a selector's table (ready), a world (sim), NULL
	 * (uring).  0 or an error, with the reason said (base/error.h). */
	int  (*open)  (struct myr_loop *, const void *arg);
	void (*close) (struct myr_loop *);              /* all ports have been released */
	/* Take the port on.  It may want something at once: loop_touch() is the owner's next call.  On
	 * an error (-EMFILE: this mover cannot hold the descriptor) nothing has happened. */
	int  (*attach)(struct port *);
	/* port->want has changed, or there is more to gather; at most once per turn and port. */
	void (*update)(struct port *);
	/* Stop: nothing more is reported but released(), this turn or later.  Closes the handle unless
	 * PORT_BORROWED.  Callers use loop_detach(), which mutes first. */
	void (*detach)(struct port *);
	/* Wait for something, until the time at most, report it, and set loop->now. */
	void (*wait)  (struct myr_loop *, int64_t until);
	/* Close a handle that never became a port's (refused, or out of memory). */
	void (*discard)(struct myr_loop *, int32_t handle, uint8_t flags);
	/* A connecting handle for a PORT_DIALLING port, or an error with the reason said; *done: it is
	 * connected already.  NULL: sock_dial(). */
	int  (*dial)  (struct myr_loop *, const struct endpoint *, struct addr *peer, bool *done);
	/* Optional: try to send at once, bypassing the queue, which must be empty.  Bytes sent, or 0. */
	size_t (*send_now)(struct port *, const uint8_t *, size_t n);
	/* Virtual time: how long work takes that is done elsewhere, in ms, drawn from the seed. */
	unsigned (*work_ms)(struct myr_loop *);
};

extern const struct mover mover_ready, mover_sim;
#ifdef MYR_HAVE_URING
extern const struct mover mover_uring;
#endif

#endif
