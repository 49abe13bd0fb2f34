/* SPDX-License-Identifier: MIT
 *
 * stop.c - the server's bell: one counter in shared memory and one eventfd, the same in every process
 * of the server, so that a signal handler, a thread or a forked child can stop all of it. */
#include <errno.h>

#include "base/error.h"
#include "serve/server.h"

void myr_server_stop(struct myr_server *v)
{
	const uint64_t one = 1;
	int saved = errno;

	atomic_fetch_add(&v->board->stops, 1);
	/* EAGAIN, it is full: it is ringing already. */
	while (v->bell >= 0 && sys_write(v->bell, &one, sizeof one) < 0 && errno == EINTR)
		;
	errno = saved;
}

void myr_server_hand_over(struct myr_server *v)
{
	atomic_store(&v->board->handed, true);
	myr_server_stop(v);
}

bool server_is_handed(const struct myr_server *v)
{
	return atomic_load(&v->board->handed);
}

int server_stop_level(const struct myr_server *v)
{
	unsigned stops = atomic_load(&v->board->stops);

	return stops > 2 ? 2 : (int)stops;
}

static void bell_ready(struct port *p, unsigned events)
{
	struct bell *b = (struct bell *)p;
	uint64_t count;

	(void)events;
	loop_touch(p);
	if (sys_read(p->handle, &count, sizeof count) != sizeof count)
		return;
	sites_refuse(p->loop->server);
	b->rung(b, server_stop_level(p->loop->server));
}

static void bell_failed(struct port *p, int err)
{
	(void)err;
	bell_ready(p, 0);
}

static void bell_released(struct port *p)
{
	((struct bell *)p)->gone = true;
}

static const struct port_ops bell_ops = { .ready = bell_ready, .failed = bell_failed, .released = bell_released };

int bell_hang(struct bell *b, struct myr_server *v, struct myr_loop *l)
{
	int err;

	b->port = (struct port){ .ops = &bell_ops, .loop = l, .handle = v->bell, .flags = PORT_BORROWED,
	                         .want = PORT_READABLE };
	b->gone = false;
	err = loop_attach(&b->port);
	if (err < 0)
		return err;
	loop_touch(&b->port);
	return 0;
}

void bell_take_down(struct bell *b)
{
	loop_detach(&b->port);
	while (!b->gone)
		loop_turn(b->port.loop);
}
