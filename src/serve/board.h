/* SPDX-License-Identifier: MIT
 *
 * board.h - limits and statistics that hold across threads and processes.
 *
 * One shared mapping, made before the first fork: a row for each worker, written by that worker
 * alone and read by everybody, who sums.  No locks: a process may die at any moment.  Whoever
 * accepts does the accounting; the supervisor clears the row of a worker process that has died. */
#ifndef MYR_BOARD_H
#define MYR_BOARD_H

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "io/loop.h"
#include "myriad.h"

#define BOARD_NO_LIMIT ((unsigned)MYR_NONE)

struct board_peer {                     /* connections of one address in one worker */
	_Atomic uint64_t key;           /* addr_peer_key(); 0: never used */
	_Atomic uint32_t count;         /* 0: the place may be given to another */
};

struct board_row {
	alignas(64) struct loop_stats stats;
	_Atomic uint64_t kids_in, kids_out, kids_cut;   /* added by forked children at their end */
	struct board_peer *peers;       /* in the mapping: the same address in every process */
};

struct board {
	size_t   size;                  /* of the mapping */
	unsigned rows, peer_slots;      /* slots: a power of two; 0: peers are not counted */
	unsigned conns_max, per_peer;
	uint64_t seed;                  /* of the peers' hash: clients cannot choose to collide */
	int64_t  interval_ns;           /* between two connections at accept_rate; 0: no limit */
	_Atomic int64_t earned_ns;      /* the rate is used up to this moment (loop time) */
	_Atomic unsigned stops;         /* calls of myr_server_stop() */
	_Atomic bool served;            /* some worker has accepted, or could have */
	_Atomic bool handed;            /* another process has the sockets, and accepts */
	struct board_row row[];
};

/* NULL: out of memory.  The limits are resolved: not 0, BOARD_NO_LIMIT means none. */
struct board *board_new(unsigned rows, unsigned conns_max, unsigned per_peer, unsigned accept_rate);
void board_free(struct board *);

unsigned board_open_conns(const struct board *);
unsigned board_room(const struct board *);      /* BOARD_NO_LIMIT: any number */
/* How many connections the rate allows now, and when it allows the next. */
unsigned board_tokens(struct board *, int64_t now_ms);
int64_t  board_next_token(const struct board *);
void     board_take_token(struct board *, int64_t now_ms);

/* Count a connection in: 0, -EAGAIN (the house is full), -EUSERS (too many from this peer). */
int  board_enter(struct board *, struct board_row *, uint64_t peer_key);
void board_leave(struct board *, struct board_row *, uint64_t peer_key);
void board_clear(struct board *, struct board_row *);   /* its worker is dead, with all its connections */
void board_sum(const struct board *, struct myr_stats *);

#endif
