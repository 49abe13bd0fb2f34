/* SPDX-License-Identifier: MIT
 *
 * tell.c - ticks, tells, results: what happens to a connection between its handler's waits.
 *
 * Neither ever interrupts a write: what comes due then waits (C_DUE) until the handler waits for
 * something else, or returns. */
#include <string.h>

#include "conn/conn.h"

#define TELLS_BYTES ((size_t)1 << 20)   /* that may wait for one connection */

void conn_tick(struct myr_conn *c)
{
	if (c->bits & C_WRITING) {
		c->bits |= C_DUE;
		c->more->tick_late = true;
	} else if (c->origin->service.on_tick != NULL && !(c->bits & (C_FAILED | C_OVER | C_CLOSING))) {
		conn_calls(c, CALL_ON_TICK);
		c->origin->service.on_tick(c);
	}
}

static void conn_told(struct myr_conn *c, const void *p, size_t n)
{
	conn_calls(c, CALL_ON_TELL);
	if (c->origin->service.on_tell != NULL)
		c->origin->service.on_tell(c, p, n);
	else if (c->framing != NULL)
		myr_send(c, p, n);
	else
		myr_write(c, p, n);
}

void conn_tell(struct myr_conn *c, const void *p, size_t n)
{
	struct conn_more *m;
	struct tell *t;

	if (c->bits & (C_FAILED | C_OVER | C_CLOSING))
		return;
	if ((c->bits & C_STARTED) && !(c->bits & C_WRITING) && (c->more == NULL || c->more->tells == NULL)) {
		conn_told(c, p, n);
		return;
	}
	m = conn_more(c);
	if (m == NULL || m->tells_bytes + n > TELLS_BYTES || (t = sys_malloc(sizeof *t + n)) == NULL)
		return;                         /* at most once: this one is lost */
	t->next = NULL;
	t->n = n;
	memcpy(t->bytes, p, n);
	*m->tells_end = t;
	m->tells_end = &t->next;
	m->tells_bytes += n;
	c->bits |= C_DUE;
	conn_attention(c);
}

void conn_run_due(struct myr_conn *c)
{
	struct conn_more *m = c->more;

	if ((c->bits & (C_DUE | C_WRITING)) != C_DUE)
		return;
	c->bits &= ~(uint32_t)C_DUE;
	conn_tell_works(c);
	if (m->tick_late) {
		m->tick_late = false;
		conn_tick(c);
	}
	while (m->tells != NULL && !(c->bits & (C_FAILED | C_OVER | C_CLOSING))) {
		struct tell *t = m->tells;

		m->tells = t->next;
		if (m->tells == NULL)
			m->tells_end = &m->tells;
		m->tells_bytes -= t->n;
		conn_told(c, t->bytes, t->n);
		free(t);
	}
}
