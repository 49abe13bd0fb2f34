/* SPDX-License-Identifier: MIT
 *
 * sim.h - a network and a clock without a kernel, driven by one seed.
 *
 * A world holds simulated sockets.  Loops whose mover is mover_sim (opened with the world as
 * their argument) live in it, several in one thread.  Between its ports the world splits and merges
 * bytes, delays and reorders what the kernel could reorder, shortens sends, delivers bytes after a
 * pause was asked for (as completions do), and takes its time over released().  The same seed and
 * the same handlers give the same trace: sim_hash().
 *
 * A peer is the other end of a connection, driven by a test instead of by a port. */
#ifndef MYR_SIM_H
#define MYR_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct sim;
struct myr_loop;

struct sim_faults {                     /* all zero: a perfect network, whole messages, no delay */
	unsigned split_max;             /* deliver at most this many bytes at once; 0: all.  1: byte by byte */
	bool     random_split;          /* cut points drawn from the seed, up to split_max */
	unsigned delay_ms;              /* each delivery is late by 0..delay_ms */
	unsigned send_max;              /* a send takes at most this many bytes (0: all) */
	unsigned buffer;                /* bytes a direction holds before sends fall short; 0: 256 KiB */
	bool     late;                  /* bytes still arrive once after PORT_RECV was dropped */
	unsigned reset_per_million;     /* chance that a delivery becomes a reset */
};

struct sim *sim_new(uint64_t seed, const struct sim_faults *);          /* NULL: out of memory */
void     sim_free(struct sim *);        /* all loops closed, all peers gone */
int64_t  sim_now(const struct sim *);
uint64_t sim_seed(const struct sim *);
uint64_t sim_random(struct sim *);      /* the one generator; also for whoever drives the world */
uint64_t sim_hash(const struct sim *);  /* of everything that happened so far */
/* The clock jumps to the next moment at which something is due in any loop, at most to `until`; true:
 * something is due now.  A loop does this by itself unless the world is shared. */
bool     sim_advance(struct sim *, int64_t until);
/* Whether a turn of this loop would do something now, without time passing. */
bool     sim_has_work(struct sim *, struct myr_loop *);
void     sim_share(struct sim *, bool shared);  /* several loops: wait() never moves the clock itself */

/* Listening: a handle for a PORT_ACCEPT port, by address text ("tcp:127.0.0.1:7", port 0: chosen),
 * or -EADDRINUSE.  Several loops may listen on one handle in turn (shared = true: one each). */
int  sim_listen(struct sim *, const struct endpoint *, bool shared, char *name, size_t name_size);
/* A handle that no port has: a listener, or a socket that nobody took on. */
void sim_close(struct sim *, int handle);
/* Dialling: a handle for a PORT_DIALLING port.  -ECONNREFUSED is reported later, by failed(). */
int  sim_dial(struct sim *, const struct endpoint *, struct addr *peer);

/* --- Peers: driven by tests ------------------------------------------------------------------- */

struct sim_peer;
/* A connected pair: a peer, and a handle to give to a connection. */
struct sim_peer *sim_pair(struct sim *, int *handle);
struct sim_peer *sim_peer_connect(struct sim *, const char *address);   /* NULL: nobody listens there */
/* Sends: queue bytes, the end, or a reset towards the connection; delivered as faults say. */
int  sim_peer_send(struct sim_peer *, const void *, size_t n);          /* 0 or -ENOMEM */
void sim_peer_end(struct sim_peer *);
void sim_peer_reset(struct sim_peer *);
void sim_peer_stop_reading(struct sim_peer *, bool stop);       /* its window closes when full */
/* What has come: valid until the next call on this peer; terminated.  Consumes it. */
const char *sim_peer_take(struct sim_peer *, size_t *n);
size_t sim_peer_waiting(const struct sim_peer *);               /* bytes not yet taken */
bool sim_peer_ended(const struct sim_peer *);   /* the connection's FIN, after all bytes */
bool sim_peer_was_reset(const struct sim_peer *);
bool sim_peer_closed(const struct sim_peer *);  /* the connection's socket is closed */
void sim_peer_free(struct sim_peer *);          /* as closing it */

#endif
