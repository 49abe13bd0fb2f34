/* SPDX-License-Identifier: MIT
 *
 * crew_process.c - workers that are processes: forked by the supervisor, reached by channels, replaced
 * when they crash.
 *
 * The supervisor holds all listening sockets, so the clients in a crashed worker's queue wait for its
 * replacement.  One that crashes at once is replaced more and more slowly, and at last not at all. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/error.h"
#include "serve/crew.h"
#include "serve/tell.h"

#define AT_ONCE_MS 1000                 /* a crash so soon after the start counts */
#define BACKOFF_MS 100
#define BACKOFF_MAX_MS 30000
#define CRASHES_MAX 10

/* --- In the worker process ----------------------------------------------------------------------- */

static void above_said(struct channel *c, const struct message *m, const uint8_t *bytes, size_t n)
{
	struct worker *w = c->port.loop->worker;

	switch (m->say) {
	case SAY_GO:
		if (worker_go(w) < 0) {
			log_line(&w->loop.log, 0, LOG_ERR, "worker %u: %s", w->index, myr_reason());
			_exit(1);
		}
		break;
	case SAY_STOP:
		worker_stop(w, m->number);
		break;
	case SAY_TELL:
		tell_here(w, m->id, bytes, n);
		break;
	case SAY_TELL_ALL:
		tell_all_here(w, m->number, bytes, n);
		break;
	default:
		break;
	}
}

static void above_ended(struct channel *c)
{
	worker_stop(c->port.loop->worker, 1);   /* the supervisor is gone */
}

static void above_released(struct channel *c)
{
	(void)c;
}

static int process_serve(struct worker *w, int uplink)
{
	struct channel above = { .said = above_said, .ended = above_ended, .released = above_released };
	struct message m = { .say = SAY_READY };
	int err = worker_start(w);

	if (err == 0)
		err = channel_open(&above, &w->loop, uplink);
	if (err < 0) {
		m = (struct message){ .say = SAY_FAILED, .number = err };
		channel_send(uplink, &m, myr_reason(), strlen(myr_reason()));
		return 1;
	}
	channel_send(uplink, &m, NULL, 0);
	while (!worker_is_over(w))
		worker_turn(w);
	channel_close(&above);
	worker_finish(w);
	return 0;
}

/* The other workers' sockets are closed here, and their numbers will be given to connections. */
static void process_keep_own(struct site *s, struct fds *keep, unsigned index)
{
	unsigned own = s->n_handles > 1 ? index : 0;

	fds_add(keep, s->handles[own]);
	for (unsigned k = 0; k < s->n_handles; k++)
		if (k != own)
			s->handles[k] = -1;
}

static _Noreturn void process_live(struct member *m, int uplink)
{
	struct crew *c = m->crew;
	struct myr_server *v = c->server;
	struct worker *w = m->worker;

	for (unsigned i = 0; i < v->n_sites; i++)
		process_keep_own(v->sites[i], &c->theirs, w->index);
	fds_add(&c->theirs, v->bell);
	fds_add(&c->theirs, uplink);
	fds_close_others(&c->theirs);
	v->place = PLACE_WORKER;
	v->self = w;
	v->uplink = uplink;
	v->crew = NULL;
	_exit(process_serve(w, uplink));
}

/* --- In the supervisor --------------------------------------------------------------------------- */

static struct member *member_of(struct child *c)
{
	return list_of(c, struct member, child);
}

static void process_said(struct child *child, const struct message *m, const uint8_t *bytes, size_t n)
{
	struct member *member = member_of(child);
	struct crew *c = member->crew;

	switch (m->say) {
	case SAY_READY:
		crew_ready(member);
		break;
	case SAY_FAILED:
		snprintf(member->why, sizeof member->why, "%.*s", (int)n, (const char *)bytes);
		member->error = m->number;
		break;
	case SAY_TELL:
	case SAY_TELL_ALL:
		crew_tell(c, m, bytes, n, member->worker);
		break;
	default:
		break;
	}
}

static int process_start(struct member *);

static void process_again(struct timer *t)
{
	struct member *m = list_of(t, struct member, again);
	struct crew *c = m->crew;

	if (c->level > 0)
		return;
	if (process_start(m) < 0) {
		log_line(&c->loop.log, 0, LOG_ERR, "cannot replace worker %u: %s", m->worker->index, myr_reason());
		loop_timer(&c->loop, &m->again, c->loop.now + BACKOFF_MAX_MS / 10);
		return;
	}
	m->alive = true;
	c->alive++;
}

/* How long to wait before the next one; -1: no more. */
static int process_backoff(struct member *m, int64_t now)
{
	int64_t ms = BACKOFF_MS;

	if (now - m->born >= AT_ONCE_MS) {
		m->crashes = 0;
		return 0;
	}
	if (++m->crashes >= CRASHES_MAX)
		return -1;
	for (unsigned i = 1; i < m->crashes && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	return ms < BACKOFF_MAX_MS ? (int)ms : BACKOFF_MAX_MS;
}

static void process_crashed(struct member *m, const char *how)
{
	struct crew *c = m->crew;
	char why[sizeof c->why + 100];
	int ms;

	if (!c->going) {                /* the first start: nothing has been promised to anybody yet */
		snprintf(why, sizeof why, "worker %u %s before it was ready", m->worker->index, how);
		crew_fail(c, m->error != 0 ? m->error : -ECHILD, m->error != 0 ? m->why : why);
		return;
	}
	ms = process_backoff(m, c->loop.now);
	if (ms < 0) {
		snprintf(why, sizeof why, "worker %u crashed %d times in a row; the last one %s", m->worker->index,
		         CRASHES_MAX, m->error != 0 ? m->why : how);
		crew_fail(c, -ECHILD, why);
		return;
	}
	log_line(&c->loop.log, 0, LOG_ERR, "worker %u (process %d) %s; replaced %s", m->worker->index,
	         (int)m->child.pid, m->error != 0 ? m->why : how, ms > 0 ? "after a pause" : "at once");
	loop_timer(&c->loop, &m->again, c->loop.now + ms);
}

static void process_ended(struct child *child)
{
	struct member *m = member_of(child);
	struct crew *c = m->crew;
	char how[100];

	child_describe(child, how, sizeof how);
	crew_lost(m);
	if (c->level > 0)
		STAT_ADD(m->worker->row->stats.cut, atomic_load(&m->worker->row->stats.conns_open));
	board_clear(c->server->board, m->worker->row);
	if (c->level == 0)
		process_crashed(m, how);
	else if (!child_ended_well(child))
		log_line(&c->loop.log, 0, LOG_ERR, "worker %u (process %d) %s", m->worker->index, (int)child->pid, how);
}

static int process_start(struct member *m)
{
	struct crew *c = m->crew;
	int uplink;
	pid_t pid;

	m->child.said = process_said;
	m->child.ended = process_ended;
	m->again.fire = process_again;
	m->born = c->loop.now;
	m->error = 0;
	pid = child_fork(&m->child, &c->loop, &uplink);
	if (pid == 0)
		process_live(m, uplink);
	return pid < 0 ? (int)pid : 0;
}

static void process_go(struct member *m)
{
	const struct message go = { .say = SAY_GO };

	channel_say(&m->child.channel, &go, NULL, 0);
}

static bool process_stop(struct member *m, int level)
{
	const struct message stop = { .say = SAY_STOP, .number = level };

	return channel_say(&m->child.channel, &stop, NULL, 0) == 0;
}

static void process_give_up(struct member *m)
{
	child_kill(&m->child);
}

const struct member_ops member_process = {
	.start = process_start, .go = process_go, .stop = process_stop, .give_up = process_give_up,
};
