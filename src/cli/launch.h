/* SPDX-License-Identifier: MIT
 *
 * launch.h - what a launched application has and a served one has not: pid file, log file, rights given
 * up, readiness that is told, reload.
 *
 * The order is: the application is loaded; folder and umask; pid file; log; listeners; rights; workers;
 * and when all of them have started it is said that it serves. */
#ifndef CLI_LAUNCH_H
#define CLI_LAUNCH_H

#include "cli/host.h"
#include "cli/logfile.h"
#include "cli/owner.h"
#include "cli/pidfile.h"
#include "cli/succession.h"

struct launch {
	/* set by the command */
	const char *name;               /* of the application */
	bool daemon;
	int  report;                    /* daemon_begin()'s; -1: nobody waits */
	const char *pid_path, *log_path, *folder;       /* NULL: none */
	int  umask;                     /* -1: as it is */
	struct owner owner;
	struct inheritance got;
	struct will will;
	/* launch.c's */
	struct pidfile pidfile;
	struct logfile log;
	char says[PATH_MAX + 64];       /* "started, pid 4127, log /var/log/lines.log\n" */
};

/* Folder to log.  OPTS_GO_ON, or the exit status.  One in a process; it lives as long as that. */
int  launch_begin(struct launch *);
/* The host's hooks are set; the rest follows from there. */
void launch_join(struct launch *, struct host *);
void launch_end(struct launch *);

#endif
