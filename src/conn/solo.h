/* SPDX-License-Identifier: MIT
 *
 * solo.h - a connection with a loop to itself: what a thread or a forked child runs.
 *
 * A blocking handler runs directly on the thread's stack and waits by turning the loop; a callback
 * handler is called from the loop.  The same state machine, timeouts and limits as anywhere. */
#ifndef MYR_SOLO_H
#define MYR_SOLO_H

#include "conn/conn.h"

/* Open a solo loop: the ready mover over poll.  wake: others will loop_post() to it. */
int  solo_open(struct myr_loop *, bool wake);
/* Serve the socket, or the datagram if there is one, to its end; returns when the connection is over and all it dialled is gone.
 * 0, or the error for which it never began (the handle is closed). */
int  solo_serve(struct myr_loop *, const struct origin *, int32_t handle,
                const struct sockaddr *, socklen_t, const struct datagram *, myr_id id, uint32_t number);
void solo_close(struct myr_loop *);

#endif
