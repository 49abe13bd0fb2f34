/* SPDX-License-Identifier: MIT
 *
 * listener.h - a worker's ear at a site: accepts as many connections as there is room for.
 *
 * Admission is decided in one place, listener_settle(): the budget is what the server has room for,
 * at most LISTENER_BUDGET at a time.  Who does not fit waits in the kernel's queue.  Workers look
 * at the room separately, so one more may have been accepted than fits: it waits here, parked. */
#ifndef MYR_LISTENER_H
#define MYR_LISTENER_H

#include "io/port.h"
#include "serve/server.h"

#define LISTENER_BUDGET 16

struct worker;

struct parked {
	int32_t handle;
	uint8_t flags;
	socklen_t len;
	struct sockaddr_storage address;
};

struct listener {
	struct port port;               /* first */
	struct worker *worker;
	struct site *site;
	unsigned n_parked;
	bool gone;                      /* not attached, or released */
	bool deaf;                      /* newcomers are refused: the server drains */
	bool swept;                     /* handed over: nobody is on the way to us any more */
	struct parked parked[LISTENER_BUDGET];
};

/* For datagrams.c: the end of every way in, and of those that lead nowhere. */
extern const struct port_ops datagrams_ops;
void listener_settle(struct port *);
void listener_failed(struct port *, int err);
void listener_released(struct port *);
void listener_admit(struct listener *, const struct accepted *);
void listener_turn_away(struct listener *, const struct accepted *, const char *why);

int  listener_open(struct listener *, struct worker *, struct site *);
void listener_close(struct listener *);
/* Handed over: true once nobody is on the way to us. */
bool listener_sweep(struct listener *);
/* The refusal's on_open. */
void listener_say_full(struct myr_conn *);
void listener_refusal_ended(struct myr_conn *);

#endif
