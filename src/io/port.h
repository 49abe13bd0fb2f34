/* SPDX-License-Identifier: MIT
 *
 * port.h - one socket in a mover's care, and what its owner and the mover say to each other.
 *
 * The owner (a connection, a listener, a watch) states wants; the mover lends bytes.  The owner
 * never asks for an operation and the mover never asks for memory: that unifies readiness and
 * completion.  Calls going down are imperatives and go through the loop (loop_touch); calls going
 * up are reports, in the past tense, and are the functions of struct port_ops.
 *
 * A port's life: filled in by its owner, attach, any number of wants and reports, detach, and at
 * last released(), after which nothing in the kernel or the loop refers to it: free it there. */
#ifndef MYR_PORT_H
#define MYR_PORT_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct myr_loop;
struct port;

enum {
	PORT_RECV     = 1,      /* bytes in */
	PORT_SEND     = 2,      /* bytes out, from gather() */
	PORT_FIN      = 4,      /* end our half; only with nothing to gather */
	PORT_READABLE = 8,      /* readiness only: watches */
	PORT_WRITABLE = 16,     /* readiness only: watches, dialling */
	PORT_ACCEPT   = 32,     /* a listener: up to `budget` more connections */
	PORT_CANCEL   = 64,     /* these two are only ever armed */
	PORT_CLOSE    = 128
};

enum {                          /* port.flags */
	PORT_SLOT     = 1,      /* handle is a slot of an io_uring, not a descriptor */
	PORT_DIRTY    = 2,      /* on loop->dirty */
	PORT_MUTED    = 4,      /* detached: no more reports but released() */
	PORT_RELEASED = 8,      /* released() is due */
	PORT_DIALLING = 16,     /* connect(2) under way: WRITABLE is reported as ready() or failed() */
	PORT_RESET    = 32,     /* detach closes with a reset */
	PORT_BORROWED = 64,     /* detach does not close the handle: it is the user's (watches) */
	PORT_BLOCKED  = 128     /* the mover's: the last send fell short, waiting for room */
};

struct port {                           /* 32 bytes */
	const struct port_ops *ops;
	struct myr_loop *loop;
	struct port *dirty_next;        /* on loop->dirty or loop->leaving */
	int32_t      handle;            /* a descriptor, or an io_uring slot: only movers read it; -1: there is none
	                                   (a datagram), and no mover hears of the port */
	uint8_t      want;              /* owner's: what it would like to happen */
	uint8_t      armed;             /* mover's: what the kernel has been asked */
	uint8_t      flags;
	uint8_t      budget;            /* a listener's: connections it has room for; mover's otherwise */
};

struct port_ops {
	/* The owner's last word before its wants go to the mover: called from the loop's flush for each
	 * touched port, right before mover.update.  Touching the port in here is in vain.  NULL: nothing. */
	void (*settle)  (struct port *);
	void (*received)(struct port *, const uint8_t *p, size_t n);   /* lent for the call; n == 0: end */
	/* What to send next, in at most max pieces; stays put until it is sent.  0: nothing, now.  PORT_FILE:
	 * iov->iov_base is a struct file (io/file.h), only where mover.files says that it may be. */
	int  (*gather)  (struct port *, struct iovec *, int max);
	void (*sent)    (struct port *, size_t n);                     /* n == 0: our FIN is out */
	/* A new socket; the receiver owns the handle (flags: PORT_SLOT or 0) from here on.  The address
	 * comes with it, never from getpeername; a.family AF_UNSPEC if the kernel gave none. */
	void (*accepted)(struct port *, int32_t handle, uint8_t flags, const struct sockaddr *, socklen_t);
	void (*ready)   (struct port *, unsigned events);              /* PORT_READABLE | PORT_WRITABLE */
	void (*failed)  (struct port *, int err);                      /* err < 0.  On a listener: an accept
	                    failed; it goes on unless the owner drops PORT_ACCEPT */
	void (*released)(struct port *);        /* last call: nothing in flight, socket closed, free it */
};

/* Kept out of line, so that the path every message takes stays short. */
#define MYR_SLOW __attribute__((noinline, cold))

#define PORT_FILE (-1)
#define PORT_IOV 8                              /* pieces in one send */

/* --- For movers: reports to an owner that may have gone ----------------------------------- */

static inline int port_is_muted(const struct port *p)
{
	return p->flags & PORT_MUTED;
}

static inline void port_received(struct port *p, const uint8_t *b, size_t n)
{
	if (!port_is_muted(p))
		p->ops->received(p, b, n);
}

static inline void port_sent(struct port *p, size_t n)
{
	if (!port_is_muted(p))
		p->ops->sent(p, n);
}

static inline void port_ready(struct port *p, unsigned events)
{
	if (!port_is_muted(p) && (events & p->want) != 0)
		p->ops->ready(p, events & p->want);
}

static inline void port_failed(struct port *p, int err)
{
	assert(err < 0);
	if (!port_is_muted(p))
		p->ops->failed(p, err);
}

#endif
