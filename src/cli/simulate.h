/* SPDX-License-Identifier: MIT
 *
 * simulate.h - clients for a server that has no sockets: serve --engine sim. */
#ifndef CLI_SIMULATE_H
#define CLI_SIMULATE_H

#include <myriad.h>
#include <stdbool.h>
#include <stdint.h>

struct simulation {
	/* set by the caller */
	struct myr_server *server;
	int listener;                   /* where the clients go */
	uint64_t seed;
	unsigned clients;
	bool verify;                    /* what comes back must be what was sent */
	/* what happened */
	unsigned begun, ended, failed;
	uint64_t sent, received;
	char trace[80];                 /* "hash 3d3786500f6daad4, 1318 virtual ms" */
	unsigned ushers;
};

/* "sim", "sim:42": is it this engine, and with which seed.  0; -EINVAL: that is no seed. */
bool simulate_is_meant(const char *engine);
int  simulate_seed(const char *engine, uint64_t *seed);
/* A copy of the service whose start() also brings the simulation's clients; one in a process. */
struct myr_service simulate_wrap(const struct myr_service *, struct simulation *);
/* The server's log function; arg is the simulation. */
void simulate_log(int level, const char *line, void *arg);
/* Prints the result; returns the exit status. */
int  simulate_report(const struct simulation *);

#endif
