/* SPDX-License-Identifier: MIT
 *
 * addr.c - addresses and endpoints to and from text.
 *
 * Endpoints are parsed strictly: whatever is not understood is refused with a sentence, never
 * guessed at, because a port that quietly becomes another one is found out too late. */
#include "base/addr.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/log.h"

/* --- Addresses ----------------------------------------------------------------------- */

void addr_from_sockaddr(struct addr *a, const struct sockaddr *sa, socklen_t len)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	sa_family_t family = AF_UNSPEC;

	*a = (struct addr){ .family = 0 };
	if (sa != NULL && len >= sizeof family)         /* copied: it may stand anywhere in a buffer */
		memcpy(&family, (const char *)sa + offsetof(struct sockaddr, sa_family), sizeof family);
	if (family == AF_UNIX) {
		a->family = AF_UNIX;
	} else if (family == AF_INET && len >= sizeof in) {
		memcpy(&in, sa, sizeof in);
		a->family = AF_INET;
		a->port = ntohs(in.sin_port);
		memcpy(a->ip, &in.sin_addr, 4);
	} else if (family == AF_INET6 && len >= sizeof in6) {
		bool is_v4;

		memcpy(&in6, sa, sizeof in6);
		is_v4 = memcmp(&in6.sin6_addr, mapped, sizeof mapped) == 0;
		a->family = is_v4 ? AF_INET : AF_INET6;
		a->port = ntohs(in6.sin6_port);
		memcpy(a->ip, in6.sin6_addr.s6_addr + (is_v4 ? 12 : 0), is_v4 ? 4 : 16);
	}
}

/* snprintf() that returns the length of what is there. */
static size_t format(char *dst, size_t size, const char *fmt, ...) MYR_PRINTF(3, 4);
static size_t format(char *dst, size_t size, const char *fmt, ...)
{
	va_list ap;

	assert(size > 0);
	va_start(ap, fmt);
	if (vsnprintf(dst, size, fmt, ap) < 0)
		dst[0] = '\0';
	va_end(ap);
	return strlen(dst);
}

size_t addr_format_host(const struct addr *a, char *dst, size_t size)
{
	char text[INET6_ADDRSTRLEN];

	if (a->family == AF_UNIX)
		return format(dst, size, "unix");
	if (a->family == 0 || inet_ntop(a->family, a->ip, text, sizeof text) == NULL)
		return format(dst, size, "unknown");
	return format(dst, size, "%s", text);
}

size_t addr_format(const struct addr *a, char *dst, size_t size)
{
	char host[ADDR_TEXT];

	addr_format_host(a, host, sizeof host);
	if (a->family == AF_INET)
		return format(dst, size, "%s:%u", host, a->port);
	if (a->family == AF_INET6)
		return format(dst, size, "[%s]:%u", host, a->port);
	return format(dst, size, "%s", host);
}

/* IPv4 and the one prefix that is 0 are put where multicast is, which is nobody's address. */
uint64_t addr_peer_key(const struct addr *a)
{
	const uint64_t nobody = (uint64_t)0xff << 56;
	uint64_t key = 0;

	if (a->family != AF_INET && a->family != AF_INET6)
		return 0;
	for (int i = 0; i < (a->family == AF_INET ? 4 : 8); i++)
		key = key << 8 | a->ip[i];
	if (a->family == AF_INET)
		return nobody | key;
	return key != 0 ? key : nobody | (uint64_t)1 << 32;
}

/* --- Endpoints ------------------------------------------------------------------------- */

struct span {                           /* a part of the text */
	const char *p;
	size_t n;
};

struct parse {
	struct endpoint *e;
	char  *why;
	size_t why_size;
};

/* Say why, around the span as it can be shown. */
static int refuse(const struct parse *ps, const char *before, struct span s, const char *after)
{
	char shown[80];

	log_escape(shown, sizeof shown, s.p, s.n);
	if (ps->why_size > 0)
		snprintf(ps->why, ps->why_size, "%s \"%s\" %s", before, shown, after);
	return -EINVAL;
}

static bool span_is(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static bool span_skip(struct span *s, const char *prefix)
{
	size_t n = strlen(prefix);

	if (s->n < n || memcmp(s->p, prefix, n) != 0)
		return false;
	s->p += n;
	s->n -= n;
	return true;
}

/* What stands before the first `sep`; *rest is what follows it, or empty with p NULL. */
static struct span span_split(struct span s, char sep, struct span *rest)
{
	const char *at = memchr(s.p, sep, s.n);
	struct span head = s;

	*rest = (struct span){ NULL, 0 };
	if (at != NULL) {
		head.n = (size_t)(at - s.p);
		*rest = (struct span){ at + 1, s.n - head.n - 1 };
	}
	return head;
}

struct range {
	const char *name;
	unsigned base, min, max;
	const char *out;                /* said when it is out of range */
};

static const struct range
	range_port    = { "port",       10, 0, 65535,      "is out of range (1-65535)" },
	range_backlog = { "backlog",    10, 1, 65535,      "is out of range (1-65535)" },
	range_fd      = { "descriptor", 10, 0, 2147483647, "is out of range" },
	range_mode    = { "mode",       8,  1, 0777,       "is out of range (0001-0777)" },
	range_amplify = { "amplify",    10, 1, 1000,       "is out of range (1-1000)" };

/* Digits and nothing else; any number of them without overflow. */
static int parse_number(const struct parse *ps, const struct range *r, struct span s, unsigned *value)
{
	uint64_t v = 0;

	if (s.n == 0)
		return refuse(ps, r->name, s, "is not a number");
	for (size_t i = 0; i < s.n; i++) {
		unsigned digit = (unsigned)(s.p[i] - '0');

		if (digit >= r->base)
			return refuse(ps, r->name, s, r->base == 8 ? "is not an octal number" : "is not a number");
		if (v <= r->max)
			v = v * r->base + digit;
	}
	if (v < r->min || v > r->max)
		return refuse(ps, r->name, s, r->out);
	*value = (unsigned)v;
	return 0;
}

static int parse_port(const struct parse *ps, struct span s)
{
	unsigned port;
	int err = parse_number(ps, &range_port, s, &port);

	if (err == 0)
		ps->e->port = (uint16_t)port;
	return err;
}

static int parse_option(const struct parse *ps, struct span option)
{
	struct span value, name = span_split(option, '=', &value);
	struct endpoint *e = ps->e;
	unsigned v;
	int err;

	if (span_is(name, "backlog") && (e->kind == ENDPOINT_TCP || e->kind == ENDPOINT_UNIX)) {
		err = parse_number(ps, &range_backlog, value, &v);
		if (err == 0)
			e->backlog = (int)v;
		return err;
	}
	if (span_is(name, "mode") && (e->kind == ENDPOINT_UNIX || e->kind == ENDPOINT_UNIXGRAM)) {
		if (e->path[0] == '@')
			return refuse(ps, "option", name, "needs a socket file, not an abstract name");
		return parse_number(ps, &range_mode, value, &e->mode);
	}
	if (span_is(name, "amplify") && e->kind == ENDPOINT_UDP)
		return parse_number(ps, &range_amplify, value, &e->amplify);
	if (span_is(name, "from") && e->kind == ENDPOINT_UDP) {
		if (value.p == NULL || !span_is(value, "any"))
			return refuse(ps, "option", option, "is not known (from=any)");
		e->from_any = 1;
		return 0;
	}
	if (span_is(name, "mode") || span_is(name, "backlog") || span_is(name, "amplify") || span_is(name, "from"))
		return refuse(ps, "option", name, "does not apply to this kind of endpoint");
	return refuse(ps, "option", name, "is not known");
}

static int parse_options(const struct parse *ps, struct span list)
{
	int err = 0;

	while (err == 0 && list.p != NULL)
		err = parse_option(ps, span_split(list, ',', &list));
	return err;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

static bool is_name(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_letter(s.p[i]) && !(s.p[i] >= '0' && s.p[i] <= '9') && memchr("-._", s.p[i], 3) == NULL)
			return false;
	return true;
}

/* Inside brackets: an IPv6 address, perhaps with a zone ("fe80::1%eth0"). */
static int parse_literal(const struct parse *ps, struct span host)
{
	struct span zone, address = span_split(host, '%', &zone);
	char text[INET6_ADDRSTRLEN];
	struct in6_addr ip;

	if (address.n >= sizeof text)
		return refuse(ps, "host", host, "is not an IPv6 address");
	memcpy(text, address.p, address.n);
	text[address.n] = '\0';
	if (inet_pton(AF_INET6, text, &ip) != 1 || (zone.p != NULL && (zone.n == 0 || !is_name(zone))))
		return refuse(ps, "host", host, "is not an IPv6 address");
	return 0;
}

static int set_host(const struct parse *ps, struct span host)
{
	if (host.n >= sizeof ps->e->host)
		return refuse(ps, "host", host, "is too long (255 bytes at most)");
	memcpy(ps->e->host, host.p, host.n);
	ps->e->host[host.n] = '\0';
	return 0;
}


static int parse_bracketed(const struct parse *ps, struct span all)
{
	struct span rest, inside = { all.p + 1, all.n - 1 }, host = span_split(inside, ']', &rest);
	int err;

	if (rest.p == NULL)
		return refuse(ps, "endpoint", all, "lacks a closing bracket");
	if (!span_skip(&rest, ":"))
		return refuse(ps, "endpoint", all, "lacks a port ([HOST]:PORT)");
	if ((err = parse_literal(ps, host)) != 0 || (err = set_host(ps, host)) != 0)
		return err;
	return parse_port(ps, rest);
}

/* Someone who left the port out should not read that their host is not a number. */
static bool looks_like_host(struct span s)
{
	return s.n == 0 || is_letter(s.p[0]) || memchr(s.p, '.', s.n) != NULL;
}

static int parse_tcp(const struct parse *ps, struct span all)
{
	struct span port, more, host;
	int err;

	if (all.n > 0 && all.p[0] == '[')
		return parse_bracketed(ps, all);
	host = span_split(all, ':', &port);
	if (port.p == NULL) {
		if (looks_like_host(all))
			return refuse(ps, "endpoint", all, "lacks a port (HOST:PORT)");
		strcpy(ps->e->host, "127.0.0.1");
		return parse_port(ps, all);
	}
	span_split(port, ':', &more);
	if (more.p != NULL)
		return refuse(ps, "endpoint", all, "has too many colons (write IPv6 addresses as [::1]:PORT)");
	if (!is_name(host))
		return refuse(ps, "host", host, "is not a host name");
	err = set_host(ps, host);
	return err != 0 ? err : parse_port(ps, port);
}

static int parse_unix(const struct parse *ps, struct span path)
{
	if (path.n == 0 || span_is(path, "@"))
		return refuse(ps, "path", path, "of a unix socket is empty");
	if (path.n >= sizeof ps->e->path)
		return refuse(ps, "path", path, "is too long for a unix socket (107 bytes at most)");
	memcpy(ps->e->path, path.p, path.n);
	ps->e->path[path.n] = '\0';
	return 0;
}

static int parse_fd(const struct parse *ps, struct span s)
{
	unsigned fd;
	int err = parse_number(ps, &range_fd, s, &fd);

	if (err == 0)
		ps->e->fd = (int)fd;
	return err;
}

int endpoint_parse(struct endpoint *e, const char *text, char *why, size_t why_size)
{
	static const struct {
		const char *prefix;
		enum endpoint_kind kind;
		int (*parse)(const struct parse *, struct span);        /* NULL: not here */
	} kinds[] = {
		{ "tcp:",  ENDPOINT_TCP,  parse_tcp },
		{ "unix:", ENDPOINT_UNIX, parse_unix },
		{ "fd:",   ENDPOINT_FD,   parse_fd },
		{ "udp:",  ENDPOINT_UDP,  parse_tcp },
		{ "unixgram:", ENDPOINT_UNIXGRAM, parse_unix },
		{ "tls:",  ENDPOINT_TCP,  NULL },
		{ "",      ENDPOINT_TCP,  parse_tcp },
	};
	struct parse ps = { e, why, why_size };
	struct span options, all = { text, strlen(text) }, place = span_split(all, ',', &options);
	int err, i = 0;

	*e = (struct endpoint){ .fd = -1 };
	if (why_size > 0)
		why[0] = '\0';
	while (!span_skip(&place, kinds[i].prefix))
		i++;
	if (kinds[i].parse == NULL)
		return refuse(&ps, "endpoint", all, "is of a kind that is not built in (use tcp:, udp:, unix:, unixgram: or fd:)");
	e->kind = kinds[i].kind;
	err = kinds[i].parse(&ps, place);
	return err != 0 ? err : parse_options(&ps, options);
}

size_t endpoint_format(const struct endpoint *e, char *dst, size_t size)
{
	const char *kind = e->kind == ENDPOINT_UDP ? "udp" : "tcp";

	if (e->kind == ENDPOINT_UNIX || e->kind == ENDPOINT_UNIXGRAM)
		return format(dst, size, "%s:%s", e->kind == ENDPOINT_UNIX ? "unix" : "unixgram", e->path);
	if (e->kind == ENDPOINT_FD)
		return format(dst, size, "fd:%d", e->fd);
	if (strchr(e->host, ':') != NULL)
		return format(dst, size, "%s:[%s]:%u", kind, e->host, e->port);
	return format(dst, size, "%s:%s:%u", kind, e->host, e->port);
}
