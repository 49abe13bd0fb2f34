/* SPDX-License-Identifier: MIT
 *
 * framing.c - where one message ends: lines, netstrings, counted, length prefixes, fixed length.
 *
 * Pure functions.  However a stream is cut into arrivals, the frames are the same, and so is the
 * error; a frame above max is refused as soon as that is certain, not when it has been stored.
 * A line is looked through once, from where the last look ended; all the others look at no more
 * than a header each time.  There is no way back from MYR_EFRAME: who lost the place in a stream
 * would take a payload for a length. */
#include <assert.h>
#include <string.h>

#include "myriad.h"

/* --- Lines --- */

/* What is stored but no line yet is too long, unless its last byte is the CR of a line's end. */
static int is_too_long(struct myr_bytes in, size_t max)
{
	return in.n > max && (in.n - max > 1 || in.p[max] != '\r');
}

static ssize_t split_line(struct myr_bytes in, size_t seen, size_t max, struct myr_bytes *frame)
{
	const uint8_t *end = NULL;
	size_t n;

	assert(seen <= in.n);
	if (seen < in.n)
		end = memchr(in.p + seen, '\n', in.n - seen);
	if (end == NULL)
		return is_too_long(in, max) ? MYR_EFRAME : 0;
	n = (size_t)(end - in.p);
	*frame = (struct myr_bytes){ in.p, n };
	if (n > 0 && in.p[n - 1] == '\r')
		frame->n--;
	return frame->n > max ? MYR_EFRAME : (ssize_t)(n + 1);
}

static void wrap_lf(size_t n, struct myr_wrap *w)
{
	(void)n;
	*w = (struct myr_wrap){ .tail = "\n", .tail_n = 1 };
}

static void wrap_crlf(size_t n, struct myr_wrap *w)
{
	(void)n;
	*w = (struct myr_wrap){ .tail = "\r\n", .tail_n = 2 };
}

/* --- A length in decimal --- */

/* The number and the byte after it at the start of in.  Returns how many bytes they are, 0 if they
 * are not all there, or MYR_EFRAME, at the digit with which the number passes max. */
static ssize_t read_decimal(struct myr_bytes in, uint8_t after, size_t max, size_t *number)
{
	size_t value = 0;

	for (size_t i = 0; i < in.n; i++) {
		unsigned digit = in.p[i] - (unsigned)'0';

		if (in.p[i] == after && i > 0) {
			*number = value;
			return (ssize_t)(i + 1);
		}
		if (digit > 9 || (i > 0 && value == 0))         /* "x", "", "-1", "05" */
			return MYR_EFRAME;
		if (digit > max || value > (max - digit) / 10)
			return MYR_EFRAME;
		value = value * 10 + digit;
	}
	return 0;
}

static size_t write_decimal(uint8_t *dst, size_t number, uint8_t after)
{
	uint8_t text[20];
	size_t n = 0;

	do
		text[n++] = (uint8_t)('0' + number % 10);
	while ((number /= 10) > 0);
	for (size_t i = 0; i < n; i++)
		dst[i] = text[n - 1 - i];
	dst[n] = after;
	return n + 1;
}

static ssize_t split_netstring(struct myr_bytes in, size_t seen, size_t max, struct myr_bytes *frame)
{
	size_t n;
	ssize_t head = read_decimal(in, ':', max, &n);

	(void)seen;
	if (head <= 0)
		return head;
	if (in.n - (size_t)head <= n)
		return 0;
	if (in.p[(size_t)head + n] != ',')
		return MYR_EFRAME;
	*frame = (struct myr_bytes){ in.p + head, n };
	return head + (ssize_t)n + 1;
}

static void wrap_netstring(size_t n, struct myr_wrap *w)
{
	*w = (struct myr_wrap){ .tail = ",", .tail_n = 1 };
	w->head_n = write_decimal(w->head, n, ':');
}

static ssize_t split_counted(struct myr_bytes in, size_t seen, size_t max, struct myr_bytes *frame)
{
	size_t n;
	ssize_t head = read_decimal(in, ' ', max, &n);

	(void)seen;
	if (head <= 0)
		return head;
	if (in.n - (size_t)head < n)
		return 0;
	*frame = (struct myr_bytes){ in.p + head, n };
	return head + (ssize_t)n;
}

static void wrap_counted(size_t n, struct myr_wrap *w)
{
	*w = (struct myr_wrap){ .head_n = 0 };
	w->head_n = write_decimal(w->head, n, ' ');
}

/* --- A length in binary, highest byte first --- */

static ssize_t split_prefix(struct myr_bytes in, size_t width, size_t max, struct myr_bytes *frame)
{
	size_t n = 0;

	if (in.n < width)
		return 0;
	for (size_t i = 0; i < width; i++)
		n = n << 8 | in.p[i];
	if (n > max)
		return MYR_EFRAME;
	if (in.n - width < n)
		return 0;
	*frame = (struct myr_bytes){ in.p + width, n };
	return (ssize_t)(width + n);
}

static void wrap_prefix(size_t n, size_t width, struct myr_wrap *w)
{
	*w = (struct myr_wrap){ .head_n = width };
	for (size_t i = width; i-- > 0; n >>= 8)
		w->head[i] = (uint8_t)n;
	if (n > 0)
		w->head_n = SIZE_MAX;
}

static ssize_t split_prefix8(struct myr_bytes in, size_t seen, size_t max, struct myr_bytes *frame)
{
	(void)seen;
	return split_prefix(in, 1, max, frame);
}

static ssize_t split_prefix16(struct myr_bytes in, size_t seen, size_t max, struct myr_bytes *frame)
{
	(void)seen;
	return split_prefix(in, 2, max, frame);
}

static ssize_t split_prefix32(struct myr_bytes in, size_t seen, size_t max, struct myr_bytes *frame)
{
	(void)seen;
	return split_prefix(in, 4, max, frame);
}

static void wrap_prefix8 (size_t n, struct myr_wrap *w) { wrap_prefix(n, 1, w); }
static void wrap_prefix16(size_t n, struct myr_wrap *w) { wrap_prefix(n, 2, w); }
static void wrap_prefix32(size_t n, struct myr_wrap *w) { wrap_prefix(n, 4, w); }

/* --- No length at all --- */

static ssize_t split_fixed(struct myr_bytes in, size_t seen, size_t max, struct myr_bytes *frame)
{
	(void)seen;
	if (max == 0)
		return MYR_EFRAME;      /* there would be no end of them */
	if (in.n < max)
		return 0;
	*frame = (struct myr_bytes){ in.p, max };
	return (ssize_t)max;
}

/* That n is the length agreed on is for the sender to know. */
static void wrap_fixed(size_t n, struct myr_wrap *w)
{
	(void)n;
	*w = (struct myr_wrap){ .head_n = 0 };
}

const struct myr_framing
	myr_lines      = { "lines",      split_line,      wrap_lf },
	myr_crlf       = { "crlf",       split_line,      wrap_crlf },
	myr_netstrings = { "netstrings", split_netstring, wrap_netstring },
	myr_counted    = { "counted",    split_counted,   wrap_counted },
	myr_prefix8    = { "prefix8",    split_prefix8,   wrap_prefix8 },
	myr_prefix16   = { "prefix16",   split_prefix16,  wrap_prefix16 },
	myr_prefix32   = { "prefix32",   split_prefix32,  wrap_prefix32 },
	myr_fixed      = { "fixed",      split_fixed,     wrap_fixed };
