/* SPDX-License-Identifier: MIT
 *
 * target.h - whom a client talks to: as an endpoint, and as the tutorials' programs take and print it. */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include <stddef.h>

struct target {
	char endpoint[320];             /* for myr_connect() */
	char host[256];                 /* as given: a name stays a name; "" for a unix socket */
	int  port;
	char repr[1600];                /* ('localhost', 50007); a unix socket's is its path */
};

/* From the arguments of a tutorial's program: none (the standard), HOST, HOST PORT, or one of our
 * endpoints.  0; -EINVAL: said by target_parse(). */
int target_parse(struct target *, const char *command, char **args, int args_n, const char *host, int port);

/* "tcp:127.0.0.1:7000" for messages: the real address once there is one. */
struct myr_conn;
void target_name(char *dst, size_t size, const struct myr_conn *, const char *endpoint);
/* Say why there is no connection, and what to try. */
void target_blame(const char *command, const char *name, int err);

/* The last line of Python's traceback, on standard error: "ConnectionResetError: [Errno 104] ..." */
void target_raise(int err);

#endif
