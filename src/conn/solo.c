/* SPDX-License-Identifier: MIT
 *
 * solo.c - a connection with a loop to itself: what a thread or a forked child runs. */
#include "conn/solo.h"

#include "io/selector.h"

int solo_open(struct myr_loop *l, bool wake)
{
	return loop_open(l, &mover_ready, &selector_poll, wake);
}

/* The handler runs here, on this stack, below no loop: its waits turn the loop. */
static void solo_handle(struct myr_loop *l, struct myr_conn *c)
{
	struct conn_more *m = conn_more(c);

	if (m == NULL)
		return;
	task_init(&m->own, &runner_solo, l, c);
	m->task = &m->own;
	c->bits |= C_STARTED;
	task_current = m->task;
	task_run(m->task);
	task_current = NULL;
	conn_handler_left(c);
}

int solo_serve(struct myr_loop *l, const struct origin *o, int32_t handle,
               const struct sockaddr *a, socklen_t n, const struct datagram *d, myr_id id, uint32_t number)
{
	int err;
	struct myr_conn *c = d != NULL ? datagram_accept(l, o, d, false, id, number, &err) :
	                                 conn_accept(l, o, handle, 0, a, n, id, number, &err);

	if (c == NULL)
		return err;
	if (o->runner != NULL)
		solo_handle(l, c);
	while (!list_empty(&l->conns))
		loop_turn(l);
	return 0;
}

void solo_close(struct myr_loop *l)
{
	conn_loop_close(l);
}
