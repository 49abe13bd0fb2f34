/* SPDX-License-Identifier: MIT
 *
 * feed.h - drive a framing as a connection does: bytes arrive in pieces, all frames are taken.
 *
 * What comes out is a text, "[5:hello][0:]" and then "+" if bytes are left over or "!" after an
 * error, so that two ways of cutting the same stream can be compared and a difference read. */
#ifndef FEED_H
#define FEED_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "myriad.h"

struct feed {
	const struct myr_framing *framing;
	size_t max;
	uint8_t *in;                    /* what has arrived and was not taken yet */
	size_t n, seen;
	bool failed;
	char *text;
	size_t length;
};

static inline void feed_open(struct feed *f, const struct myr_framing *framing, size_t max, size_t total)
{
	*f = (struct feed){ .framing = framing, .max = max };
	f->in = malloc(total + 1);
	f->text = calloc(1, total * 8 + 64);    /* a frame of one byte: "[0:]" */
	if (f->in == NULL || f->text == NULL)
		abort();
}

static inline void feed_note(struct feed *f, struct myr_bytes frame)
{
	f->length += (size_t)sprintf(f->text + f->length, "[%zu:", frame.n);
	if (frame.n > 0)
		memcpy(f->text + f->length, frame.p, frame.n);
	f->length += frame.n;
	f->text[f->length++] = ']';
}

/* One look, at a copy of its own, so that a look beyond the end is found by the tools. */
static inline ssize_t feed_look(struct feed *f, struct myr_bytes *frame)
{
	struct myr_bytes copy = { malloc(f->n > 0 ? f->n : 1), f->n };
	ssize_t k;

	if (copy.p == NULL)
		abort();
	memcpy((void *)(uintptr_t)copy.p, f->in, f->n);
	*frame = (struct myr_bytes){ NULL, 0 };
	k = f->framing->split(copy, f->seen, f->max, frame);
	if (k > 0) {
		size_t at = frame->n > 0 ? (size_t)(frame->p - copy.p) : 0;

		if ((size_t)k > f->n || frame->n > f->max || at + frame->n > (size_t)k)
			abort();
		frame->p = f->in + at;
	}
	free((void *)(uintptr_t)copy.p);
	return k;
}

static inline void feed(struct feed *f, const void *bytes, size_t n)
{
	struct myr_bytes frame;
	ssize_t k = 0;

	if (f->failed)
		return;
	if (n > 0)
		memcpy(f->in + f->n, bytes, n);
	f->n += n;
	while (f->n > 0 && (k = feed_look(f, &frame)) > 0) {
		feed_note(f, frame);
		f->n -= (size_t)k;
		memmove(f->in, f->in + k, f->n);
		f->seen = 0;
	}
	f->seen = f->n;
	if (f->n > 0 && k < 0) {
		f->failed = true;
		if (k != MYR_EFRAME)
			abort();
	}
}

/* The text, which the caller frees. */
static inline char *feed_close(struct feed *f)
{
	if (f->failed)
		f->text[f->length++] = '!';
	else if (f->n > 0)
		f->text[f->length++] = '+';
	f->text[f->length] = '\0';
	free(f->in);
	return f->text;
}

#endif
