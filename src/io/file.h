/* SPDX-License-Identifier: MIT
 *
 * file.h - a part of a regular file on its way into a connection.
 *
 * A mover that can hands descriptor and offset to the kernel (sendfile(2), see PORT_FILE); for the others
 * pieces are read into a buffer that exists only while the file leaves.  Reading may wait for the disk,
 * and the loop with it. */
#ifndef MYR_FILE_H
#define MYR_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/list.h"

#define FILE_PIECE 65536u               /* bytes read at a time */
#define FILE_SLICE ((size_t)256 * 1024) /* bytes the kernel is asked to send at a time: others wait as well */

struct file {
	struct list link;               /* the owner's */
	size_t   before;                /* the owner's: bytes that leave before it */
	uint64_t offset, left;          /* what has not left yet */
	int      fd;
	bool     copied;                /* the kernel cannot send this one */
	uint8_t *piece;                 /* NULL: nothing is read; else piece[head..tail) leaves next */
	uint32_t head, tail;
};

/* Takes fd over, and closes it on an error: -EBADF (not open for reading), -EINVAL (no regular file, or not
 * so long), -ENOMEM. */
int  file_new(struct file **, int fd, uint64_t offset, uint64_t n);
void file_free(struct file *);
/* Have a piece in memory that is not empty: 0, -ENOMEM, -EIO (the file has become shorter), or what reading
 * it came to. */
int  file_read(struct file *);
void file_left(struct file *, size_t n);        /* so many bytes have left */
/* As send(2) with MSG_NOSIGNAL.  0: the file has become shorter. */
ssize_t file_send(const struct file *, int to);

#endif
