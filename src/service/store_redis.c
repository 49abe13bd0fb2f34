/* SPDX-License-Identifier: MIT
 *
 * store_redis.c - the list in a Redis server, shared by all who use that key on any machine.
 *
 * Each client's handler has a connection of its own to Redis, kept for its next request.  Where it failed the
 * next request makes a new one; while Redis is away, all workers and processes together try it at growing
 * intervals only.  A command is never sent twice: if its reply is lost, nobody knows whether it was done. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "service/redis_talk.h"

#define PORT         "6379"
#define PAGE         1000               /* items */
#define PAUSE_MS     50                 /* before the next attempt; doubled each time, */
#define PAUSE_MOST   1000               /* up to this */
#define WORD(text)   ((struct redis_word){ text, strlen(text) })

struct redis {
	struct store store;
	char endpoint[160], key[128], user[64], password[128];
	long long items_max;
	/* shared by all processes: */
	_Atomic long long items;        /* as Redis last said */
	_Atomic int64_t not_before;     /* the next attempt to connect, after one has failed */
	_Atomic int pause;
};

/* --- Addresses ------------------------------------------------------------------------------------------ */

static int hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* n characters, in which %41 is A; false: too long, or no such number. */
static bool decode(char *dst, size_t size, const char *s, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (c == '%') {
			if (n - i < 3 || hex(s[i + 1]) < 0 || hex(s[i + 2]) < 0)
				return false;
			c = (char)(hex(s[i + 1]) * 16 + hex(s[i + 2]));
			i += 2;
		}
		if (c == '\0' || at + 1 >= size)
			return false;
		dst[at++] = c;
	}
	dst[at] = '\0';
	return true;
}

/* USER:PASSWORD or :PASSWORD */
static bool parse_login(struct redis *r, const char *s, size_t n)
{
	const char *colon = memchr(s, ':', n);

	return colon != NULL && decode(r->user, sizeof r->user, s, (size_t)(colon - s)) &&
	       decode(r->password, sizeof r->password, colon + 1, n - (size_t)(colon - s) - 1);
}

static int parse_key(struct redis *r, const char *slash, struct store_why *why)
{
	if (slash == NULL || slash[1] == '\0')
		return store_because(why, -EINVAL, "which key? Try redis://127.0.0.1/list");
	if (strchr(slash + 1, '/') != NULL || !decode(r->key, sizeof r->key, slash + 1, strlen(slash + 1)))
		return store_because(why, -EINVAL, "the key is not right: up to %zu characters, others than letters as %%41",
		                     sizeof r->key - 1);
	return 0;
}

static int parse_tcp(struct redis *r, const char *s, struct store_why *why)
{
	const char *slash = strchr(s, '/'), *at, *host, *close, *end = slash != NULL ? slash : s + strlen(s);
	int err = parse_key(r, slash, why), n = (int)(end - s);
	bool port;

	if (err < 0)
		return err;
	at = memrchr(s, '@', (size_t)n);
	host = at != NULL ? at + 1 : s;
	if (at != NULL && !parse_login(r, s, (size_t)(at - s)))
		return store_because(why, -EINVAL, "before the @ there is :PASSWORD or USER:PASSWORD");
	n = (int)(end - host);
	if (n == 0 || n > 100)
		return store_because(why, -EINVAL, "which host? Try redis://127.0.0.1/list");
	close = memrchr(host, ']', (size_t)n);
	port = memchr(close != NULL ? close : host, ':', (size_t)(end - (close != NULL ? close : host))) != NULL;
	snprintf(r->endpoint, sizeof r->endpoint, "tcp:%.*s%s", n, host, port ? "" : ":" PORT);
	snprintf(r->store.name, sizeof r->store.name, "store redis://%.*s/%.60s", n, host, r->key);
	return 0;
}

static int parse_unix(struct redis *r, const char *s, struct store_why *why)
{
	const char *slash = strrchr(s, '/');
	int err = parse_key(r, slash, why), n = (int)(slash != NULL ? slash - s : 0);

	if (err < 0)
		return err;
	if (n == 0 || n > 107)
		return store_because(why, -EINVAL, "which socket? Try redis+unix:/run/redis/redis.sock/list");
	snprintf(r->endpoint, sizeof r->endpoint, "unix:%.*s", n, s);
	snprintf(r->store.name, sizeof r->store.name, "store redis+unix:%.*s/%.40s", n < 70 ? n : 70, s, r->key);
	return 0;
}

/* --- Connections ------------------------------------------------------------------------------------------ */

static int64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);     /* the same in every process */
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int log_in(struct redis *r, struct myr_conn *away, struct store_why *why)
{
	struct redis_reply reply = { .wanted = REDIS_STATUS };
	struct redis_word words[3] = { WORD("AUTH"), WORD(r->user), WORD(r->password) };

	if (r->password[0] == '\0')
		return 0;
	if (r->user[0] == '\0')
		words[1] = words[2];
	return redis_ask(away, words, r->user[0] == '\0' ? 2 : 3, &reply, why);
}

static int dial(struct redis *r, struct myr_conn **away, struct store_why *why)
{
	int err = myr_dial(away, r->endpoint, REDIS_DIAL_MS), pause = atomic_load(&r->pause);

	if (err < 0) {
		store_because(why, err, "%s", myr_reason());
	} else if ((err = log_in(r, *away, why)) < 0) {
		myr_abort(*away);
		*away = NULL;
	}
	if (err == 0) {
		atomic_store(&r->pause, 0);
		return 0;
	}
	pause = pause == 0 ? PAUSE_MS : pause < PAUSE_MOST / 2 ? pause * 2 : PAUSE_MOST;
	atomic_store(&r->pause, pause);
	atomic_store(&r->not_before, clock_now() + pause);
	return err;
}

/* The seat's connection, made if need be. */
static int connect_seat(struct redis *r, struct myr_conn *c, struct store_seat *seat, struct store_why *why)
{
	int64_t wait;
	int err;

	if (seat->away != NULL && !redis_is_quiet(seat->away)) {
		myr_abort(seat->away);
		seat->away = NULL;
	}
	if (seat->away != NULL)
		return 0;
	wait = atomic_load(&r->pause) > 0 ? atomic_load(&r->not_before) - clock_now() : 0;
	if (wait > 0 && (err = myr_sleep(c, wait < PAUSE_MOST ? (int)wait : PAUSE_MOST)) < 0 && err != MYR_STOP)
		return err;
	return dial(r, &seat->away, why);
}

/* One command.  c and its seat; or, before the server runs, c NULL and a seat that the caller has. */
static int ask(struct redis *r, struct myr_conn *c, struct store_seat *seat, const struct redis_word *words, unsigned n,
               struct redis_reply *reply, struct store_why *why)
{
	int err = connect_seat(r, c, seat, why);

	if (err < 0)
		return err;
	err = redis_ask(seat->away, words, n, reply, why);
	if (!reply->usable) {
		myr_abort(seat->away);
		seat->away = NULL;
	}
	return err;
}

static int ask_number(struct redis *r, struct myr_conn *c, struct store_seat *seat, const char *command,
                      const struct redis_word *more, long long *number, struct store_why *why)
{
	struct redis_reply reply = { .wanted = REDIS_NUMBER };
	const struct redis_word words[3] = { WORD(command), WORD(r->key), more != NULL ? *more : WORD("") };
	int err = ask(r, c, seat, words, more != NULL ? 3 : 2, &reply, why);

	if (err < 0 && reply.sent && !reply.usable) {
		char what[sizeof why->text - 60];

		snprintf(what, sizeof what, "%.*s", (int)sizeof what - 1, why->text);
		return store_because(why, -EREMOTEIO, "%s; whether %s was done is not known", what, command);
	}
	*number = reply.number;
	return err;
}

/* --- The list ----------------------------------------------------------------------------------------------- */

static int redis_append(struct store *s, struct myr_conn *c, const void *item, size_t n, struct store_why *why)
{
	struct redis *r = (struct redis *)s;
	struct store_seat *seat = myr_state(c);
	struct redis_word word = { item, n };
	long long items = atomic_load(&r->items);
	int err = 0;

	if (items >= r->items_max && (err = ask_number(r, c, seat, "LLEN", NULL, &items, why)) < 0)
		return err == -EREMOTEIO ? -EIO : err;          /* nothing was to be done */
	if (items >= r->items_max)
		return -EDQUOT;
	err = ask_number(r, c, seat, "RPUSH", &word, &items, why);
	if (err == 0)
		atomic_store(&r->items, items);
	return err;
}

static int redis_clear(struct store *s, struct myr_conn *c, struct store_why *why)
{
	struct redis *r = (struct redis *)s;
	long long removed;
	int err = ask_number(r, c, myr_state(c), "DEL", NULL, &removed, why);

	if (err == 0)
		atomic_store(&r->items, 0);
	return err;
}

struct listing {
	store_each *each;
	void  *arg;
	bool   overlaps;                /* the next item is the last one again, or the list is another one */
	size_t last_n;
	unsigned char last[STORE_ITEM_MAX];
};

static int tell(void *arg, const void *item, size_t n)
{
	struct listing *l = arg;

	if (l->overlaps) {
		l->overlaps = false;
		return n == l->last_n && memcmp(item, l->last, n) == 0 ? 0 : -ESTALE;
	}
	l->last_n = n;
	memcpy(l->last, item, n);
	return l->each(l->arg, item, n);
}

/* Items first to last, both included. */
static int list_page(struct redis *r, struct myr_conn *c, struct listing *l, long long first, long long last,
                     struct store_why *why)
{
	struct redis_reply reply = { .wanted = REDIS_ITEMS, .each = tell, .arg = l };
	char from[24], to[24];
	struct redis_word words[4] = { WORD("LRANGE"), WORD(r->key) };
	int err;

	snprintf(from, sizeof from, "%lld", first);
	snprintf(to, sizeof to, "%lld", last);
	words[2] = WORD(from);
	words[3] = WORD(to);
	err = ask(r, c, myr_state(c), words, 4, &reply, why);
	return err == 0 && reply.number != last - first + 1 ? -ESTALE : err;
}

/* A page begins with the item that the page before ended with: so a clear in between shows. */
static int redis_list(struct store *s, struct myr_conn *c, store_each *each, void *arg, struct store_why *why)
{
	struct redis *r = (struct redis *)s;
	struct listing *l = malloc(sizeof *l);
	long long n, last;
	int err;

	if (l == NULL)
		return -ENOMEM;
	l->each = each;
	l->arg = arg;
	err = ask_number(r, c, myr_state(c), "LLEN", NULL, &n, why);
	if (err == -EREMOTEIO)
		err = -EIO;
	for (long long at = 0; err == 0 && at < n; at = last + 1) {
		last = at + PAGE < n ? at + PAGE - 1 : n - 1;
		l->overlaps = at > 0;
		err = list_page(r, c, l, at > 0 ? at - 1 : 0, last, why);
	}
	free(l);
	return err;
}

/* --- Opening --------------------------------------------------------------------------------------------------- */

/* Is it there, does it let us in, is the key a list or free? */
static int look(struct redis *r, struct store_why *why)
{
	struct redis_reply reply = { .wanted = REDIS_STATUS };
	struct store_seat seat = { NULL };
	long long items;
	int err = ask(r, NULL, &seat, (struct redis_word[]){ WORD("TYPE"), WORD(r->key) }, 2, &reply, why);

	if (err == 0 && strcmp(reply.text, "none") != 0 && strcmp(reply.text, "list") != 0)
		err = store_because(why, -EEXIST, "the key is a %s and no list: give another one", reply.text);
	if (err == 0 && (err = ask_number(r, NULL, &seat, "LLEN", NULL, &items, why)) == 0)
		atomic_store(&r->items, items);
	if (seat.away != NULL)
		myr_close(seat.away);
	return err;
}

static int open_as(struct store **out, const struct store_ops *ops, const char *after, const struct store_limits *l,
                   int (*parse)(struct redis *, const char *, struct store_why *), struct store_why *why)
{
	struct redis *r = store_new(ops, sizeof *r, true);
	struct store_why inner = { "" };
	int err;

	if (r == NULL)
		return store_because(why, -ENOMEM, "store redis: out of memory");
	r->items_max = l->items < INT64_MAX ? (long long)l->items : INT64_MAX;
	snprintf(r->store.name, sizeof r->store.name, "store %s...", ops->prefix);     /* until it is known without a password */
	err = parse(r, after, &inner);
	if (err == 0)
		err = look(r, &inner);
	if (err < 0) {
		store_because(why, err, "%.100s: %.150s", r->store.name, inner.text);
		store_unmap(&r->store);
		return err;
	}
	*out = &r->store;
	return 0;
}

static int redis_open(struct store **out, const char *after, const struct store_limits *l, struct store_why *why)
{
	return open_as(out, &store_redis, after, l, parse_tcp, why);
}

static int redis_open_unix(struct store **out, const char *after, const struct store_limits *l, struct store_why *why)
{
	return open_as(out, &store_redis_unix, after, l, parse_unix, why);
}

const struct store_ops store_redis = {
	.prefix = "redis://", .open = redis_open,
	.append = redis_append, .clear = redis_clear, .list = redis_list,
};

const struct store_ops store_redis_unix = {
	.prefix = "redis+unix:", .open = redis_open_unix,
	.append = redis_append, .clear = redis_clear, .list = redis_list,
};
