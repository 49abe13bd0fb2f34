/* SPDX-License-Identifier: MIT
 *
 * limits.c - the limits of a connection: every default is finite and stands here. */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "conn/conn.h"

#define FRAME_MAX ((size_t)64 * 1024)
#define IN_MAX    ((size_t)256 * 1024)
#define OUT_HIGH  ((size_t)256 * 1024)
#define OUT_LOW   ((size_t)64 * 1024)
#define OUT_MAX   ((size_t)16 * 1024 * 1024)
#define OPEN_MS   30000
#define FRAME_MS  30000
#define IDLE_MS   300000
#define CLOSE_MS  5000

#define FRAME_ROOM 64                   /* what a framing puts round a payload, at most */

static size_t size_or(size_t n, size_t def)
{
	return n != 0 ? n : def;
}

static int ms_or(int ms, int def)
{
	return ms != 0 ? ms : def;
}

void limits_resolve(struct limits *l, const struct myr_config *c, const struct myr_service *s)
{
	static const struct myr_config none;

	if (c == NULL)
		c = &none;
	l->frame_max = size_or(s->frame_max, FRAME_MAX);
	l->in_max = size_or(c->in_max, IN_MAX);
	/* A frame that is allowed must fit; one that is announced longer is refused by the framing. */
	if (s->framing != NULL && l->frame_max < SIZE_MAX - FRAME_ROOM && l->in_max < l->frame_max + FRAME_ROOM)
		l->in_max = l->frame_max + FRAME_ROOM;
	l->out_high = size_or(c->out_high, OUT_HIGH);
	l->out_low = size_or(c->out_low, OUT_LOW);
	if (l->out_low > l->out_high)
		l->out_low = l->out_high / 2;
	l->out_max = size_or(c->out_max, OUT_MAX);
	if (l->out_max < l->out_high)
		l->out_max = l->out_high;
	l->open_ms = ms_or(c->open_ms, OPEN_MS);
	l->frame_ms = ms_or(c->frame_ms, FRAME_MS);
	l->idle_ms = ms_or(c->idle_ms, IDLE_MS);
	l->close_ms = ms_or(c->close_ms, CLOSE_MS);
}

static bool has_blocking(const struct myr_service *s)
{
	return s->setup != NULL || s->handle != NULL || s->finish != NULL;
}

static bool has_callbacks(const struct myr_service *s)
{
	return s->on_open != NULL || s->on_data != NULL || s->on_frame != NULL || s->on_room != NULL ||
	       s->on_eof != NULL || s->on_close != NULL || s->on_stop != NULL;
}

int sized_copy(void *to, size_t to_size, const void *from, size_t from_size, const char *what)
{
	const uint8_t *p = from;

	memset(to, 0, to_size);
	if (from == NULL)
		return 0;
	for (size_t i = to_size; i < from_size; i++)
		if (p[i] != 0)
			return fail(-E2BIG, "a field of %s is set that this version of the library does not know", what);
	memcpy(to, from, from_size < to_size ? from_size : to_size);
	return 0;
}

static size_t discard(struct myr_conn *c, const void *p, size_t n)
{
	(void)c;
	(void)p;
	return n;
}

int origin_init(struct origin *o, const struct myr_service *s, size_t size, const struct myr_config *c, void *arg)
{
	int err;

	memset(o, 0, sizeof *o);
	err = sized_copy(&o->service, sizeof o->service, s, size, "struct myr_service");
	if (err < 0)
		return err;
	if (s != NULL && has_blocking(&o->service) && has_callbacks(&o->service))
		return fail(-EINVAL, "service \"%s\" has both blocking and callback functions; fill in one half",
		            o->service.name != NULL ? o->service.name : "?");
	if (s != NULL && !has_blocking(&o->service) && !has_callbacks(&o->service))
		return fail(-EINVAL, "service \"%s\" has neither a handle nor a callback",
		            o->service.name != NULL ? o->service.name : "?");
	if (o->service.on_data == NULL)
		o->service.on_data = discard;
	limits_resolve(&o->limits, c, &o->service);
	o->arg = arg;
	o->key = s;
	return 0;
}
