/* SPDX-License-Identifier: MIT
 *
 * home.c - one worker, in the calling thread. */
#include "base/error.h"
#include "serve/worker.h"

static void home_rung(struct bell *b, int level)
{
	worker_stop(b->port.loop->worker, level);
}

int home_run(struct myr_server *v)
{
	struct worker *w = &v->workers[0];
	struct bell bell = { .rung = home_rung };
	int err = worker_start(w);

	if (err < 0)
		return err;
	err = bell_hang(&bell, v, &w->loop);
	if (err < 0) {
		worker_stop(w, 2);
		worker_finish(w);
		return err;
	}
	err = worker_go(w);
	if (err < 0)
		worker_stop(w, 2);
	while (!worker_is_over(w))
		worker_turn(w);
	bell_take_down(&bell);
	worker_finish(w);
	return err;
}
