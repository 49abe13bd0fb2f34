/* SPDX-License-Identifier: MIT
 *
 * relay.c - two connections joined: what comes in at one goes out at the other.
 *
 * Either is the other's handler.  A full output stops the other's input, an end is passed on as an
 * end, and the failure of one is the reset of the other. */
#include <errno.h>

#include "conn/conn.h"

static void relay_put(struct myr_conn *to, const uint8_t *b, size_t n)
{
	ssize_t err = to->bits & C_DATAGRAM ? datagram_write(to, b, n) : conn_queue(to, b, n);

	if (err < 0)
		conn_fail(to, (int)err);
}

void relay_pass_on(struct myr_conn *c, const uint8_t *b, size_t n)
{
	struct myr_conn *to = c->more->partner;

	if (to != NULL && !(to->bits & (C_FAILED | C_OVER | C_CLOSING)))
		relay_put(to, b, n);
	if (to != NULL && (to->bits & C_CHOKED))
		loop_touch(&c->port);           /* our wants depend on its room */
}

bool relay_ended(const struct myr_conn *c)
{
	return (c->bits & (C_IN_ENDED | C_EOF_TOLD | C_FIN_SENT)) == (C_IN_ENDED | C_EOF_TOLD | C_FIN_SENT) &&
	       !conn_has_output(c);
}

void relay_settle(struct myr_conn *c)
{
	struct myr_conn *to = c->more->partner;

	if (to == NULL)
		return;
	if (buf_len(&c->in) > 0 || c->whole) {
		c->whole = false;
		relay_pass_on(c, buf_bytes(&c->in), buf_len(&c->in));
		conn_input_taken(c, buf_len(&c->in));
	}
	if ((c->bits & C_IN_ENDED) && !(c->bits & C_EOF_TOLD)) {
		c->bits |= C_EOF_TOLD;
		myr_write_eof(to);
	}
	if (relay_ended(c))
		conn_wake(c);
}

void relay_part(struct myr_conn *c, int why)
{
	struct myr_conn *partner = c->more != NULL ? c->more->partner : NULL;

	if (partner == NULL)
		return;
	partner->more->partner = NULL;
	c->more->partner = NULL;
	if (c->bits & C_FAILED) {               /* half of a relay is no use to anybody */
		partner->bits |= C_RESET;
		conn_fail(partner, why);
	}
	conn_wake(partner);
	conn_attention(partner);
}

int myr_relay(struct myr_conn *a, struct myr_conn *b)
{
	struct myr_conn *both[2] = { a, b };
	int err = 0;

	if (a == b || a->port.loop != b->port.loop || ((a->bits | b->bits) & C_RELAYED))
		return -EINVAL;
	if (conn_more(a) == NULL || conn_more(b) == NULL)
		return -ENOMEM;
	a->more->partner = b;
	b->more->partner = a;
	for (int i = 0; i < 2; i++) {
		both[i]->bits = (both[i]->bits | C_RELAYED) & ~(uint32_t)(C_PAUSED | C_EOF_TOLD);
		conn_attention(both[i]);
	}
	if (conn_waiter(a) == NULL)
		return 0;
	while (err == 0 && !((a->bits | b->bits) & C_FAILED) && !(relay_ended(a) && relay_ended(b)))
		err = conn_wait(relay_ended(a) ? b : a, CLOCK_NEVER);
	if (a->bits & C_FAILED)
		err = a->error;
	else if (b->bits & C_FAILED)
		err = b->error;
	conn_close(a);
	conn_close(b);
	return err;
}
