/* SPDX-License-Identifier: MIT
 *
 * banner.h - what a person at a terminal wants to know of a server that starts. */
#ifndef CLI_BANNER_H
#define CLI_BANNER_H

#include <myriad.h>
#include <sys/resource.h>

struct banner {
	struct myr_server *server;
	const struct myr_service *service;
	size_t listeners;
	const char *engine;             /* as asked for; NULL: the best */
	const char *workers;            /* "2 threads" */
	const char *most;               /* connections, as asked for; NULL: as many as there is room for */
	rlim_t files, files_before;
};

/* On a terminal, unless --quiet.  Standard error. */
void banner_show(const struct banner *);
/* A server's log function.  On a terminal the banner tells which engine was taken, and why: what the
 * library logs about it before the banner is kept for that. */
void banner_log(int level, const char *line, void *arg);

#endif
