/* SPDX-License-Identifier: MIT
 *
 * thread.c - a thread for each connection.
 *
 * The record belongs to the worker; its loop is turned by the thread and reached by posts.  When the
 * connection is over the thread's last act is to post the record's end, so nothing is ever posted to
 * a loop that is gone.  The worker then joins the thread that ended before this one: it has had the
 * time to go, so that joining costs no wait. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <syslog.h>

#include "base/error.h"
#include "conn/solo.h"
#include "io/dgram.h"
#include "serve/dispatch.h"
#include "serve/tell.h"
#include "base/threads.h"

#define THREAD_STACK ((size_t)64 * 1024)        /* ours, below the handler's config.stack */

enum { RUNNING, ENDED, LEFT_BEHIND };

struct thread {
	struct solo solo;               /* first */
	struct myr_loop loop;
	pthread_t thread;
	struct post stop, cut, end;
	_Atomic int state;
	int32_t handle;
	uint32_t number;
	socklen_t address_len;
	struct sockaddr_storage address;
	struct datagram datagram;       /* bytes NULL: a socket */
	uint8_t bytes[];                /* the datagram's */
};

static void thread_stop_post(struct myr_loop *l, struct post *post)
{
	(void)post;
	serve_stop_loop(l, 1);
}

static void thread_cut_post(struct myr_loop *l, struct post *post)
{
	(void)post;
	serve_stop_loop(l, 2);
}

static void thread_stop(struct solo *s, int level)
{
	struct thread *t = (struct thread *)s;

	loop_post(&t->loop, level >= 2 ? &t->cut : &t->stop);   /* of 0 bytes: never refused */
}

static void thread_tell_post(struct myr_loop *l, struct post *post)
{
	const struct letter *letter = (struct letter *)post;

	solo_tell_loop(l, letter->bytes, letter->n);
	free(post);
}

static void thread_tell(struct solo *s, const void *bytes, size_t n)
{
	struct letter *letter = letter_new(thread_tell_post, bytes, n);

	if (letter != NULL && loop_post(&((struct thread *)s)->loop, &letter->post) < 0)
		free(letter);
}

static bool thread_give_up(struct solo *s)
{
	struct thread *t = (struct thread *)s;

	if (atomic_exchange(&t->state, LEFT_BEHIND) == ENDED)
		return false;           /* just now: its last post is on the way */
	pthread_detach(t->thread);
	STAT_ADD(s->worker->row->stats.cut, 1);
	return true;
}

static const struct solo_ops thread_ops = { .stop = thread_stop, .tell = thread_tell, .give_up = thread_give_up };

static void thread_join_later(struct worker *w, pthread_t thread)
{
	if (w->has_unjoined)
		pthread_join(w->unjoined, NULL);
	w->unjoined = thread;
	w->has_unjoined = true;
}

static void thread_add_stats(struct loop_stats *to, struct loop_stats *from)
{
	STAT_ADD(to->bytes_in, atomic_load(&from->bytes_in));
	STAT_ADD(to->bytes_out, atomic_load(&from->bytes_out));
	STAT_ADD(to->cut, atomic_load(&from->cut));
}

/* In the worker's loop: the connection is over. */
static void thread_end_post(struct myr_loop *l, struct post *post)
{
	struct thread *t = list_of(post, struct thread, end);
	struct worker *w = l->worker;

	thread_join_later(w, t->thread);
	thread_add_stats(&w->row->stats, &t->loop.own_stats);
	solo_end(&t->solo);
	solo_close(&t->loop);
	free(t);
}

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	struct worker *w = t->solo.worker;
	int err = solo_serve(&t->loop, &t->solo.site->origin, t->handle, (struct sockaddr *)&t->address,
	                     t->address_len, t->datagram.bytes != NULL ? &t->datagram : NULL, t->solo.id, t->number);

	if (err < 0)
		log_line(&t->loop.log, t->number, LOG_WARNING, "cannot serve: %s", myr_strerror(err));
	if (atomic_exchange(&t->state, ENDED) == RUNNING)
		loop_post(&w->loop, &t->end);   /* from here on the record is the worker's */
	return NULL;
}

static size_t thread_stack(const struct myr_server *v)
{
	size_t page = 4096, n = THREAD_STACK + v->config.stack;

	n = (n + page - 1) / page * page;
	return n < (size_t)PTHREAD_STACK_MIN ? (size_t)PTHREAD_STACK_MIN : n;
}

static struct thread *thread_new(struct worker *w, const struct accepted *a, int *err)
{
	size_t n = a->datagram != NULL ? a->datagram->n : 0;
	struct thread *t = sys_malloc(sizeof *t + n);

	*err = -ENOMEM;
	if (t == NULL)
		return NULL;
	*err = solo_open(&t->loop, true);
	if (*err < 0) {
		free(t);
		return NULL;
	}
	solo_prepare(&t->loop, w->server);
	t->stop = (struct post){ .fn = thread_stop_post };
	t->cut = (struct post){ .fn = thread_cut_post };
	t->end = (struct post){ .fn = thread_end_post };
	atomic_init(&t->state, RUNNING);
	t->handle = a->handle;
	t->number = (uint32_t)++w->loop.numbers;
	t->address_len = a->address_len < sizeof t->address ? a->address_len : sizeof t->address;
	memcpy(&t->address, a->address, t->address_len);
	t->datagram.bytes = NULL;
	if (a->datagram != NULL) {
		t->datagram = *a->datagram;
		memcpy(t->bytes, a->datagram->bytes, n);
		t->datagram.bytes = t->bytes;
	}
	return t;
}

int dispatch_thread(struct listener *l, const struct accepted *a)
{
	struct worker *w = l->worker;
	struct thread *t;
	int err;

	t = thread_new(w, a, &err);
	if (t == NULL)
		goto fail_thread;
	err = solo_begin(&t->solo, &thread_ops, l, a);
	if (err < 0)
		goto fail_begin;
	err = thread_start(&t->thread, thread_stack(w->server), thread_main, t);
	if (err < 0)
		goto fail_start;
	if (worker_tells(w))
		thread_stop(&t->solo, 1);
	return 0;
fail_start:
	slots_remove(&w->solos, t->solo.id);
fail_begin:
	solo_close(&t->loop);
	free(t);
fail_thread:
	accepted_close(a);
	return err;
}
