/* SPDX-License-Identifier: MIT
 *
 * child.h - a forked process, and what its parent keeps of it: a channel and a pidfd.
 *
 * A child is reaped exactly once, by its pidfd: no handler for SIGCHLD, and the host's own children
 * are never touched.  What it said before its end is heard first. */
#ifndef MYR_CHILD_H
#define MYR_CHILD_H

#include "serve/channel.h"
#include "serve/server.h"

struct child {
	struct channel channel;         /* first */
	struct port pidfd;
	pid_t  pid;
	bool   reaped;
	int    how, status;             /* CLD_EXITED and the status, CLD_KILLED and the signal, ...; 0: unknown */
	unsigned ports;                 /* not yet released */
	void (*said)(struct child *, const struct message *, const uint8_t *, size_t n);
	void (*ended)(struct child *);  /* reaped; nothing refers to it any more: free it */
};

/* Fork.  In the parent: the pid; `ended` will come.  In the child: 0, with its end of the channel in
 * *uplink and signals as the server wants them there.  An error: no child, with the reason said. */
pid_t child_fork(struct child *, struct myr_loop *, int *uplink);
void child_kill(struct child *);
bool child_ended_well(const struct child *);
/* "was killed by signal 11 (Segmentation fault)" */
void child_describe(const struct child *, char *dst, size_t size);

#endif
