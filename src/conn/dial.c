/* SPDX-License-Identifier: MIT
 *
 * dial.c - outgoing connections: myr_connect() for loops, myr_dial() for blocking code.
 *
 * A dialled connection lives in the caller's loop.  main() has none, so its thread gets one with
 * the first myr_dial(); it is turned by whichever call waits, and goes with the last connection. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "conn/conn.h"
#include "conn/solo.h"
#include "io/sock.h"

struct dialler {                        /* main()'s */
	struct myr_loop loop;
	struct task task;
};

static _Thread_local struct dialler *dialler;

static int parse(struct endpoint *e, const char *text)
{
	char why[200];
	int err = endpoint_parse(e, text, why, sizeof why);

	return err < 0 ? fail(err, "%s", why) : 0;
}

/* To the endpoint, which is `text` to the user; names as in sock_dial(). */
static struct myr_conn *dial(struct myr_loop *l, struct origin *o, const struct endpoint *e, const char *text,
                             const struct addrinfo *names, int *err)
{
	struct addr peer;
	struct myr_conn *c;
	bool done = false;
	int handle;

	handle = l->mover->dial != NULL ? l->mover->dial(l, e, &peer, &done) : sock_dial(e, names, &peer, &done);
	if (handle < 0) {
		*err = handle;
		return NULL;
	}
	c = conn_new(l, o, handle, done ? 0 : PORT_DIALLING, 0, (uint32_t)++l->numbers, err);
	if (c == NULL) {
		fail(*err, "cannot connect to %s: %s", text, myr_strerror(*err));
		return NULL;
	}
	c->bits |= C_CLIENT;
	if (endpoint_is_datagram(e))
		conn_is_datagram(c);
	if (done)
		conn_moved(c);
	c->peer = peer;
	return c;
}

static struct origin *dial_origin(const struct myr_loop *l, const struct myr_service *s, size_t size, void *arg,
                                  int *err)
{
	struct origin *o = sys_malloc(sizeof *o);

	if (o == NULL) {
		*err = fail(-ENOMEM, "out of memory");
		return NULL;
	}
	*err = origin_init(o, s, size, l->clients, arg);
	if (*err < 0) {
		free(o);
		return NULL;
	}
	o->server = l->server;
	o->owned = true;
	return o;
}

int myr_connect_sized(struct myr_conn **out, struct myr_loop *l, const struct myr_service *s, size_t size,
                      const char *endpoint, void *arg)
{
	struct endpoint e;
	struct origin *o;
	struct myr_conn *c;
	int err;

	*out = NULL;
	if ((err = parse(&e, endpoint)) < 0)
		return err;
	o = dial_origin(l, s, size, arg, &err);
	if (o == NULL)
		return err;
	if (o->service.handle != NULL || o->service.setup != NULL)
		o->runner = &runner_fiber;
	c = dial(l, o, &e, endpoint, NULL, &err);
	if (c == NULL) {
		free(o);
		return err;
	}
	if (s == NULL)
		c->bits |= C_PAUSED;    /* for myr_relay(): hold what comes before it */
	*out = c;
	return 0;
}

/* --- Blocking ---------------------------------------------------------------------------------- */

static struct dialler *dialler_get(int *err)
{
	struct dialler *d = dialler;

	if (d != NULL)
		return d;
	d = sys_malloc(sizeof *d);
	if (d == NULL) {
		*err = -ENOMEM;
		return NULL;
	}
	*err = solo_open(&d->loop, false);
	if (*err < 0) {
		free(d);
		return NULL;
	}
	task_init(&d->task, &runner_solo, &d->loop, NULL);
	return dialler = d;
}

static void dialler_put(struct dialler *d)
{
	if (d == NULL || !list_empty(&d->task.dialled))
		return;
	while (!list_empty(&d->loop.conns))
		loop_turn(&d->loop);
	conn_loop_close(&d->loop);
	free(d);
	dialler = NULL;
}

/* Give a dialled connection back.  In a loop others turn it goes by itself; main() sees it off. */
static void give_back(struct myr_conn *c)
{
	struct task *t = c->more->task;
	bool mains = t != NULL && t->conn == NULL;

	list_remove(&c->more->dialled);
	c->more->task = c->more->reader = NULL;
	conn_handler_left(c);
	if (!mains)
		return;
	task_wake(t);                   /* a turn that does not wait: its end leaves now, whatever main() does next */
	loop_turn(t->loop);
	dialler_put(dialler);
}

struct lookup {
	const struct endpoint *e;
	struct addrinfo *names;
	char why[300];                  /* what is said in another thread is not heard in ours */
};

static int look_up(void *arg)
{
	struct lookup *k = arg;
	int err = sock_look_up(k->e, &k->names);

	if (err < 0)
		snprintf(k->why, sizeof k->why, "%s", myr_reason());
	return err;
}

/* A name server may take seconds: a handler on a loop has its name looked up in another thread, so that only this
 * handler waits.  Others wait where they are, in sock_dial(). */
static int look_up_elsewhere(struct task *t, const struct endpoint *e, struct addrinfo **names)
{
	struct lookup k = { .e = e };
	int err;

	*names = NULL;
	if (t->fiber == NULL || t->loop->mover->virtual_time || !sock_has_name(e))
		return 0;
	err = conn_work_and_wait(t->conn, t, look_up, &k);
	*names = k.names;
	if (err < 0 && k.why[0] == '\0')
		return fail(err, "cannot look up host \"%s\": %s", e->host, myr_strerror(err));
	return err < 0 ? fail(err, "%s", k.why) : 0;
}

int myr_dial(struct myr_conn **out, const char *endpoint, int ms)
{
	struct dialler *d = NULL;
	struct task *t = task_current;
	struct addrinfo *names;
	struct conn_more *m;
	struct endpoint e;
	struct myr_conn *c;
	struct origin *o;
	int64_t due;
	int err;

	*out = NULL;
	if ((err = parse(&e, endpoint)) < 0)
		return err;
	if ((t == NULL && loop_turning != NULL) || (t != NULL && t->locked))
		return fail(-EDEADLK, "myr_dial() waits: it cannot be called in a callback or with the lock held");
	if (t == NULL) {
		d = dialler_get(&err);
		if (d == NULL)
			return err;
		d->loop.now = clock_ms();
		t = &d->task;
	}
	if ((err = look_up_elsewhere(t, &e, &names)) < 0)
		return err;
	due = ms < 0 ? CLOCK_NEVER : t->loop->now + ms;
	o = dial_origin(t->loop, NULL, 0, NULL, &err);
	c = o != NULL ? dial(t->loop, o, &e, endpoint, names, &err) : NULL;
	sock_forget_names(names);
	if (c == NULL) {
		free(o);
		goto fail_dialler;
	}
	m = conn_more(c);
	if (m == NULL) {
		err = -ENOMEM;
		goto fail_dialler;      /* nobody's: it has failed and goes by itself */
	}
	c->bits |= C_OWNED;
	m->task = t;
	m->reader = t->fiber != NULL ? t : NULL;
	m->dialled_conn = c;
	list_append(&t->dialled, &m->dialled);
	while (err == 0 && (c->bits & (C_DIALLING | C_FAILED)) == C_DIALLING)
		err = conn_wait(c, due);
	if (c->bits & C_FAILED)
		err = c->error;
	if (err < 0) {
		fail(err, "cannot connect to %s: %s", endpoint, myr_strerror(err));
		conn_abort(c);
		give_back(c);
		return err;
	}
	*out = c;
	return 0;
fail_dialler:
	dialler_put(d);
	return err;
}

static bool is_lent(const struct myr_conn *c)
{
	return (c->bits & (C_OWNED | C_GIVEN_BACK)) == C_OWNED;
}

/* Whoever cannot wait here for work that is out leaves it to the end of the handler. */
static bool may_give_back(struct myr_conn *c)
{
	struct task *t = conn_waiter(c);

	if (!is_lent(c))
		return false;
	if (t != NULL && !t->locked)
		conn_await_works(c, t);
	return !conn_is_at_work(c);
}

void myr_close(struct myr_conn *c)
{
	const struct task *t = conn_waiter(c);

	conn_close(c);
	if (!is_lent(c))
		return;
	while (t != NULL && !t->locked && conn_has_output(c) && !(c->bits & (C_FAILED | C_OVER)))
		if (conn_wait(c, CLOCK_NEVER) < 0)
			break;
	if (may_give_back(c))
		give_back(c);
}

void myr_abort(struct myr_conn *c)
{
	conn_abort(c);
	if (may_give_back(c))
		give_back(c);
}
