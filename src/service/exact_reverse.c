/* SPDX-License-Identifier: MIT
 *
 * exact_reverse.c - S3-P1 turns texts round by code point, S3-P3 by byte: for "Olá" that is not the same.
 *
 * Bytes that are no text end the whole of S3-P1, by an exception; here they end their connection. */
#include "service/exact.h"
#include "service/reverse.h"
#include "service/screen.h"
#include "service/services.h"
#include "service/utf8.h"

static void s3_p1_handle(struct myr_conn *c)
{
	char text[EXACT_RECV], back[EXACT_RECV];
	ssize_t n;

	screen_print("Novo cliente ligado desde %s:%d", myr_peer_host(c), myr_peer_port(c));
	while ((n = myr_read(c, text, sizeof text)) > 0 && !utf8_check(text, (size_t)n).reason) {
		utf8_flip(back, text, (size_t)n);
		if (myr_write(c, back, (size_t)n) < 0)
			break;
	}
	screen_print("Cliente fechou ligação");
}

static const struct myr_service s3_p1 = {
	.name = "reverse", .about = "S3-P1: select, back to front by code point", .handle = s3_p1_handle,
};

static void s3_p3_exchange(struct myr_conn *c, const char *data, size_t n)
{
	struct screen s = { .text = NULL };
	char back[EXACT_RECV];

	screen_add(&s, "ligado a  ");
	screen_peer(&s, c);
	screen_add(&s, "\n");
	screen_bytes(&s, data, n);
	screen_add(&s, "\n");
	screen_show(&s);
	reverse_bytes(back, data, n);
	myr_write(c, back, n);
}

/* At the end of the input the tutorial's loop would turn for ever: ours ends, without a word. */
static void s3_p3_handle(struct myr_conn *c)
{
	char data[EXACT_RECV];
	ssize_t n;

	do {
		n = myr_read(c, data, sizeof data);
		if (n > 0 || (n == MYR_EOF && !reverse_loop))
			s3_p3_exchange(c, data, n > 0 ? (size_t)n : 0);
	} while (n > 0 && reverse_loop && myr_error(c) == 0);
}

static const struct myr_service s3_p3 = {
	.name = "reverse", .about = "S3-P3: one exchange, back to front by byte", .handle = s3_p3_handle,
};

const struct edition editions_reverse[] = {
	{ .id = "S3-P1", .service = &s3_p1, .endpoints = { "127.0.0.1:9999" }, .engine = "select" },
	{ .id = "S3-P3", .service = &s3_p3, .endpoints = { "127.0.0.1:9999" }, .engine = "iterative" },
	{ .id = NULL }
};
