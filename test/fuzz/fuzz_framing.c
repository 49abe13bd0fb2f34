/* SPDX-License-Identifier: MIT
 *
 * fuzz_framing.c - a stream gives the same frames in one piece, in single bytes, and in pieces
 * that the input itself chooses; and what was read can be written and read again.
 *
 * Input: which framing, the maximum, a byte that makes the cuts, the stream. */
#include "fuzz/feed.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const struct myr_framing *const framings[] = {
	&myr_lines, &myr_crlf, &myr_netstrings, &myr_counted,
	&myr_prefix8, &myr_prefix16, &myr_prefix32, &myr_fixed,
};

static const size_t maxima[] = { 0, 1, 2, 3, 5, 9, 10, 16, 99, 255, 256, 1000, 65535, 65536, UINT32_MAX, SIZE_MAX };

/* In pieces of 1..most bytes. */
static struct feed frames_of(const struct myr_framing *f, size_t max, struct myr_bytes in, size_t most, uint32_t seed)
{
	struct feed feeding;

	feed_open(&feeding, f, max, in.n);
	while (in.n > 0) {
		size_t piece;

		seed = seed * 1664525 + 1013904223;
		piece = 1 + (seed >> 8) % most;
		if (piece > in.n)
			piece = in.n;
		feed(&feeding, in.p, piece);
		in.p += piece;
		in.n -= piece;
	}
	feed_close(&feeding);
	return feeding;
}

static void expect_same(const struct feed *whole, struct feed cut)
{
	if (cut.length != whole->length || memcmp(cut.text, whole->text, cut.length) != 0) {
		fprintf(stderr, "in one piece: %s\nin others:    %s\n", whole->text, cut.text);
		abort();
	}
	free(cut.text);
}

/* The first frame, wrapped again, is itself. */
static void round_trip(const struct myr_framing *f, size_t max, struct myr_bytes in)
{
	struct myr_bytes first, again;
	struct myr_wrap w;
	uint8_t *copy;
	size_t total;

	if (f->split(in, 0, max, &first) <= 0)
		return;
	f->wrap(first.n, &w);
	if (w.head_n > sizeof w.head || w.tail_n > sizeof w.tail)
		abort();
	total = w.head_n + first.n + w.tail_n;
	copy = malloc(total);
	if (copy == NULL)
		abort();
	memcpy(copy, w.head, w.head_n);
	memcpy(copy + w.head_n, first.p, first.n);
	memcpy(copy + w.head_n + first.n, w.tail, w.tail_n);
	/* A line that ends in CR loses it: that is what reading both LF and CRLF means. */
	if (f != &myr_lines || first.n == 0 || first.p[first.n - 1] != '\r')
		if (f->split((struct myr_bytes){ copy, total }, 0, max, &again) != (ssize_t)total ||
		    again.n != first.n || memcmp(again.p, first.p, first.n) != 0)
			abort();
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const struct myr_framing *f;
	struct myr_bytes in;
	struct feed whole;
	size_t max;

	if (n < 4 || n > 4096)
		return 0;
	f = framings[bytes[0] % 8];
	max = maxima[bytes[1] % 16];
	in = (struct myr_bytes){ bytes + 3, n - 3 };
	feed_open(&whole, f, max, in.n);
	feed(&whole, in.p, in.n);
	feed_close(&whole);
	expect_same(&whole, frames_of(f, max, in, 1, 0));
	expect_same(&whole, frames_of(f, max, in, 1 + bytes[2] % 16, bytes[2]));
	round_trip(f, max, in);
	free(whole.text);
	return 0;
}
