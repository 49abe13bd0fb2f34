/* SPDX-License-Identifier: MIT
 *
 * multi_seed.c - the tutorials' clients of many connections, print for print: S1-P3 multiconn-client.py,
 * and S2-P1 with its twenty clients. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/multi.h"
#include "service/repr.h"

#define PIECE 1024                      /* recv(1024) */

static const char *repr(const void *p, size_t n)
{
	static char text[REPR_BYTES_MAX(65536)];

	repr_bytes(text, sizeof text, p, n);
	return text;
}

/* --- S1-P3 ---------------------------------------------------------------------------------------- */

static void s1_starting(struct member *m)
{
	const struct multi *u = m->crowd->arg;

	printf("Starting connection %u to %s\n", m->id, u->target.repr);
}

static void s1_saying(struct member *m, const void *p, size_t n)
{
	printf("Sending %s to connection %u\n", repr(p, n), m->id);
}

static void s1_heard(struct member *m, const void *p, size_t n)
{
	printf("Received %s from connection %u\n", repr(p, n), m->id);
}

static void s1_done(struct member *m)
{
	printf("Closing connection %u\n", m->id);
}

/* The first error is an exception, and the program's end. */
static void s1_ended(struct member *m, int why)
{
	if (m->open && why == MYR_EOF && !m->done)
		s1_done(m);
	else if (why < 0 && why != MYR_EOF && m->crowd->tally.failed == 1) {
		target_raise(why);
		myr_loop_stop(m->crowd->loop);
	}
}

const struct crowd_show multi_show_s1_p3 = {
	.starting = s1_starting, .saying = s1_saying, .heard = s1_heard, .done = s1_done, .ended = s1_ended,
};

/* --- S2-P1 ---------------------------------------------------------------------------------------- */

static void s2_heard(struct member *m, const void *p, size_t n)
{
	printf("Cliente %u recebeu: %s\n", m->id, repr(p, n));
}

/* The last line of the traceback in which a client's thread ends; the others go on. */
static void s2_ended(struct member *m, int why)
{
	(void)m;
	if (why < 0 && why != MYR_EOF)
		target_raise(why);
}

const struct crowd_show multi_show_s2_p1 = { .heard = s2_heard, .ended = s2_ended };

/* --- What they are like ------------------------------------------------------------------------------ */

#define TEXT(s) { (const uint8_t *)(s), sizeof (s) - 1 }

void multi_seed(struct multi *u, bool messages_given)
{
	static const struct myr_bytes s1[] = { TEXT("Message 1 from client."), TEXT("Message 2 from client.") };
	static const struct myr_bytes s2[] = { TEXT("Ola mundo da internet!") };
	struct crowd *c = &u->crowd;

	c->piece = PIECE;
	c->together = c->n;
	c->endpoint = u->target.endpoint;
	if (u->kind == MULTI_S1_P3) {
		c->show = &multi_show_s1_p3;
		c->first_id = 1;
		c->exactly = true;
	} else {
		c->show = &multi_show_s2_p1;
		c->first_id = 0;
		c->answer_each = true;
	}
	if (!messages_given) {
		c->messages = u->kind == MULTI_S1_P3 ? s1 : s2;
		c->messages_n = u->kind == MULTI_S1_P3 ? 2 : 1;
	}
}

bool multi_seed_usage(const struct multi *u, int args_n)
{
	if (u->kind != MULTI_S1_P3 || args_n == 3)
		return false;
	puts("Usage: multiconn-client.py <host> <port> <num_connections>");
	return true;
}
