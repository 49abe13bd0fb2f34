/* SPDX-License-Identifier: MIT
 *
 * talk.c - scripted clients.
 *
 * Sockets do not block; every wait is a poll() with what is left of the patience. */
#include "support/talk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "support/clock.h"
#include "support/pattern.h"

#define PIECE ((size_t)65536)
#define QUOTE_MAX 400                   /* longer ones are cut in the transcript */

/* --- The transcript ------------------------------------------------------------------------------ */

static void talk_add(struct talk *t, const char *p, size_t n)
{
	if (t->n + n + 1 > t->room) {
		t->room = (t->n + n + 1) * 2;
		t->text = realloc(t->text, t->room);
		if (t->text == NULL)
			abort();
	}
	memcpy(t->text + t->n, p, n);
	t->n += n;
	t->text[t->n] = '\0';
}

__attribute__((format(printf, 2, 0)))
static void talk_vadd(struct talk *t, const char *fmt, va_list ap)
{
	char line[1024];
	int n = vsnprintf(line, sizeof line, fmt, ap);

	talk_add(t, line, (size_t)n < sizeof line ? (size_t)n : sizeof line - 1);
}

void note(struct talk *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	talk_vadd(t, fmt, ap);
	va_end(ap);
	talk_add(t, "\n", 1);
}

__attribute__((format(printf, 3, 4)))
static void tell(const struct client *c, char what, const char *fmt, ...)
{
	va_list ap;

	if (c->quiet)
		return;
	talk_add(c->talk, c->name, strlen(c->name));
	talk_add(c->talk, (char[]){ what, ' ' }, 2);
	va_start(ap, fmt);
	talk_vadd(c->talk, fmt, ap);
	va_end(ap);
	talk_add(c->talk, "\n", 1);
}

static void quote(char *dst, size_t size, const uint8_t *p, size_t n)
{
	size_t at = 0;

	for (size_t i = 0; i < n && at + 8 < size; i++) {
		if (p[i] == '\r' || p[i] == '\n')
			at += (size_t)snprintf(dst + at, size - at, "\\%c", p[i] == '\r' ? 'r' : 'n');
		else if (p[i] < ' ' || p[i] > '~')
			at += (size_t)snprintf(dst + at, size - at, "\\x%02x", p[i]);
		else
			dst[at++] = (char)p[i];
	}
	dst[at] = '\0';
}

/* Whole lines as they are, the rest in quotes. */
static void tell_bytes(const struct client *c, char what, const uint8_t *p, size_t n)
{
	char text[QUOTE_MAX];

	while (n > 0) {
		const uint8_t *end = memchr(p, '\n', n);
		size_t k = end != NULL ? (size_t)(end - p) : n;

		quote(text, sizeof text, p, k);
		if (end != NULL)
			tell(c, what, "%s", text);
		else
			tell(c, what, "\"%s\"", text);
		k += end != NULL;
		p += k;
		n -= k;
	}
}

void talk_begin(struct talk *t)
{
	memset(t, 0, sizeof *t);
	talk_add(t, "", 0);
}

void talk_hang_up_all(struct talk *t)
{
	for (unsigned i = 0; i < t->n_clients; i++) {
		if (t->clients[i]->fd >= 0)
			close(t->clients[i]->fd);
		t->clients[i]->fd = -1;
	}
}

void talk_go_home(struct talk *t)
{
	for (unsigned i = 0; i < t->n_clients; i++)
		if (t->clients[i]->ended != NULL && t->clients[i]->fd >= 0) {
			close(t->clients[i]->fd);
			t->clients[i]->fd = -1;
		}
}

void talk_end(struct talk *t)
{
	talk_hang_up_all(t);
	for (unsigned i = 0; i < t->n_clients; i++) {
		free(t->clients[i]->in);
		free(t->clients[i]);
	}
	free(t->text);
	memset(t, 0, sizeof *t);
}

/* --- Connecting ---------------------------------------------------------------------------------- */

static socklen_t resolve(struct sockaddr_storage *a, const char *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)a;
	struct sockaddr_un *un = (struct sockaddr_un *)a;
	char host[64] = "";
	unsigned port = 0;

	memset(a, 0, sizeof *a);
	if (strncmp(address, "unix:", 5) == 0) {
		un->sun_family = AF_UNIX;
		snprintf(un->sun_path, sizeof un->sun_path, "%s", address + 5);
		return sizeof *un;
	}
	sscanf(address, "tcp:%63[0-9.]:%u", host, &port);
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)port);
	inet_pton(AF_INET, host, &in->sin_addr);
	return sizeof *in;
}

static struct client *client_new(struct talk *t, const char *name)
{
	struct client *c = calloc(1, sizeof *c);

	if (c == NULL || t->n_clients == TALK_CLIENTS)
		abort();
	c->talk = t;
	c->fd = -1;
	snprintf(c->name, sizeof c->name, "%s", name);
	return t->clients[t->n_clients++] = c;
}

static void come_from(int fd, const char *from)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	inet_pton(AF_INET, from, &a.sin_addr);
	if (bind(fd, (struct sockaddr *)&a, sizeof a) < 0)
		abort();
}

static void set_nodelay(int fd)
{
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
}

static int wait_connected(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int err = ETIMEDOUT;
	socklen_t n = sizeof err;

	if (poll(&p, 1, TALK_PATIENCE_MS) == 1)
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n);
	return err;
}

static int try_connect(const char *address, const struct client_opts *o, int *fd)
{
	struct sockaddr_storage a;
	socklen_t n = resolve(&a, address);

	*fd = socket(a.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return errno;
	if (o->receive_room > 0)
		setsockopt(*fd, SOL_SOCKET, SO_RCVBUF, &o->receive_room, sizeof(int));
	if (o->send_room > 0)
		setsockopt(*fd, SOL_SOCKET, SO_SNDBUF, &o->send_room, sizeof(int));
	if (o->from != NULL)
		come_from(*fd, o->from);
	if (connect(*fd, (struct sockaddr *)&a, n) == 0)
		return 0;
	return errno == EINPROGRESS ? wait_connected(*fd) : errno;
}

struct client *client_dial(struct talk *t, const char *name, const char *address, const struct client_opts *o)
{
	struct client *c = client_new(t, name);
	int err = try_connect(address, o != NULL ? o : &(struct client_opts){ 0 }, &c->fd);

	c->quiet = o != NULL && o->quiet;
	set_nodelay(c->fd);
	if (err != 0) {
		tell(c, '!', "cannot connect to %s: %s", address, strerror(err));
		c->ended = "never connected";
	}
	return c;
}

bool client_is_refused(const char *address)
{
	int fd, err = try_connect(address, &(struct client_opts){ 0 }, &fd);

	close(fd);
	return err == ECONNREFUSED || err == ENOENT;
}

int talk_listen(char *address, size_t size)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof a;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) < 0 || listen(fd, 16) < 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		abort();
	snprintf(address, size, "tcp:127.0.0.1:%d", ntohs(a.sin_port));
	return fd;
}

struct client *client_accept(struct talk *t, const char *name, int listening)
{
	struct pollfd p = { .fd = listening, .events = POLLIN };
	struct client *c = client_new(t, name);

	if (poll(&p, 1, TALK_PATIENCE_MS) == 1)
		c->fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (c->fd < 0) {
		tell(c, '!', "nobody came");
		c->ended = "never connected";
		return c;
	}
	set_nodelay(c->fd);
	return c;
}

void client_own_address(const struct client *c, char *dst, size_t size)
{
	struct sockaddr_in a = { 0 };
	socklen_t n = sizeof a;
	char host[64];

	getsockname(c->fd, (struct sockaddr *)&a, &n);
	inet_ntop(AF_INET, &a.sin_addr, host, sizeof host);
	snprintf(dst, size, "%s:%d", host, ntohs(a.sin_port));
}

/* --- Saying -------------------------------------------------------------------------------------- */

static void note_failure(struct client *c)
{
	if (c->ended == NULL && (errno == ECONNRESET || errno == EPIPE))
		c->ended = "RESET";
}

/* One send: how many went, 0 if none could within ms, -1 if none ever will. */
static ssize_t push(struct client *c, const uint8_t *p, size_t n, int ms)
{
	struct pollfd ready = { .fd = c->fd, .events = POLLOUT };
	ssize_t k = send(c->fd, p, n, MSG_NOSIGNAL);

	if (k < 0 && errno == EAGAIN)
		k = poll(&ready, 1, ms) == 1 ? send(c->fd, p, n, MSG_NOSIGNAL) : 0;
	if (k < 0 && errno == EAGAIN)
		return 0;
	if (k < 0)
		note_failure(c);
	return k;
}

static bool push_all(struct client *c, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t k = push(c, p, n, TALK_PATIENCE_MS);

		if (k <= 0) {
			tell(c, '!', "%zu bytes could not be said: %s", n,
			     k == 0 ? "nobody reads" : strerror(errno));
			return false;
		}
		p += k;
		n -= (size_t)k;
	}
	return true;
}

void say_bytes(struct client *c, const void *p, size_t n)
{
	tell_bytes(c, '>', p, n);
	push_all(c, p, n);
}

void say(struct client *c, const char *text)
{
	say_bytes(c, text, strlen(text));
}

void say_slowly(struct client *c, const void *p, size_t n)
{
	const uint8_t *bytes = p;

	tell_bytes(c, '>', p, n);
	for (size_t i = 0; i < n && push_all(c, bytes + i, 1); i++)
		;
}

void say_exactly(struct client *c, const void *p, size_t n)
{
	tell(c, '>', "%zu bytes", n);
	push_all(c, p, n);
}

void say_pattern(struct client *c, size_t n)
{
	uint8_t piece[PIECE];

	tell(c, '>', "%zu bytes", n);
	while (n > 0) {
		size_t k = n < sizeof piece ? n : sizeof piece;

		pattern_fill(piece, c->said, k);
		if (!push_all(c, piece, k))
			return;
		c->said += k;
		n -= k;
	}
}

size_t say_until_stuck(struct client *c, size_t max, int ms)
{
	uint8_t piece[PIECE];
	size_t n = 0;
	ssize_t k = 1;

	while (n < max && k > 0) {
		pattern_fill(piece, c->said, sizeof piece);
		k = push(c, piece, sizeof piece, ms);
		if (k > 0) {
			c->said += (size_t)k;
			n += (size_t)k;
		}
	}
	return n;
}

void say_eof(struct client *c)
{
	tell(c, '>', "EOF");
	shutdown(c->fd, SHUT_WR);
}

void hang_up(struct client *c)
{
	tell(c, '>', "hangs up");
	close(c->fd);
	c->fd = -1;
}

void hang_up_rudely(struct client *c)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	tell(c, '>', "RESET");
	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	close(c->fd);
	c->fd = -1;
}

/* --- Hearing ------------------------------------------------------------------------------------- */

/* Take what has arrived, at most so much: false if nothing has by the deadline, or if it has ended. */
static bool pull(struct client *c, size_t max, int64_t deadline)
{
	struct pollfd ready = { .fd = c->fd, .events = POLLIN };
	ssize_t k;

	if (c->ended != NULL || c->fd < 0)
		return false;
	if (poll(&ready, 1, test_left(deadline)) != 1)
		return false;
	if (c->in_n + max > c->in_room) {
		c->in_room = c->in_n + max;
		c->in = realloc(c->in, c->in_room);
		if (c->in == NULL)
			abort();
	}
	k = recv(c->fd, c->in + c->in_n, max, 0);
	if (k > 0)
		c->in_n += (size_t)k;
	else if (k == 0)
		c->ended = "EOF";
	else if (errno != EAGAIN)
		c->ended = errno == ECONNRESET ? "RESET" : strerror(errno);
	return c->ended == NULL;
}

static void drop(struct client *c, size_t n)
{
	if (n == 0)
		return;
	memmove(c->in, c->in + n, c->in_n - n);
	c->in_n -= n;
}

static void tell_missing(struct client *c, const char *what)
{
	if (c->in_n > 0)
		tell_bytes(c, '<', c->in, c->in_n);
	c->in_n = 0;
	tell(c, '<', "%s, not %s", c->ended != NULL ? c->ended : "silence", what);
}

static void tell_short(const struct client *c, size_t got, size_t n)
{
	tell(c, '<', "%s after %zu bytes of %zu", c->ended != NULL ? c->ended : "silence", got, n);
}

const char *hear_line(struct client *c)
{
	int64_t deadline = test_now() + TALK_PATIENCE_MS;
	const uint8_t *end;
	size_t n;

	while ((end = c->in_n > 0 ? memchr(c->in, '\n', c->in_n) : NULL) == NULL)
		if (!pull(c, PIECE, deadline)) {
			tell_missing(c, "a line");
			return "";
		}
	n = (size_t)(end - c->in) + 1;
	tell_bytes(c, '<', c->in, n);
	snprintf(c->line, sizeof c->line, "%.*s", (int)n - 1, (const char *)c->in);
	drop(c, n);
	return c->line;
}

void hear_bytes(struct client *c, size_t n)
{
	int64_t deadline = test_now() + TALK_PATIENCE_MS;

	while (c->in_n < n)
		if (!pull(c, PIECE, deadline)) {
			tell_missing(c, "all the bytes");
			return;
		}
	tell_bytes(c, '<', c->in, n);
	drop(c, n);
}

void hear_exactly(struct client *c, const void *p, size_t n)
{
	int64_t deadline = test_now() + TALK_PATIENCE_MS;

	while (c->in_n < n && pull(c, PIECE, deadline))
		;
	if (c->in_n < n || memcmp(c->in, p, n) != 0) {
		tell_missing(c, "the same bytes");
		return;
	}
	tell(c, '<', "the same %zu bytes", n);
	drop(c, n);
}

/* Check what is buffered, up to n bytes; false if it is wrong. */
static bool match(struct client *c, size_t n, size_t *matched)
{
	size_t k = c->in_n < n ? c->in_n : n;

	*matched = pattern_match(c->in, c->heard, k);
	c->heard += *matched;
	drop(c, *matched);
	if (*matched == k)
		return true;
	tell(c, '<', "byte %llu is wrong", (unsigned long long)c->heard);
	return false;
}

void hear_pattern(struct client *c, size_t n)
{
	int64_t deadline = test_now() + TALK_PATIENCE_MS;
	size_t left = n, k;

	for (;;) {
		if (!match(c, left, &k))
			return;
		left -= k;
		if (left == 0)
			break;
		if (!pull(c, PIECE, deadline)) {
			tell_short(c, n - left, n);
			return;
		}
	}
	tell(c, '<', "%zu bytes", n);
}

void hear_rest_of_pattern(struct client *c)
{
	int64_t deadline = test_now() + TALK_PATIENCE_MS;
	size_t n = 0, k;

	do {
		if (!match(c, SIZE_MAX, &k))
			return;
		n += k;
	} while (pull(c, 8192, deadline));
	tell(c, '<', "%zu bytes", n);
	tell(c, '<', "%s", c->ended != NULL ? c->ended : "silence, not the end");
}

static void hear_to_end(struct client *c)
{
	int64_t deadline = test_now() + TALK_PATIENCE_MS;

	while (pull(c, PIECE, deadline))
		;
	tell_bytes(c, '<', c->in, c->in_n);
	c->in_n = 0;
}

void hear_end(struct client *c)
{
	hear_to_end(c);
	tell(c, '<', "%s", c->ended != NULL ? c->ended : "silence, not the end");
}

void hear_cut(struct client *c)
{
	hear_to_end(c);
	tell(c, '<', "%s", c->ended != NULL ? "END" : "silence, not the end");
}

bool client_hears(struct client *c, int ms)
{
	return c->in_n > 0 || c->ended != NULL || pull(c, PIECE, test_now() + ms) || c->ended != NULL;
}

void hear_nothing(struct client *c, int ms)
{
	if (!client_hears(c, ms))
		tell(c, '<', "nothing");
	else if (c->in_n > 0)
		hear_line(c);
	else
		hear_end(c);
}

void exchange(struct client *c, size_t n)
{
	int64_t deadline = test_now() + TALK_PATIENCE_MS;
	struct pollfd ready = { .fd = c->fd, .events = POLLIN | POLLOUT };
	size_t to_say = n, to_hear = n, k;
	uint8_t piece[PIECE];

	while (to_hear > 0 && poll(&ready, 1, test_left(deadline)) == 1) {
		if (ready.revents & POLLOUT) {
			size_t m = to_say < sizeof piece ? to_say : sizeof piece;
			ssize_t sent;

			pattern_fill(piece, c->said, m);
			sent = push(c, piece, m, 0);
			if (sent < 0)
				break;
			c->said += (size_t)sent;
			to_say -= (size_t)sent;
			if (to_say == 0)
				ready.events = POLLIN;
		}
		if ((ready.revents & POLLIN) && !pull(c, PIECE, deadline))
			break;
		if (!match(c, to_hear, &k))
			return;
		to_hear -= k;
	}
	if (to_hear > 0)
		tell_short(c, n - to_hear, n);
	else
		tell(c, '=', "%zu bytes, both ways", n);
}
