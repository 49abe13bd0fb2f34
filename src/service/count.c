/* SPDX-License-Identifier: MIT
 *
 * count.c - the length in decimal, a space, so many bytes: those bytes come back, and then the end.
 *
 * Strict where the tutorial (S4) is not: digits only, no leading zero, a limit.  A length that is none is
 * answered with the end of the connection, as any text would be taken for payload; the reason is in the
 * log.  The payload passes through and is nowhere whole.  Bytes beyond it are no part of the exchange. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <syslog.h>

#include "service/repr.h"
#include "service/services.h"
#include "service/value.h"

#define PAYLOAD_MAX (UINT64_C(1) << 30)

struct count {
	uint64_t length;                /* as far as it is known */
	uint64_t left;                  /* of the payload */
	bool begun;                     /* a digit has come */
	bool known;                     /* the space has come */
};

static uint64_t payload_max = PAYLOAD_MAX;

static const struct myr_app_option options[] = {
	{ "payload-max", "1G", "longest payload that is echoed" },
	{ .name = NULL }
};

static int build(struct myr_server *v, void **arg)
{
	(void)arg;
	return value_number(v, "payload-max", 1, UINT64_MAX, &payload_max);
}

static void refuse(struct myr_conn *c, const char *why, const void *bytes, size_t n)
{
	char text[REPR_BYTES_MAX(32)];

	repr_bytes(text, sizeof text, bytes, n > 32 ? 32 : n);
	myr_log(c, LOG_NOTICE, "no length: %s, in %s", why, text);
	myr_close(c);
}

/* One byte of the length: what is wrong with it, or NULL. */
static const char *take(struct count *k, unsigned char byte)
{
	if (byte == ' ') {
		k->known = true;
		k->left = k->length;
		return k->begun ? NULL : "a space before any digit";
	}
	if (byte < '0' || byte > '9')
		return "a byte that is no digit";
	if (k->begun && k->length == 0)
		return "a leading zero";
	k->begun = true;
	if (__builtin_mul_overflow(k->length, UINT64_C(10), &k->length) ||
	    __builtin_add_overflow(k->length, (uint64_t)(byte - '0'), &k->length) || k->length > payload_max)
		return "above --payload-max";
	return NULL;
}

static size_t on_data(struct myr_conn *c, const void *bytes, size_t n)
{
	struct count *k = myr_state(c);
	const unsigned char *p = bytes;
	const char *wrong;
	size_t i = 0, m;

	while (i < n && !k->known)
		if ((wrong = take(k, p[i++]))) {
			refuse(c, wrong, bytes, n);
			return n;
		}
	if (!k->known)
		return n;
	m = n - i < k->left ? n - i : (size_t)k->left;
	if (m > 0 && myr_write(c, p + i, m) < 0)
		return n;
	k->left -= m;
	if (k->left == 0)
		myr_close(c);
	return n;
}

static void on_eof(struct myr_conn *c)
{
	const struct count *k = myr_state(c);

	if (k->begun)
		myr_log(c, LOG_INFO, "ended %s, %" PRIu64 " bytes missing",
		        k->known ? "in the payload" : "in the length", k->left);
	myr_close(c);
}

/* Between two pieces of a payload nothing need be buffered: what is announced comes back all the same. */
static void on_stop(struct myr_conn *c)
{
	const struct count *k = myr_state(c);

	if (!k->begun)
		myr_close(c);
}

const struct myr_service service_count = {
	.name = "count", .about = "a length, a space, so many bytes: echoed, then closed",
	.state = sizeof(struct count), .on_data = on_data, .on_eof = on_eof, .on_stop = on_stop,
};

const struct myr_app app_count = {
	.size = sizeof(struct myr_app), .service_size = sizeof(struct myr_service),
	.service = &service_count, .options = options, .build = build,
};
