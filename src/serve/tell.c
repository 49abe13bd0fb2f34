/* SPDX-License-Identifier: MIT
 *
 * tell.c - bytes for a connection, wherever it lives: which way a letter goes from here. */
#include "serve/tell.h"

#include <errno.h>
#include <string.h>

#include "serve/crew.h"
#include "serve/dispatch.h"

struct letter *letter_new(void (*fn)(struct myr_loop *, struct post *), const void *bytes, size_t n)
{
	struct letter *l = sys_malloc(sizeof *l + n);

	if (l == NULL)
		return NULL;
	l->post = (struct post){ .fn = fn, .bytes = sizeof *l + n };
	l->n = n;
	if (n > 0)
		memcpy(l->bytes, bytes, n);
	return l;
}

/* --- Names ----------------------------------------------------------------------------------------- */

/* Connections in the loop of worker i are named i; those with a loop to themselves i + n_workers. */
static int name_worker(const struct myr_server *v, myr_id id)
{
	int w = slots_worker(id);

	return w < 0 || w >= 2 * (int)v->n_workers ? -1 : w % (int)v->n_workers;
}

static bool name_is_solo(const struct myr_server *v, myr_id id)
{
	return slots_worker(id) >= (int)v->n_workers;
}

static bool worker_knows(const struct worker *w, myr_id id)
{
	return slots_alive(name_is_solo(w->server, id) ? &w->solos : &w->loop.slots, id);
}

/* --- In a worker's own thread ------------------------------------------------------------------------ */

void tell_here(struct worker *w, myr_id id, const void *bytes, size_t n)
{
	if (name_is_solo(w->server, id)) {
		struct solo *s = slots_get(&w->solos, id);

		if (s != NULL)
			s->ops->tell(s, bytes, n);
	} else {
		struct myr_conn *c = slots_get(&w->loop.slots, id);

		if (c != NULL)
			conn_tell(c, bytes, n);
	}
}

static bool site_matches(const struct myr_server *v, int site, const struct origin *o)
{
	return site == SITE_ALL || o->key == v->sites[site]->origin.key;
}

void tell_all_here(struct worker *w, int site, const void *bytes, size_t n)
{
	const struct myr_server *v = w->server;
	struct solo *s;
	uint32_t at = 0;

	if (site != SITE_ALL && (site < 0 || (unsigned)site >= v->n_sites))
		return;
	while ((s = slots_next(&w->solos, &at)) != NULL)
		if (site_matches(v, site, &s->site->origin))
			s->ops->tell(s, bytes, n);
	for (struct list *l = w->loop.conns.next; l != &w->loop.conns; l = l->next) {
		struct myr_conn *c = list_of(l, struct myr_conn, link);

		if (conn_is_served(c) && site_matches(v, site, c->origin))
			conn_tell(c, bytes, n);
	}
}

static void tell_post(struct myr_loop *l, struct post *post)
{
	struct letter *letter = (struct letter *)post;

	tell_here(l->worker, letter->to, letter->bytes, letter->n);
	free(letter);
}

static void tell_all_post(struct myr_loop *l, struct post *post)
{
	struct letter *letter = (struct letter *)post;

	tell_all_here(l->worker, letter->site, letter->bytes, letter->n);
	free(letter);
}

static int tell_by_post(struct worker *w, const struct message *m, const void *bytes, size_t n)
{
	struct letter *l = letter_new(m->say == SAY_TELL ? tell_post : tell_all_post, bytes, n);
	int err;

	if (l == NULL)
		return -ENOMEM;
	l->to = m->id;
	l->site = m->number;
	pthread_mutex_lock(&w->door);
	if (!w->open || (m->say == SAY_TELL && !worker_knows(w, m->id)))
		err = -ENOTCONN;
	else
		err = loop_post(&w->loop, &l->post);
	pthread_mutex_unlock(&w->door);
	if (err < 0)
		free(l);
	return err;
}

/* --- Between processes ------------------------------------------------------------------------------- */

void tell_from_kid(struct worker *w, const struct message *m, const uint8_t *bytes, size_t n)
{
	struct myr_server *v = w->server;

	if (m->say == SAY_TELL_ALL)
		tell_all_here(w, m->number, bytes, n);
	else if (m->say == SAY_TELL && name_worker(v, m->id) == (int)w->index)
		tell_here(w, m->id, bytes, n);
	else if (m->say != SAY_TELL)
		return;
	if (v->place == PLACE_WORKER && (m->say == SAY_TELL_ALL || name_worker(v, m->id) != (int)w->index))
		channel_send(v->uplink, m, bytes, n);
}

void crew_tell(struct crew *c, const struct message *m, const uint8_t *bytes, size_t n, const struct worker *from)
{
	struct myr_server *v = c->server;
	int only = m->say == SAY_TELL ? name_worker(v, m->id) : -1;

	for (unsigned i = 0; i < v->n_workers; i++) {
		struct member *to = &c->members[i];

		if (to->alive && to->worker != from && (m->say == SAY_TELL_ALL || only == (int)i))
			channel_say(&to->child.channel, m, bytes, n);
	}
}

static void crew_tell_post(struct myr_loop *l, struct post *post)
{
	struct letter *letter = (struct letter *)post;
	struct myr_server *v = l->server;
	const struct message m = { .say = letter->to != 0 ? SAY_TELL : SAY_TELL_ALL, .number = letter->site,
	                           .id = letter->to };

	if (v->crew != NULL)
		crew_tell(v->crew, &m, letter->bytes, letter->n, NULL);
	free(letter);
}

static int tell_by_crew(struct myr_server *v, const struct message *m, const void *bytes, size_t n)
{
	struct letter *l = letter_new(crew_tell_post, bytes, n);
	int err = -ENOTCONN;

	if (l == NULL)
		return -ENOMEM;
	l->to = m->id;
	l->site = m->number;
	pthread_mutex_lock(&v->door);
	if (v->crew != NULL)
		err = loop_post(&v->crew->loop, &l->post);
	pthread_mutex_unlock(&v->door);
	if (err < 0)
		free(l);
	return err;
}

/* --- Public ------------------------------------------------------------------------------------------ */

static void tell_self_post(struct myr_loop *l, struct post *post)
{
	struct letter *letter = (struct letter *)post;

	solo_tell_loop(l, letter->bytes, letter->n);
	free(letter);
}

static int tell_self(struct myr_server *v, const void *bytes, size_t n)
{
	struct letter *l = letter_new(tell_self_post, bytes, n);
	int err;

	if (l == NULL)
		return -ENOMEM;
	err = loop_post(v->self_loop, &l->post);
	if (err < 0)
		free(l);
	return err;
}

int myr_tell(struct myr_server *v, myr_id to, const void *bytes, size_t n)
{
	const struct message m = { .say = SAY_TELL, .id = to };
	int w;

	if (n > TELL_MAX)
		return -EMSGSIZE;
	if (v == NULL || (w = name_worker(v, to)) < 0)
		return -ENOTCONN;
	if (v->place == PLACE_KID)
		return to == v->self_id ? tell_self(v, bytes, n) : channel_send(v->uplink, &m, bytes, n);
	if (v->place == PLACE_WORKER)
		return v->self->index == (unsigned)w ? tell_by_post(v->self, &m, bytes, n)
		                                     : channel_send(v->uplink, &m, bytes, n);
	return v->processes ? tell_by_crew(v, &m, bytes, n) : tell_by_post(&v->workers[w], &m, bytes, n);
}

static int site_of_key(const struct myr_server *v, const void *key)
{
	if (key == NULL)
		return SITE_ALL;
	for (unsigned i = 0; i < v->n_sites; i++)
		if (v->sites[i]->origin.key == key)
			return (int)i;
	return -ENOENT;
}

static int tell_all_home(struct myr_server *v, const struct message *m, const void *bytes, size_t n)
{
	int err = 0;

	if (v->processes)
		return tell_by_crew(v, m, bytes, n);
	for (unsigned i = 0; i < v->n_workers; i++) {
		int e = tell_by_post(&v->workers[i], m, bytes, n);

		if (e < 0 && err == 0)
			err = e;
	}
	return err;
}

int myr_tell_all(struct myr_server *v, const struct myr_service *service, const void *bytes, size_t n)
{
	struct message m = { .say = SAY_TELL_ALL };
	int err;

	if (n > TELL_MAX)
		return -EMSGSIZE;
	if (v == NULL)
		return -ENOTCONN;
	m.number = site_of_key(v, service);
	if (m.number < SITE_ALL)
		return -EINVAL;
	if (v->place == PLACE_KID)
		return channel_send(v->uplink, &m, bytes, n);
	if (v->place == PLACE_HOME)
		return tell_all_home(v, &m, bytes, n);
	err = tell_by_post(v->self, &m, bytes, n);
	return err < 0 ? err : channel_send(v->uplink, &m, bytes, n);
}
