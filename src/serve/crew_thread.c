/* SPDX-License-Identifier: MIT
 *
 * crew_thread.c - workers that are threads: reached by posts, both ways. */
#include <errno.h>
#include <stdio.h>
#include <syslog.h>

#include "base/error.h"
#include "serve/crew.h"
#include "base/threads.h"

enum { RUNNING, ENDED, LEFT_BEHIND };

/* --- In the worker's thread ---------------------------------------------------------------------- */

static void member_note_error(struct member *m, int err)
{
	m->error = err;
	snprintf(m->why, sizeof m->why, "%s", myr_reason());
}

static void member_go_post(struct myr_loop *l, struct post *post)
{
	struct member *m = list_of(post, struct member, go);
	int err = worker_go(m->worker);

	(void)l;
	if (err < 0) {
		member_note_error(m, err);
		worker_stop(m->worker, 2);
	}
}

static void member_stop_post(struct myr_loop *l, struct post *post)
{
	(void)post;
	worker_stop(l->worker, 1);
}

static void member_cut_post(struct myr_loop *l, struct post *post)
{
	(void)post;
	worker_stop(l->worker, 2);
}

static void *member_main(void *arg)
{
	struct member *m = arg;
	struct worker *w = m->worker;
	int err = worker_start(w);

	if (err < 0) {
		member_note_error(m, err);
	} else {
		loop_post(&m->crew->loop, &m->started);
		while (!worker_is_over(w))
			worker_turn(w);
		worker_finish(w);
	}
	if (atomic_exchange(&m->state, ENDED) == RUNNING)
		loop_post(&m->crew->loop, &m->ended);
	return NULL;
}

/* --- In the supervisor's ------------------------------------------------------------------------- */

static void member_started_post(struct myr_loop *l, struct post *post)
{
	(void)l;
	crew_ready(list_of(post, struct member, started));
}

static void member_ended_post(struct myr_loop *l, struct post *post)
{
	struct member *m = list_of(post, struct member, ended);
	struct crew *c = m->crew;

	(void)l;
	pthread_join(m->thread, NULL);
	crew_lost(m);
	if (m->error != 0)
		crew_fail(c, m->error, m->why);
}

static int member_start(struct member *m)
{
	int err;

	m->go = (struct post){ .fn = member_go_post };
	m->stop = (struct post){ .fn = member_stop_post };
	m->cut = (struct post){ .fn = member_cut_post };
	m->started = (struct post){ .fn = member_started_post };
	m->ended = (struct post){ .fn = member_ended_post };
	atomic_init(&m->state, RUNNING);
	err = thread_start(&m->thread, 0, member_main, m);
	return err < 0 ? fail(err, "cannot start a thread: %s", myr_strerror(err)) : 0;
}

static void member_go(struct member *m)
{
	worker_post(m->worker, &m->go);
}

static bool member_stop(struct member *m, int level)
{
	return worker_post(m->worker, level >= 2 ? &m->cut : &m->stop) == 0;
}

static void member_give_up(struct member *m)
{
	struct crew *c = m->crew;

	if (atomic_exchange(&m->state, LEFT_BEHIND) == ENDED)
		return;                 /* just now */
	log_line(&c->loop.log, 0, LOG_ERR, "worker %u does not turn any more and is left behind", m->worker->index);
	STAT_ADD(m->worker->row->stats.cut, atomic_load(&m->worker->row->stats.conns_open));
	pthread_detach(m->thread);
	c->server->haunted = true;
	crew_lost(m);
}

const struct member_ops member_thread = {
	.start = member_start, .go = member_go, .stop = member_stop, .give_up = member_give_up,
};
