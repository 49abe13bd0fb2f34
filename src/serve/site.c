/* SPDX-License-Identifier: MIT
 *
 * site.c - a service at an address: bound and listening from myr_server_add() to myr_server_free().
 *
 * Event engines have one SO_REUSEPORT socket for each worker.  The process that made them keeps them
 * all: a socket that is closed loses the clients in its queue. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "conn/shared.h"
#include "io/sim.h"
#include "serve/listener.h"
#include "serve/worker.h"

#define REFUSAL_MS 1000                 /* to take "we are full" */

static unsigned site_sockets(const struct myr_server *v, const struct endpoint *e)
{
	if (v->n_workers == 1 || (v->engine->traits & SHARED_LISTENER) ||
	    (e->kind != ENDPOINT_TCP && e->kind != ENDPOINT_UDP && v->world == NULL))
		return 1;
	return v->n_workers;
}

/* --- Listening ----------------------------------------------------------------------------------- */

static int site_listen_sim(struct site *s)
{
	struct endpoint at = s->endpoint;
	bool shared = s->server->n_workers > 1;
	unsigned want = s->server->n_workers;
	char why[100];

	for (; s->n_handles < want; s->n_handles++) {
		int h = sim_listen(s->server->world, &at, shared, s->name.text, sizeof s->name.text);

		if (h < 0)
			return h;
		s->handles[s->n_handles] = h;
		if (endpoint_parse(&at, s->name.text, why, sizeof why) < 0)     /* now with the port */
			return fail(-EINVAL, "%s", why);
	}
	return 0;
}

static int site_listen(struct site *s)
{
	unsigned want = site_sockets(s->server, &s->endpoint);
	int fd;

	s->handles = sys_calloc(s->server->n_workers, sizeof *s->handles);
	if (s->handles == NULL)
		return fail(-ENOMEM, "out of memory");
	if (s->server->world != NULL)
		return site_listen_sim(s);
	fd = inherit_listen(s, want);
	if (fd < 0)
		return fd;
	for (; s->n_handles < want; s->n_handles++) {
		fd = s->n_handles == 0 ? sock_listen(&s->endpoint, want > 1, &s->name) : sock_listen_again(s->handles[0]);
		if (fd < 0)
			return fd;
		s->handles[s->n_handles] = fd;
	}
	return 0;
}

/* Others accept there: those we have handed it to, or those who had it before us and have it still. */
static bool site_is_others(const struct site *s)
{
	const struct board *b = s->server->board;

	return s->endpoint.kind == ENDPOINT_FD || server_is_handed(s->server) ||
	       (s->inherited > 0 && !atomic_load(&b->served));
}

static void site_deafen(struct site *s)
{
	struct sim *world = s->server->world;

	if (s->n_handles > 0 && world == NULL && !site_is_others(s))
		sock_forget(&s->endpoint, s->handles[0]);
	for (unsigned i = 0; i < s->n_handles; i++) {
		if (world != NULL)
			sim_close(world, s->handles[i]);
		else if (s->endpoint.kind != ENDPOINT_FD &&     /* that one is the user's, and datagrams that are */
		         !(s->server->haunted && endpoint_is_datagram(&s->endpoint)))   /* left behind are answered by it */
			sys_close(s->handles[i]);
	}
	free(s->handles);
}

void sites_refuse(struct myr_server *v)
{
	for (unsigned i = 0; i < v->n_sites && v->world == NULL; i++) {
		const struct site *s = v->sites[i];

		if (site_is_others(s) || endpoint_is_datagram(&s->endpoint))
			continue;
		for (unsigned k = 0; k < s->n_handles; k++)
			if (s->handles[k] >= 0)                 /* not another process's */
				sys_shutdown(s->handles[k], SHUT_RD);
	}
}

/* --- Life ---------------------------------------------------------------------------------------- */

static int site_origins(struct site *s, const struct myr_service *service, size_t size, void *arg)
{
	static const struct myr_service refusal = { .name = "refusal", .on_open = listener_say_full };
	static const struct myr_config brief = { .open_ms = REFUSAL_MS, .idle_ms = REFUSAL_MS, .close_ms = REFUSAL_MS };
	struct myr_server *v = s->server;
	struct origin *o = &s->origin;
	bool solo = v->engine->traits & SOLO;
	int err = origin_init(o, service, size, &v->config, arg);

	if (err < 0)
		return err;
	if (o->service.setup != NULL || o->service.handle != NULL || o->service.finish != NULL)
		o->runner = solo ? &runner_solo : &runner_fiber;
	o->server = v;
	o->ended = solo ? NULL : worker_conn_ended;
	o->lingers = solo ? NULL : worker_conn_lingers;
	if (o->service.shared > 0) {
		o->shared = shared_new(o->service.shared);
		if (o->shared == NULL)
			return fail(-ENOMEM, "out of memory");
	}
	err = origin_init(&s->refusal, &refusal, sizeof refusal, &brief, s);
	s->refusal.ended = listener_refusal_ended;
	return err;
}

static void site_free(struct site *s)
{
	site_deafen(s);
	if (s->origin.shared != NULL)
		shared_free(s->origin.shared);
	free(s);
}

void sites_free(struct myr_server *v)
{
	for (unsigned i = 0; i < v->n_sites; i++) {
		if (v->haunted)
			site_deafen(v->sites[i]);
		else
			site_free(v->sites[i]);
	}
	if (!v->haunted)
		free(v->sites);
}

static int site_new(struct myr_server *v, const struct myr_service *service, size_t size, const char *endpoint,
                    void *arg, struct site **out)
{
	struct site *s = sys_calloc(1, sizeof *s);
	char why[200];
	int err;

	if (s == NULL)
		return fail(-ENOMEM, "out of memory");
	s->server = v;
	err = endpoint_parse(&s->endpoint, endpoint, why, sizeof why);
	if (err < 0)
		fail(err, "%s", why);
	else if ((err = site_origins(s, service, size, arg)) == 0)
		err = site_listen(s);
	if (err < 0) {
		site_free(s);
		return err;
	}
	*out = s;
	return 0;
}

int myr_server_add_sized(struct myr_server *v, const struct myr_service *service, size_t size, const char *endpoint,
                         void *arg)
{
	struct site **sites;
	int err;

	if (service == NULL || endpoint == NULL)
		return fail(-EINVAL, "a server needs a service and an endpoint");
	if (v->has_run)
		return fail(-EBUSY, "services are added before the server runs");
	if (v->n_sites == SITES_MAX)
		return fail(-EINVAL, "at most %d endpoints", SITES_MAX);
	sites = sys_realloc(v->sites, (v->n_sites + 1) * sizeof *sites);
	if (sites == NULL)
		return fail(-ENOMEM, "out of memory");
	v->sites = sites;
	err = site_new(v, service, size, endpoint, arg, &v->sites[v->n_sites]);
	return err < 0 ? err : (int)v->n_sites++;
}

const char *myr_server_address(struct myr_server *v, int listener)
{
	return listener >= 0 && (unsigned)listener < v->n_sites ? v->sites[listener]->name.text : NULL;
}
