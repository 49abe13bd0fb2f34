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

struct store_health { _Atomic int err; };       /* the last failure told; 0: none, or told that it is over */

static const struct store_ops *const kinds[] = { &store_mem };

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

void store_free(struct store *s)
{
	if (s == NULL)
		return;
	munmap(s->health, sizeof *s->health);
	munmap(s, s->mapped);
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
		err = store_because(&why, -EINVAL, "store \"%.100s\": what is that? Try mem", what);
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
		if (atomic_exchange(&s->health->err, err) != err)
			myr_log(c, LOG_ERR, "%s: %s", s->name, why->text);
	} else if (err == 0 && atomic_load(&s->health->err) != 0 && atomic_exchange(&s->health->err, 0) != 0) {
		myr_log(c, LOG_NOTICE, "%s: works again", s->name);
	}
	return err;
}

int store_start(struct store *s, struct myr_loop *l)
{
	struct store_why why = { "" };

	(void)l;
	return s->ops->start != NULL ? told(s, NULL, s->ops->start(s, &why), &why) : 0;
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
