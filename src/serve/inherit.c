/* SPDX-License-Identifier: MIT
 *
 * inherit.c - listening sockets that another process has opened: how they are named, and taken.
 *
 * "tcp:localhost:7000=5,6": the endpoint as it was asked for, because that is what the next one asks for
 * again (with port 0, too), and a socket for each worker. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "serve/server.h"

int myr_server_bequest(struct myr_server *v, int listener, char *dst, size_t size)
{
	const struct site *s;
	size_t n;

	if (listener < 0 || (unsigned)listener >= v->n_sites || v->world != NULL)
		return -ENOENT;
	s = v->sites[listener];
	n = endpoint_format(&s->endpoint, dst, size);
	for (unsigned i = 0; i < s->n_handles && n < size; i++)
		n += (size_t)snprintf(dst + n, size - n, "%c%d", i == 0 ? '=' : ',', s->handles[i]);
	return n < size ? (int)n : -ENAMETOOLONG;
}

static bool inherit_is_taken(const struct myr_server *v, unsigned which)
{
	for (unsigned i = 0; i < v->n_sites; i++)
		if (v->sites[i]->inherited == which + 1)
			return true;
	return false;
}

/* Those that were for the same endpoint; of several (port 0) the first that is left. */
static const char *inherit_find(struct site *s)
{
	char asked[300];
	size_t n = endpoint_format(&s->endpoint, asked, sizeof asked);
	const char *const *all = s->server->config.inherited;

	for (unsigned i = 0; all != NULL && all[i] != NULL; i++) {
		const char *equals = strrchr(all[i], '=');

		if (equals == NULL || (size_t)(equals - all[i]) != n || memcmp(all[i], asked, n) != 0 ||
		    inherit_is_taken(s->server, i))
			continue;
		s->inherited = i + 1;
		return equals + 1;
	}
	return NULL;
}

static int inherit_take(struct site *s, int fd)
{
	int err = sock_adopt(&s->endpoint, fd, &s->name);

	if (err == 0)
		s->handles[s->n_handles++] = fd;
	return err;
}

int inherit_listen(struct site *s, unsigned want)
{
	const char *p = inherit_find(s);
	unsigned have = 1;
	char *end;

	if (p == NULL)
		return 0;
	for (const char *comma = strchr(p, ','); comma != NULL; comma = strchr(comma + 1, ','))
		have++;
	if (have != want)       /* what waits at a socket that is left out would be lost */
		return fail(-EINVAL, "cannot take over %u socket%s with %u worker%s", have, have == 1 ? "" : "s", want,
		            want == 1 ? "" : "s");
	for (int err; s->n_handles < want; p = end + 1) {
		int fd = (int)strtol(p, &end, 10);

		if (end == p)
			return fail(-EINVAL, "\"%.40s\" is no list of descriptors", p);
		err = inherit_take(s, fd);
		if (err < 0)
			return err;
	}
	return (int)want;
}
