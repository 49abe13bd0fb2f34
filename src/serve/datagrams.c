/* SPDX-License-Identifier: MIT
 *
 * datagrams.c - a worker's ear for datagrams: each is admitted as a connection of its own.
 *
 * As many are read in a turn as there is room for; the rest waits in the kernel's queue, which drops what
 * it cannot hold.  Here a datagram gets its allowance, what its answers may come to, and the ones that no
 * client would send are ignored. */
#include <errno.h>
#include <stddef.h>
#include <sys/un.h>

#include "io/dgram.h"
#include "serve/listener.h"
#include "serve/worker.h"

#define AMPLIFY 3                       /* times what came, unless the endpoint says amplify=N */
#define RESERVED_PORT 1024              /* below are servers: one that answers us would be answered, for ever */

/* The kernel says who a unix sender is.  A handler that never stops must end there, too. */
static size_t datagrams_allowance(const struct site *s, const struct datagram *d)
{
	size_t times = s->endpoint.amplify != 0 ? s->endpoint.amplify : AMPLIFY;
	size_t most = s->origin.limits.out_max, allowed = times * (d->n + d->header);

	return s->endpoint.kind == ENDPOINT_UNIXGRAM || allowed > most ? most : allowed;
}

/* The chargen-echo loop (CVE-1999-0103), and its kin: a request said to come from another server. */
static bool datagrams_is_from_server(const struct myr_server *v, const struct site *s, const struct datagram *d)
{
	struct addr from;

	if (s->endpoint.kind != ENDPOINT_UDP || s->endpoint.from_any)
		return false;
	addr_from_sockaddr(&from, (const struct sockaddr *)&d->from.address, d->from.len);
	if (from.port < RESERVED_PORT)
		return true;
	for (unsigned i = 0; i < v->n_sites; i++)
		if (v->sites[i]->endpoint.kind == ENDPOINT_UDP && v->sites[i]->name.port == from.port)
			return true;
	return false;
}

/* A name that begins in the folder of whoever bound it: in ours it is somebody else's, or nobody's. */
static bool datagrams_is_relative(const struct datagram *d)
{
	const struct sockaddr_un *u = (const struct sockaddr_un *)&d->from.address;

	return u->sun_family == AF_UNIX && d->from.len > offsetof(struct sockaddr_un, sun_path) &&
	       u->sun_path[0] != '/' && u->sun_path[0] != '\0';
}

static void datagrams_take(struct listener *l, unsigned i)
{
	struct datagram d;
	bool fits = inbox_get(l->worker->inbox, l->port.handle, i, &d);
	const struct accepted a = { -1, 0, (const struct sockaddr *)&d.from.address, d.from.len, &d };

	board_take_token(l->worker->server->board, l->worker->loop.now);
	d.allowed = datagrams_allowance(l->site, &d);
	if (!fits || d.n > datagram_max(&l->site->origin.limits))
		listener_turn_away(l, &a, "its datagram is too long");
	else if (datagrams_is_relative(&d))
		listener_turn_away(l, &a, "its sender has a relative name, which means nothing here");
	else if (datagrams_is_from_server(l->worker->server, l->site, &d))
		listener_turn_away(l, &a, "its datagram comes from a server's port (from=any answers those)");
	else
		listener_admit(l, &a);
}

static void datagrams_ready(struct port *p, unsigned events)
{
	struct listener *l = (struct listener *)p;
	int n = inbox_receive(l->worker->inbox, p->handle, l->site->endpoint.kind == ENDPOINT_UDP, p->budget);

	(void)events;
	loop_touch(p);
	for (int i = 0; i < n; i++)
		datagrams_take(l, (unsigned)i);
	if (n < 0 && n != -EAGAIN && n != -EINTR)
		listener_failed(p, n);
}

const struct port_ops datagrams_ops = {
	.settle = listener_settle, .ready = datagrams_ready, .failed = listener_failed,
	.released = listener_released,
};
