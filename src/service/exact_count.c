/* SPDX-License-Identifier: MIT
 *
 * exact_count.c - the byte-count echo of S4, as it is written there.
 *
 * The length is whatever Python's int() takes, signs and white space too; bytes beyond it come back as well,
 * and then nothing closes.  Not kept: a length of any length. */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "service/exact.h"
#include "service/screen.h"
#include "service/repr.h"
#include "service/services.h"

#define PREFIX_MAX 64

struct echo_count {
	char prefix[PREFIX_MAX + 1];
	size_t prefix_n;
	long long length, received, sent;       /* contentlength, recvcount, datalen */
};

static bool prefix_add(struct echo_count *k, const char *bytes, size_t n)
{
	if (n > PREFIX_MAX - k->prefix_n)
		return false;
	memcpy(k->prefix + k->prefix_n, bytes, n);
	k->prefix_n += n;
	k->prefix[k->prefix_n] = '\0';
	return true;
}

/* int(prefix) */
static bool prefix_value(const struct echo_count *k, long long *out)
{
	char *end;

	errno = 0;
	*out = strtoll(k->prefix, &end, 10);
	if (errno != 0 || end == k->prefix)
		return false;
	while (isspace((unsigned char)*end))
		end++;
	return end == k->prefix + k->prefix_n;
}

static void echo_back(struct myr_conn *c, struct echo_count *k, const char *bytes, size_t n)
{
	if (n > 0)
		myr_write(c, bytes, n);
	k->sent += (long long)n;
	screen_print("echoed data with len %zu (total sent=%lld)", n, k->sent);
	if (k->sent == k->length)
		myr_close(c);
}

/* dataReceived() */
static size_t data_received(struct myr_conn *c, const void *data, size_t all)
{
	struct echo_count *k = myr_state(c);
	size_t n = all < EXACT_TWISTED ? all : EXACT_TWISTED, used = n;
	const char *bytes = data, *space;

	k->received += (long long)n;
	screen_print("received data with len %zu (total received=%lld)", n, k->received);
	if (k->length == 0) {
		space = memchr(bytes, ' ', n);
		if (!prefix_add(k, bytes, space ? (size_t)(space - bytes) : n) || (space && !prefix_value(k, &k->length))) {
			char text[REPR_BYTES_MAX(32)];

			repr_bytes(text, sizeof text, bytes, n > 32 ? 32 : n);
			myr_log(c, LOG_NOTICE, "no length: %s", text);
			myr_close(c);
			return all;
		}
		if (!space)
			return used;
		screen_print("extracted content length=%lld", k->length);
		n -= (size_t)(space + 1 - bytes);
		bytes = space + 1;
	}
	echo_back(c, k, bytes, n);
	return used;
}

/* Whatever came, in the framework's pieces. */
static size_t on_data(struct myr_conn *c, const void *data, size_t n)
{
	size_t used = 0;

	while (used < n)
		used += data_received(c, (const char *)data + used, n - used);
	return n;
}

static const struct myr_service s4_p3 = {
	.name = "count", .about = "S4-P3: echo with a byte count, on Twisted",
	.state = sizeof(struct echo_count), .on_data = on_data,
};

const struct edition editions_count[] = {
	{ .id = "S4-P3", .service = &s4_p3, .endpoints = { ":50007" } },
	{ .id = NULL }
};
