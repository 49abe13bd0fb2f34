/* SPDX-License-Identifier: MIT
 *
 * sock.h - sockets: make, bind, listen, connect, options.  All are non-blocking and close-on-exec
 * from birth.  Errors come with the reason said (base/error.h). */
#ifndef MYR_SOCK_H
#define MYR_SOCK_H

#include <stdbool.h>

#include "base/addr.h"

#define SOCK_BACKLOG 4096

struct sock_name {                      /* what a listener is really bound to */
	char text[160];                 /* "tcp:127.0.0.1:40123", "udp::5000", "unix:/run/x" */
	uint16_t port;
	int family;
};

/* A listening socket (udp, unixgram: a bound one), or an error.  `shared` (SO_REUSEPORT) lets several sockets listen on the same
 * address; a second live server is still refused.  A unix path: a stale socket file is replaced, a
 * live one or another kind of file is not. */
int sock_listen(const struct endpoint *, bool shared, struct sock_name *);
/* A socket that another process has opened for this endpoint.  0 or an error; it stays open. */
int sock_adopt(const struct endpoint *, int fd, struct sock_name *);
/* One more socket on the same address as a shared one; -1-style error as above. */
int sock_listen_again(int fd);
/* Undo what listening left in the file system (unix path), if it is still ours. */
void sock_forget(const struct endpoint *, int fd);

/* The addresses of an endpoint whose host is a name: this may wait for a name server.  0 or an error. */
struct addrinfo;
bool sock_has_name(const struct endpoint *);
int  sock_look_up(const struct endpoint *, struct addrinfo **);
void sock_forget_names(struct addrinfo *);      /* NULL: nothing */

/* A connecting socket (see PORT_DIALLING), or an error.  *done: connected already (unix,
 * udp, unixgram).  names: what has been looked up, or NULL: it is done here. */
int sock_dial(const struct endpoint *, const struct addrinfo *names, struct addr *peer, bool *done);

/* The highest number of descriptors this process may have, and how many are open now. */
int sock_fd_limit(void);
int sock_fd_count(void);

#endif
