/* SPDX-License-Identifier: MIT
 *
 * buf.h - a byte buffer filled at the back and consumed from the front.
 *
 * The bytes are contiguous, which is what framing and on_data need.  Growth doubles, so filling
 * costs linear time however the bytes are cut.  An emptied buffer gives its memory back: an idle
 * connection holds none. */
#ifndef MYR_BUF_H
#define MYR_BUF_H

#include <stddef.h>
#include <stdint.h>

struct buf {
	uint8_t *mem;
	uint32_t head, tail, room;     /* bytes are mem[head..tail) of mem[0..room) */
};

static inline size_t buf_len(const struct buf *b)
{
	return b->tail - b->head;
}

static inline const uint8_t *buf_bytes(const struct buf *b)
{
	return b->mem == NULL ? NULL : b->mem + b->head;
}

int  buf_append(struct buf *, const void *, size_t n);     /* 0 or -ENOMEM, and then unchanged */
void buf_consume(struct buf *, size_t n);                  /* n <= buf_len; frees when it gets empty */
void buf_done(struct buf *);                               /* frees; the buffer is empty and usable */

#endif
