/* SPDX-License-Identifier: MIT
 *
 * discard.c - RFC 863: what comes in is thrown away, and counted. */
#include <inttypes.h>
#include <syslog.h>

#include "service/services.h"

static size_t discard(struct myr_conn *c, const void *bytes, size_t n)
{
	uint64_t *total = myr_state(c);

	(void)bytes;
	*total += n;
	return n;
}

static void report(struct myr_conn *c, int why)
{
	const uint64_t *total = myr_state(c);

	(void)why;
	myr_log(c, LOG_INFO, "threw away %" PRIu64 " bytes", *total);
}

const struct myr_service service_discard = {
	.name = "discard", .about = "what comes in is thrown away (RFC 863)",
	.state = sizeof(uint64_t), .on_data = discard, .on_close = report,
};
