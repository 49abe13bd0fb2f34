/* SPDX-License-Identifier: MIT
 *
 * channel.h - messages between a process and one that it forked: a SOCK_SEQPACKET pair.
 *
 * Whole messages, in order, at most CHANNEL_BYTES of payload.  The parent's end queues what does not
 * fit (bounded, and what keeps the server going is never dropped), so a child that computes stops
 * nobody.  A child's end sends at once or waits a moment: its parent is a loop that always turns.
 * The end of either process is the end of the channel. */
#ifndef MYR_CHANNEL_H
#define MYR_CHANNEL_H

#include "io/loop.h"

#define CHANNEL_BYTES 65536
#define CHANNEL_QUEUE (4u << 20)        /* payload bytes that may wait for a child */

enum say {
	SAY_TELL,                       /* id, bytes: myr_tell() */
	SAY_TELL_ALL,                   /* number: the site whose service is meant, or SITE_ALL */
	SAY_READY,                      /* up: service.start() has succeeded */
	SAY_FAILED,                     /* up: it has not; number: the error; bytes: why */
	SAY_GO,                         /* down: accept from now on */
	SAY_STOP                        /* down: number 1 drain, 2 cut */
};

struct message {
	uint32_t say;
	int32_t  number;
	uint64_t id;
};

struct channel {
	struct port port;               /* first */
	void (*said)(struct channel *, const struct message *, const uint8_t *, size_t n);
	void (*ended)(struct channel *);        /* nobody is at the other end any more */
	void (*released)(struct channel *);
	struct parcel *first, **last;   /* waiting to leave */
	size_t waiting;
};

/* Attach an end to the loop; the descriptor is the channel's from here on, also on an error. */
int  channel_open(struct channel *, struct myr_loop *, int fd);
void channel_close(struct channel *);   /* released() follows */
/* Take what has come already; for the last words of a child that has ended. */
void channel_drain(struct channel *);
/* The parent's side: 0, -EAGAIN (the queue is full), -ENOMEM, -EPIPE. */
int  channel_say(struct channel *, const struct message *, const void *, size_t n);
/* [any] A child's side: 0, -EAGAIN (still full after a moment), -EPIPE. */
int  channel_send(int fd, const struct message *, const void *, size_t n);

#endif
