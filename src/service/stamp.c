/* SPDX-License-Identifier: MIT
 *
 * stamp.c - each line comes back with the time, if wanted after a while.
 *
 * The tutorial's server (S2) sleeps to show that it holds up nobody; here that is so under every engine. */
#include "service/stamp.h"

#include <stdio.h>

#include "service/repr.h"
#include "service/services.h"
#include "service/value.h"

#define LINE_MAX_BYTES 4096

int stamp_delay;

static const struct myr_app_option options[] = {
	{ "delay", "0", "stamp waits so long before its first answer to a client" },
	{ .name = NULL }
};

static int build(struct myr_server *v, void **arg)
{
	(void)arg;
	return value_ms(v, "delay", &stamp_delay);
}

ssize_t stamp_answer(struct myr_conn *c, const void *data, size_t n, const char *end)
{
	char text[REPR_BYTES_MAX(LINE_MAX_BYTES)], now[REPR_CTIME_MAX];

	repr_bytes(text, sizeof text, data, n);
	return myr_printf(c, "Resposta eco => %s as %s%s", text, repr_ctime(now, myr_time(c)), end);
}

static void handle(struct myr_conn *c)
{
	char line[LINE_MAX_BYTES + 1];
	ssize_t n;

	if (stamp_delay > 0 && myr_sleep(c, stamp_delay) < 0)
		return;
	while ((n = myr_recv(c, line, sizeof line)) >= 0)
		if (stamp_answer(c, line, (size_t)n, "\n") < 0)
			return;
}

const struct myr_service service_stamp = {
	.name = "stamp", .about = "each line back, with the time",
	.framing = &myr_lines, .frame_max = LINE_MAX_BYTES,
	.handle = handle,
};

const struct myr_app app_stamp = {
	.size = sizeof(struct myr_app), .service_size = sizeof(struct myr_service),
	.service = &service_stamp, .options = options, .build = build,
};
