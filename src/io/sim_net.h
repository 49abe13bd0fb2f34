/* SPDX-License-Identifier: MIT
 *
 * sim_net.h - the inside of the simulated network: what sim.c, sim_sock.c and sim_peer.c share.
 *
 * A connection is two sockets; each holds the bytes on their way to it.  Whatever happens to a port
 * happens in an event of its socket: `in` (bytes, the end or a reset have come; a client waits),
 * `out` (a send, our end or a connect is done) and `end` (nothing is in flight any more).  There is
 * one of each, so the order within a direction is kept whatever the faults; the order among sockets
 * is the seed's.  Nothing depends on addresses, on real time or on any other randomness. */
#ifndef MYR_SIM_NET_H
#define MYR_SIM_NET_H

#include "base/addr.h"
#include "base/buf.h"
#include "io/loop.h"
#include "io/sim.h"

#define SIM_HANDLES   0x40000000        /* far from any descriptor, so that the two are never mixed up */
#define SIM_TURNS     4                 /* released() comes within so many turns when there are faults */

struct event {
	struct timer timer;             /* first; its time is in the future */
	struct list link;               /* on net->due: its time has come */
};

/* What a loop sees of the world. */
struct net {
	struct sim *world, *own;        /* own: nobody gave us one */
	struct myr_loop *loop;
	struct list link;               /* world->nets, in the order of opening */
	struct list due;                /* events, in order */
	struct heap later;
	uint32_t ports;
};

enum {
	SOCK_LISTENS    = 1,
	SOCK_SHARED     = 2,            /* several listen on the same address */
	SOCK_ENDED      = 4,            /* we have ended our half */
	SOCK_FIN        = 8,            /* the other side has ended its half */
	SOCK_FIN_TOLD   = 16,
	SOCK_RESET      = 32,           /* a reset has come */
	SOCK_RESET_TOLD = 64
};

struct sim_sock {
	struct sim *world;
	struct net *net;                /* NULL: no port yet */
	struct port *port;
	struct sim_peer *peer;          /* NULL unless a test has this end */
	struct sim_sock *other;         /* NULL: its socket is closed, or not connected yet */
	struct event in, out, end;
	struct buf bytes;               /* on their way to us */
	struct iovec iov[PORT_IOV];     /* being sent */
	int      pieces;
	unsigned turns;                 /* until released */
	unsigned bits;
	uint32_t cell;                  /* in world->cells: the handle */
	uint32_t number;                /* never used twice, unlike the handle */
	uint16_t from;                  /* a client's port, as the accepting side sees it */
	struct list queue;              /* of a listener: clients that wait, linked by theirs */
	struct endpoint *name;          /* where it listens, or will connect to */
};

struct sim_cell {
	struct sim_sock *sock;
	uint32_t next_free;             /* index + 1; 0: none */
};

struct sim {
	uint64_t seed, state, hash;
	int64_t  now;
	uint32_t ties;
	struct sim_faults faults;
	bool     faulty, shared;
	struct sim_cell *cells;
	uint32_t used, room, free_cell;
	uint32_t sockets, listeners, clients;   /* ever made: numbers and ports */
	struct list nets;
};

struct sim_peer {
	struct sim_sock *sock;
	struct buf got, taken;
	bool stopped;
};

/* sim.c: the seed, the trace, events */
unsigned sim_upto(struct sim *, size_t most);   /* 0..most, drawn; nothing is drawn when there is no choice */
void sim_trace(const struct sim_sock *, char what, const void *bytes, size_t n);
void event_init(struct event *, void (*fire)(struct timer *));
bool event_is_set(const struct event *);
void event_set(struct net *, struct event *);   /* soon, or as late as the faults say */
void event_soon(struct net *, struct event *);
void event_drop(struct net *, struct event *);

/* sim_sock.c: sockets, and streams over them */
struct sim_sock *sim_sock_new(struct sim *);    /* NULL: out of memory */
struct sim_sock *sim_sock_find(const struct sim *, int32_t handle);     /* NULL: no such socket */
int32_t sim_sock_handle(const struct sim_sock *);
bool sim_sock_is_live(const struct sim_sock *); /* it has a port that may still be told something */
void sim_sock_join(struct sim_sock *, struct sim_sock *);
void sim_sock_poke(struct sim_sock *);          /* something has come: tell whoever has it, if asked for */
void sim_sock_has_room(struct sim_sock *);      /* its other side may go on */
void sim_sock_fin(struct sim_sock *);           /* end our half */
void sim_sock_reset(struct sim_sock *);         /* a reset comes: what has not been delivered is lost */
void sim_sock_close(struct sim_sock *, bool reset);
void sim_sock_free(struct sim_sock *);
void stream_update(struct sim_sock *);          /* its port's wants have changed */
void stream_leave(struct timer *);              /* the event `out` of a connected socket */
size_t stream_pass(struct sim_sock *);          /* what is being sent leaves: how much did */

/* sim_inlet.c: listening and dialling */
struct sim_sock *inlet_find(struct sim *, const struct endpoint *);     /* who listens there; NULL: nobody */
void inlet_update(struct sim_sock *);
void inlet_close(struct sim_sock *);
void dial_update(struct sim_sock *);
int  sim_sock_connect(struct sim_sock *, struct sim_sock *inlet);       /* 0 or -ENOMEM */

/* sim_peer.c */
void peer_take(struct sim_peer *);              /* a peer that reads takes all at once */

#endif
