/* SPDX-License-Identifier: MIT
 *
 * succession.h - a server that is replaced by a new process of the same command, without refusing anybody.
 *
 * The new one is executed afresh and inherits the listening sockets, the lock on the pid file and the pipe
 * to the log.  It builds and loads the application again and starts its workers; only then is the old one
 * told, which serves who it has and ends.  If the new one fails, the old one has lost nothing. */
#ifndef CLI_SUCCESSION_H
#define CLI_SUCCESSION_H

#include <myriad.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* --- In the new process: what it has got, from the environment (MYRIAD_SUCCESSION) ------------------- */

struct inheritance {
	pid_t from;                     /* 0: nothing, we are the first */
	int   lock, control;            /* descriptors: the pid file's, the log writer's (-1) */
	const char *const *listeners;   /* for myr_config.inherited */
};

/* It is taken from the environment, so that nobody else finds it. */
void inheritance_take(struct inheritance *);

/* --- In the old process: the will --------------------------------------------------------------------- */

struct will {
	char *program;                  /* as it was called: what stands there now is executed */
	char **argv, **envp;
	int  home;                      /* the folder in which the command was typed */
	int *fds;                       /* what is passed on */
	size_t fds_n;
};

/* Before anything is parsed: parsing moves arguments.  argv[0] is the command's name, "run". */
int  will_begin(struct will *, int argc, char **argv);
/* Once it listens.  0 or -errno. */
int  will_complete(struct will *, struct myr_server *, int lock, int control);
/* [sig] The new process, which is a group of its own, or -errno. */
pid_t will_execute(const struct will *);

#endif
