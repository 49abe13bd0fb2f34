/* SPDX-License-Identifier: MIT
 *
 * server.h - a myriad server in a process of its own, for tests that are its clients.
 *
 * The child runs the server and, when that has ended, looks for what it left behind: descriptors,
 * threads, children, and memory under AddressSanitizer.  SIGTERM is myr_server_stop(). */
#ifndef TEST_SERVER_H
#define TEST_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "myriad.h"

#define SERVER_SITES   64
#define SERVER_ADDRESS 128

struct hosted {
	const struct myr_service *service;
	const char *endpoint;                   /* NULL: tcp:127.0.0.1:0 */
};

struct server {
	pid_t pid;
	int   pidfd, report, log;               /* log: a file without a name, all that it said */
	unsigned n_sites;
	char  address[SERVER_SITES][SERVER_ADDRESS];    /* myr_server_address() of each */
};

struct server_end {
	bool  over;                     /* false: it was still there at the deadline */
	int   signal;                   /* that killed it, or 0 */
	int   status;                   /* what it exited with */
	int   cut;                      /* what myr_server_run() returned */
	char  leaks[600];               /* "" if nothing is left */
};

/* fds_max: its RLIMIT_NOFILE; 0: as it is.  False: it did not start, and why is in the log. */
bool server_start(struct server *, const struct myr_config *, const struct hosted *, unsigned n,
                  unsigned fds_max);
void server_stop(const struct server *);        /* a second time cuts */
void server_wait(struct server *, struct server_end *, int ms);         /* until it has ended; reaped */
void server_kill(struct server *);
void server_show_log(const struct server *);    /* on stdout, as TAP comments */
bool server_has_said(const struct server *, const char *text);
long server_cpu_ms(const struct server *);      /* used so far, its dead children included */
void server_free(struct server *);              /* kills what still runs */

#endif
