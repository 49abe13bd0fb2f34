/* SPDX-License-Identifier: MIT
 *
 * store_sqlite.c - the list in an SQLite database: kept when it is acknowledged, whatever happens then.
 *
 * A process has one handle for writing and one for reading, opened when they are first needed, so never
 * before a fork.  Each write waits for the disk; so whoever finds nobody writing takes along all that
 * waits by then, in one transaction, and the others find theirs done. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/sqlite_file.h"

struct write {
	const void *item;               /* NULL: clear */
	size_t n;
	int    result;
	bool   done;
	struct store_why why;
	struct write *next;
};

struct sqlite {
	struct store store;
	char   path[PATH_MAX];          /* absolute */
	int64_t items_max, bytes_max;
	pthread_mutex_t lock;           /* of what follows */
	pthread_cond_t  turn;           /* a write is done, or the writer is free */
	bool   writing;                 /* somebody uses writer */
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

/* --- Writing ----------------------------------------------------------------------------------------- */

static int apply(struct sqlite *s, struct write *w, struct sqlite_total *t, struct store_why *why)
{
	int64_t n = (int64_t)w->n;
	int err;

	w->result = 0;
	if (w->item == NULL) {
		*t = (struct sqlite_total){ 0, 0, t->clears + 1, 0 };
		return sqlite_file_run(&s->writer, SQL_DELETE, why);
	}
	if (t->items >= s->items_max || n > s->bytes_max - t->bytes) {
		w->result = -ENOSPC;
		return 0;
	}
	err = sqlite_file_insert(&s->writer, w->item, w->n, why);
	t->items++;
	t->bytes += n;
	return err;
}

static int transact(struct sqlite *s, struct write *all, struct store_why *why)
{
	struct sqlite_total t;
	int err = sqlite_file_ready(&s->writer, s->path, why);

	if (err == 0)
		err = sqlite_file_run(&s->writer, SQL_BEGIN_WRITE, why);
	if (err == -EBUSY)
		return err;
	if (err == 0)
		err = sqlite_file_total(&s->writer, &t, why);
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

static void write_all(struct sqlite *s, struct write *all)
{
	struct store_why why = { "" };
	int err = transact(s, all, &why);

	if (err == 0)
		return;
	for (struct write *w = all; w != NULL; w = w->next) {
		w->result = err;
		w->why = why;
	}
}

static void take_turn(struct sqlite *s)
{
	struct write *all = s->first, *next;

	s->first = NULL;
	s->end = &s->first;
	s->writing = true;
	pthread_mutex_unlock(&s->lock);
	write_all(s, all);
	pthread_mutex_lock(&s->lock);
	s->writing = false;
	for (struct write *w = all; w != NULL; w = next) {
		next = w->next;                 /* it is its owner's as soon as the lock is free */
		w->done = true;
	}
	pthread_cond_broadcast(&s->turn);
}

struct errand {                         /* what is done away from the handler's thread */
	struct sqlite *s;
	struct write write;
	struct reading *reading;
};

static int write_away(void *arg)
{
	struct errand *e = arg;
	struct sqlite *s = e->s;

	pthread_mutex_lock(&s->lock);
	*s->end = &e->write;
	s->end = &e->write.next;
	while (!e->write.done && s->writing)
		pthread_cond_wait(&s->turn, &s->lock);
	if (!e->write.done)
		take_turn(s);
	pthread_mutex_unlock(&s->lock);
	return e->write.result;
}

static int write_one(struct store *s, struct myr_conn *c, const void *item, size_t n, struct store_why *why)
{
	struct errand e = { .s = (struct sqlite *)s, .write = { .item = item, .n = n } };
	int err = store_away(c, write_away, &e);

	*why = e.write.why;
	return err;
}

static int sqlite_append(struct store *s, struct myr_conn *c, const void *item, size_t n, struct store_why *why)
{
	return write_one(s, c, item != NULL ? item : "", n, why);
}

static int sqlite_clear(struct store *s, struct myr_conn *c, struct store_why *why)
{
	return write_one(s, c, NULL, 0, why);
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
