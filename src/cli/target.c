/* SPDX-License-Identifier: MIT
 *
 * target.c - hosts, ports and endpoints of the clients. */
#include "cli/target.h"

#include <errno.h>
#include <myriad.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/say.h"
#include "service/repr.h"

/* --- Arguments -------------------------------------------------------------------------------- */

static int target_port(const char *command, const char *text)
{
	char *end;
	long port = strtol(text, &end, 10);

	if (*text >= '0' && *text <= '9' && *end == '\0' && port >= 1 && port <= 65535)
		return (int)port;
	say_error(command, "port \"%s\" is not a number from 1 to 65535", text);
	return -EINVAL;
}

static int target_set(struct target *t, const char *host, int port)
{
	t->port = port;
	if (host != t->host)
		snprintf(t->host, sizeof t->host, "%s", host);
	snprintf(t->endpoint, sizeof t->endpoint, strchr(t->host, ':') ? "tcp:[%s]:%d" : "tcp:%s:%d", t->host, port);
	repr_address(t->repr, sizeof t->repr, t->host, port);
	return 0;
}

/* tcp:HOST:PORT, HOST:PORT, [HOST]:PORT, :PORT; anything else is for the library to judge. */
static int target_endpoint(struct target *t, const char *text, const char *standard)
{
	const char *start = t->endpoint, *colon;

	snprintf(t->endpoint, sizeof t->endpoint, "%s", text);
	if (strncmp(start, "tcp:", 4) == 0)
		start += 4;
	colon = strrchr(start, ':');
	if (strncmp(text, "unix:", 5) == 0) {
		repr_str(t->repr, sizeof t->repr, text + 5, strcspn(text + 5, ","));
		return 0;
	}
	if (colon == start)
		snprintf(t->host, sizeof t->host, "%s", standard);
	else if (colon && *start == '[')
		snprintf(t->host, sizeof t->host, "%.*s", (int)(strcspn(start + 1, "]")), start + 1);
	else
		snprintf(t->host, sizeof t->host, "%.*s", colon ? (int)(colon - start) : 0, start);
	t->port = colon ? atoi(colon + 1) : 0;
	repr_address(t->repr, sizeof t->repr, t->host, t->port);
	return 0;
}

int target_parse(struct target *t, const char *command, char **args, int args_n, const char *host, int port)
{
	memset(t, 0, sizeof *t);
	if (args_n > 2) {
		say_error(command, "\"%s\" is not expected after \"%s\"", args[2], args[1]);
		return -EINVAL;
	}
	if (args_n == 2) {
		port = target_port(command, args[1]);
		return port < 0 ? port : target_set(t, args[0], port);
	}
	if (args_n == 0)
		return target_set(t, host, port);
	if (args[0][strspn(args[0], "0123456789")] == '\0') {
		port = target_port(command, args[0]);
		return port < 0 ? port : target_set(t, host, port);
	}
	return strchr(args[0], ':') ? target_endpoint(t, args[0], host) : target_set(t, args[0], port);
}

/* --- Messages --------------------------------------------------------------------------------- */

void target_name(char *dst, size_t size, const struct myr_conn *c, const char *endpoint)
{
	const char *peer = myr_peer(c);

	if (strcmp(peer, "unix") == 0)
		snprintf(dst, size, "%s", endpoint);
	else
		snprintf(dst, size, "%s:%s", strncmp(endpoint, "udp:", 4) == 0 ? "udp" : "tcp", peer);
}

void target_blame(const char *command, const char *name, int err)
{
	static const char here[] = "127.0.0.1:";
	bool udp = strncmp(name, "udp:", 4) == 0;

	say_error(command, "cannot connect to %s: %s", name, myr_strerror(err));
	if (err == -ECONNREFUSED && (udp || strncmp(name, "tcp:", 4) == 0) && strncmp(name + 4, here, sizeof here - 1) == 0)
		say_try("a server there: myriad serve echo %s%s", udp ? "udp:" : "", name + 4 + sizeof here - 1);
}

void target_raise(int err)
{
	static const struct { int err; const char *name; } classes[] = {
		{ ECONNREFUSED, "ConnectionRefusedError" }, { ECONNRESET, "ConnectionResetError" },
		{ ECONNABORTED, "ConnectionAbortedError" }, { EPIPE, "BrokenPipeError" },
		{ ETIMEDOUT, "TimeoutError" }, { ENOENT, "FileNotFoundError" }, { EACCES, "PermissionError" },
	};
	const char *name = "OSError";

	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (classes[i].err == -err)
			name = classes[i].name;
	fprintf(stderr, "%s: [Errno %d] %s\n", name, -err, strerror(-err));
}
