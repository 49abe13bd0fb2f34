/* SPDX-License-Identifier: MIT
 *
 * store_sqlite.c - the list in an SQLite database: kept when it is acknowledged, whatever happens then.
 *
 * A process has one handle for writing and one for reading, opened when they are first needed, so never
 * before a fork.  Each write waits for the disk, and for other processes that write; so writes queue, and one
 * handler at a time has all that waits by then written, in one transaction, by a thread of the pool.
 *
 * At most two threads are taken: one writes, one stands by to write next.  A blocking handler can only wait for
 * a thread or for the clock, so the others sleep, and look whether theirs is done. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/sqlite_file.h"

#define HELPERS 2                       /* who writes, and who stands by */
#define BATCH_ITEMS 1000                /* of one transaction, at most ... */
#define BATCH_BYTES (1u << 20)          /* ... or one item more than this */
#define LOOK_MS 50                      /* the longest sleep between two looks */

enum state { QUEUED, TAKEN, DONE, LEFT };       /* left: taken, and nobody waits for it any more */

struct write {                          /* its handler's until it is left, then the writer's */
	struct write *next, **at;       /* while it is queued: at is what points to it */
	enum state state;
	int    result;
	bool   clear;
	struct store_why why;
	size_t n;
	unsigned char item[];
};

struct sqlite {
	struct store store;
	char   path[PATH_MAX];          /* absolute */
	int64_t items_max, bytes_max;
	pthread_mutex_t lock;           /* of what follows */
	pthread_cond_t  turn;           /* a write is done, or the writer is free */
	bool   writing;                 /* somebody uses writer */
	unsigned helpers;               /* handlers that have a thread, or soon will */
	struct write *first, **end;     /* in the order in which they came */
	struct sqlite_file writer;
	pthread_mutex_t reading;        /* of reader */
	struct sqlite_file reader;
	struct sqlite *others;          /* all that are open, for forks */
};

static struct sqlite *opened;

/* --- Forks ------------------------------------------------------------------------------------------- */

static void begin_afresh(struct sqlite *s)
{
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->turn, NULL);
	pthread_mutex_init(&s->reading, NULL);
	s->writing = false;
	s->helpers = 0;
	s->first = NULL;
	s->end = &s->first;
	s->writer = s->reader = (struct sqlite_file){ 0 };
}

/* A child does not close the handles that it got a copy of, either: that would take part in the parent's file. */
static void forked(void)
{
	for (struct sqlite *s = opened; s != NULL; s = s->others)
		begin_afresh(s);
}

/* --- The queue, locked --------------------------------------------------------------------------------- */

static void queue(struct sqlite *s, struct write *w)
{
	w->state = QUEUED;
	w->next = NULL;
	w->at = s->end;
	*s->end = w;
	s->end = &w->next;
}

static void unqueue(struct sqlite *s, struct write *w)
{
	*w->at = w->next;
	if (w->next != NULL)
		w->next->at = w->at;
	else
		s->end = w->at;
	w->next = NULL;
}

/* The first of the queue, as many as one transaction has; all: everything. */
static struct write *take(struct sqlite *s, bool all)
{
	struct write *first = NULL, **end = &first, *w;
	size_t items = 0, bytes = 0;

	while ((w = s->first) != NULL && (all || (items < BATCH_ITEMS && bytes < BATCH_BYTES))) {
		unqueue(s, w);
		w->state = TAKEN;
		items++;
		bytes += w->n;
		*end = w;
		end = &w->next;
	}
	return first;
}

static void finished(struct write *w, int err, const struct store_why *why)
{
	if (w->state == LEFT) {
		free(w);
		return;
	}
	if (err < 0) {
		w->result = err;
		w->why = *why;
	}
	w->state = DONE;
}

/* --- Writing ----------------------------------------------------------------------------------------- */

static int apply(struct sqlite *s, struct write *w, struct sqlite_total *t, struct store_why *why)
{
	int64_t n = (int64_t)w->n;
	int err;

	w->result = 0;
	if (w->clear) {
		*t = (struct sqlite_total){ 0, 0, t->clears + 1, 0 };
		return sqlite_file_run(&s->writer, SQL_DELETE, why);
	}
	if (t->items >= s->items_max || n > s->bytes_max - t->bytes) {
		w->result = -EDQUOT;
		return 0;
	}
	err = sqlite_file_insert(&s->writer, w->item, w->n, why);
	t->items++;
	t->bytes += n;
	return err;
}

/* Here it is that other processes are waited for. */
static int begin(struct sqlite *s, struct store_why *why)
{
	int err = sqlite_file_ready(&s->writer, s->path, why);

	if (err == 0)
		err = sqlite_file_run(&s->writer, SQL_BEGIN_WRITE, why);
	if (err < 0 && err != -EBUSY)
		sqlite_file_close(&s->writer);
	return err;
}

static int transact(struct sqlite *s, struct write *all, struct store_why *why)
{
	struct sqlite_total t;
	int err = sqlite_file_total(&s->writer, &t, why);

	for (struct write *w = all; w != NULL && err == 0; w = w->next)
		err = apply(s, w, &t, why);
	if (err == 0)
		err = sqlite_file_set_total(&s->writer, &t, why);
	if (err == 0)
		err = sqlite_file_run(&s->writer, SQL_COMMIT, why);
	if (err < 0)
		sqlite_file_close(&s->writer);  /* rolls back; the next one begins with what is in the file */
	return err;
}

/* Locked, but while it works.  What is written is taken only once the file is ours: it is more by then, and if it
 * does not become ours, all who waited for it are told at once. */
static void write_batch(struct sqlite *s)
{
	struct store_why why = { "" };
	struct write *all, *next;
	int err;

	pthread_mutex_unlock(&s->lock);
	err = begin(s, &why);
	pthread_mutex_lock(&s->lock);
	all = take(s, err < 0);
	pthread_mutex_unlock(&s->lock);
	if (err == 0)
		err = transact(s, all, &why);
	pthread_mutex_lock(&s->lock);
	for (struct write *w = all; w != NULL; w = next) {
		next = w->next;                 /* it is its owner's as soon as the lock is free */
		finished(w, err, &why);
	}
}

struct errand {                         /* what is done away from the handler's thread */
	struct sqlite *s;
	struct write *write;
	struct reading *reading;
	bool ran;
};

/* Ends when its own write is done, whatever else has come meanwhile: its client waits, too. */
static int write_away(void *arg)
{
	struct errand *e = arg;
	struct sqlite *s = e->s;

	pthread_mutex_lock(&s->lock);
	e->ran = true;
	while (e->write->state != DONE && s->writing)
		pthread_cond_wait(&s->turn, &s->lock);
	if (e->write->state != DONE) {
		s->writing = true;
		while (e->write->state != DONE)
			write_batch(s);
		s->writing = false;
	}
	s->helpers--;
	pthread_cond_broadcast(&s->turn);
	pthread_mutex_unlock(&s->lock);
	return 0;
}

/* --- Waiting for it ------------------------------------------------------------------------------------ */

static enum state state_of(struct sqlite *s, const struct write *w)
{
	enum state state;

	pthread_mutex_lock(&s->lock);
	state = w->state;
	pthread_mutex_unlock(&s->lock);
	return state;
}

/* Without a connection there is nothing but the caller's own thread. */
static bool may_help(struct sqlite *s, const struct myr_conn *c, const struct write *w)
{
	bool may;

	pthread_mutex_lock(&s->lock);
	may = c == NULL || (w->state == QUEUED && s->helpers < HELPERS);
	s->helpers += may;
	pthread_mutex_unlock(&s->lock);
	return may;
}

/* 0: look again. */
static int help(struct sqlite *s, struct myr_conn *c, struct write *w)
{
	struct errand e = { .s = s, .write = w };
	int err = store_away(c, write_away, &e);

	if (e.ran)
		return 0;
	pthread_mutex_lock(&s->lock);
	s->helpers--;                           /* somebody else helps, with the next look */
	if (w->state != QUEUED)
		err = 0;                        /* that helper has it */
	pthread_mutex_unlock(&s->lock);
	return err;
}

/* Until it is done, or an error: it cannot be waited for. */
static int await(struct sqlite *s, struct myr_conn *c, struct write *w)
{
	int err = 0;

	for (int ms = 1; err == 0 && state_of(s, w) != DONE; ms = ms < LOOK_MS ? ms + (ms + 1) / 2 : LOOK_MS)
		err = may_help(s, c, w) ? help(s, c, w) : myr_sleep(c, ms);
	return err;
}

/* What is not being written yet is taken back.  Of what is, a handler that cannot wait (its client is gone) will
 * not know. */
static int result_of(struct sqlite *s, struct write *w, int err, struct store_why *why)
{
	pthread_mutex_lock(&s->lock);
	if (w->state == QUEUED)
		unqueue(s, w);
	if (w->state == DONE) {
		err = w->result;
		*why = w->why;
	}
	if (w->state == TAKEN)
		w->state = LEFT;
	else
		free(w);
	pthread_mutex_unlock(&s->lock);
	return err;
}

static int write_one(struct sqlite *s, struct myr_conn *c, const void *item, size_t n, bool clear,
                     struct store_why *why)
{
	struct write *w = malloc(sizeof *w + n);

	if (w == NULL)
		return -ENOMEM;
	*w = (struct write){ .clear = clear, .n = n };
	if (n > 0)
		memcpy(w->item, item, n);
	pthread_mutex_lock(&s->lock);
	queue(s, w);
	pthread_mutex_unlock(&s->lock);
	return result_of(s, w, await(s, c, w), why);
}

static int sqlite_append(struct store *s, struct myr_conn *c, const void *item, size_t n, struct store_why *why)
{
	return write_one((struct sqlite *)s, c, item, n, false, why);
}

static int sqlite_clear(struct store *s, struct myr_conn *c, struct store_why *why)
{
	return write_one((struct sqlite *)s, c, NULL, 0, true, why);
}

/* --- Reading ------------------------------------------------------------------------------------------ */

struct reading {
	int64_t after, last, clears;
	bool begun;
	struct store_why why;
	struct store_piece piece;
};

/* One piece in one transaction, so that it is of one list. */
static int read_piece(struct sqlite *s, struct reading *r)
{
	struct sqlite_total t;
	int err = sqlite_file_ready(&s->reader, s->path, &r->why);

	if (err == 0)
		err = sqlite_file_run(&s->reader, SQL_BEGIN, &r->why);
	if (err == 0)
		err = sqlite_file_total(&s->reader, &t, &r->why);
	if (err == 0 && !r->begun) {
		r->begun = true;
		r->last = t.last;
		r->clears = t.clears;
	}
	if (err == 0 && r->clears != t.clears && r->after < r->last)
		err = sqlite_file_run(&s->reader, SQL_COMMIT, &r->why) < 0 ? -EIO : -ESTALE;
	else if (err == 0 && (err = sqlite_file_page(&s->reader, &r->after, r->last, &r->piece, &r->why)) == 0)
		err = sqlite_file_run(&s->reader, SQL_COMMIT, &r->why);
	if (err < 0 && err != -ESTALE)
		sqlite_file_close(&s->reader);
	return err;
}

static int read_away(void *arg)
{
	struct errand *e = arg;
	int err;

	e->reading->piece.n = 0;
	pthread_mutex_lock(&e->s->reading);
	err = read_piece(e->s, e->reading);
	pthread_mutex_unlock(&e->s->reading);
	return err;
}

static int sqlite_list(struct store *s, struct myr_conn *c, store_each *each, void *arg, struct store_why *why)
{
	struct reading *r = malloc(sizeof *r);
	struct errand e = { .s = (struct sqlite *)s, .reading = r };
	int err;

	if (r == NULL)
		return -ENOMEM;
	r->after = 0;
	r->begun = false;
	r->why.text[0] = '\0';
	do {
		err = store_away(c, read_away, &e);
		if (err == 0)
			err = store_piece_tell(&r->piece, each, arg);
	} while (err == 0 && r->piece.n > 0);
	*why = r->why;
	free(r);
	return err;
}

/* --- Opening and closing --------------------------------------------------------------------------------- */

static int sqlite_open(struct store **out, const char *after, const struct store_limits *l, struct store_why *why)
{
	static bool watching_forks;
	struct store_why inner = { "" };
	struct sqlite *s;
	int err;

	if (*after == '\0')
		return store_because(why, -EINVAL, "store \"sqlite:\": which file? Try sqlite:list.db");
	if (!watching_forks && pthread_atfork(NULL, NULL, forked) != 0)
		return store_because(why, -ENOMEM, "store sqlite:%.100s: out of memory", after);
	watching_forks = true;
	err = sqlite_file_create(after, &inner);
	if (err < 0)
		return store_because(why, err, "store sqlite:%.100s: %s", after, inner.text);
	s = store_new(&store_sqlite, sizeof *s, false);
	if (s == NULL || realpath(after, s->path) == NULL) {
		err = s == NULL ? -ENOMEM : -errno;
		if (s != NULL)
			store_unmap(&s->store);
		return store_because(why, err, "store sqlite:%.100s: %s", after, myr_strerror(err));
	}
	snprintf(s->store.name, sizeof s->store.name, "store sqlite:%.100s", after);
	s->items_max = l->items < INT64_MAX ? (int64_t)l->items : INT64_MAX;
	s->bytes_max = l->bytes != 0 && l->bytes < INT64_MAX ? (int64_t)l->bytes : INT64_MAX;
	begin_afresh(s);
	s->others = opened;
	opened = s;
	*out = &s->store;
	return 0;
}

/* Whoever closes a database last puts the log into the file and removes it.  Children that were killed or just
 * ended have not done that, so this opens it once more.  Other workers may still be at work: they open theirs again. */
static void sqlite_stop(struct store *store)
{
	struct sqlite *s = (struct sqlite *)store;
	struct store_why why;
	struct sqlite_total t;

	pthread_mutex_lock(&s->reading);
	sqlite_file_close(&s->reader);
	pthread_mutex_unlock(&s->reading);
	pthread_mutex_lock(&s->lock);
	while (s->writing)
		pthread_cond_wait(&s->turn, &s->lock);
	if (sqlite_file_ready(&s->writer, s->path, &why) == 0)
		sqlite_file_total(&s->writer, &t, &why);
	sqlite_file_close(&s->writer);
	pthread_mutex_unlock(&s->lock);
}

static void sqlite_free(struct store *store)
{
	struct sqlite *s = (struct sqlite *)store, **at = &opened;

	while (*at != s)
		at = &(*at)->others;
	*at = s->others;
	sqlite_file_close(&s->reader);
	sqlite_file_close(&s->writer);
}

const struct store_ops store_sqlite = {
	.prefix = "sqlite:", .open = sqlite_open, .stop = sqlite_stop, .free = sqlite_free,
	.append = sqlite_append, .clear = sqlite_clear, .list = sqlite_list,
};
