/* SPDX-License-Identifier: MIT
 *
 * signals.h - what stops a server from outside. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <myriad.h>
#include <stdbool.h>
#include <sys/types.h>

/* SIGINT, SIGTERM and SIGHUP drain, the second one cuts; SIGQUIT cuts.  What was ignored when we were
 * started stays ignored: nohup, and jobs in the background.  One server in a process.  `interrupted`
 * goes to standard output at the first SIGINT; NULL: nothing does. */
void signals_catch(struct myr_server *, const char *interrupted);
void signals_let_go(void);
bool signals_stopping(void);            /* [sig] one of them has come */
/* [sig] It is to drain as well.  Told so once more by somebody else it still drains. */
void signals_pass_on(pid_t successor);

#endif
