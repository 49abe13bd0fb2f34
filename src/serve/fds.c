/* SPDX-License-Identifier: MIT
 *
 * fds.c - a set of descriptors, for processes that fork. */
#include "serve/fds.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/sys.h"
#include "io/sock.h"

static int fds_grow(struct fds *f)
{
	unsigned room = f->room * 2;
	int *fd = sys_realloc(f->fd, room * sizeof *fd);

	if (fd == NULL)
		return -ENOMEM;
	f->fd = fd;
	f->room = room;
	return 0;
}

static void fds_standard(struct fds *f)         /* no /proc: what everybody has */
{
	for (int fd = 0; fd <= 2; fd++)
		fds_add(f, fd);
}

int fds_open_now(struct fds *f, unsigned more)
{
	const struct dirent *entry;
	DIR *d;

	f->n = 0;
	f->room = 64 + more;
	f->fd = sys_malloc(f->room * sizeof *f->fd);
	if (f->fd == NULL)
		return -ENOMEM;
	d = opendir("/proc/self/fd");
	if (d == NULL) {
		fds_standard(f);
		return 0;
	}
	while ((entry = readdir(d)) != NULL) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		if (f->n + more + 1 > f->room && fds_grow(f) < 0) {
			closedir(d);
			fds_done(f);
			return -ENOMEM;
		}
		fds_add(f, (int)strtol(entry->d_name, NULL, 10));
	}
	fds_remove(f, dirfd(d));
	closedir(d);
	return 0;
}

void fds_done(struct fds *f)
{
	free(f->fd);
	f->fd = NULL;
	f->n = f->room = 0;
}

static unsigned fds_place(const struct fds *f, int fd)
{
	unsigned i = f->n;

	while (i > 0 && f->fd[i - 1] >= fd)
		i--;
	return i;
}

void fds_add(struct fds *f, int fd)
{
	unsigned i = fds_place(f, fd);

	if (fd < 0 || (i < f->n && f->fd[i] == fd))
		return;
	assert(f->n < f->room);
	memmove(&f->fd[i + 1], &f->fd[i], (f->n - i) * sizeof *f->fd);
	f->fd[i] = fd;
	f->n++;
}

void fds_remove(struct fds *f, int fd)
{
	unsigned i = fds_place(f, fd);

	if (i == f->n || f->fd[i] != fd)
		return;
	f->n--;
	memmove(&f->fd[i], &f->fd[i + 1], (f->n - i) * sizeof *f->fd);
}

static void fds_close_range(unsigned first, unsigned last)
{
	unsigned limit;

	if (first > last || close_range(first, last, 0) == 0)
		return;
	limit = (unsigned)sock_fd_limit();      /* a kernel before 5.9 */
	for (unsigned fd = first; fd <= last && fd < limit; fd++)
		sys_close((int)fd);
}

void fds_close_others(const struct fds *f)
{
	unsigned from = 0;

	for (unsigned i = 0; i < f->n; i++) {
		if ((unsigned)f->fd[i] > from)
			fds_close_range(from, (unsigned)f->fd[i] - 1);
		from = (unsigned)f->fd[i] + 1;
	}
	fds_close_range(from, UINT_MAX);
}
