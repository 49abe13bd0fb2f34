/* SPDX-License-Identifier: MIT
 *
 * calls.c - the public calls on a connection that never wait, and myr_write(), which may.
 *
 * They change state and touch the port; conn.c draws the consequences, from the loop. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "conn/conn.h"
#include "conn/shared.h"

#define NOW_BYTES ((size_t)16384)       /* from here on a write into an empty queue is tried at once */

/* --- Writing --------------------------------------------------------------------------------- */

/* Why nothing more can be written; 0: it can. */
static int write_refused(const struct myr_conn *c)
{
	if (c->error != 0)
		return c->error;
	return c->bits & (C_CLOSING | C_FIN_WANTED | C_OVER) ? -EPIPE : 0;
}

/* A blocking handler waits inside a write: for its output to become less. */
static int write_wait(struct myr_conn *c, uint32_t bits)
{
	int err;

	c->bits |= C_WRITING | bits;
	err = conn_wait(c, conn_wait_due(c));
	c->bits &= ~(C_WRITING | bits);
	if (c->bits & C_DUE)
		conn_attention(c);      /* what came due meanwhile: soon, even if it is the last that happens here */
	return err;
}

/* Output is full: a blocking handler waits, a callback is allowed up to out_max. */
static int write_full(struct myr_conn *c)
{
	const struct task *t = conn_waiter(c);
	int err = 0;

	if (t == NULL || t->locked) {
		if (c->out.len < c->origin->limits.out_max)
			return 0;
		conn_fail(c, -ENOBUFS);
		return -ENOBUFS;
	}
	while (err == 0 && (c->bits & (C_CHOKED | C_FAILED)) == C_CHOKED)
		err = write_wait(c, 0);
	return c->error != 0 ? c->error : err;
}

int conn_write_begin(struct myr_conn *c)
{
	int err = 0;

	if (c->bits & (C_FAILED | C_CLOSING | C_FIN_WANTED | C_OVER))
		return write_refused(c);
	if (c->bits & C_CHOKED) {
		err = write_full(c);
		if (err == 0)
			err = write_refused(c);
	}
	return err;
}

static int write_bytes(struct myr_conn *c, const uint8_t *p, size_t n)
{
	const struct mover *mover = c->port.loop->mover;

	if (n >= NOW_BYTES && !conn_has_output(c) && mover->send_now != NULL && !(c->bits & C_DIALLING)) {
		size_t sent = mover->send_now(&c->port, p, n);

		if (sent > 0) {
			STAT_ADD(c->port.loop->stats->bytes_out, sent);
			conn_moved(c);
		}
		p += sent;
		n -= sent;
	}
	if (n > 0 && conn_queue(c, p, n) < 0) {
		conn_fail(c, -ENOMEM);
		return -ENOMEM;
	}
	return 0;
}

/* Bits with which a write is not simply queued. */
#define C_NOT_PLAIN (C_FAILED | C_CLOSING | C_FIN_WANTED | C_OVER | C_CHOKED | C_DATAGRAM)

static MYR_SLOW ssize_t write_unusual(struct myr_conn *c, const void *p, size_t n)
{
	int err = conn_write_begin(c);

	if (err == 0 && (c->bits & C_DATAGRAM))
		return datagram_write(c, p, n);
	if (err == 0)
		err = write_bytes(c, p, n);
	return err < 0 ? err : (ssize_t)n;
}

ssize_t myr_write(struct myr_conn *c, const void *p, size_t n)
{
	if ((c->bits & C_NOT_PLAIN) || n >= NOW_BYTES || conn_queue(c, p, n) < 0)
		return write_unusual(c, p, n);
	return (ssize_t)n;
}

ssize_t myr_send(struct myr_conn *c, const void *p, size_t n)
{
	struct myr_wrap w;
	int err = conn_write_begin(c);

	if (err < 0)
		return err;
	if (c->bits & C_DATAGRAM)
		return datagram_write(c, p, n);
	if (c->framing == NULL) {
		err = write_bytes(c, p, n);
		return err < 0 ? err : (ssize_t)n;
	}
	memset(&w, 0, sizeof w);
	c->framing->wrap(n, &w);
	if (w.head_n > sizeof w.head || w.tail_n > sizeof w.tail)
		return -EMSGSIZE;
	if ((w.head_n > 0 && (err = write_bytes(c, w.head, w.head_n)) < 0) ||
	    (n > 0 && (err = write_bytes(c, p, n)) < 0) ||
	    (w.tail_n > 0 && (err = write_bytes(c, w.tail, w.tail_n)) < 0))
		return err;             /* sticky: half a frame is never followed by anything */
	return (ssize_t)n;
}

ssize_t myr_printf(struct myr_conn *c, const char *fmt, ...)
{
	char small[1024], *text = small;
	va_list ap;
	ssize_t done;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(small, sizeof small, fmt, ap);
	va_end(ap);
	if (n < 0)
		return -EINVAL;
	if ((size_t)n >= sizeof small) {
		text = sys_malloc((size_t)n + 1);
		if (text == NULL)
			return -ENOMEM;
		va_start(ap, fmt);
		vsnprintf(text, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	done = myr_write(c, text, (size_t)n);
	if (text != small)
		free(text);
	return done;
}

int myr_full(const struct myr_conn *c)
{
	return (c->bits & C_CHOKED) != 0;
}

int myr_flush(struct myr_conn *c)
{
	const struct task *t = conn_waiter(c);
	int err = 0;

	if (t == NULL || c->more == NULL) {
		loop_touch(&c->port);
		return c->error;
	}
	if (t->locked)
		return -EDEADLK;
	while (err == 0 && conn_has_output(c) && !(c->bits & (C_FAILED | C_OVER)))
		err = write_wait(c, C_FLUSHING);
	return c->error != 0 ? c->error : err;
}

/* --- Ending ---------------------------------------------------------------------------------- */

int myr_write_eof(struct myr_conn *c)
{
	if (c->error != 0)
		return c->error;
	if (!(c->bits & (C_CLOSING | C_FIN_WANTED | C_OVER))) {
		c->bits |= C_FIN_WANTED;
		conn_attention(c);
	}
	return 0;
}

void conn_close(struct myr_conn *c)
{
	if (c->bits & (C_CLOSING | C_OVER))
		return;
	c->bits |= C_CLOSING;
	if (c->bits & C_DIALLING) {
		c->bits &= ~(uint32_t)C_DIALLING;
		conn_fail(c, -ECANCELED);
	}
	c->active = c->port.loop->now;
	if (c->origin->limits.close_ms >= 0)
		conn_schedule(c, c->active + c->origin->limits.close_ms);
	if (c->more != NULL && c->more->task != NULL)
		buf_done(&c->in);       /* a callback may be looking at it: theirs goes in conn_settle() */
	conn_frame_clock(c, false);
	conn_attention(c);
}

void conn_abort(struct myr_conn *c)
{
	c->bits |= C_RESET;
	conn_fail(c, -ECONNABORTED);
}

void myr_pause(struct myr_conn *c)
{
	c->bits |= C_PAUSED;
	loop_touch(&c->port);
}

void myr_resume(struct myr_conn *c)
{
	c->bits = (c->bits & ~(uint32_t)C_PAUSED) | C_OFFER;
	conn_attention(c);
}

void myr_tick(struct myr_conn *c, int ms)
{
	struct conn_more *m = conn_more(c);

	if (m == NULL)
		return;
	m->tick_due = ms < 0 ? CLOCK_NEVER : loop_fresh_now(c->port.loop) + ms;
	m->tick_late = false;
	conn_schedule(c, m->tick_due);
}

void myr_set_framing(struct myr_conn *c, const struct myr_framing *f)
{
	c->framing = f;
	c->seen = 0;
	c->bits |= C_OFFER;
	conn_frame_clock(c, false);
	conn_attention(c);
}

/* --- Asking ----------------------------------------------------------------------------------- */

void *myr_arg(struct myr_conn *c)
{
	return c->origin->arg;
}

void *myr_shared(struct myr_conn *c)
{
	return c->origin->shared != NULL ? shared_bytes(c->origin->shared) : NULL;
}

int myr_lock(struct myr_conn *c)
{
	int err;

	if (c->origin->shared == NULL)
		return -EINVAL;
	err = shared_lock(c->origin->shared);
	if (task_current != NULL && (err == 0 || err == -EOWNERDEAD))
		task_current->locked = true;
	return err;
}

void myr_unlock(struct myr_conn *c)
{
	if (c->origin->shared == NULL)
		return;
	if (task_current != NULL)
		task_current->locked = false;
	shared_unlock(c->origin->shared);
}

int myr_error(const struct myr_conn *c)
{
	return c->error;
}

/* Both texts are made at once, when first asked for: most connections are never asked. */
static const char *peer_text(const struct myr_conn *c, bool host)
{
	struct conn_more *m = conn_more((struct myr_conn *)(uintptr_t)c);

	if (m == NULL)
		return "?";
	if (m->peer_text == NULL) {
		m->peer_text = sys_malloc(2 * ADDR_TEXT);
		if (m->peer_text == NULL)
			return "?";
		addr_format(&c->peer, m->peer_text, ADDR_TEXT);
		addr_format_host(&c->peer, m->peer_text + ADDR_TEXT, ADDR_TEXT);
	}
	return m->peer_text + (host ? ADDR_TEXT : 0);
}

const char *myr_peer(const struct myr_conn *c)
{
	return peer_text(c, false);
}

const char *myr_peer_host(const struct myr_conn *c)
{
	return peer_text(c, true);
}

int myr_peer_port(const struct myr_conn *c)
{
	return c->peer.port;
}

unsigned long myr_number(const struct myr_conn *c)
{
	return c->number;
}

myr_id myr_conn_id(const struct myr_conn *c)
{
	return c->id;
}

int64_t myr_time(const struct myr_conn *c)
{
	return loop_time_of_day(c->port.loop);
}

struct myr_loop *myr_loop_of(struct myr_conn *c)
{
	return c->port.loop;
}

struct myr_server *myr_server_of(struct myr_conn *c)
{
	return c->origin->server;
}

void myr_log(const struct myr_conn *c, int level, const char *fmt, ...)
{
	static const struct log_sink to_stderr = { .level = 7 };
	va_list ap;

	va_start(ap, fmt);
	log_vline(c != NULL ? &c->port.loop->log : &to_stderr, c != NULL ? c->number : 0, level, fmt, ap);
	va_end(ap);
}
