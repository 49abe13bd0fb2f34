/* SPDX-License-Identifier: MIT
 *
 * conn.c - the connection's state machine: input, output, wants, deadlines, close.
 *
 * Reports from the mover (received, sent, failed, ready, released) change state.  conn_settle(),
 * from the loop's flush, draws the consequences; conn_wants() is the one place that decides what a
 * connection asks of its transport.  The public calls are in calls.c, the waiting ones in blocking.c. */
#include "conn/conn.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "base/error.h"

#define STATE_ALIGN 16u
#define SETTLE_ROUNDS 4                 /* what callbacks change is looked at again, so often */

static void conn_fire(struct timer *);

void conn_attention(struct myr_conn *c)
{
	c->bits |= C_ATTENTION;
	loop_touch(&c->port);
}

void conn_fail(struct myr_conn *c, int err)
{
	assert(err < 0);
	if (c->bits & (C_FAILED | C_OVER))
		return;
	if (c->error == 0)
		c->error = (int16_t)err;
	c->bits |= C_FAILED;
	conn_attention(c);
}

/* The peer has broken its side.  What it is told already still leaves, as after conn_close(): it may be the answers
 * to what it asked before. */
void conn_break(struct myr_conn *c, int err)
{
	if (!conn_has_output(c) || (c->bits & (C_FAILED | C_OVER))) {
		conn_fail(c, err);
		return;
	}
	c->error = (int16_t)err;
	conn_close(c);
}

void conn_wake(struct myr_conn *c)
{
	struct task *t = c->more != NULL ? c->more->task : NULL;

	if (t != NULL && t->waits == c)
		task_wake(t);
}

struct conn_more *conn_more(struct myr_conn *c)
{
	struct conn_more *m = c->more;

	if (m != NULL)
		return m;
	m = sys_calloc(1, sizeof *m);
	if (m == NULL) {
		conn_fail(c, -ENOMEM);
		return NULL;
	}
	m->wait_due = m->tick_due = m->frame_due = CLOCK_NEVER;
	m->timeout_ms = MYR_NONE;
	m->tells_end = &m->tells;
	list_init(&m->dialled);
	list_init(&m->own.run.link);
	list_init(&m->files);
	list_init(&m->works);
	list_init(&m->works_done);
	return c->more = m;
}

/* --- Deadlines --------------------------------------------------------------------------------- */

void conn_schedule(struct myr_conn *c, int64_t due)
{
	if (due != CLOCK_NEVER && !(c->bits & C_OVER) && (c->timer.at == 0 || due < c->timer.due))
		loop_timer(c->port.loop, &c->timer, due);
}

static int64_t after(int64_t from, int ms)
{
	return ms < 0 ? CLOCK_NEVER : from + ms;
}

/* Dialled, of datagrams, and all has been asked: nobody says when the answers end. */
static bool conn_awaits_last(const struct myr_conn *c)
{
	return (c->bits & (C_DATAGRAM | C_FIN_SENT | C_IN_ENDED)) == (C_DATAGRAM | C_FIN_SENT);
}

/* The deadline of the phase the connection is in: opening, closing, or idle. */
static int64_t conn_phase_due(const struct myr_conn *c)
{
	const struct limits *l = &c->origin->limits;

	if ((c->bits & C_CLOSING) || conn_awaits_last(c))
		return after(c->active, l->close_ms);
	return after(c->active, c->bits & C_MOVED ? l->idle_ms : l->open_ms);
}

/* The first byte: the deadline of an idle connection may come before the one it had until now. */
MYR_SLOW void conn_first_move(struct myr_conn *c)
{
	c->bits |= C_MOVED;
	conn_schedule(c, conn_phase_due(c));
}

/* Closed, everything was sent, and only the peer's own end is missing: for us that is a clean end. */
static bool conn_is_sent(const struct myr_conn *c)
{
	return (c->bits & (C_CLOSING | C_FIN_SENT)) == (C_CLOSING | C_FIN_SENT) && !conn_has_output(c);
}

static void conn_phase_expired(struct myr_conn *c)
{
	if (conn_is_sent(c) || conn_awaits_last(c)) {
		c->bits |= C_IN_ENDED;
		conn_wake(c);
		conn_attention(c);
		return;
	}
	conn_fail(c, -ETIMEDOUT);
}

static void conn_fire_more(struct myr_conn *c, struct conn_more *m, int64_t now)
{
	if (m->wait_due <= now) {
		m->wait_due = CLOCK_NEVER;
		m->expired = true;
		conn_wake(c);
	}
	if (m->frame_due <= now)
		conn_fail(c, -ETIMEDOUT);
	if (m->tick_due <= now) {
		m->tick_due = CLOCK_NEVER;
		conn_tick(c);
	}
	conn_schedule(c, m->wait_due);
	conn_schedule(c, m->frame_due);
	conn_schedule(c, m->tick_due);
}

/* The timer is set for the earliest deadline or before it; activity only stores the time. */
static void conn_fire(struct timer *t)
{
	struct myr_conn *c = list_of(t, struct myr_conn, timer);
	int64_t now = c->port.loop->now, due = conn_phase_due(c);

	if (c->bits & (C_ATTENTION | C_DATAGRAM))
		loop_touch(&c->port);
	if (due <= now && conn_is_at_work(c) && !(c->bits & (C_CLOSING | C_FAILED))) {
		c->active = now;                /* it waits for us */
		due = conn_phase_due(c);
	}
	if (due <= now)
		conn_phase_expired(c);
	else
		conn_schedule(c, due);
	if (c->more != NULL)
		conn_fire_more(c, c->more, now);
}

void conn_frame_clock(struct myr_conn *c, bool partial)
{
	struct conn_more *m = c->more;
	int ms = c->origin->limits.frame_ms;

	if (!partial) {
		if (m != NULL)
			m->frame_due = CLOCK_NEVER;
	} else if (ms >= 0 && (m = conn_more(c)) != NULL && m->frame_due == CLOCK_NEVER) {
		m->frame_due = c->port.loop->now + ms;
		conn_schedule(c, m->frame_due);
	}
}

/* --- Input --------------------------------------------------------------------------------------- */

static bool conn_is_blocking(const struct myr_conn *c)
{
	return c->more != NULL && c->more->task != NULL;
}

/* Above out_high a connection is read no further: the peer must first take what it has asked for.  One that
 * was dialled is: there we ask, and a peer that waits for its answers to be taken takes no more questions. */
static bool conn_is_stuck(const struct myr_conn *c)
{
	return (c->bits & C_CHOKED) && (!(c->bits & C_CLIENT) || conn_is_blocking(c));
}

/* Input is not handed to a callback handler now. */
static bool conn_holds_back(const struct myr_conn *c)
{
	return (c->bits & (C_NO_DELIVERY & ~(uint32_t)C_CHOKED)) || conn_is_stuck(c);
}

/* Hand bytes to a callback handler as long as it takes them; returns how many it used. */
static size_t conn_hand_over(struct myr_conn *c, const uint8_t *b, size_t n)
{
	const struct myr_service *s = &c->origin->service;
	size_t used = 0;

	while (used < n && !(c->bits & C_RELAYED) && !conn_holds_back(c)) {
		struct myr_bytes frame;
		ssize_t k;

		if (c->framing == NULL) {
			conn_calls(c, CALL_ON_DATA);
			k = (ssize_t)s->on_data(c, b + used, n - used);
			assert((size_t)k <= n - used);
			used += (size_t)k;
			if (c->framing == NULL)
				break;          /* the rest when more has come */
			continue;
		}
		k = c->framing->split((struct myr_bytes){ b + used, n - used }, c->seen,
		                      c->origin->limits.frame_max, &frame);
		if (k < 0) {
			conn_break(c, (int)k);
			break;
		}
		if (k == 0) {
			c->seen = (uint32_t)(n - used);
			break;
		}
		c->seen = 0;
		conn_frame_clock(c, false);
		if (s->on_frame != NULL) {
			conn_calls(c, CALL_ON_FRAME);
			s->on_frame(c, frame.p, frame.n);
		}
		used += (size_t)k;
	}
	return used;
}

/* What is left over after the handler was offered all there is. */
static void conn_check_rest(struct myr_conn *c)
{
	size_t n = buf_len(&c->in);

	if ((c->bits & C_RELAYED) || conn_holds_back(c))
		return;
	if (c->framing != NULL && n > 0)
		conn_frame_clock(c, true);
	if (n >= c->origin->limits.in_max)
		conn_break(c, -EMSGSIZE);       /* nothing more can ever come: it would wait for ever */
}

static void conn_keep(struct myr_conn *c, const uint8_t *b, size_t n)
{
	if (n > 0 && buf_append(&c->in, b, n) < 0)
		conn_fail(c, -ENOMEM);
	if (buf_len(&c->in) >= c->origin->limits.in_max && !(c->bits & C_IN_FULL)) {
		c->bits |= C_IN_FULL;
		loop_touch(&c->port);
	}
}

/* The whole datagram: the next one may come. */
static MYR_SLOW void conn_has_had(struct myr_conn *c)
{
	c->whole = false;
	loop_touch(&c->port);
}

void conn_input_taken(struct myr_conn *c, size_t n)
{
	buf_consume(&c->in, n);
	if (c->whole && buf_len(&c->in) == 0)
		conn_has_had(c);
	if ((c->bits & C_IN_FULL) && buf_len(&c->in) <= c->origin->limits.in_max / 2) {
		c->bits &= ~(uint32_t)C_IN_FULL;
		loop_touch(&c->port);
	}
}

/* The handler has not used these.  It may have set a framing meanwhile: then they are looked at again. */
static MYR_SLOW void conn_left_over(struct myr_conn *c, const uint8_t *b, size_t n)
{
	conn_keep(c, b, n);
	conn_check_rest(c);
}

/* What there is is not enough for the handler: more is wanted, even above the mark. */
void conn_input_short(struct myr_conn *c)
{
	if (c->whole && buf_len(&c->in) == 0)
		conn_has_had(c);
	if ((c->bits & C_IN_FULL) && buf_len(&c->in) < c->origin->limits.in_max) {
		c->bits &= ~(uint32_t)C_IN_FULL;
		loop_touch(&c->port);
	}
}

/* Offer a callback handler all that is buffered. */
static void conn_offer(struct myr_conn *c)
{
	if (buf_len(&c->in) > 0 && !conn_holds_back(c)) {
		conn_input_taken(c, conn_hand_over(c, buf_bytes(&c->in), buf_len(&c->in)));
		conn_input_short(c);
		conn_check_rest(c);
	}
}

static inline void conn_received_blocking(struct myr_conn *c, const uint8_t *b, size_t n)
{
	struct conn_more *m = c->more;

	if (m->read_to == NULL) {
		conn_keep(c, b, n);
		conn_wake(c);
		return;
	}
	/* It waits in myr_read() for just this, and nothing is buffered. */
	m->read_got = n < m->read_room ? n : m->read_room;
	memcpy(m->read_to, b, m->read_got);
	m->read_to = NULL;
	conn_calls(c, CALL_HANDLE);
	if (m->read_got < n)
		conn_keep(c, b + m->read_got, n - m->read_got);
	task_resume(m->task);
}

static MYR_SLOW void conn_ended(struct myr_conn *c)
{
	c->bits |= C_IN_ENDED;
	if (!(c->bits & (C_CLOSING | C_FIN_WANTED)))
		c->bits |= C_PEER_FIRST;
	conn_wake(c);
	conn_attention(c);
}

static MYR_SLOW void conn_received_any(struct myr_conn *c, const uint8_t *b, size_t n)
{
	size_t used;

	if (n == 0) {
		conn_ended(c);
		return;
	}
	STAT_ADD(c->port.loop->stats->bytes_in, n);
	if (c->bits & (C_CLOSING | C_FAILED | C_OVER))
		return;                         /* thrown away, and no reason to stay longer */
	conn_moved(c);
	if (c->bits & C_RELAYED) {
		if (buf_len(&c->in) == 0)
			relay_pass_on(c, b, n);
		else
			conn_keep(c, b, n);     /* what came before the relay goes first: relay_settle() */
	} else if (conn_is_blocking(c)) {
		conn_received_blocking(c, b, n);
	} else if (buf_len(&c->in) == 0 && !conn_holds_back(c)) {
		used = conn_hand_over(c, b, n);
		if (used < n)
			conn_left_over(c, b + used, n - used);
	} else {
		conn_keep(c, b, n);
		conn_offer(c);
	}
}

/* --- Output -------------------------------------------------------------------------------------- */

static int conn_gather(struct port *p, struct iovec *iov, int max)
{
	struct myr_conn *c = (struct myr_conn *)p;
	const struct outq *q = &c->out;
	const struct chunk *first = q->first;

	if (conn_has_files(c))
		return conn_gather_files(c, iov, max);
	if (first == NULL || first->next != NULL)
		return outq_gather(q, iov, max);
	iov->iov_base = (void *)(uintptr_t)(first->data + first->head);
	iov->iov_len = first->tail - first->head;
	return 1;
}

static MYR_SLOW void conn_sent_unusual(struct myr_conn *c, size_t n)
{
	if (n == 0)
		c->bits |= C_FIN_SENT;
	else if (!(c->bits & (C_CLOSING | C_FIN_WANTED | C_STOPPING | C_FLUSHING)) &&
	         c->out.len > c->origin->limits.out_low)
		return;                         /* choked, and still too full */
	conn_attention(c);
}

static void conn_sent(struct port *p, size_t n)
{
	struct myr_conn *c = (struct myr_conn *)p;

	if (n > 0) {
		if (conn_has_files(c))
			conn_sent_files(c, n);
		else
			outq_consume(&c->out, &p->loop->chunks, n);
		STAT_ADD(p->loop->stats->bytes_out, n);
		conn_moved(c);
	}
	if (n == 0 || (c->bits & (C_CLOSING | C_FIN_WANTED | C_STOPPING | C_FLUSHING | C_CHOKED)))
		conn_sent_unusual(c, n);
}

/* --- The report that matters most ---------------------------------------------------------------- */

/* While a report is handled the port is held off the dirty list: what the handler queues is sent when it
 * returns, and only what that leaves undone waits for the flush. */
static MYR_SLOW void conn_unhold_later(struct port *p, size_t sent)
{
	if (sent > 0)
		conn_sent(p, sent);
	loop_touch(p);
}

static inline void conn_unhold(struct port *p)
{
	struct myr_conn *c = (struct myr_conn *)p;
	const struct chunk *first = c->out.first;
	size_t n = 0;

	p->flags &= (uint8_t)~PORT_DIRTY;
	if (!(c->bits & C_UNSETTLED)) {
		if (first == NULL)
			return;
		if (first->next == NULL && p->loop->mover->send_now != NULL) {
			n = p->loop->mover->send_now(p, first->data + first->head, c->out.len);
			if (n == c->out.len) {
				outq_consume_only(&c->out, &p->loop->chunks);
				STAT_ADD(p->loop->stats->bytes_out, n);
				return;
			}
		}
	}
	conn_unhold_later(p, n);
}

static void conn_received(struct port *p, const uint8_t *b, size_t n)
{
	struct myr_conn *c = (struct myr_conn *)p;
	size_t used;

	if (p->flags & PORT_DIRTY) {
		conn_received_any(c, b, n);
		return;
	}
	p->flags |= PORT_DIRTY;
	if (n == 0 || (c->bits & (C_NO_DELIVERY | C_RELAYED)) || ((uintptr_t)c->framing | (uintptr_t)c->in.mem)) {
		conn_received_any(c, b, n);
	} else {
		STAT_ADD(p->loop->stats->bytes_in, n);
		conn_moved(c);
		if (conn_is_blocking(c)) {
			conn_received_blocking(c, b, n);
		} else {
			conn_calls(c, CALL_ON_DATA);
			used = c->origin->service.on_data(c, b, n);
			if (used < n)
				conn_left_over(c, b + used, n - used);
		}
	}
	conn_unhold(p);
}

static void conn_room(struct myr_conn *c)
{
	struct myr_conn *partner = c->more != NULL ? c->more->partner : NULL;

	c->bits &= ~(uint32_t)C_CHOKED;
	c->bits |= C_OFFER;
	if (partner != NULL)
		conn_attention(partner);
	if (!conn_is_blocking(c) && !(c->bits & (C_RELAYED | C_CLOSING)) && c->origin->service.on_room != NULL) {
		conn_calls(c, CALL_ON_ROOM);
		c->origin->service.on_room(c);
	}
}

/* --- The end --------------------------------------------------------------------------------------- */

int conn_why(const struct myr_conn *c)
{
	if (c->error != 0)
		return c->error;
	if (c->bits & C_STOPPED)
		return MYR_STOP;
	return c->bits & C_PEER_FIRST ? MYR_EOF : 0;
}

static void conn_over(struct myr_conn *c)
{
	int why = conn_why(c);

	c->bits |= C_OVER;
	heap_remove(&c->port.loop->timers, &c->timer);
	relay_part(c, why);
	if (c->bits & C_RESET)
		c->port.flags |= PORT_RESET;
	if (!conn_is_blocking(c) && c->origin->service.on_close != NULL && (c->bits & (C_OPENED | C_CLIENT))) {
		conn_calls(c, CALL_ON_CLOSE);
		c->origin->service.on_close(c, why);
	}
	conn_wake(c);
	loop_detach(&c->port);
}

static void conn_free(struct myr_conn *c)
{
	struct myr_loop *l = c->port.loop;
	struct conn_more *m = c->more;

	if (c->origin->ended != NULL)
		c->origin->ended(c);
	if (slots_get(&l->slots, c->id) == c)
		slots_remove(&l->slots, c->id);
	list_remove(&c->link);
	loop_timer_disown(l, &c->timer);
	buf_done(&c->in);
	outq_done(&c->out, &l->chunks);
	conn_drop_files(c);
	if (c->origin->owned)
		free((void *)(uintptr_t)c->origin);
	while (m != NULL && m->tells != NULL) {
		struct tell *t = m->tells;

		m->tells = t->next;
		free(t);
	}
	if (m != NULL) {
		list_remove(&m->own.run.link);
		free(m->peer_text);
		free(m->asked);
	}
	free(m);
	free(c);
}

/* Is a blocking handler still inside, has the one that dialled it not given it back, or is work out? */
static bool conn_is_held(const struct myr_conn *c)
{
	if (conn_is_at_work(c))
		return true;
	if (!conn_is_blocking(c))
		return false;
	return c->bits & C_OWNED ? !(c->bits & C_GIVEN_BACK) : !(c->bits & C_LEFT);
}

static void conn_released(struct port *p)
{
	struct myr_conn *c = (struct myr_conn *)p;

	c->bits |= C_RELEASED;
	if (!conn_is_held(c))
		conn_free(c);
}

void conn_handler_left(struct myr_conn *c)
{
	c->bits |= c->bits & C_OWNED ? C_GIVEN_BACK : C_LEFT;
	conn_work_done(c);
}

void conn_work_done(struct myr_conn *c)
{
	conn_wake(c);
	if (!(c->bits & C_RELEASED))
		conn_attention(c);
	else if (!conn_is_held(c))
		conn_free(c);
}

/* --- Settling ---------------------------------------------------------------------------------------- */

unsigned conn_wants(const struct myr_conn *c)
{
	uint32_t b = c->bits;
	unsigned want = 0;

	if (b & (C_OVER | C_FAILED))
		return 0;
	if (b & C_DIALLING)
		return PORT_WRITABLE;
	if (!(b & C_IN_ENDED)) {
		bool room = !(b & (C_PAUSED | C_IN_FULL)) && !conn_is_stuck(c);

		if ((b & C_RELAYED) && c->more->partner != NULL)
			room = !(c->more->partner->bits & C_CHOKED);
		if (room || (b & C_CLOSING))
			want = PORT_RECV;
	}
	if (conn_has_output(c))
		want |= PORT_SEND;
	else if (!(b & C_FIN_SENT) && ((b & C_FIN_WANTED) || ((b & C_CLOSING) && !(b & C_IN_ENDED))))
		want |= PORT_FIN;               /* the close itself sends the last one */
	return want;
}

static bool conn_is_done(const struct myr_conn *c)
{
	if (conn_has_output(c) || !(c->bits & C_IN_ENDED) || conn_is_at_work(c))
		return false;
	if (c->bits & C_CLOSING)
		return true;
	return (c->bits & C_FIN_SENT) && (c->bits & C_EOF_TOLD) && !conn_is_blocking(c);
}

static void conn_start(struct myr_conn *c)
{
	int err;

	c->bits |= C_STARTED;
	if (c->origin->runner != NULL) {
		err = c->origin->runner->start(c);
		if (err < 0)
			conn_fail(c, err);
		return;
	}
	c->bits |= C_OPENED;
	if (c->origin->service.on_open != NULL) {
		conn_calls(c, CALL_ON_OPEN);
		c->origin->service.on_open(c);
	}
}

static void conn_tell_eof(struct myr_conn *c)
{
	if ((c->bits & (C_IN_ENDED | C_EOF_TOLD)) != C_IN_ENDED || conn_holds_back(c) || c->whole)
		return;
	if (c->framing != NULL && buf_len(&c->in) > 0) {
		conn_break(c, MYR_EFRAME);
		return;
	}
	c->bits |= C_EOF_TOLD;
	if (c->origin->service.on_eof != NULL) {
		conn_calls(c, CALL_ON_EOF);
		c->origin->service.on_eof(c);
	} else {
		myr_close(c);
	}
}

static void conn_tell_stop(struct myr_conn *c)
{
	if (!(c->bits & C_STOPPING) || (c->bits & (C_CLOSING | C_FAILED)))
		return;
	if (conn_is_blocking(c)) {
		if (!(c->bits & C_STOP_TOLD))
			conn_wake(c);
	} else if (c->origin->service.on_stop != NULL && !(c->bits & C_STOP_TOLD)) {
		c->bits |= C_STOP_TOLD;
		conn_calls(c, CALL_ON_STOP);
		c->origin->service.on_stop(c);
	} else if (c->origin->service.on_stop == NULL && !(c->bits & C_RELAYED) && buf_len(&c->in) == 0 &&
	           !conn_has_output(c) && !conn_is_at_work(c)) {
		c->bits |= C_STOPPED;
		myr_close(c);
	}
}

/* A blocking handler sees a failure at once, and unwinds; a callback's on_close waits for work that is out. */
static bool conn_has_failed(const struct myr_conn *c)
{
	return (c->bits & C_FAILED) && (conn_is_blocking(c) || !conn_is_at_work(c));
}

static MYR_SLOW void conn_attend(struct myr_conn *c)
{
	c->bits &= ~(uint32_t)C_ATTENTION;
	if (c->bits & C_OVER)
		return;
	if (!(c->bits & (C_STARTED | C_DIALLING | C_FAILED)))
		conn_start(c);
	if ((c->bits & C_CHOKED) && c->out.len <= c->origin->limits.out_low && !conn_has_files(c))
		conn_room(c);
	if (c->bits & C_STARTED)
		conn_run_due(c);
	if (conn_is_blocking(c)) {
		conn_wake(c);
		conn_tell_stop(c);
	} else if (c->bits & C_STARTED && !(c->bits & C_RELAYED)) {
		if (c->bits & C_DATAGRAM)
			datagram_offer(c);
		else if (c->bits & C_OFFER)
			conn_offer(c);
		conn_tell_eof(c);
		conn_tell_stop(c);
	}
	if (c->bits & C_RELAYED)
		relay_settle(c);
	c->bits &= ~(uint32_t)C_OFFER;
	if (conn_has_failed(c) || conn_is_done(c)) {
		conn_over(c);
	} else if (!c->lingers && conn_is_sent(c) && !conn_is_at_work(c)) {
		c->lingers = true;
		if (c->origin->lingers != NULL)
			c->origin->lingers(c);
	}
}

MYR_SLOW void conn_settle_all(struct myr_conn *c)
{
	for (int i = 0; i < SETTLE_ROUNDS && (c->bits & C_ATTENTION); i++)
		conn_attend(c);
	if (c->bits & C_CLOSING)
		buf_done(&c->in);
	if (c->bits & C_ATTENTION)              /* a handler that always has one more wish: next turn */
		conn_schedule(c, c->port.loop->now);
	c->port.want = (uint8_t)conn_wants(c);
}

static void conn_settle(struct port *p)
{
	struct myr_conn *c = (struct myr_conn *)p;

	if (c->bits & C_UNSETTLED)
		conn_settle_all(c);
	else
		p->want = c->out.len > 0 ? PORT_RECV | PORT_SEND : PORT_RECV;
}

/* --- Reports of an opening connection ------------------------------------------------------------------ */

static void conn_ready(struct port *p, unsigned events)
{
	struct myr_conn *c = (struct myr_conn *)p;

	(void)events;
	if (!(c->bits & C_DIALLING))
		return;
	c->bits &= ~(uint32_t)C_DIALLING;
	conn_moved(c);                  /* a client may wait to be spoken to: idle_ms, not open_ms */
	conn_wake(c);
	conn_attention(c);
}

static void conn_failed(struct port *p, int err)
{
	conn_fail((struct myr_conn *)p, err);
}

static const struct port_ops conn_ops = {
	.settle = conn_settle, .received = conn_received, .gather = conn_gather, .sent = conn_sent,
	.ready = conn_ready, .failed = conn_failed, .released = conn_released,
};

/* Bytes move by themselves (datagram.c): the mover only says when there are some. */
static const struct port_ops datagram_ops = {
	.settle = datagram_settle, .ready = datagram_ready, .failed = conn_failed, .released = conn_released,
};

void conn_is_datagram(struct myr_conn *c)
{
	c->port.ops = &datagram_ops;
	c->bits |= C_DATAGRAM;
}

/* --- The beginning ------------------------------------------------------------------------------------- */

static size_t conn_size(size_t state)
{
	size_t n = (sizeof(struct myr_conn) + STATE_ALIGN - 1) / STATE_ALIGN * STATE_ALIGN;

	return state > 0 ? n + state : sizeof(struct myr_conn);
}

void *myr_state(struct myr_conn *c)
{
	if (c->origin->service.state == 0)
		return NULL;
	return (uint8_t *)c + conn_size(1) - 1;
}

struct myr_conn *conn_new(struct myr_loop *l, const struct origin *o, int32_t handle, uint8_t port_flags,
                          myr_id id, uint32_t number, int *err)
{
	struct myr_conn *c;

	*err = -ENOMEM;
	if (loop_timer_own(l) < 0)
		goto fail_timer;
	c = sys_calloc(1, conn_size(o->service.state));
	if (c == NULL)
		goto fail_memory;
	c->port = (struct port){ .ops = &conn_ops, .loop = l, .handle = handle, .flags = port_flags };
	c->bits = (port_flags & PORT_DIALLING ? (uint32_t)C_DIALLING : 0) | C_ATTENTION;
	c->origin = o;
	c->framing = o->service.framing;
	c->timer.fire = conn_fire;
	c->active = l->now;
	c->id = id;
	c->number = number;
	if (id == 0 && slots_add(&l->slots, c, &c->id) < 0)
		goto fail_slot;
	*err = loop_attach(&c->port);
	if (*err < 0)
		goto fail_attach;
	list_append(&l->conns, &c->link);
	loop_timer(l, &c->timer, after(l->now, o->limits.open_ms));
	loop_touch(&c->port);
	*err = 0;
	return c;
fail_attach:
	if (id == 0)
		slots_remove(&l->slots, c->id);
fail_slot:
	free(c);
fail_memory:
	l->timer_owners--;
fail_timer:
	if (handle >= 0)
		l->mover->discard(l, handle, port_flags);
	return NULL;
}

struct myr_conn *conn_accept(struct myr_loop *l, const struct origin *o, int32_t handle, uint8_t port_flags,
                             const struct sockaddr *a, socklen_t n, myr_id id, uint32_t number, int *err)
{
	struct myr_conn *c = conn_new(l, o, handle, port_flags, id, number, err);

	if (c != NULL)
		addr_from_sockaddr(&c->peer, a, n);
	return c;
}

void conn_stop(struct myr_conn *c)
{
	c->bits |= C_STOPPING;
	conn_attention(c);
}

void conn_cut(struct myr_conn *c)
{
	if (c->bits & (C_FAILED | C_OVER)) {
		conn_cancel_works(c);
		return;
	}
	if (conn_is_sent(c)) {
		conn_phase_expired(c);
		return;
	}
	c->bits |= C_RESET;
	STAT_ADD(c->port.loop->stats->cut, 1);
	/* Not MYR_STOP for a blocking handler: that one it may ignore, and this one never stops. */
	conn_fail(c, conn_is_blocking(c) ? -ECANCELED : MYR_STOP);
	conn_cancel_works(c);
}
