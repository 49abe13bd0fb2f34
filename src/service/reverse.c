/* SPDX-License-Identifier: MIT
 *
 * reverse.c - each line back to front, in blocking style.
 *
 * Turned round by code point, so that "héllo" comes back as "olléh" and not as bytes that are no text. */
#include "service/reverse.h"

#include "service/services.h"
#include "service/utf8.h"
#include "service/value.h"

#define LINE_MAX_BYTES 4096

bool reverse_loop;
static bool by_byte;

static const struct myr_app_option options[] = {
	{ "bytes", "no", "reverse by byte, which makes some text no text" },
	{ "loop", "no", "S3-P3: more than one exchange on a connection" },
	{ .name = NULL }
};

static int build(struct myr_server *v, void **arg)
{
	int err = value_switch(v, "bytes", &by_byte);

	(void)arg;
	return err < 0 ? err : value_switch(v, "loop", &reverse_loop);
}

void reverse_bytes(char *dst, const char *src, size_t n)
{
	for (size_t i = 0; i < n; i++)
		dst[n - 1 - i] = src[i];
}

static void reverse(struct myr_conn *c)
{
	void (*turn)(char *, const char *, size_t) = by_byte ? reverse_bytes : utf8_flip;
	char line[LINE_MAX_BYTES + 1], back[LINE_MAX_BYTES];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0) {
		turn(back, line, (size_t)n);
		if (myr_send(c, back, (size_t)n) < 0)
			return;
	}
}

const struct myr_service service_reverse = {
	.name = "reverse", .about = "each line back to front, by code point",
	.framing = &myr_lines, .frame_max = LINE_MAX_BYTES,
	.handle = reverse,
};

const struct myr_app app_reverse = {
	.size = sizeof(struct myr_app), .service_size = sizeof(struct myr_service),
	.service = &service_reverse, .options = options, .build = build,
};
