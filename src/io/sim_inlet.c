/* SPDX-License-Identifier: MIT
 *
 * sim_inlet.c - listening and dialling in the simulated network.
 *
 * Clients wait in a listener's queue until its port wants them and has room.  Names are compared as
 * text, with the few spellings of "here" taken as one; nothing is resolved. */
#include "io/sim_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"

#define SIM_PORTS 20000                 /* of listeners that leave the choice to us */
#define SIM_PEERS 40000                 /* of clients */

static void inlet_arrive(struct timer *);
static void dial_done(struct timer *);

static bool name_is_any(const struct endpoint *e)
{
	return e->host[0] == '\0' || strcmp(e->host, "0.0.0.0") == 0 || strcmp(e->host, "::") == 0;
}

static const char *name_host(const struct endpoint *e)
{
	return strcmp(e->host, "localhost") == 0 ? "127.0.0.1" : e->host;
}

static bool name_matches(const struct endpoint *a, const struct endpoint *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == ENDPOINT_UNIX)
		return strcmp(a->path, b->path) == 0;
	return a->port == b->port && (name_is_any(a) || name_is_any(b) || strcmp(name_host(a), name_host(b)) == 0);
}

static void name_sockaddr(const struct endpoint *e, uint16_t port, struct sockaddr_storage *a, socklen_t *n)
{
	struct sockaddr_in *in = (struct sockaddr_in *)a;

	memset(a, 0, sizeof *a);
	if (e->kind == ENDPOINT_UNIX) {
		a->ss_family = AF_UNIX;
		*n = sizeof a->ss_family;
		return;
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	if (inet_pton(AF_INET, e->host, &in->sin_addr) != 1 || name_is_any(e))
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	*n = sizeof *in;
}

/* Who listens there.  Of several that share the address the seed chooses. */
struct sim_sock *inlet_find(struct sim *w, const struct endpoint *e)
{
	struct sim_sock *found = NULL;
	unsigned n = 0;

	for (uint32_t i = 0; i < w->used; i++) {
		struct sim_sock *s = w->cells[i].sock;

		if (s == NULL || !(s->bits & SOCK_LISTENS) || !name_matches(s->name, e))
			continue;
		if (sim_upto(w, n++) == 0)
			found = s;
	}
	return found;
}

void inlet_close(struct sim_sock *s)
{
	struct list *n;

	while ((n = list_pop(&s->queue)) != NULL)
		sim_sock_close(list_of(n, struct sim_sock, queue), true);
	sim_sock_free(s);
}

int sim_listen(struct sim *w, const struct endpoint *e, bool shared, char *name, size_t name_size)
{
	struct endpoint *own = sys_malloc(sizeof *own);
	struct sim_sock *s, *had;

	if (endpoint_is_datagram(e)) {
		free(own);
		return fail(-ENOTSUP, "the simulated network has no datagrams: use a tcp: or unix: endpoint");
	}
	if (own == NULL || (s = sim_sock_new(w)) == NULL) {
		free(own);
		return fail(-ENOMEM, "out of memory");
	}
	*own = *e;
	if (own->kind == ENDPOINT_TCP && own->port == 0)
		own->port = (uint16_t)(SIM_PORTS + w->listeners++ % (SIM_PEERS - SIM_PORTS));
	endpoint_format(own, name, name_size);
	s->name = own;
	had = inlet_find(w, own);
	if (own->kind == ENDPOINT_FD || (had != NULL && (!shared || !(had->bits & SOCK_SHARED)))) {
		sim_sock_free(s);
		return had == NULL ? fail(-ENOTSUP, "a simulated network has no descriptors to listen on")
		                   : fail(-EADDRINUSE, "cannot listen on %s: %s", name, strerror(EADDRINUSE));
	}
	s->bits = SOCK_LISTENS | (shared ? SOCK_SHARED : 0);
	s->in.timer.fire = inlet_arrive;
	return sim_sock_handle(s);
}

/* Connect the socket to the listener's queue.  0 or -ENOMEM. */
int sim_sock_connect(struct sim_sock *s, struct sim_sock *inlet)
{
	struct sim_sock *o = sim_sock_new(s->world);

	if (o == NULL)
		return -ENOMEM;
	sim_sock_join(s, o);
	o->from = (uint16_t)(SIM_PEERS + s->world->clients++ % (UINT16_MAX - SIM_PEERS));
	list_append(&inlet->queue, &o->queue);
	if (sim_sock_is_live(inlet) && (inlet->port->armed & PORT_ACCEPT))
		event_set(inlet->net, &inlet->in);
	return 0;
}

/* As many as there is room for; the rest wait for the next turn, or for more room. */
static void inlet_arrive(struct timer *t)
{
	struct sim_sock *s = list_of(t, struct sim_sock, in.timer);
	struct port *p = s->port;
	unsigned budget = p->budget;
	struct sockaddr_storage a;
	socklen_t n;

	if (s->world->faulty)
		budget = budget > 1 ? 1 + sim_upto(s->world, budget - 1) : budget;
	while (budget-- > 0 && (p->want & PORT_ACCEPT) && !list_empty(&s->queue)) {
		struct sim_sock *c = list_of(list_pop(&s->queue), struct sim_sock, queue);
		const struct endpoint client = { .kind = s->name->kind };

		name_sockaddr(&client, c->from, &a, &n);
		sim_trace(c, 'a', NULL, 0);
		p->ops->accepted(p, sim_sock_handle(c), 0, (struct sockaddr *)&a, n);
	}
	if (sim_sock_is_live(s) && (p->want & PORT_ACCEPT) && p->budget > 0 && !list_empty(&s->queue))
		event_set(s->net, &s->in);
}

void inlet_update(struct sim_sock *s)
{
	struct port *p = s->port;

	if ((p->want & PORT_ACCEPT) && p->budget > 0) {
		p->armed |= PORT_ACCEPT;
		if (!list_empty(&s->queue))
			event_set(s->net, &s->in);
	} else {
		p->armed &= (uint8_t)~PORT_ACCEPT;
		event_drop(s->net, &s->in);
	}
}

int sim_dial(struct sim *w, const struct endpoint *e, struct addr *peer)
{
	struct endpoint *own = sys_malloc(sizeof *own);
	struct sockaddr_storage a;
	struct sim_sock *s;
	socklen_t n;

	if (own == NULL || (s = sim_sock_new(w)) == NULL) {
		free(own);
		return fail(-ENOMEM, "out of memory");
	}
	*own = *e;
	s->name = own;
	s->out.timer.fire = dial_done;
	name_sockaddr(e, e->port, &a, &n);
	addr_from_sockaddr(peer, (struct sockaddr *)&a, n);
	return sim_sock_handle(s);
}

static void dial_done(struct timer *t)
{
	struct sim_sock *s = list_of(t, struct sim_sock, out.timer);
	struct sim_sock *inlet = inlet_find(s->world, s->name);
	struct port *p = s->port;
	int err = inlet == NULL ? -ECONNREFUSED : sim_sock_connect(s, inlet);

	p->armed &= (uint8_t)~PORT_WRITABLE;
	sim_trace(s, err == 0 ? 'c' : 'n', NULL, 0);
	if (err < 0) {
		port_failed(p, err);
		return;
	}
	s->out.timer.fire = stream_leave;
	p->flags &= (uint8_t)~PORT_DIALLING;
	port_ready(p, PORT_WRITABLE);
}

void dial_update(struct sim_sock *s)
{
	if (!(s->port->want & PORT_WRITABLE) || (s->port->armed & PORT_WRITABLE))
		return;
	s->port->armed |= PORT_WRITABLE;
	event_set(s->net, &s->out);
}
