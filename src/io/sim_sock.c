/* SPDX-License-Identifier: MIT
 *
 * sim_sock.c - simulated sockets: streams as TCP has them, listening, dialling.
 *
 * Bytes to send are looked up when the send is asked for and read when it is done, as a completion
 * does; bytes lent are a block of their own, gone after the call.  Owners that touch either too late
 * are found by the address sanitizer.  Closing what has not been read is a reset, and so is the
 * answer to bytes for a closed socket; a reset loses what it overtakes. */
#include "io/sim_net.h"

#include <errno.h>
#include <string.h>

#include "base/sys.h"

/* --- Sockets ----------------------------------------------------------------------------------- */

static void stream_arrive(struct timer *);
static void sim_sock_end(struct timer *);

static int sim_new_cell(struct sim *w, uint32_t *cell)
{
	if (w->free_cell != 0) {
		*cell = w->free_cell - 1;
		w->free_cell = w->cells[*cell].next_free;
		return 0;
	}
	if (w->used == w->room) {
		uint32_t room = w->room == 0 ? 64 : 2 * w->room;
		struct sim_cell *cells = sys_realloc(w->cells, room * sizeof *cells);

		if (cells == NULL)
			return -ENOMEM;
		w->cells = cells;
		w->room = room;
	}
	*cell = w->used++;
	return 0;
}

struct sim_sock *sim_sock_new(struct sim *w)
{
	struct sim_sock *s = sys_calloc(1, sizeof *s);

	if (s == NULL)
		return NULL;
	if (sim_new_cell(w, &s->cell) < 0) {
		free(s);
		return NULL;
	}
	w->cells[s->cell] = (struct sim_cell){ .sock = s };
	s->world = w;
	s->number = ++w->sockets;
	event_init(&s->in, stream_arrive);
	event_init(&s->out, stream_leave);
	event_init(&s->end, sim_sock_end);
	list_init(&s->queue);
	return s;
}

void sim_sock_free(struct sim_sock *s)
{
	struct sim *w = s->world;

	assert(!event_is_set(&s->in) && !event_is_set(&s->out) && !event_is_set(&s->end));
	w->cells[s->cell] = (struct sim_cell){ .next_free = w->free_cell };
	w->free_cell = s->cell + 1;
	list_remove(&s->queue);
	buf_done(&s->bytes);
	free(s->name);
	free(s);
}

struct sim_sock *sim_sock_find(const struct sim *w, int32_t handle)
{
	uint32_t cell = (uint32_t)handle - SIM_HANDLES;

	return handle >= SIM_HANDLES && cell < w->used ? w->cells[cell].sock : NULL;
}

int32_t sim_sock_handle(const struct sim_sock *s)
{
	return (int32_t)(SIM_HANDLES + s->cell);
}

bool sim_sock_is_live(const struct sim_sock *s)
{
	return s->port != NULL && !port_is_muted(s->port);
}

void sim_sock_join(struct sim_sock *a, struct sim_sock *b)
{
	a->other = b;
	b->other = a;
}

/* There is room towards the socket again: its other side can go on. */
void sim_sock_has_room(struct sim_sock *s)
{
	struct sim_sock *o = s->other;

	if (o != NULL && sim_sock_is_live(o) && (o->port->flags & PORT_BLOCKED)) {
		o->port->flags &= (uint8_t)~PORT_BLOCKED;
		event_set(o->net, &o->out);
	}
}

/* Something has come for the socket: tell whoever has it, if it is asked for. */
void sim_sock_poke(struct sim_sock *s)
{
	if (s->peer != NULL)
		peer_take(s->peer);
	if (!sim_sock_is_live(s))
		return;
	if (s->bits & SOCK_RESET) {
		s->port->flags &= (uint8_t)~PORT_BLOCKED;
		if (s->port->armed & PORT_RECV)
			event_set(s->net, &s->in);
		else if (s->port->armed & (PORT_SEND | PORT_FIN))
			event_set(s->net, &s->out);
	} else if ((s->port->armed & PORT_RECV) &&
	           (buf_len(&s->bytes) > 0 || (s->bits & (SOCK_FIN | SOCK_FIN_TOLD)) == SOCK_FIN)) {
		event_set(s->net, &s->in);
	}
}

/* What has not been delivered is lost. */
void sim_sock_reset(struct sim_sock *s)
{
	buf_done(&s->bytes);
	s->bits |= SOCK_RESET;
	sim_sock_poke(s);
}

void sim_sock_fin(struct sim_sock *s)
{
	if (s->bits & SOCK_ENDED)
		return;
	s->bits |= SOCK_ENDED;
	sim_trace(s, 'F', NULL, 0);
	if (s->other != NULL) {
		s->other->bits |= SOCK_FIN;
		sim_sock_poke(s->other);
	}
}

/* As the kernel does: closing what has not been read is a reset. */
void sim_sock_close(struct sim_sock *s, bool reset)
{
	struct sim_sock *o = s->other;

	if (o != NULL) {
		if (reset || buf_len(&s->bytes) > 0)
			sim_sock_reset(o);
		else
			sim_sock_fin(s);
		sim_sock_has_room(s);
		o->other = NULL;
	}
	sim_trace(s, reset ? 'X' : 'C', NULL, 0);
	sim_sock_free(s);
}

void sim_close(struct sim *w, int handle)
{
	struct sim_sock *s = sim_sock_find(w, handle);

	assert(s != NULL && s->port == NULL && s->peer == NULL);
	if (s->bits & SOCK_LISTENS)
		inlet_close(s);
	else
		sim_sock_close(s, false);
}

/* --- Streams: events in and out ------------------------------------------------------------------- */

static size_t cut(struct sim *w, size_t n, size_t most)
{
	if (most != 0 && n > most)
		n = most;
	return w->faults.random_split && n > 1 ? 1 + sim_upto(w, n - 1) : n;
}

static void stream_lend(struct sim_sock *s)
{
	size_t n = cut(s->world, buf_len(&s->bytes), s->world->faults.split_max);
	uint8_t *lent;

	if (n > LOOP_SCRATCH)
		n = LOOP_SCRATCH;
	lent = sys_malloc(n);
	if (lent == NULL) {
		port_failed(s->port, -ENOMEM);
		return;
	}
	memcpy(lent, buf_bytes(&s->bytes), n);
	buf_consume(&s->bytes, n);
	sim_sock_has_room(s);
	sim_trace(s, 'r', lent, n);
	port_received(s->port, lent, n);
	free(lent);
}

static void stream_fail(struct sim_sock *s)
{
	int err = s->bits & SOCK_RESET_TOLD ? -EPIPE : -ECONNRESET;

	s->bits |= SOCK_RESET_TOLD;
	s->port->armed = 0;
	event_drop(s->net, &s->in);
	event_drop(s->net, &s->out);
	sim_trace(s, 'f', NULL, 0);
	port_failed(s->port, err);
}

static void stream_arrive(struct timer *t)
{
	struct sim_sock *s = list_of(t, struct sim_sock, in.timer);
	struct sim *w = s->world;
	struct port *p = s->port;

	if (!(p->want & PORT_RECV))
		p->armed &= (uint8_t)~PORT_RECV;        /* the one that came late */
	if (w->faults.reset_per_million > 0 && sim_random(w) % 1000000 < w->faults.reset_per_million) {
		if (s->other != NULL)
			sim_sock_reset(s->other);
		sim_sock_reset(s);
	}
	if (s->bits & SOCK_RESET) {
		stream_fail(s);
	} else if (buf_len(&s->bytes) > 0) {
		stream_lend(s);
	} else {
		p->armed &= (uint8_t)~PORT_RECV;
		s->bits |= SOCK_FIN_TOLD;
		sim_trace(s, 'e', NULL, 0);
		port_received(p, (const uint8_t *)"", 0);
	}
	sim_sock_poke(s);
}

/* The bytes leave: to the other side, or into the void, which answers with a reset. */
size_t stream_pass(struct sim_sock *s)
{
	struct sim *w = s->world;
	struct sim_sock *o = s->other;
	size_t total = 0, left;

	for (int i = 0; i < s->pieces; i++)
		total += s->iov[i].iov_len;
	if (o != NULL) {
		size_t room = w->faults.buffer - buf_len(&o->bytes);

		total = total < room ? total : room;
	}
	left = total = cut(w, total, w->faults.send_max);
	for (int i = 0; left > 0; i++) {
		size_t n = s->iov[i].iov_len < left ? s->iov[i].iov_len : left;

		sim_trace(s, 's', s->iov[i].iov_base, n);
		if (o != NULL && buf_append(&o->bytes, s->iov[i].iov_base, n) < 0)
			break;
		left -= n;
	}
	if (o != NULL)
		sim_sock_poke(o);
	else
		sim_sock_reset(s);
	return total - left;
}

void stream_leave(struct timer *t)
{
	struct sim_sock *s = list_of(t, struct sim_sock, out.timer);
	struct port *p = s->port;
	size_t n;

	if (p->armed & PORT_FIN) {
		p->armed &= (uint8_t)~PORT_FIN;
		sim_sock_fin(s);
		port_sent(p, 0);
		return;
	}
	if (s->bits & SOCK_RESET) {
		stream_fail(s);
		return;
	}
	if (s->other != NULL && buf_len(&s->other->bytes) >= s->world->faults.buffer) {
		p->flags |= PORT_BLOCKED;
		return;
	}
	p->armed &= (uint8_t)~PORT_SEND;
	n = stream_pass(s);
	loop_touch(p);                  /* for the rest, if there is one */
	if (n > 0)
		port_sent(p, n);
}

void stream_update(struct sim_sock *s)
{
	struct port *p = s->port;

	if (p->want & PORT_RECV) {
		if (!(s->bits & SOCK_FIN_TOLD))
			p->armed |= PORT_RECV;
	} else if ((p->armed & PORT_RECV) && !s->world->faults.late) {
		p->armed &= (uint8_t)~PORT_RECV;
		event_drop(s->net, &s->in);
	}
	sim_sock_poke(s);
	if (p->armed & (PORT_SEND | PORT_FIN))
		return;
	if ((p->want & PORT_SEND) && (s->pieces = p->ops->gather(p, s->iov, PORT_IOV)) > 0)
		p->armed |= PORT_SEND;
	else if ((p->want & (PORT_SEND | PORT_FIN)) == PORT_FIN)
		p->armed |= PORT_FIN;
	else
		return;
	event_set(s->net, &s->out);
}

/* What was in flight when the port was given up has happened, or it has not. */
static void sim_sock_end(struct timer *t)
{
	struct sim_sock *s = list_of(t, struct sim_sock, end.timer);
	struct port *p = s->port;

	if (s->turns-- > 0) {
		event_soon(s->net, &s->end);
		return;
	}
	if ((p->armed & PORT_SEND) && !(s->bits & SOCK_RESET) && s->world->faulty && sim_upto(s->world, 1) == 1)
		stream_pass(s);
	p->armed = 0;
	s->net->ports--;
	s->net = NULL;
	s->port = NULL;
	if (p->flags & PORT_BORROWED)
		sim_trace(s, 'd', NULL, 0);
	else if (s->bits & SOCK_LISTENS)
		inlet_close(s);
	else
		sim_sock_close(s, p->flags & PORT_RESET);
	loop_released(p);
}
