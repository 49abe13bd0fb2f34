/* SPDX-License-Identifier: MIT
 *
 * keeper.h - a server that keeps a list in a store, and a crowd of clients who add to it.
 *
 * Each item is unique, and what the server said to it is remembered: so the list can be held against what was
 * acknowledged, however the server, a child of it or the store fared meanwhile. */
#ifndef TEST_KEEPER_H
#define TEST_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "service/store.h"

struct keeper {
	const char *engine;
	unsigned workers;
	enum myr_workers are;
	const char *store;
	struct store_limits limits;
	void (*before)(void);           /* in the server's process; may be NULL */
	pid_t pid;                      /* its process group, too */
	int   port;
	int   ended;                    /* what waitpid() said of it, or -1 */
};

/* Requests are lines: "+item", "LIST", "CLEAR", "PID"; replies are "Ack", "error N", items and then ".", a number. */
void keeper_start(struct keeper *);     /* fails the test if it does not */
bool keeper_refuses(struct keeper *, char *said, size_t size);  /* does not start; what it says */
void keeper_kill(struct keeper *);      /* -9, with all its children; reaped */
void keeper_drain(struct keeper *);     /* SIGTERM, which does not wait */
int  keeper_wait(struct keeper *);      /* its exit status; -N: killed by signal N */

int  keeper_dial(const struct keeper *);        /* a connected socket; below 0: nobody listens */
/* One request, its one-line reply. */
void keeper_ask(const struct keeper *, const char *request, char *reply, size_t size);

#define CROWD_MOST 128

enum { ITEM_NEW, ITEM_SENT, ITEM_KEPT, ITEM_REFUSED, ITEM_IN_DOUBT };

struct crowd {
	struct keeper *keeper;
	unsigned clients, each, window;         /* window: requests that a client has on the way */
	void (*event)(struct crowd *);          /* at each of `events` points, evenly spread over what is answered */
	unsigned events, happened;
	void *arg;
	bool  give_up;                          /* set by event(): a client whose connection ends stays away */
	unsigned kept, refused, in_doubt;
	uint8_t *item[CROWD_MOST];              /* what became of each */
	pid_t   who[CROWD_MOST];                /* the process that serves each client */
};

void crowd_run(struct crowd *);         /* until all items are answered or in doubt */
/* The list of that keeper: each kept item once, in each client's order; none that was not sent; no other twice. */
void crowd_check(struct crowd *, const struct keeper *);
void crowd_free(struct crowd *);

#endif
