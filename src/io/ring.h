/* SPDX-License-Identifier: MIT
 *
 * ring.h - io_uring rings and their provided buffers, over liburing: set-up and arithmetic, no policy.
 *
 * A ring belongs to one thread.  What the kernel has decides the fields below; MYRIAD_DISABLE (words
 * separated by commas) switches single features off, so that what older kernels get can be tested on
 * newer ones: uring_defer, uring_direct, uring_inc, uring_multishot, uring_install. */
#ifndef MYR_RING_H
#define MYR_RING_H

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring {
	struct io_uring uring;
	struct io_uring_buf_ring *entries;      /* the buffer ring, shared with the kernel */
	uint8_t  *mem;                          /* the buffers, one after the other */
	uint32_t *filled;                       /* incremental: bytes of each buffer already used */
	unsigned  buffers, buffer_size;
	unsigned  returned;                     /* buffers put back and not yet published */
	bool direct;                            /* accepted sockets live in slots, not in descriptors */
	bool incremental;                       /* a buffer serves several receives */
	bool multishot;                         /* one receive request serves many arrivals */
	bool install;                           /* a slot can be given a descriptor for a moment */
};

int  ring_open(struct ring *);                  /* 0, or -errno with the reason said */
void ring_close(struct ring *);

/* A cleared submission entry.  Submits what is waiting if the queue is full. */
struct io_uring_sqe *ring_sqe(struct ring *);
/* Last word on an entry that is filled in: where tests make it fail. */
void ring_queued(struct io_uring_sqe *);

/* The bytes a receive's completion names; then, whatever its result, give the buffer back. */
const uint8_t *ring_bytes(const struct ring *, const struct io_uring_cqe *);
void ring_give_back(struct ring *, const struct io_uring_cqe *);

/* Submit, publish returned buffers, and wait for a completion until the time is up (ms; -1: for ever). */
void ring_enter(struct ring *, int timeout_ms);

#endif
