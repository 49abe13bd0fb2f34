/* SPDX-License-Identifier: MIT
 *
 * sim_peer.c - the other end of a simulated connection, in the hands of a test.
 *
 * A peer has no port and needs no turns: what is sent to it is there at once, and what it sends is
 * on its way as the faults say. */
#include "io/sim_net.h"

#include <errno.h>
#include <string.h>

#include "base/sys.h"

/* A peer that reads takes all at once. */
void peer_take(struct sim_peer *peer)
{
	struct sim_sock *s = peer->sock;
	size_t n = buf_len(&s->bytes);

	if (peer->stopped || n == 0 || buf_append(&peer->got, buf_bytes(&s->bytes), n) < 0)
		return;
	buf_consume(&s->bytes, n);
	sim_sock_has_room(s);
}

static struct sim_peer *peer_new(struct sim *w)
{
	struct sim_peer *p = sys_calloc(1, sizeof *p);

	if (p == NULL || (p->sock = sim_sock_new(w)) == NULL) {
		free(p);
		return NULL;
	}
	p->sock->peer = p;
	return p;
}

struct sim_peer *sim_pair(struct sim *w, int *handle)
{
	struct sim_peer *p = peer_new(w);
	struct sim_sock *s = p != NULL ? sim_sock_new(w) : NULL;

	if (s == NULL) {
		sim_peer_free(p);
		return NULL;
	}
	sim_sock_join(p->sock, s);
	*handle = sim_sock_handle(s);
	return p;
}

struct sim_peer *sim_peer_connect(struct sim *w, const char *address)
{
	struct sim_sock *inlet;
	struct endpoint e;
	struct sim_peer *p;
	char why[128];

	if (endpoint_parse(&e, address, why, sizeof why) < 0 || (inlet = inlet_find(w, &e)) == NULL)
		return NULL;
	p = peer_new(w);
	if (p != NULL && sim_sock_connect(p->sock, inlet) < 0) {
		sim_peer_free(p);
		return NULL;
	}
	return p;
}

int sim_peer_send(struct sim_peer *p, const void *bytes, size_t n)
{
	struct sim_sock *s = p->sock, *o = s->other;

	if (s->bits & (SOCK_ENDED | SOCK_RESET))
		return 0;
	if (o == NULL) {
		s->bits |= SOCK_RESET;          /* nobody is there any more */
		return 0;
	}
	if (buf_append(&o->bytes, bytes, n) < 0)
		return -ENOMEM;
	sim_trace(s, 's', bytes, n);
	sim_sock_poke(o);
	return 0;
}

void sim_peer_end(struct sim_peer *p)
{
	if (!(p->sock->bits & SOCK_RESET))
		sim_sock_fin(p->sock);
}

void sim_peer_reset(struct sim_peer *p)
{
	struct sim_sock *s = p->sock;

	sim_trace(s, 'X', NULL, 0);
	s->bits |= SOCK_ENDED;
	buf_done(&s->bytes);
	if (s->other != NULL)
		sim_sock_reset(s->other);
}

void sim_peer_stop_reading(struct sim_peer *p, bool stop)
{
	p->stopped = stop;
	peer_take(p);
}

const char *sim_peer_take(struct sim_peer *p, size_t *n)
{
	buf_done(&p->taken);
	*n = buf_len(&p->got);
	if (buf_append(&p->got, "", 1) < 0) {
		*n = 0;
		return "";
	}
	p->taken = p->got;
	memset(&p->got, 0, sizeof p->got);
	return (const char *)buf_bytes(&p->taken);
}

size_t sim_peer_waiting(const struct sim_peer *p)
{
	return buf_len(&p->got) + buf_len(&p->sock->bytes);
}

bool sim_peer_ended(const struct sim_peer *p)
{
	return (p->sock->bits & SOCK_FIN) && buf_len(&p->sock->bytes) == 0;
}

bool sim_peer_was_reset(const struct sim_peer *p)
{
	return p->sock->bits & SOCK_RESET;
}

bool sim_peer_closed(const struct sim_peer *p)
{
	return p->sock->other == NULL;
}

void sim_peer_free(struct sim_peer *p)
{
	if (p == NULL)
		return;
	p->sock->peer = NULL;
	sim_sock_close(p->sock, false);
	buf_done(&p->got);
	buf_done(&p->taken);
	free(p);
}
