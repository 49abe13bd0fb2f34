/* SPDX-License-Identifier: MIT
 *
 * listener.c - accept, limits, running out of descriptors. */
#include "serve/listener.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "io/dgram.h"
#include "serve/worker.h"

#define REFUSING_MAX 64u                /* connections that are told "full" at the same time */
#define ROOM_POLL_MS 100                /* room that another worker makes is noticed after this */
#define SAY_MS 1000                     /* between two log lines of a kind */

/* Serving somebody, where one is served at a time.  Who was answered and does not hang up keeps nobody waiting. */
static bool worker_is_busy(const struct worker *w)
{
	return (w->server->engine->traits & ONE_AT_A_TIME) && atomic_load(&w->row->stats.conns_open) > w->lingering;
}

static uint64_t peer_key(const struct accepted *a)
{
	struct addr peer;

	addr_from_sockaddr(&peer, a->address, a->address_len);
	return addr_peer_key(&peer);
}

/* --- Saying no ----------------------------------------------------------------------------------- */

void listener_say_full(struct myr_conn *c)
{
	const struct site *site = myr_arg(c);
	const char *text = site->origin.service.full;

	myr_write(c, text, strlen(text));
	myr_close(c);
}

void listener_refusal_ended(struct myr_conn *c)
{
	struct worker *w = c->port.loop->worker;

	w->refusing--;
	worker_look(w);
}

/* Every refusal is counted; the log has a line a second at most. */
static void listener_refuse(struct listener *l, const struct accepted *a, const char *why)
{
	struct worker *w = l->worker;
	char peer[ADDR_TEXT];
	struct addr at;

	STAT_ADD(w->row->stats.refused, 1);
	w->refused_unsaid++;
	if (w->loop.now >= w->said_refused + SAY_MS) {
		addr_from_sockaddr(&at, a->address, a->address_len);
		addr_format_host(&at, peer, sizeof peer);
		log_line(&w->loop.log, 0, LOG_NOTICE, "refused %u connection%s, last from %s: %s", w->refused_unsaid,
		         w->refused_unsaid == 1 ? "" : "s", peer, why);
		w->said_refused = w->loop.now;
		w->refused_unsaid = 0;
	}
}

void listener_turn_away(struct listener *l, const struct accepted *a, const char *why)
{
	listener_refuse(l, a, why);
	if (a->datagram == NULL)
		l->worker->loop.mover->discard(&l->worker->loop, a->handle, a->flags);
}

static void listener_tell_full(struct listener *l, const struct accepted *a)
{
	struct worker *w = l->worker;
	int err;

	listener_refuse(l, a, "conns_max is reached");
	if (conn_accept(&w->loop, &l->site->refusal, a->handle, a->flags, a->address, a->address_len, 0, 0,
	                &err) != NULL)
		w->refusing++;
}

/* --- Saying yes ---------------------------------------------------------------------------------- */

static void listener_park(struct listener *l, const struct accepted *a)
{
	struct parked *p = &l->parked[l->n_parked];

	if (l->n_parked == LISTENER_BUDGET || a->datagram != NULL) {
		listener_turn_away(l, a, "conns_max is reached");
		return;
	}
	l->n_parked++;
	p->handle = a->handle;
	p->flags = a->flags;
	p->len = a->address_len < sizeof p->address ? a->address_len : sizeof p->address;
	memcpy(&p->address, a->address, p->len);
}

/* Busy from now on: what this turn would still accept is for workers that are not. */
static void listener_hush_all(struct worker *w)
{
	for (unsigned i = 0; i < w->n_listeners; i++)
		w->listeners[i].port.want = 0;
	worker_look(w);
}

static void listener_dispatch(struct listener *l, const struct accepted *a, uint64_t key)
{
	struct worker *w = l->worker;
	int err = w->server->engine->dispatch(l, a);

	if (err == 0) {
		STAT_ADD(w->row->stats.accepted, 1);
		if (w->server->engine->traits & ONE_AT_A_TIME)
			listener_hush_all(w);
		return;
	}
	board_leave(w->server->board, w->row, key);
	STAT_ADD(w->row->stats.refused, 1);
	worker_pause(w, err);
}

void listener_admit(struct listener *l, const struct accepted *a)
{
	struct worker *w = l->worker;
	uint64_t key = peer_key(a);

	if (w->phase == PHASE_CUT) {
		listener_turn_away(l, a, "the server stops");
		return;
	}
	if (worker_is_busy(w)) {
		listener_park(l, a);
		return;
	}
	switch (board_enter(w->server->board, w->row, key)) {
	case 0:
		listener_dispatch(l, a, key);
		break;
	case -EUSERS:
		listener_turn_away(l, a, "conns_per_peer is reached");
		break;
	default:
		if (l->site->origin.service.full != NULL && a->datagram == NULL)
			listener_tell_full(l, a);
		else
			listener_park(l, a);
	}
}

/* Those who could not be let in when they were accepted; during the drain they never will be. */
static void listener_unpark(struct listener *l)
{
	struct worker *w = l->worker;

	for (unsigned n = l->n_parked; n > 0; n--) {
		struct parked p = l->parked[0];
		const struct accepted a = { p.handle, p.flags, (struct sockaddr *)&p.address, p.len, NULL };

		if (!worker_tells(w) && (board_room(w->server->board) == 0 || worker_is_busy(w)))
			return;
		l->n_parked--;
		memmove(&l->parked[0], &l->parked[1], l->n_parked * sizeof l->parked[0]);
		if (!worker_tells(w))
			listener_admit(l, &a);
		else
			listener_turn_away(l, &a, "the server stops");
	}
}

/* --- How many ------------------------------------------------------------------------------------ */

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Several workers look at the same time: near the end of what there is each takes a share. */
static unsigned listener_share(const struct listener *l, unsigned n)
{
	unsigned workers = l->worker->server->n_workers;

	return n < LISTENER_BUDGET * workers ? (n + workers - 1) / workers : n;
}

static unsigned listener_room(const struct listener *l)
{
	struct worker *w = l->worker;
	const struct myr_server *v = w->server;
	unsigned room = board_room(v->board);

	if (worker_is_busy(w))
		return 0;
	if (room == 0 && l->site->origin.service.full != NULL && !endpoint_is_datagram(&l->site->endpoint))
		return REFUSING_MAX - least(w->refusing, REFUSING_MAX);
	if (v->engine->traits & ONE_AT_A_TIME)
		return room > 0 ? 1 : 0;
	return listener_share(l, room);
}

static unsigned listener_budget(const struct listener *l)
{
	struct worker *w = l->worker;
	int64_t now = w->loop.now;
	unsigned tokens, room;

	if (w->phase != PHASE_SERVING || l->n_parked > 0)
		return 0;
	if (now < w->paused_until) {
		worker_look_at(w, w->paused_until);
		return 0;
	}
	tokens = board_tokens(w->server->board, now);
	if (tokens == 0) {
		worker_look_at(w, board_next_token(w->server->board));
		return 0;
	}
	room = listener_room(l);
	return least(least(room, listener_share(l, tokens)), LISTENER_BUDGET);
}

void listener_settle(struct port *p)
{
	struct listener *l = (struct listener *)p;
	struct worker *w = l->worker;

	if (w->phase > PHASE_SERVING && !l->deaf) {
		l->deaf = true;
		sites_refuse(w->server);        /* once more, if the server itself is gone */
	}
	listener_unpark(l);
	p->budget = (uint8_t)listener_budget(l);
	p->want = p->budget == 0 ? 0 : endpoint_is_datagram(&l->site->endpoint) ? PORT_READABLE : PORT_ACCEPT;
	if (p->budget == 0 && w->phase == PHASE_SERVING && w->server->n_workers > 1 && !worker_is_busy(w))
		worker_look_at(w, w->loop.now + ROOM_POLL_MS);
}

/* --- Reports ------------------------------------------------------------------------------------- */

static void listener_accepted(struct port *p, int32_t handle, uint8_t flags, const struct sockaddr *address,
                              socklen_t len)
{
	struct listener *l = (struct listener *)p;
	const struct accepted a = { handle, flags, address, len, NULL };

	loop_touch(p);
	board_take_token(l->worker->server->board, p->loop->now);
	listener_admit(l, &a);
}

void listener_failed(struct port *p, int err)
{
	struct listener *l = (struct listener *)p;
	struct worker *w = l->worker;

	if (l->deaf || (err == -EINVAL && server_stop_level(w->server) > 0)) {
		p->want = 0;            /* the stop has shut the socket, and is on its way to us */
		return;
	}
	STAT_ADD(w->row->stats.refused, 1);
	if (worker_pause(w, err))
		p->want = 0;
}

void listener_released(struct port *p)
{
	((struct listener *)p)->gone = true;
}

static const struct port_ops listener_ops = {
	.settle = listener_settle, .accepted = listener_accepted, .failed = listener_failed,
	.released = listener_released,
};

/* Accepting, where it is asked of the kernel, is asked for exclusively: who came just when we withdrew has woken
 * nobody else, and would wait for the next one to come.  So the last look at the queue is ours. */
bool listener_sweep(struct listener *l)
{
	const struct myr_server *v = l->worker->server;
	struct sockaddr_storage a;
	socklen_t n;
	int fd;

	if (l->gone || l->swept)
		return l->n_parked == 0;
	if (l->port.armed)
		return false;
	l->swept = true;
	while (board_room(v->board) > 0 && l->n_parked == 0) {
		n = sizeof a;
		fd = sys_accept4(l->port.handle, (struct sockaddr *)&a, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			break;
		listener_accepted(&l->port, fd, 0, (struct sockaddr *)&a, n);
	}
	return l->n_parked == 0;
}

int listener_open(struct listener *l, struct worker *w, struct site *site)
{
	int handle = site->handles[site->n_handles > 1 ? w->index : 0];
	bool datagrams = endpoint_is_datagram(&site->endpoint);
	int err;

	l->worker = w;
	l->site = site;
	if (datagrams && w->inbox == NULL && (w->inbox = inbox_new()) == NULL)
		return -ENOMEM;
	l->port = (struct port){ .ops = datagrams ? &datagrams_ops : &listener_ops, .loop = &w->loop,
	                         .handle = handle, .flags = PORT_BORROWED };
	err = loop_attach(&l->port);
	l->gone = err < 0;
	if (err == 0)
		loop_touch(&l->port);
	return err;
}

void listener_close(struct listener *l)
{
	if (l->gone)
		return;
	listener_unpark(l);
	loop_detach(&l->port);
}
