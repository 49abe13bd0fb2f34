/* SPDX-License-Identifier: MIT
 *
 * trace.h - serve --verbose: a line when a client comes and when it goes. */
#ifndef CLI_TRACE_H
#define CLI_TRACE_H

#include <myriad.h>

/* A copy of the service, of either style, that tells of its connections; one service in a process. */
struct myr_service trace_wrap(const struct myr_service *);

#endif
