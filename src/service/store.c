/* SPDX-License-Identifier: MIT
 *
 * store.c - which kind of store an address means, and what is said of its health.
 *
 * Clients decide how often a store is asked, so a store that fails does not get a line in the log for each
 * request: one when it begins to fail, one when it works again, whichever process sees it. */
#include "service/store_ops.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <syslog.h>

struct store_health { _Atomic int failing; };   /* that it fails has been told, and not yet that this is over */

static const struct store_ops *const kinds[] = { &store_mem, &store_sqlite, &store_redis, &store_redis_unix };

static void *map(size_t n, int how)
{
	void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, how | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

void *store_new(const struct store_ops *ops, size_t n, bool shared)
{
	struct store *s = map(n, shared ? MAP_SHARED : MAP_PRIVATE);

	if (s == NULL)
		return NULL;
	s->health = map(sizeof *s->health, MAP_SHARED);
	if (s->health == NULL) {
		munmap(s, n);
		return NULL;
	}
	s->ops = ops;
	s->mapped = n;
	return s;
}

void store_unmap(struct store *s)
{
	munmap(s->health, sizeof *s->health);
	munmap(s, s->mapped);
}

void store_free(struct store *s)
{
	if (s == NULL)
		return;
	if (s->ops->free != NULL)
		s->ops->free(s);
	store_unmap(s);
}

int store_away(struct myr_conn *c, int (*work)(void *arg), void *arg)
{
	return c != NULL ? myr_offload(c, work, arg, NULL) : work(arg);
}

bool store_piece_add(struct store_piece *p, const void *item, size_t n)
{
	store_length len = (store_length)n;

	if (n > STORE_ITEM_MAX || p->n + sizeof len + n > sizeof p->bytes)
		return false;
	memcpy(p->bytes + p->n, &len, sizeof len);
	if (n > 0)
		memcpy(p->bytes + p->n + sizeof len, item, n);
	p->n += sizeof len + n;
	return true;
}

int store_piece_tell(const struct store_piece *p, store_each *each, void *arg)
{
	store_length len;
	int err = 0;

	for (size_t at = 0; at < p->n && err == 0; at += sizeof len + len) {
		memcpy(&len, p->bytes + at, sizeof len);
		err = each(arg, p->bytes + at + sizeof len, len);
	}
	return err;
}

int store_because(struct store_why *why, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why->text, sizeof why->text, fmt, ap);
	va_end(ap);
	return err;
}

static const struct store_ops *kind_of(const char *what, const char **after)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		size_t n = strlen(kinds[i]->prefix);

		*after = what + n;
		if (strncmp(what, kinds[i]->prefix, n) == 0)
			return kinds[i];
	}
	return NULL;
}

int store_open(struct store **out, struct myr_server *v, const char *what, const struct store_limits *limits)
{
	struct store_limits l = limits != NULL ? *limits : (struct store_limits){ 0 };
	struct store_why why = { "" };
	const char *after;
	const struct store_ops *ops = kind_of(what, &after);
	int err;

	(void)v;
	*out = NULL;
	if (l.items == 0)
		l.items = 1000000;
	if (ops == NULL)
		err = store_because(&why, -EINVAL, "store \"%.100s\": what is that? Try mem, sqlite:FILE, "
		                    "redis://HOST:PORT/KEY or redis+unix:PATH/KEY", what);
	else
		err = ops->open(out, after, &l, &why);
	if (err < 0)
		myr_log(NULL, LOG_ERR, "%s", why.text[0] != '\0' ? why.text : myr_strerror(err));
	return err;
}

/* --- Calls, and what is told of them --------------------------------------------------------------- */

/* A limit, an item too long, a list cleared meanwhile, a client that left: no word about the store. */
static bool is_trouble(int err, const struct store_why *why)
{
	return err < 0 && why->text[0] != '\0';
}

static int told(struct store *s, const struct myr_conn *c, int err, const struct store_why *why)
{
	if (is_trouble(err, why)) {
		if (atomic_exchange(&s->health->failing, 1) == 0)
			myr_log(c, LOG_ERR, "%s: %s", s->name, why->text);
	} else if (err == 0 && atomic_load(&s->health->failing) && atomic_exchange(&s->health->failing, 0)) {
		myr_log(c, LOG_NOTICE, "%s: works again", s->name);
	}
	return err;
}

/* Handles to files and servers are opened where they are first needed: under fork, no start() runs there. */
int store_start(struct store *s, struct myr_loop *l)
{
	(void)s, (void)l;
	return 0;
}

void store_stop(struct store *s, struct myr_loop *l)
{
	(void)l;
	if (s->ops->stop != NULL)
		s->ops->stop(s);
}

int store_append(struct store *s, struct myr_conn *c, const void *item, size_t n)
{
	struct store_why why = { "" };

	if (n > STORE_ITEM_MAX)
		return -EMSGSIZE;
	return told(s, c, s->ops->append(s, c, item, n, &why), &why);
}

int store_clear(struct store *s, struct myr_conn *c)
{
	struct store_why why = { "" };

	return told(s, c, s->ops->clear(s, c, &why), &why);
}

int store_list(struct store *s, struct myr_conn *c, store_each *each, void *arg)
{
	struct store_why why = { "" };

	return told(s, c, s->ops->list(s, c, each, arg, &why), &why);
}
