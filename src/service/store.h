/* SPDX-License-Identifier: MIT
 *
 * store.h - a list of byte strings that several clients share, right under every engine.
 *
 *   "mem"                       in memory that all threads, workers and forks of this server share
 *   "sqlite:FILE"               in a database: survives restarts, kill -9 and power cuts
 *   "redis://HOST[:PORT]/KEY"   in a Redis list: shared by several machines
 *   "redis+unix:PATH/KEY"       the same, through a unix socket
 *
 * redis://USER:PASSWORD@HOST/KEY logs in; in the three names, %41 is A.  A HOST that is a name is looked up with each
 * new connection, and its worker waits for that: better give an address.
 *
 * The order of the list is the order in which items were kept.  An item is any bytes, up to
 * STORE_ITEM_MAX of them.
 *
 * Errors   Below 0 as in <myriad.h>.  What is wrong with the store itself is logged in full, once, and so
 *          is its recovery.  An error means not acknowledged: with mem and sqlite nothing is kept, and with
 *          redis neither, but for -EREMOTEIO: the connection broke after the item was sent, so it may
 *          have been kept, once; it is never sent again.
 *          Of a client that is gone (myr_error) it may not be known whether its last item was kept.
 * Waiting  sqlite waits 5 s for another process that writes; then all that wait by then fail together.  A handler
 *          that waits there may be idle to the library: idle_ms goes on.
 * Threads  One struct store serves all threads and processes.  The calls that take a connection are for its
 *          blocking handler: they wait, and nobody waits with them (mem does not wait at all). */
#ifndef SERVICE_STORE_H
#define SERVICE_STORE_H

#include <myriad.h>

#define STORE_ITEM_MAX (64u << 10)      /* bytes of one item */

struct store;

/* What a connection needs between two calls: FIRST in the state of a service that uses a store, and nobody
 * else's business.  It ends with the handler. */
struct store_seat { struct myr_conn *away; };

/* 0: the default.  bytes are those of the items; redis has its own limit of those (maxmemory), and may go
 * beyond items by as many as are added at the same moment. */
struct store_limits {
	size_t items, bytes;            /* [1,000,000, 16 MiB; in sqlite and redis no limit of bytes] */
};

/* Once, before the server runs (in build()); limits NULL: the defaults.  What is wrong with the address is
 * -EINVAL; everything wrong is logged as a sentence. */
int  store_open(struct store **, struct myr_server *, const char *what, const struct store_limits *);
void store_free(struct store *);        /* after the server; NULL is fine */

int  store_start(struct store *, struct myr_loop *);    /* in each worker: service.start */
void store_stop (struct store *, struct myr_loop *);    /* service.stop */

/* 0: it is kept.  -EDQUOT: a limit is reached; -EMSGSIZE: above STORE_ITEM_MAX. */
int  store_append(struct store *, struct myr_conn *, const void *item, size_t n);
int  store_clear (struct store *, struct myr_conn *);

/* each() for every item there was when it began; it may wait, and anything but 0 from it ends the list and is
 * returned.  -ESTALE: the list was cleared in the middle, so what each() saw is only its beginning. */
int  store_list  (struct store *, struct myr_conn *, int (*each)(void *arg, const void *item, size_t n), void *arg);

#endif
