/* SPDX-License-Identifier: MIT
 *
 * crowd.c - many connections, and no more of them being made at a time than a server's backlog takes:
 * who overruns it waits a second and more for the kernel to try again. */
#include "cli/crowd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_MS 10

static void crowd_more(struct crowd *);

/* --- The end of one ------------------------------------------------------------------------------ */

static const char *member_reason(const struct member *m, int why)
{
	if (why == MYR_EOF || why == 0)
		return "the server ended too early";
	return m->open ? myr_strerror(why) : why == -ETIMEDOUT ? "no connection in time" : myr_strerror(why);
}

static void member_over(struct member *m, int why)
{
	struct crowd *c = m->crowd;
	bool good = m->done || (m->open && (why == 0 || why == MYR_EOF) && c->expect < 0);

	m->over = true;
	if (good && !m->done)
		tally_ok(&c->tally, tally_ms(m->opened));
	else if (!good)
		tally_fail(&c->tally, member_reason(m, why));
	if (c->show->ended)
		c->show->ended(m, good ? 0 : why == 0 ? MYR_EOF : why);
}

static void crowd_settled(struct crowd *c)
{
	c->settled++;
	if (c->settled == c->n && c->show->settled)
		c->show->settled(c);
}

static void member_closed(struct myr_conn *conn, int why)
{
	struct member *m = myr_arg(conn);
	struct crowd *c = m->crowd;

	m->conn = NULL;
	if (m->open)
		c->open--;
	else
		c->connecting--;
	member_over(m, m->why != 0 ? m->why : why);
	if (!m->open)
		crowd_settled(c);
	crowd_more(c);
}

static void member_late(struct myr_conn *conn)
{
	struct member *m = myr_arg(conn);

	m->why = -ETIMEDOUT;
	myr_abort(conn);
}

/* --- Saying and hearing ---------------------------------------------------------------------------- */

bool crowd_say(struct member *m, const void *p, size_t n)
{
	if (m->crowd->show->saying)
		m->crowd->show->saying(m, p, n);
	m->asked = tally_clock();
	if (myr_write(m->conn, p, n) < 0)
		return false;                   /* it has failed: member_closed() tells */
	m->crowd->tally.sent += n;
	return true;
}

static void member_say_next(struct member *m)
{
	const struct myr_bytes *b = &m->crowd->messages[m->said++];

	crowd_say(m, b->p, b->n);
}

static void member_done(struct member *m)
{
	m->done = true;
	tally_ok(&m->crowd->tally, tally_ms(m->opened));
	if (m->crowd->show->done)
		m->crowd->show->done(m);
	myr_close(m->conn);
}

static void member_check(struct member *m)
{
	const struct crowd *c = m->crowd;

	if (c->answer_each && m->said < c->messages_n)
		member_say_next(m);
	else if (c->answer_each || (c->expect >= 0 && (c->exactly ? m->got == (uint64_t)c->expect :
	         m->got >= (uint64_t)c->expect)))
		member_done(m);
}

static size_t member_hears(struct myr_conn *conn, const void *bytes, size_t n)
{
	struct member *m = myr_arg(conn);
	struct crowd *c = m->crowd;
	const char *p = bytes;

	for (size_t left = n, piece; left > 0 && !m->done; left -= piece, p += piece) {
		piece = c->piece > 0 && left > c->piece ? c->piece : left;
		m->got += piece;
		c->tally.received += piece;
		if (c->show->heard)
			c->show->heard(m, p, piece);
		member_check(m);
	}
	return n;
}

/* A name is not looked up ten thousand times: that waits, and the loop with it. */
static void crowd_found(struct crowd *c, const char *peer)
{
	if (*c->address == '\0' && strcmp(peer, "unix") != 0)
		snprintf(c->address, sizeof c->address, "tcp:%s", peer);
}

static void member_opened(struct myr_conn *conn)
{
	struct member *m = myr_arg(conn);
	struct crowd *c = m->crowd;
	const int spent = (int)tally_ms(m->began);

	m->open = true;
	m->opened = m->asked = tally_clock();
	c->connecting--;
	c->open++;
	crowd_found(c, myr_peer(conn));
	if (c->timeout_ms >= 0 && c->expect != EXPECT_NONE)
		myr_tick(conn, c->timeout_ms > spent ? c->timeout_ms - spent : 1);
	if (c->show->opened)
		c->show->opened(m);
	while (m->said < c->messages_n && (m->said == 0 || !c->answer_each))
		member_say_next(m);
	if (c->expect == EXPECT_EOF && !c->answer_each)
		myr_write_eof(conn);
	else if (c->expect == 0)
		member_done(m);
	crowd_settled(c);
	crowd_more(c);
}

/* The end is an answer, too, to one who takes what a read brings; else member_over() knows if it was enough. */
static void member_eof(struct myr_conn *conn)
{
	struct member *m = myr_arg(conn);

	if (m->crowd->answer_each && !m->done && m->crowd->show->heard)
		m->crowd->show->heard(m, "", 0);
	if (m->crowd->answer_each && !m->done)
		member_done(m);
	else
		myr_close(conn);
}

static const struct myr_service member_service = {
	.name = "multi", .on_open = member_opened, .on_data = member_hears, .on_eof = member_eof,
	.on_tick = member_late, .on_close = member_closed,
};

/* --- Starting --------------------------------------------------------------------------------------- */

static void crowd_later(struct myr_loop *l, void *arg)
{
	struct crowd *c = arg;

	(void)l;
	c->waiting = false;
	crowd_more(c);
}

static void crowd_wait(struct crowd *c, int ms)
{
	c->waiting = myr_after(c->loop, ms, crowd_later, c) == 0;
}

/* False: it has to be tried again later. */
static bool member_start(struct member *m)
{
	struct crowd *c = m->crowd;
	int err;

	if (!m->tried && c->show->starting)
		c->show->starting(m);
	if (!m->tried)
		m->began = tally_clock();
	m->tried = true;
	err = myr_connect(&m->conn, c->loop, &member_service, *c->address ? c->address : c->endpoint, m);
	if (err == 0) {
		c->connecting++;
		return true;
	}
	m->conn = NULL;
	/* A unix socket's backlog is full: nobody tries again for us. */
	if (err == -EAGAIN && (c->timeout_ms < 0 || tally_ms(m->began) < c->timeout_ms)) {
		crowd_wait(c, RETRY_MS);
		if (c->waiting)
			return false;
	}
	if (err == -EINVAL)
		c->err = err;
	member_over(m, err == -EAGAIN ? -ETIMEDOUT : err);
	crowd_settled(c);
	return true;
}

static void crowd_more(struct crowd *c)
{
	while (c->started < c->n && c->connecting < c->together && !c->waiting && c->err == 0) {
		if (!member_start(&c->members[c->started]))
			break;
		c->started++;
		if (c->stagger_ms > 0 && c->started < c->n)
			crowd_wait(c, c->stagger_ms);
	}
}

int crowd_open(struct crowd *c)
{
	c->members = calloc(c->n, sizeof *c->members);
	if (!c->members || tally_open(&c->tally, c->n) < 0) {
		free(c->members);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < c->n; i++) {
		c->members[i].crowd = c;
		c->members[i].id = c->first_id + i;
	}
	return 0;
}

int crowd_start(struct crowd *c)
{
	crowd_more(c);
	return c->err;
}

void crowd_close(struct crowd *c)
{
	for (unsigned i = 0; i < c->n; i++)
		if (!c->members[i].over && !c->members[i].done)
			tally_fail(&c->tally, "interrupted");
	c->tally.ended = tally_clock();
}

void crowd_free(struct crowd *c)
{
	tally_close(&c->tally);
	free(c->members);
}
