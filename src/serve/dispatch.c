/* SPDX-License-Identifier: MIT
 *
 * dispatch.c - who runs an accepted connection: this worker's loop; and what the two ways to give it
 * a loop to itself have in common. */
#include "serve/dispatch.h"

#include <errno.h>

int dispatch_adopt(struct listener *l, const struct accepted *a)
{
	struct worker *w = l->worker;
	struct myr_conn *c;
	int err;

	if (a->datagram != NULL)
		c = datagram_accept(&w->loop, &l->site->origin, a->datagram, true, 0, (uint32_t)++w->loop.numbers, &err);
	else
		c = conn_accept(&w->loop, &l->site->origin, a->handle, a->flags, a->address, a->address_len, 0,
		                (uint32_t)++w->loop.numbers, &err);
	if (c == NULL)
		return err;
	if (worker_tells(w))
		conn_stop(c);
	return 0;
}

/* --- Connections with a loop to themselves --------------------------------------------------------- */

void accepted_close(const struct accepted *a)
{
	if (a->datagram == NULL)
		sys_close(a->handle);
}

int solo_begin(struct solo *s, const struct solo_ops *ops, struct listener *l, const struct accepted *a)
{
	struct addr peer;

	addr_from_sockaddr(&peer, a->address, a->address_len);
	s->ops = ops;
	s->worker = l->worker;
	s->site = l->site;
	s->peer_key = addr_peer_key(&peer);
	return slots_add(&l->worker->solos, s, &s->id);
}

void solo_end(struct solo *s)
{
	slots_remove(&s->worker->solos, s->id);
	worker_left(s->worker, s->peer_key);
}

void solo_prepare(struct myr_loop *l, struct myr_server *v)
{
	l->server = v;
	l->log = v->log;
	l->stack = v->config.stack;
	l->clients = &v->config;
	l->slots.worker = NAMES_NOWHERE;
}

void solo_tell_loop(struct myr_loop *l, const void *bytes, size_t n)
{
	for (struct list *at = l->conns.next; at != &l->conns; at = at->next) {
		struct myr_conn *c = list_of(at, struct myr_conn, link);

		if (conn_is_served(c))
			conn_tell(c, bytes, n);
	}
}

void serve_stop_loop(struct myr_loop *l, int level)
{
	for (struct list *at = l->conns.next; at != &l->conns; at = at->next) {
		struct myr_conn *c = list_of(at, struct myr_conn, link);

		if (level >= 2 && conn_is_served(c))
			conn_cut(c);
		else if (level >= 2)
			conn_fail(c, MYR_STOP);
		else if (conn_is_served(c))
			conn_stop(c);
	}
}
