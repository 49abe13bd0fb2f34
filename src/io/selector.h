/* SPDX-License-Identifier: MIT
 *
 * selector.h - how readiness is learnt: the table behind the public myr_selector_*.
 *
 * Level-triggered, as Python's selectors: an event is reported as long as it holds.  An error or a
 * hang-up shows as every event asked for. */
#ifndef MYR_SELECTOR_H
#define MYR_SELECTOR_H

#include "myriad.h"

/* Beside MYR_READ and MYR_WRITE, for the library's own ports.  Asked for: tell of a change once, not as long
 * as it holds; whoever asks then reads until nothing is left.  A hint: only epoll knows the difference.
 * Reported: the peer has finished, the socket has failed, or a receive may fall short: read to the end. */
#define SELECTOR_EDGE 4u

struct selector_ops {
	const char *name;
	int  fd_limit;                  /* descriptors must be below (FD_SETSIZE for select); 0: none */
	int  (*open) (struct myr_selector *);                   /* 0 or -errno */
	void (*close)(struct myr_selector *);
	/* Ask for exactly these events (0: forget) on fd, where `had` were asked for before. */
	int  (*set)  (struct myr_selector *, int fd, unsigned had, unsigned events, void *data);
	/* As myr_selector_wait(). */
	int  (*wait) (struct myr_selector *, struct myr_event *, int max, int timeout_ms);
};

struct myr_selector {
	const struct selector_ops *ops;
	void *own;                      /* the implementation's */
	int   fd;                       /* epoll's descriptor */
	struct selector_entry *entries; /* by descriptor: only what the public functions set */
	int   room;
};

extern const struct selector_ops selector_select, selector_poll, selector_epoll;

const struct selector_ops *selector_find(const char *name);     /* NULL name: the best; NULL: unknown */
int  selector_open(struct myr_selector *, const struct selector_ops *);
void selector_close(struct myr_selector *);

#endif
