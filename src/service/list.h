/* SPDX-License-Identifier: MIT
 *
 * list.h - what the list service and its edition share. */
#ifndef SERVICE_LIST_H
#define SERVICE_LIST_H

#include <myriad.h>
#include <stdbool.h>

#include "service/store.h"

struct list {                           /* a connection's */
	struct store_seat seat;         /* first: the store's */
	struct myr_conn *conn;
	bool begun;                     /* an item has been written */
};

/* The list as Python writes it, to the peer.  0, or an error. */
int list_send(struct myr_conn *);
struct store *list_store(struct myr_conn *);

int  list_start(struct myr_loop *, void *arg);
void list_stop (struct myr_loop *, void *arg);

#endif
