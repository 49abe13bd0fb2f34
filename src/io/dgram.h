/* SPDX-License-Identifier: MIT
 *
 * dgram.h - datagrams in and out of a socket, each with the names that an answer needs.
 *
 * Nothing here waits.  An answer leaves from the address that the request was sent to, which a socket
 * on all addresses would not do by itself (IP_PKTINFO: ip(7); IPV6_RECVPKTINFO: RFC 3542 §6). */
#ifndef MYR_DGRAM_H
#define MYR_DGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define DGRAM_MAX   65536               /* bytes of the longest that is taken: UDP carries less */
#define DGRAM_BATCH 16                  /* taken in one call, at most */
#define DGRAM_CONTROL 64                /* room for the address that it was sent to */

struct dgram_name {                     /* who sent it, and to which address of ours */
	socklen_t len, control_n;       /* len of a nameless unix socket: that of the family, or 0 */
	struct sockaddr_storage address;
	_Alignas(size_t) uint8_t control[DGRAM_CONTROL];
};

struct datagram {
	int    fd;                      /* the socket it came by, and its answers leave by: not ours to close */
	struct dgram_name from;
	const uint8_t *bytes;
	size_t n;
	size_t allowed;                 /* what its answers may come to, with `header` for each */
	size_t header;                  /* of IP and UDP on the wire */
};

struct inbox;                           /* a batch of them; about a megabyte of addresses, touched when used */

/* Ask for what answers need; before bind. */
void dgram_tune(int fd, int family);

struct inbox *inbox_new(void);          /* NULL: out of memory; freed with free() */
/* What is there now, max at most (DGRAM_BATCH): how many, or -errno (-EAGAIN: nothing).  inet: with the address each was
 * sent to.  From unix sockets nothing comes along: a sender could fill our table with its descriptors (unix(7)). */
int  inbox_receive(struct inbox *, int fd, bool inet, unsigned max);
/* The i-th of them; good until the next inbox_receive().  False: it was longer than DGRAM_MAX. */
bool inbox_get(const struct inbox *, int fd, unsigned i, struct datagram *);

/* Send one; to NULL: the socket is connected.  0 or -errno. */
int  dgram_send(int fd, const struct dgram_name *to, const void *, size_t n);
bool dgram_is_full(int err);            /* a send that may be tried again */
/* One from a connected socket: its length, which may be above room: then it was cut; or -errno. */
ssize_t dgram_receive(int fd, void *, size_t room);

#endif
