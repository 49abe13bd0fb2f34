/* SPDX-License-Identifier: MIT
 *
 * blame.h - why an endpoint cannot be had: who has it, and what to try. */
#ifndef CLI_BLAME_H
#define CLI_BLAME_H

/* Say that what is served, `subject` on the command line, could not listen at the endpoint; err is what
 * myr_server_add() returned, and myr_reason() still tells about it. */
void blame_listen(const char *command, const char *subject, const char *endpoint, int err);

#endif
