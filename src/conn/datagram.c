/* SPDX-License-Identifier: MIT
 *
 * datagram.c - a connection made of datagrams: boundaries are kept, both ways.
 *
 * One that was received is a small connection: its port has no socket of its own, its input is there from
 * the start and ended, and each write is an answer, sent at once through the socket it came by.  A dialled
 * one has a socket and gets any number of datagrams, one at a time: the next is read when its handler has
 * had the last.  What a full socket does not take waits, each datagram in a chunk of its own, and is tried
 * again by the clock: a unix receiver that does not read never shows as writable.
 *
 * Who sent a datagram is only what it says.  So that nobody can be flooded in another's name, all answers
 * together, headers included, come to a few times what came (RFC 9000 §8 has the same rule). */
#include "conn/conn.h"

#include <string.h>

#include "io/dgram.h"

#define RETRY_MS  5                     /* after a socket was full */
#define AT_A_TIME 64                    /* sent or received before others have their turn */

/* --- Out ----------------------------------------------------------------------------------------- */

static const struct dgram_name *datagram_to(const struct myr_conn *c, int *fd)
{
	const struct datagram *d = c->more != NULL ? c->more->asked : NULL;

	*fd = d != NULL ? d->fd : c->port.handle;
	return d != NULL ? &d->from : NULL;
}

static int datagram_send(struct myr_conn *c, const void *p, size_t n)
{
	int fd, err;
	const struct dgram_name *to = datagram_to(c, &fd);

	err = dgram_send(fd, to, p, n);
	if (err == 0) {
		STAT_ADD(c->port.loop->stats->bytes_out, n);
		conn_moved(c);
	}
	return err;
}

/* May it be answered with so much?  Sticky if not: a handler that writes without end ends. */
static int datagram_charge(struct myr_conn *c, size_t n)
{
	struct datagram *d = c->more != NULL ? c->more->asked : NULL;
	int err = 0;

	if (d == NULL)
		return 0;
	if (d->from.len <= sizeof(sa_family_t))
		err = -ENOTCONN;
	else if (n + d->header > d->allowed)
		err = MYR_EAMPLIFY;
	else
		d->allowed -= n + d->header;
	if (err < 0)
		conn_fail(c, err);
	return err;
}

ssize_t datagram_write(struct myr_conn *c, const void *p, size_t n)
{
	int err;

	if (n > DGRAM_MAX)
		return -EMSGSIZE;
	err = datagram_charge(c, n);
	if (err < 0)
		return err;
	err = c->out.len > 0 ? -EAGAIN : datagram_send(c, p, n);
	if (dgram_is_full(err)) {
		err = outq_append_whole(&c->out, p, n);
		if (c->out.len > c->origin->limits.out_high)
			c->bits |= C_CHOKED;
		loop_touch(&c->port);
	}
	if (err == 0)
		return (ssize_t)n;
	if (err != -EMSGSIZE)
		conn_fail(c, err);
	else if (c->more != NULL && c->more->asked != NULL)
		c->more->asked->allowed += n + c->more->asked->header;
	return err;
}

/* What had to wait. */
static MYR_SLOW void datagram_drain(struct myr_conn *c)
{
	struct myr_loop *l = c->port.loop;
	int err = 0;

	for (int i = 0; i < AT_A_TIME && c->out.len > 0 && err == 0; i++) {
		struct myr_bytes whole = outq_first_whole(&c->out);

		err = datagram_send(c, whole.p, whole.n);
		if (err == 0)
			outq_consume_whole(&c->out, &l->chunks);
	}
	if (err < 0 && !dgram_is_full(err))
		conn_fail(c, err);
	else if (c->out.len > 0 && err == 0)
		conn_schedule(c, l->now);
	c->bits |= C_ATTENTION;
}

/* --- In ------------------------------------------------------------------------------------------ */

static void datagram_hand_over(struct myr_conn *c, const uint8_t *b, size_t n)
{
	const struct myr_service *s = &c->origin->service;
	const uint8_t none[1] = { 0 };

	if (b == NULL)
		b = none;
	conn_calls(c, s->on_frame != NULL ? CALL_ON_FRAME : CALL_ON_DATA);
	if (s->on_frame != NULL)
		s->on_frame(c, b, n);
	else
		s->on_data(c, b, n);    /* what it leaves is not offered again: it came once and whole */
}

void datagram_offer(struct myr_conn *c)
{
	if (!c->whole || (c->bits & C_NO_DELIVERY))
		return;
	datagram_hand_over(c, buf_bytes(&c->in), buf_len(&c->in));
	c->whole = false;
	buf_done(&c->in);
}

static void datagram_keep(struct myr_conn *c, const uint8_t *b, size_t n)
{
	if (n > 0 && buf_append(&c->in, b, n) < 0)
		conn_fail(c, -ENOMEM);
	c->whole = true;
}

static void datagram_received(struct myr_conn *c, const uint8_t *b, size_t n)
{
	STAT_ADD(c->port.loop->stats->bytes_in, n);
	conn_moved(c);
	if (c->bits & C_RELAYED) {
		relay_pass_on(c, b, n);
	} else if (c->more != NULL && c->more->task != NULL) {
		datagram_keep(c, b, n);
		conn_wake(c);
	} else {
		datagram_hand_over(c, b, n);
	}
}

static bool datagram_wants(const struct myr_conn *c)
{
	return !c->whole && (conn_wants(c) & PORT_RECV) && !(c->bits & C_CLOSING);
}

void datagram_ready(struct port *p, unsigned events)
{
	struct myr_conn *c = (struct myr_conn *)p;
	size_t max = datagram_max(&c->origin->limits);
	uint8_t *b = sys_malloc(DGRAM_MAX);
	ssize_t n = b != NULL ? 0 : -ENOMEM;

	(void)events;
	for (int i = 0; i < AT_A_TIME && n >= 0 && datagram_wants(c); i++) {
		n = dgram_receive(p->handle, b, DGRAM_MAX);
		if (n >= 0 && (size_t)n <= max)
			datagram_received(c, b, (size_t)n);
	}
	if (n < 0 && n != -EAGAIN && n != -EINTR)
		conn_fail(c, (int)n);
	free(b);
	loop_touch(p);
}

size_t datagram_max(const struct limits *l)
{
	size_t n = l->in_max < l->frame_max ? l->in_max : l->frame_max;

	return n < DGRAM_MAX ? n : DGRAM_MAX;
}

/* --- Settling ------------------------------------------------------------------------------------ */

/* There is no end of stream to exchange: ours takes effect when all has been sent, and of a dialled
 * connection the other one follows when nothing has come for close_ms (conn_phase_due). */
static void datagram_end(struct myr_conn *c)
{
	if ((c->bits & C_CLOSING) && !(c->bits & C_IN_ENDED)) {
		c->bits |= C_IN_ENDED | C_ATTENTION;
	} else if ((c->bits & (C_FIN_WANTED | C_FIN_SENT)) == C_FIN_WANTED && c->out.len == 0) {
		c->bits |= C_FIN_SENT | C_ATTENTION;
		c->active = c->port.loop->now;
		if (c->origin->limits.close_ms >= 0)
			conn_schedule(c, c->active + c->origin->limits.close_ms);
	}
}

void datagram_settle(struct port *p)
{
	struct myr_conn *c = (struct myr_conn *)p;

	if (c->out.len > 0 && !(c->bits & (C_FAILED | C_OVER)))
		datagram_drain(c);
	do {
		datagram_end(c);
		conn_settle_all(c);
	} while ((c->bits & (C_CLOSING | C_IN_ENDED | C_OVER)) == C_CLOSING);
	datagram_end(c);
	if ((c->bits & (C_ATTENTION | C_OVER)) == C_ATTENTION)
		conn_schedule(c, c->port.loop->now);
	if (c->out.len > 0)
		conn_schedule(c, c->port.loop->now + RETRY_MS);
	p->want = datagram_wants(c) ? PORT_READABLE : 0;
}

/* --- The beginning ------------------------------------------------------------------------------- */

struct myr_conn *datagram_accept(struct myr_loop *l, const struct origin *o, const struct datagram *d, bool now,
                                 myr_id id, uint32_t number, int *err)
{
	struct datagram *asked = sys_malloc(sizeof *asked);
	struct myr_conn *c;

	*err = -ENOMEM;
	if (asked == NULL)
		return NULL;
	*asked = *d;
	asked->bytes = NULL;
	c = conn_new(l, o, -1, now ? PORT_DIRTY : 0, id, number, err);
	if (c == NULL || conn_more(c) == NULL) {
		free(asked);            /* without `more` it has failed already, and goes by itself */
	} else {
		c->more->asked = asked;
		conn_is_datagram(c);
		c->bits |= C_IN_ENDED | C_OFFER;
		STAT_ADD(l->stats->bytes_in, d->n);
		conn_moved(c);
		datagram_keep(c, d->bytes, d->n);
	}
	if (c == NULL)
		return NULL;
	addr_from_sockaddr(&c->peer, (const struct sockaddr *)&d->from.address, d->from.len);
	if (now)
		loop_flush_port(&c->port);
	return c;
}
