/* SPDX-License-Identifier: MIT
 *
 * worker.c - one loop with listeners, from service.start() to service.stop().
 *
 * The drain: listeners stop; accepted connections are told; when they have gone, what handlers have
 * dialled is closed; at drain_ms everything left is cut; what ignores even that is given up a second
 * later (children are killed, threads left behind) so that the server always ends.  When the server is
 * handed over, nobody is told at first: the drain begins after drain_ms for those who are still here. */
#include "serve/worker.h"

#include <errno.h>
#include <stdio.h>
#include <syslog.h>

#include "base/error.h"
#include "serve/dispatch.h"

#define PAUSE_MS 100                    /* after running out of something; or until a connection ends */
#define GIVE_UP_MS 1000                 /* from the cut to leaving handlers behind */
#define SAY_MS 1000
#define QUIET_LOOK_MS 20

/* --- Accounting and admission ---------------------------------------------------------------------- */

void worker_look(struct worker *w)
{
	for (unsigned i = 0; i < w->n_listeners; i++)
		if (!w->listeners[i].gone && !port_is_muted(&w->listeners[i].port))
			loop_touch(&w->listeners[i].port);
}

static void worker_look_fire(struct timer *t)
{
	struct worker *w = list_of(t, struct worker, look);

	worker_look(w);
	if (!w->quiet)
		return;
	w->swept = true;                /* may a newcomer be on the way to us, whom the other process never sees? */
	for (unsigned i = 0; i < w->n_listeners; i++)
		w->swept &= listener_sweep(&w->listeners[i]);
	if (!w->swept)
		loop_timer(&w->loop, t, w->loop.now + QUIET_LOOK_MS);
}

void worker_look_at(struct worker *w, int64_t when)
{
	if (w->look.at == 0 || when < w->look.due)
		loop_timer(&w->loop, &w->look, when);
}

void worker_left(struct worker *w, uint64_t peer_key)
{
	board_leave(w->server->board, w->row, peer_key);
	w->paused_until = 0;
	worker_look(w);
}

void worker_conn_lingers(struct myr_conn *c)
{
	struct worker *w = c->port.loop->worker;

	w->lingering++;
	worker_look(w);
}

void worker_conn_ended(struct myr_conn *c)
{
	struct worker *w = c->port.loop->worker;

	if (c->lingers)
		w->lingering--;
	worker_left(c->port.loop->worker, addr_peer_key(&c->peer));
}

/* Will the next accept fail like this one?  Everything else is that connection's own bad luck. */
static bool error_stays(int err)
{
	switch (err) {
	case -EMFILE: case -ENFILE: case -ENOBUFS: case -ENOMEM: case -ENOSPC: case -EAGAIN:
	case -EBADF: case -EINVAL: case -ENOTSOCK:      /* somebody has closed or shut down the socket */
		return true;
	default:
		return false;
	}
}

bool worker_pause(struct worker *w, int err)
{
	if (!error_stays(err))
		return false;
	w->paused_until = w->loop.now + PAUSE_MS;
	worker_look(w);
	if (w->loop.now >= w->said_paused + SAY_MS) {
		log_line(&w->loop.log, 0, LOG_WARNING, "cannot take another connection, pausing: %s",
		         myr_strerror(err));
		w->said_paused = w->loop.now;
	}
	return true;
}

int worker_post(struct worker *w, struct post *post)
{
	int err;

	pthread_mutex_lock(&w->door);
	err = w->open ? loop_post(&w->loop, post) : -ENOTCONN;
	pthread_mutex_unlock(&w->door);
	return err;
}

/* --- The start --------------------------------------------------------------------------------------- */

static const void *mover_argument(const struct myr_server *v)
{
	return v->world != NULL ? (const void *)v->world : (const void *)v->engine->selector;
}

static void worker_patience_fire(struct timer *);

static int worker_open(struct worker *w)
{
	struct myr_server *v = w->server;
	int err;

	err = loop_open(&w->loop, v->engine->mover, mover_argument(v), v->world == NULL);
	if (err < 0)
		return err;
	w->loop.worker = w;
	w->loop.server = v;
	w->loop.log = v->log;
	w->loop.stats = &w->row->stats;
	w->loop.stack = v->config.stack;
	w->loop.clients = &v->config;
	w->loop.slots.worker = (uint16_t)w->index;
	w->solos = (struct slots){ .worker = (uint16_t)(w->index + v->n_workers) };
	w->look = (struct timer){ .fire = worker_look_fire };
	w->patience = (struct timer){ .fire = worker_patience_fire };
	w->phase = PHASE_STARTING;
	w->said_refused = w->said_paused = INT64_MIN / 2;
	w->n_listeners = v->n_sites;
	w->listeners = sys_calloc(v->n_sites + 1, sizeof *w->listeners);
	if (w->listeners == NULL || loop_timer_own(&w->loop) < 0 || loop_timer_own(&w->loop) < 0) {
		free(w->listeners);
		w->listeners = NULL;
		loop_close(&w->loop);
		return fail(-ENOMEM, "out of memory");
	}
	for (unsigned i = 0; i < w->n_listeners; i++)
		w->listeners[i].gone = true;
	pthread_mutex_lock(&w->door);
	w->open = true;
	pthread_mutex_unlock(&w->door);
	return 0;
}

static int worker_start_services(struct worker *w)
{
	struct myr_server *v = w->server;

	for (; w->n_started < v->n_sites; w->n_started++) {
		const struct origin *o = &v->sites[w->n_started]->origin;
		int err = o->service.start != NULL ? o->service.start(&w->loop, o->arg) : 0;

		if (err < 0)
			return fail(err, "service %s does not start: %s",
			            o->service.name != NULL ? o->service.name : "?", myr_strerror(err));
	}
	return 0;
}

int worker_start(struct worker *w)
{
	int err = worker_open(w);
	char why[256];

	if (err < 0)
		return err;
	err = worker_start_services(w);
	if (err < 0) {
		snprintf(why, sizeof why, "%s", myr_reason());
		w->phase = PHASE_CUT;
		worker_finish(w);
		return fail(err, "%s", why);
	}
	return 0;
}

int worker_go(struct worker *w)
{
	int err;

	if (w->phase != PHASE_STARTING)
		return 0;               /* stopped before it began */
	err = kid_prepare(w);
	if (err < 0)
		return err;
	w->phase = PHASE_SERVING;
	atomic_store(&w->server->board->served, true);
	for (unsigned i = 0; i < w->n_listeners; i++) {
		err = listener_open(&w->listeners[i], w, w->server->sites[i]);
		if (err < 0)
			return fail(err, "cannot accept at %s: %s", w->server->sites[i]->name.text,
			            myr_strerror(err));
	}
	if (!(w->server->engine->traits & (SOLO | SIMULATED)))
		watchdog_start(&w->watchdog, w);
	return 0;
}

/* --- The drain --------------------------------------------------------------------------------------- */

static void worker_tell_solos(struct worker *w, int level)
{
	uint32_t at = 0;
	struct solo *s;

	while ((s = slots_next(&w->solos, &at)) != NULL)
		s->ops->stop(s, level);
}

static void worker_give_up(struct worker *w)
{
	unsigned left = 0;
	uint32_t at = 0;
	struct solo *s;

	while ((s = slots_next(&w->solos, &at)) != NULL)
		left += s->ops->give_up(s);
	for (struct list *n = w->loop.conns.next; n != &w->loop.conns; n = n->next)
		left++;
	if (left == 0)
		return;                 /* killed children: their ends are on the way */
	log_line(&w->loop.log, 0, LOG_ERR, "%u handler%s, or work given away, did not end after the cut and %s left behind",
	         left, left == 1 ? "" : "s", left == 1 ? "is" : "are");
	w->gave_up = w->server->haunted = true;
}

static void worker_tell(struct worker *w, int level)
{
	w->quiet = false;
	worker_tell_solos(w, level);
	serve_stop_loop(&w->loop, level);
}

static void worker_patience_fire(struct timer *t)
{
	struct worker *w = list_of(t, struct worker, patience);

	if (w->phase == PHASE_CUT) {
		worker_give_up(w);
	} else if (w->quiet) {
		worker_tell(w, 1);
		loop_timer(&w->loop, t, w->loop.now + w->server->config.drain_ms);
	} else {
		worker_stop(w, 2);
	}
}

bool worker_tells(const struct worker *w)
{
	return w->phase > PHASE_SERVING && !w->quiet;
}

void worker_stop(struct worker *w, int level)
{
	enum phase next = level >= 2 ? PHASE_CUT : PHASE_DRAINING;

	if (w->phase >= next)
		return;
	w->phase = next;
	worker_look(w);
	w->quiet = level == 1 && server_is_handed(w->server);
	if (w->quiet)
		worker_look_at(w, w->loop.now);         /* a turn that does not wait: then nobody is on the way */
	else
		worker_tell(w, level);
	if (level >= 2)
		loop_timer(&w->loop, &w->patience, w->loop.now + GIVE_UP_MS);
	else if (w->server->config.drain_ms >= 0)
		loop_timer(&w->loop, &w->patience, w->loop.now + w->server->config.drain_ms);
}

/* Only what handlers have dialled is left: nobody needs it any more. */
static void worker_stop_rest(struct worker *w)
{
	w->rest_stopped = true;
	for (struct list *n = w->loop.conns.next; n != &w->loop.conns; n = n->next)
		conn_stop(list_of(n, struct myr_conn, link));
}

bool worker_is_over(const struct worker *w)
{
	if (w->phase < PHASE_DRAINING || (w->quiet && !w->swept))
		return false;
	return w->gave_up || (atomic_load(&w->row->stats.conns_open) == 0 && list_empty(&w->loop.conns));
}

void worker_turn(struct worker *w)
{
	loop_turn(&w->loop);
	if (w->phase >= PHASE_DRAINING && !w->rest_stopped && atomic_load(&w->row->stats.conns_open) == 0)
		worker_stop_rest(w);
}

/* --- The end ----------------------------------------------------------------------------------------- */

static void worker_close(struct worker *w)
{
	conn_loop_close(&w->loop);
	slots_done(&w->solos);
	free(w->inbox);
	w->inbox = NULL;
	free(w->listeners);
	w->listeners = NULL;
	w->n_listeners = 0;
}

void worker_finish(struct worker *w)
{
	watchdog_stop(&w->watchdog);
	if (w->has_unjoined)
		pthread_join(w->unjoined, NULL);
	w->has_unjoined = false;
	while (w->n_started > 0 && !w->gave_up) {       /* who was left behind may still use what it made */
		const struct origin *o = &w->server->sites[--w->n_started]->origin;

		if (o->service.stop != NULL)
			o->service.stop(&w->loop, o->arg);
	}
	for (unsigned i = 0; i < w->n_listeners; i++)
		listener_close(&w->listeners[i]);
	pthread_mutex_lock(&w->door);
	w->open = false;
	pthread_mutex_unlock(&w->door);
	w->phase = PHASE_GONE;
	if (!w->gave_up)
		worker_close(w);
	fds_done(&w->theirs);
}
