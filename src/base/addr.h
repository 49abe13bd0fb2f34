/* SPDX-License-Identifier: MIT
 *
 * addr.h - peers and endpoints as values, and as text.
 *
 * A peer's address is made canonical once, when it is accepted: an IPv4-mapped IPv6 address is the
 * IPv4 address, everywhere.  An endpoint is what a user writes: PORT (loopback), :PORT (all
 * addresses), HOST:PORT, [::1]:PORT, tcp:..., udp:..., unix:PATH, unixgram:PATH, fd:N; the same parser
 * for listening, connecting and the command line.  Nothing here resolves names or opens sockets (io/sock.h does). */
#ifndef MYR_ADDR_H
#define MYR_ADDR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct addr {                          /* 20 bytes */
	uint8_t  family;               /* AF_INET, AF_INET6, AF_UNIX; 0: none */
	uint8_t  zero;
	uint16_t port;                 /* host byte order */
	uint8_t  ip[16];
};

#define ADDR_TEXT 64                   /* enough for any addr_format() */

void addr_from_sockaddr(struct addr *, const struct sockaddr *, socklen_t);
/* "192.0.2.1:4711", "[::1]:4711", "unix"; always terminated; returns the length. */
size_t addr_format(const struct addr *, char *dst, size_t size);
size_t addr_format_host(const struct addr *, char *dst, size_t size);   /* "192.0.2.1", "::1", "unix" */
/* What conns_per_peer counts: the address, or the /64 of an IPv6 one.  0: not counted (unix). */
uint64_t addr_peer_key(const struct addr *);

enum endpoint_kind { ENDPOINT_TCP, ENDPOINT_UNIX, ENDPOINT_FD, ENDPOINT_UDP, ENDPOINT_UNIXGRAM };

struct endpoint {
	enum endpoint_kind kind;
	char     host[256];            /* "" : all addresses; brackets removed */
	uint16_t port;
	int      fd;
	unsigned mode;                 /* unix, unixgram: permissions of the socket file; 0: as umask says */
	int      backlog;              /* 0: the default */
	unsigned amplify;              /* udp: how many times what came may go out; 0: the default */
	uint8_t  from_any;             /* udp: requests from the ports of servers are answered, too */
	char     path[108];            /* unix, unixgram; '@' first: abstract */
};

static inline int endpoint_is_datagram(const struct endpoint *e)
{
	return e->kind == ENDPOINT_UDP || e->kind == ENDPOINT_UNIXGRAM;
}

/* 0, or -EINVAL with a sentence for the user in why ("port \"70000\" is out of range (1-65535)").
 * Options after commas: backlog=N (tcp, unix), mode=0660 (unix, unixgram), amplify=N and from=any (udp).
 * Port 0 is allowed: the system chooses. */
int endpoint_parse(struct endpoint *, const char *text, char *why, size_t why_size);
size_t endpoint_format(const struct endpoint *, char *dst, size_t size);   /* "tcp:127.0.0.1:7000" */

#endif
