/* SPDX-License-Identifier: MIT
 *
 * screen.c - texts for standard output, whole. */
#include "service/screen.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "service/repr.h"

static char *screen_room(struct screen *s, size_t more)
{
	if (s->n + more > s->room && !s->failed) {
		size_t room = 2 * s->room + more + 256;
		char *text = realloc(s->text, room);

		if (text) {
			s->text = text;
			s->room = room;
		} else {
			s->failed = true;
		}
	}
	return s->failed ? NULL : s->text + s->n;
}

static void screen_vadd(struct screen *s, const char *fmt, va_list ap)
{
	va_list again;
	char *dst;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (n < 0 || !(dst = screen_room(s, (size_t)n + 1)))
		return;
	vsnprintf(dst, (size_t)n + 1, fmt, ap);
	s->n += (size_t)n;
}

void screen_add(struct screen *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	screen_vadd(s, fmt, ap);
	va_end(ap);
}

void screen_bytes(struct screen *s, const void *bytes, size_t n)
{
	char *dst = screen_room(s, REPR_BYTES_MAX(n));

	if (dst)
		s->n += repr_bytes(dst, REPR_BYTES_MAX(n), bytes, n);
}

void screen_str(struct screen *s, const void *text, size_t n)
{
	char *dst = screen_room(s, REPR_STR_MAX(n));

	if (dst)
		s->n += repr_str(dst, REPR_STR_MAX(n), text, n);
}

/* On a terminal as in Python's quotes, without the quotes. */
void screen_raw(struct screen *s, const void *bytes, size_t n)
{
	size_t before = s->n;
	char *dst;

	if (isatty(STDOUT_FILENO)) {
		screen_str(s, bytes, n);
		if (s->failed)
			return;
		memmove(s->text + before, s->text + before + 1, s->n - before - 1);
		s->n -= 2;
	} else if (n > 0 && (dst = screen_room(s, n))) {
		memcpy(dst, bytes, n);
		s->n += n;
	}
}

void screen_peer(struct screen *s, const struct myr_conn *c)
{
	char text[REPR_ADDRESS_MAX];

	repr_address(text, sizeof text, myr_peer_host(c), myr_peer_port(c));
	screen_add(s, "%s", text);
}

void screen_address(struct screen *s, const char *address)
{
	const char *host = strncmp(address, "tcp:", 4) == 0 ? address + 4 : address, *colon = strrchr(host, ':');
	char text[REPR_ADDRESS_MAX], name[REPR_ADDRESS_MAX];
	size_t n = colon ? (size_t)(colon - host) : strlen(host);

	if (n > 1 && host[0] == '[' && host[n - 1] == ']') {
		host++;
		n -= 2;
	}
	snprintf(name, sizeof name, "%.*s", (int)n, host);
	repr_address(text, sizeof text, name, colon ? atoi(colon + 1) : 0);
	screen_add(s, "%s", text);
}

void screen_show(struct screen *s)
{
	size_t done = 0;
	ssize_t n = 0;

	while (!s->failed && done < s->n && (n >= 0 || errno == EINTR)) {
		n = write(STDOUT_FILENO, s->text + done, s->n - done);
		if (n > 0)
			done += (size_t)n;
	}
	free(s->text);
	*s = (struct screen){ .text = NULL };
}

void screen_print(const char *fmt, ...)
{
	struct screen s = { .text = NULL };
	va_list ap;

	va_start(ap, fmt);
	screen_vadd(&s, fmt, ap);
	va_end(ap);
	screen_add(&s, "\n");
	screen_show(&s);
}
