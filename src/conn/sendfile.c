/* SPDX-License-Identifier: MIT
 *
 * sendfile.c - myr_sendfile(): files between the bytes of the output queue.
 *
 * Each file knows how many bytes of `out` leave between the one before it and itself; what follows the
 * last one is not counted.  What is sent at one time is either bytes or of one file, so a report of what
 * has left is never of both.  A file takes no memory worth counting, but output is full (C_CHOKED) while
 * there is one: who asks for the next must have taken this one first. */
#include <errno.h>
#include <syslog.h>

#include "conn/conn.h"
#include "io/file.h"

#define FILES_MAX 64                    /* of one connection: each is a descriptor */

static struct file *first_file(const struct myr_conn *c)
{
	return list_of(c->more->files.next, struct file, link);
}

static void file_failed(struct myr_conn *c, const struct file *f, int err)
{
	log_line(&c->port.loop->log, c->number, LOG_ERR, "cannot send the rest of a file, %llu bytes from %llu: %s",
	         (unsigned long long)f->left, (unsigned long long)f->offset,
	         err == -EIO ? "it is shorter, or cannot be read" : myr_strerror(err));
	c->bits |= C_RESET;                     /* the peer must not take what it has got for the whole */
	conn_fail(c, err);
}

int conn_gather_files(struct myr_conn *c, struct iovec *iov, int max)
{
	struct file *f = first_file(c);
	size_t before = f->before;
	int n, err;

	if (before > 0) {
		max = outq_gather(&c->out, iov, max);
		for (n = 0; n < max && before > 0; n++) {
			if (iov[n].iov_len > before)
				iov[n].iov_len = before;
			before -= iov[n].iov_len;
		}
		return n;
	}
	if (c->port.loop->mover->files && !f->copied) {
		iov->iov_base = f;
		return PORT_FILE;
	}
	err = file_read(f);
	if (err < 0) {
		file_failed(c, f, err);
		return 0;
	}
	*iov = (struct iovec){ f->piece + f->head, f->tail - f->head };
	return 1;
}

void conn_sent_files(struct myr_conn *c, size_t n)
{
	struct file *f = first_file(c);

	if (f->before > 0) {
		outq_consume(&c->out, &c->port.loop->chunks, n);
		f->before -= n;
	} else {
		file_left(f, n);
		if (f->left == 0) {
			list_remove(&f->link);
			file_free(f);
			conn_attention(c);
		}
	}
	loop_touch(&c->port);                   /* there is more */
}

void conn_drop_files(struct myr_conn *c)
{
	struct list *n;

	while (c->more != NULL && (n = list_pop(&c->more->files)) != NULL)
		file_free(list_of(n, struct file, link));
}

/* How many there are, and how many bytes of `out` belong in front of the last. */
static unsigned count_files(const struct myr_conn *c, size_t *before)
{
	unsigned count = 0;

	*before = 0;
	for (struct list *n = c->more->files.next; n != &c->more->files; n = n->next, count++)
		*before += list_of(n, struct file, link)->before;
	return count;
}

static int queue_file(struct myr_conn *c, struct file *f)
{
	size_t before;

	if (conn_more(c) == NULL)
		return -ENOMEM;
	if (count_files(c, &before) >= FILES_MAX) {
		conn_fail(c, -ENOBUFS);
		return -ENOBUFS;
	}
	f->before = c->out.len - before;
	list_append(&c->more->files, &f->link);
	c->bits |= C_CHOKED;
	conn_attention(c);
	return 0;
}

int myr_sendfile(struct myr_conn *c, int fd, uint64_t offset, uint64_t n)
{
	struct file *f;
	int err = file_new(&f, fd, offset, n);

	if (err < 0)
		return err;
	err = c->bits & C_DATAGRAM ? -EINVAL : conn_write_begin(c);
	if (err == 0 && n > 0)
		err = queue_file(c, f);
	if (err < 0 || n == 0)
		file_free(f);
	return err;
}
