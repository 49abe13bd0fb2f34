/* SPDX-License-Identifier: MIT
 *
 * crew.c - the supervisor of several workers. */
#include "serve/crew.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/error.h"
#include "io/selector.h"
#include "serve/tell.h"

#define GRACE_MS 2000                   /* workers cut, and give up, by themselves: then we do */

/* --- What members report ------------------------------------------------------------------------- */

static void crew_go(struct crew *c)
{
	c->going = true;
	for (unsigned i = 0; i < c->server->n_workers; i++)
		if (c->members[i].alive)
			c->ops->go(&c->members[i]);
}

void crew_ready(struct member *m)
{
	struct crew *c = m->crew;

	m->ready = true;
	c->ready++;
	if (m->told < c->level && c->ops->stop(m, c->level))
		m->told = c->level;
	if (c->going)
		c->ops->go(m);          /* a replacement */
	else if (c->ready == c->server->n_workers)
		crew_go(c);
}

void crew_lost(struct member *m)
{
	struct crew *c = m->crew;

	if (m->ready)
		c->ready--;
	m->alive = m->ready = false;
	m->told = 0;
	c->alive--;
}

void crew_fail(struct crew *c, int err, const char *why)
{
	if (c->error == 0) {
		c->error = err;
		snprintf(c->why, sizeof c->why, "%s", why);
	}
	crew_stop(c, 1);
}

/* --- Stopping ------------------------------------------------------------------------------------ */

void crew_stop(struct crew *c, int level)
{
	int wait_ms = level >= 2 ? 0 : c->server->config.drain_ms;

	if (level <= c->level)
		return;
	c->level = level;
	if (level == 1 && server_is_handed(c->server) && wait_ms > 0)
		wait_ms = wait_ms < INT_MAX / 4 ? 2 * wait_ms : INT_MAX / 2;    /* quiet for as long before */
	for (unsigned i = 0; i < c->server->n_workers; i++) {
		struct member *m = &c->members[i];

		if (m->alive && c->ops->stop(m, level))
			m->told = level;
	}
	if (wait_ms >= 0)
		loop_timer(&c->loop, &c->patience, c->loop.now + wait_ms + GRACE_MS);
}

static void crew_patience_fire(struct timer *t)
{
	struct crew *c = list_of(t, struct crew, patience);

	for (unsigned i = 0; i < c->server->n_workers; i++)
		if (c->members[i].alive)
			c->ops->give_up(&c->members[i]);
}

static void crew_rung(struct bell *b, int level)
{
	crew_stop(list_of(b, struct crew, bell), level);
}

static bool crew_is_over(const struct crew *c)
{
	return c->level > 0 && c->alive == 0;
}

/* --- Life ---------------------------------------------------------------------------------------- */

static int crew_note_theirs(struct crew *c)
{
	const struct myr_server *v = c->server;

	if (!v->processes)
		return 0;
	if (fds_open_now(&c->theirs, v->n_sites + 8) < 0)
		return fail(-ENOMEM, "out of memory");
	for (unsigned i = 0; i < v->n_sites; i++)
		for (unsigned j = 0; j < v->sites[i]->n_handles; j++)
			fds_remove(&c->theirs, v->sites[i]->handles[j]);
	fds_remove(&c->theirs, v->bell);
	return 0;
}

static int crew_own_timers(struct crew *c)
{
	for (unsigned i = 0; i <= c->server->n_workers; i++)
		if (loop_timer_own(&c->loop) < 0)
			return fail(-ENOMEM, "out of memory");
	return 0;
}

static void crew_door(struct crew *c, bool open)
{
	pthread_mutex_lock(&c->server->door);
	c->open = open;
	c->server->crew = open ? c : NULL;
	pthread_mutex_unlock(&c->server->door);
}

static struct crew *crew_new(struct myr_server *v)
{
	struct crew *c = sys_calloc(1, sizeof *c + v->n_workers * sizeof c->members[0]);

	if (c == NULL) {
		fail(-ENOMEM, "out of memory");
		return NULL;
	}
	c->server = v;
	c->ops = v->processes ? &member_process : &member_thread;
	c->patience.fire = crew_patience_fire;
	c->bell.rung = crew_rung;
	for (unsigned i = 0; i < v->n_workers; i++) {
		c->members[i].crew = c;
		c->members[i].worker = &v->workers[i];
	}
	return c;
}

static int crew_open(struct crew *c)
{
	int err = crew_note_theirs(c);

	if (err < 0)
		return err;
	err = loop_open(&c->loop, &mover_ready, &selector_poll, true);
	if (err < 0)
		goto fail_loop;
	c->loop.server = c->server;
	c->loop.log = c->server->log;
	err = crew_own_timers(c);
	if (err < 0)
		goto fail_bell;
	err = bell_hang(&c->bell, c->server, &c->loop);
	if (err < 0)
		goto fail_bell;
	return 0;
fail_bell:
	loop_close(&c->loop);
fail_loop:
	fds_done(&c->theirs);
	return err;
}

static void crew_start(struct crew *c)
{
	for (unsigned i = 0; i < c->server->n_workers && c->error == 0; i++) {
		struct member *m = &c->members[i];
		int err = c->ops->start(m);

		if (err < 0) {
			crew_fail(c, err, myr_reason());
			return;
		}
		m->alive = true;
		c->alive++;
	}
}

int crew_run(struct myr_server *v)
{
	struct crew *c = crew_new(v);
	int err;

	if (c == NULL)
		return -ENOMEM;
	err = crew_open(c);
	if (err < 0) {
		free(c);
		return err;
	}
	crew_door(c, true);
	crew_start(c);
	while (!crew_is_over(c))
		loop_turn(&c->loop);
	crew_door(c, false);
	bell_take_down(&c->bell);
	loop_close(&c->loop);
	fds_done(&c->theirs);
	err = c->error != 0 ? fail(c->error, "%s", c->why) : 0;
	if (!v->haunted)
		free(c);
	return err;
}
