/* SPDX-License-Identifier: MIT
 *
 * banner.h - what a person at a terminal wants to know of a server that starts. */
#ifndef CLI_BANNER_H
#define CLI_BANNER_H

#include <myriad.h>
#include <sys/resource.h>

struct banner {
	struct myr_server *server;
	const char *name, *about;
	int listeners;
	const char *engine;             /* as asked for; NULL: the best */
	const char *workers;            /* "2 threads" */
	const char *most;               /* connections, as asked for; NULL: as many as there is room for */
	rlim_t files, files_before;
};

/* On standard error; unless that is a terminal, no more than which engine was taken. */
void banner_show(const struct banner *);
/* A server's log function.  Which engine was taken, and why, is kept for the banner: it would only
 * be in the way if the start fails. */
void banner_log(int level, const char *line, void *arg);

#endif
