/* SPDX-License-Identifier: MIT
 *
 * client.c - the public loops of client programs: myr_loop_new() and its kin. */
#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "conn/conn.h"
#include "io/pool.h"
#include "serve/engine.h"

struct client {                         /* a loop with the configuration its connections follow */
	struct myr_loop loop;           /* first */
	struct myr_config config;
};

int myr_loop_new_sized(struct myr_loop **out, const struct myr_config *config, size_t size)
{
	const struct engine *engine;
	struct client *c = sys_calloc(1, sizeof *c);
	int err;

	*out = NULL;
	if (c == NULL)
		return fail(-ENOMEM, "out of memory");
	err = sized_copy(&c->config, sizeof c->config, config, size, "struct myr_config");
	if (err < 0)
		goto fail_config;
	engine = engine_find(c->config.engine, &err);
	if (engine == NULL)
		goto fail_config;
	if (engine->traits & SIMULATED) {
		err = fail(-EINVAL, "a client loop cannot be simulated by itself; a server's workers can");
		goto fail_config;
	}
	err = loop_open(&c->loop, engine->mover, engine->selector, true);
	if (err < 0)
		goto fail_config;
	c->loop.clients = &c->config;
	c->loop.stack = c->config.stack;
	c->loop.slots.worker = UINT16_MAX - 1;
	c->loop.log.write = c->config.log;
	c->loop.log.arg = c->config.log_arg;
	pool_hold();
	*out = &c->loop;
	return 0;
fail_config:
	free(c);
	return err;
}

int myr_loop_run(struct myr_loop *l)
{
	if (l->worker != NULL || loop_turning != NULL)
		return -EDEADLK;        /* a server turns it, or this thread is inside another loop */
	while (!atomic_load(&l->stop) && !loop_is_idle(l))
		loop_turn(l);
	atomic_store(&l->stop, 0);
	return 0;
}

void myr_loop_free(struct myr_loop *l)
{
	if (l == NULL)
		return;
	conn_loop_close(l);
	pool_release();
	free((struct client *)l);
}

void myr_loop_stop(struct myr_loop *l)
{
	if (l->server != NULL)
		myr_server_stop(l->server);
	else
		loop_stop(l);
}
