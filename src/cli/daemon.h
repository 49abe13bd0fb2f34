/* SPDX-License-Identifier: MIT
 *
 * daemon.h - into the background: and the command ends when it is known whether that went well. */
#ifndef CLI_DAEMON_H
#define CLI_DAEMON_H

/* Forks twice.  In the daemon: OPTS_GO_ON; what is written to *report is printed by the command, which
 * then ends with status 0.  In the command: the exit status, the daemon's own if it ends before that. */
int daemon_begin(int *report);

#endif
