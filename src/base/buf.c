/* SPDX-License-Identifier: MIT
 *
 * buf.c - the contiguous byte buffer.
 *
 * Bytes move only when at least as many have been consumed or are about to be added as must be
 * moved: that keeps every pattern of appends and consumes linear, not only the pure ones. */
#include "base/buf.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/sys.h"

#define BUF_MIN ((size_t)128)
#define BUF_MAX ((size_t)1 << 31)

/* New memory for the bytes and n more, in which they can double before they are copied again. */
static int buf_grow(struct buf *b, size_t n)
{
	size_t len = buf_len(b), need = len + n, room = BUF_MIN;
	uint8_t *mem;

	if (n > BUF_MAX - len)
		return -ENOMEM;
	if (need < 2 * len && 2 * len <= BUF_MAX)
		need = 2 * len;
	while (room < need)
		room *= 2;
	mem = sys_malloc(room);
	if (mem == NULL)
		return -ENOMEM;
	if (len > 0)
		memcpy(mem, b->mem + b->head, len);
	free(b->mem);
	*b = (struct buf){ .mem = mem, .tail = (uint32_t)len, .room = (uint32_t)room };
	return 0;
}

int buf_append(struct buf *b, const void *p, size_t n)
{
	size_t len = buf_len(b);
	int err;

	if (n == 0)
		return 0;
	if (n > b->room - b->tail) {
		if (b->head >= len && n <= b->room - len) {
			memcpy(b->mem, b->mem + b->head, len);
			b->head = 0;
			b->tail = (uint32_t)len;
		} else if ((err = buf_grow(b, n)) != 0) {
			return err;
		}
	}
	memcpy(b->mem + b->tail, p, n);
	b->tail += (uint32_t)n;
	return 0;
}

void buf_consume(struct buf *b, size_t n)
{
	assert(n <= buf_len(b));
	b->head += (uint32_t)n;
	if (b->head == b->tail)
		buf_done(b);
}

void buf_done(struct buf *b)
{
	free(b->mem);
	*b = (struct buf){ .mem = NULL };
}
