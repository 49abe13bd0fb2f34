/* SPDX-License-Identifier: MIT
 *
 * kid.c - a process for each connection.
 *
 * The child keeps its socket, the channel, the server's bell and what is the user's; it has a loop of
 * its own and never touches the worker's.  It leaves with _exit(), so nothing of the parent runs
 * twice.  When its parent is gone it drains by itself. */
#include <errno.h>
#include <string.h>
#include <syslog.h>

#include "base/error.h"
#include "conn/solo.h"
#include "io/dgram.h"
#include "serve/child.h"
#include "serve/dispatch.h"
#include "serve/tell.h"

struct kid {
	struct solo solo;               /* first */
	struct child child;
	struct addr peer;
	unsigned long number;
};

/* --- In the child -------------------------------------------------------------------------------- */

struct nursery {                        /* what the child has instead of a worker */
	struct myr_loop loop;
	struct channel channel;
	struct timer patience;          /* for when the parent is gone */
};

static void nursery_said(struct channel *c, const struct message *m, const uint8_t *bytes, size_t n)
{
	if (m->say == SAY_TELL)
		solo_tell_loop(c->port.loop, bytes, n);
	else if (m->say == SAY_STOP)
		serve_stop_loop(c->port.loop, m->number);
}

static void nursery_cut(struct timer *t)
{
	serve_stop_loop(&list_of(t, struct nursery, patience)->loop, 2);
}

static void nursery_orphaned(struct channel *c)
{
	struct nursery *n = list_of(c, struct nursery, channel);
	int drain_ms = n->loop.server->config.drain_ms;

	serve_stop_loop(&n->loop, 1);
	if (drain_ms >= 0)
		loop_timer(&n->loop, &n->patience, n->loop.now + drain_ms);
}

static void nursery_released(struct channel *c)
{
	(void)c;
}

static int nursery_open(struct nursery *n, struct myr_server *v, int uplink)
{
	int err = solo_open(&n->loop, false);

	if (err < 0)
		return err;
	solo_prepare(&n->loop, v);
	n->patience = (struct timer){ .fire = nursery_cut };
	err = loop_timer_own(&n->loop);
	if (err < 0)
		return err;
	n->channel.said = nursery_said;
	n->channel.ended = nursery_orphaned;
	n->channel.released = nursery_released;
	return channel_open(&n->channel, &n->loop, uplink);
}

static void kid_add_stats(struct board_row *row, struct loop_stats *mine)
{
	atomic_fetch_add(&row->kids_in, atomic_load(&mine->bytes_in));
	atomic_fetch_add(&row->kids_out, atomic_load(&mine->bytes_out));
	atomic_fetch_add(&row->kids_cut, atomic_load(&mine->cut));
}

static _Noreturn void kid_live(struct kid *k, const struct accepted *a, int uplink)
{
	struct worker *w = k->solo.worker;
	struct myr_server *v = w->server;
	struct nursery n;
	int err;

	fds_add(&w->theirs, a->datagram != NULL ? a->datagram->fd : a->handle);
	fds_add(&w->theirs, uplink);
	fds_add(&w->theirs, v->bell);
	fds_close_others(&w->theirs);
	v->place = PLACE_KID;
	v->uplink = uplink;
	v->self_id = k->solo.id;
	v->self_loop = &n.loop;
	err = nursery_open(&n, v, uplink);
	if (err == 0)
		err = solo_serve(&n.loop, &k->solo.site->origin, a->handle, a->address, a->address_len, a->datagram,
		                 k->solo.id, (uint32_t)k->number);
	if (err < 0)
		log_line(&v->log, k->number, LOG_WARNING, "cannot serve: %s", myr_strerror(err));
	kid_add_stats(w->row, &n.loop.own_stats);
	_exit(0);
}

/* --- In the parent ------------------------------------------------------------------------------- */

static struct kid *kid_of(struct child *c)
{
	return list_of(c, struct kid, child);
}

static void kid_said(struct child *c, const struct message *m, const uint8_t *bytes, size_t n)
{
	tell_from_kid(kid_of(c)->solo.worker, m, bytes, n);
}

static void kid_ended(struct child *c)
{
	struct kid *k = kid_of(c);
	const char *service = k->solo.site->origin.service.name;
	char peer[ADDR_TEXT], how[100];

	if (!child_ended_well(c)) {
		addr_format(&k->peer, peer, sizeof peer);
		child_describe(c, how, sizeof how);
		log_line(&k->solo.worker->loop.log, k->number, LOG_ERR, "%s serving %s: the process %s",
		         service != NULL ? service : "handler", peer, how);
	}
	solo_end(&k->solo);
	free(k);
}

static void kid_stop(struct solo *s, int level)
{
	const struct message m = { .say = SAY_STOP, .number = level };

	channel_say(&((struct kid *)s)->child.channel, &m, NULL, 0);
}

static void kid_tell(struct solo *s, const void *bytes, size_t n)
{
	const struct message m = { .say = SAY_TELL };

	channel_say(&((struct kid *)s)->child.channel, &m, bytes, n);
}

static bool kid_give_up(struct solo *s)
{
	STAT_ADD(s->worker->row->stats.cut, 1);
	child_kill(&((struct kid *)s)->child);
	return false;                   /* nobody survives that: its end comes */
}

static const struct solo_ops kid_ops = { .stop = kid_stop, .tell = kid_tell, .give_up = kid_give_up };

/* What is open now, before the first child, and not ours is the user's. */
int kid_prepare(struct worker *w)
{
	const struct myr_server *v = w->server;

	if (!(v->engine->traits & PROCESSES_ONLY))
		return 0;
	if (fds_open_now(&w->theirs, 8) < 0)
		return fail(-ENOMEM, "out of memory");
	for (struct list *n = w->loop.conns.next; n != &w->loop.conns; n = n->next)
		fds_remove(&w->theirs, list_of(n, struct myr_conn, link)->port.handle);
	for (unsigned i = 0; i < v->n_sites; i++)
		for (unsigned j = 0; j < v->sites[i]->n_handles; j++)
			fds_remove(&w->theirs, v->sites[i]->handles[j]);
	fds_remove(&w->theirs, v->bell);
	fds_remove(&w->theirs, v->uplink);
	fds_remove(&w->theirs, w->loop.wake_fd);
	return 0;
}

int dispatch_fork(struct listener *l, const struct accepted *a)
{
	struct worker *w = l->worker;
	struct kid *k = sys_calloc(1, sizeof *k);
	int err = -ENOMEM, uplink;

	if (k == NULL)
		goto fail_kid;
	err = solo_begin(&k->solo, &kid_ops, l, a);
	if (err < 0)
		goto fail_begin;
	addr_from_sockaddr(&k->peer, a->address, a->address_len);
	k->number = ++w->loop.numbers;
	k->child.said = kid_said;
	k->child.ended = kid_ended;
	err = child_fork(&k->child, &w->loop, &uplink);
	if (err == 0)
		kid_live(k, a, uplink);
	if (err < 0)
		goto fail_fork;
	accepted_close(a);
	if (worker_tells(w))
		kid_stop(&k->solo, 1);
	return 0;
fail_fork:
	slots_remove(&w->solos, k->solo.id);
fail_begin:
	free(k);
fail_kid:
	accepted_close(a);
	return err;
}
