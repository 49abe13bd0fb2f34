/* SPDX-License-Identifier: MIT
 *
 * serve.c - myr_serve(): a server for main(), with the two signals that end it.
 *
 * The only place where the library installs signal handlers; they only ring the server's bell. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "base/error.h"
#include "serve/server.h"

static struct myr_server *_Atomic serving;

static void serve_stop(int sig)
{
	struct myr_server *v = atomic_load(&serving);

	(void)sig;
	if (v != NULL)
		myr_server_stop(v);
}

static int serve_status(int err)
{
	if (err >= 0)
		return 0;
	fprintf(stderr, "%s\n", myr_reason());
	return err == -EINVAL || err == -E2BIG ? 2 : 1;
}

static int serve_run(struct myr_server *v)
{
	struct sigaction ours = { .sa_handler = serve_stop, .sa_flags = SA_RESTART }, old_int, old_term;
	struct myr_server *none = NULL;
	int err;

	if (!atomic_compare_exchange_strong(&serving, &none, v))
		return fail(-EBUSY, "myr_serve() is running already: use myr_server_run() for a second server");
	v->signals = true;
	sigemptyset(&ours.sa_mask);
	sigaction(SIGINT, &ours, &old_int);
	sigaction(SIGTERM, &ours, &old_term);
	err = myr_server_run(v);
	sigaction(SIGINT, &old_int, NULL);
	sigaction(SIGTERM, &old_term, NULL);
	atomic_store(&serving, NULL);
	return err;
}

int myr_serve_sized(const struct myr_service *service, size_t size, const char *endpoint, const char *engine)
{
	const struct myr_config config = { .engine = engine };
	struct myr_server *v;
	int err = myr_server_new(&v, &config);

	if (err < 0)
		return serve_status(err);
	err = myr_server_add_sized(v, service, size, endpoint, NULL);
	if (err >= 0) {
		const struct myr_service *s = &v->sites[0]->origin.service;

		fprintf(stderr, "%s on %s, engine %s\n", s->name != NULL ? s->name : "serving",
		        myr_server_address(v, 0), v->engine->name);
		err = serve_run(v);
	}
	err = serve_status(err);
	myr_server_free(v);
	return err;
}
