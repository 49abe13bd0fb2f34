/* SPDX-License-Identifier: MIT
 *
 * stdin_exit.h - EXIT, typed at a server, drains it.
 *
 * Standard input is one more descriptor in a worker's loop, under every engine. */
#ifndef CLI_STDIN_EXIT_H
#define CLI_STDIN_EXIT_H

#include <myriad.h>

/* The service with a worker that reads standard input around it; once in a process.  -ENOMEM. */
int stdin_exit_wrap(struct myr_service *, struct myr_server *);

#endif
