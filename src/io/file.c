/* SPDX-License-Identifier: MIT
 *
 * file.c - files that are sent: checked first, read in pieces, or handed to the kernel. */
#include "io/file.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>

#include "base/sys.h"

static int file_check(int fd, uint64_t offset, uint64_t n)
{
	struct stat st;
	char nothing;

	if (sys_fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || offset > (uint64_t)st.st_size || n > (uint64_t)st.st_size - offset)
		return -EINVAL;
	return sys_pread(fd, &nothing, 0, 0) < 0 && errno != EINTR ? -errno : 0;        /* open for reading? */
}

int file_new(struct file **out, int fd, uint64_t offset, uint64_t n)
{
	struct file *f = NULL;
	int err = file_check(fd, offset, n);

	if (err == 0 && (f = sys_calloc(1, sizeof *f)) == NULL)
		err = -ENOMEM;
	if (err < 0) {
		if (fd >= 0)
			sys_close(fd);
		return err;
	}
	list_init(&f->link);
	f->fd = fd;
	f->offset = offset;
	f->left = n;
	*out = f;
	return 0;
}

void file_free(struct file *f)
{
	sys_close(f->fd);
	free(f->piece);
	free(f);
}

int file_read(struct file *f)
{
	size_t want = f->left < FILE_PIECE ? (size_t)f->left : FILE_PIECE;
	ssize_t n;

	if (f->head < f->tail)
		return 0;
	if (f->piece == NULL && (f->piece = sys_malloc(want)) == NULL)
		return -ENOMEM;
	do {
		n = sys_pread(f->fd, f->piece, want, (off_t)f->offset);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : -EIO;
	f->head = 0;
	f->tail = (uint32_t)n;
	return 0;
}

void file_left(struct file *f, size_t n)
{
	f->offset += n;
	f->left -= n;
	if (f->head < f->tail)
		f->head += (uint32_t)n;
}

/* sendfile(2) knows no MSG_NOSIGNAL: what it raises is taken back, unless it was pending before.  It also raises
 * it when the peer goes in the middle, and then says how much went before. */
ssize_t file_send(const struct file *f, int to)
{
	const struct timespec at_once = { 0, 0 };
	size_t n = f->left < FILE_SLICE ? (size_t)f->left : FILE_SLICE;
	off_t offset = (off_t)f->offset;
	sigset_t pipe, old, pending;
	ssize_t sent;
	int err;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigemptyset(&pending);
	pthread_sigmask(SIG_BLOCK, &pipe, &old);
	if (sigismember(&old, SIGPIPE))
		sigpending(&pending);
	sent = sys_sendfile(to, f->fd, &offset, n);
	err = errno;
	if (sent < (ssize_t)n && !sigismember(&pending, SIGPIPE))
		while (sigtimedwait(&pipe, NULL, &at_once) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = err;
	return sent;
}
