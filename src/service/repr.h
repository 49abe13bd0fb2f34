/* SPDX-License-Identifier: MIT
 *
 * repr.h - values as Python 3.11 writes them: b'...' '...' ['...'] ('127.0.0.1', 61354), and its ctime.
 *
 * All but repr_ctime() as snprintf(3): they write what fits and a '\0' (size 0: nothing, dst may be
 * NULL), and return the length of the whole, so a caller with long data measures, makes room and calls
 * again.  The macros say how much is always enough.  No allocation, any thread. */
#ifndef MYR_REPR_H
#define MYR_REPR_H

#include <myriad.h>
#include <stddef.h>
#include <time.h>

#define REPR_BYTES_MAX(n) (4 * (n) + 4)         /* with the '\0' */
#define REPR_STR_MAX(n)   (6 * (n) + 3)

size_t repr_bytes(char *dst, size_t size, const void *bytes, size_t n);         /* b'\x00it\'s "so"\n' */
/* UTF-8.  What is none is shown as "surrogateescape" decodes it: byte 0xff is '\udcff'. */
size_t repr_str  (char *dst, size_t size, const void *text, size_t n);          /* "it's" */
size_t repr_list (char *dst, size_t size, const struct myr_bytes *items, size_t n);     /* ['ola', "it's"] */

/* As socket.getpeername() gives it: ('127.0.0.1', 61354), ('::1', 61354, 0, 0); host and port as from
 * myr_peer_host() and myr_peer_port(), so "unix" without a port is ''; a name stays a name. */
size_t repr_address(char *dst, size_t size, const char *host, int port);
#define REPR_ADDRESS_MAX 96                     /* for addresses as numbers */

/* time.ctime(): "Sat Jul 22 18:43:57 2017", local time.  Returns dst. */
#define REPR_CTIME_MAX 32
char *repr_ctime(char dst[REPR_CTIME_MAX], time_t);

#endif
