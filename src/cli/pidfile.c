/* SPDX-License-Identifier: MIT
 *
 * pidfile.c - take, say, release; and read what another says. */
#include "cli/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TRIES 100
#define FAILED_DIGITS 7

static struct pidfile *mine;            /* for children, which must not keep it */

static void pidfile_forget(void)
{
	if (mine && mine->fd >= 0) {
		close(mine->fd);
		mine->fd = -1;
	}
}

static void pidfile_watch_forks(struct pidfile *p)
{
	static bool watching;

	mine = p;
	if (!watching)
		watching = pthread_atfork(NULL, NULL, pidfile_forget) == 0;
}

/* --- The lock ------------------------------------------------------------------------------------- */

static int pidfile_lock(int fd)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_SETLK, &all) == 0 ? 0 : errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
}

/* For writing: anybody who may read the file can lock it for reading, and that says nothing. */
static bool pidfile_is_held(int fd)
{
	struct flock all = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	return fcntl(fd, F_OFD_GETLK, &all) == 0 && all.l_type != F_UNLCK;
}

/* Has it been removed, or replaced, since it was opened?  Then the lock is one on nothing. */
static bool pidfile_is_at(int fd, const char *path)
{
	struct stat open_one, named;

	return fstat(fd, &open_one) == 0 && stat(path, &named) == 0 && open_one.st_dev == named.st_dev &&
		open_one.st_ino == named.st_ino;
}

/* Who has the lock writes its number at once: it is waited for, but not for long. */
static pid_t pidfile_holder(const char *path)
{
	struct pidfile_says says;

	for (int i = 0; i < TRIES; i++) {
		if (pidfile_read(path, &says) == 0 && says.held && says.pid > 0)
			return says.pid;
		usleep(2000);
	}
	return 0;
}

/* Those who want a file take turns, by a lock that nobody else can even ask for.  Where that cannot be had
 * (-1) there are no turns. */
static int pidfile_turn(const char *turn)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct stat st;
	int fd;

	while ((fd = open(turn, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0600)) >= 0) {
		bool locked = fstat(fd, &st) == 0 && st.st_uid == geteuid() && fcntl(fd, F_OFD_SETLKW, &all) == 0;

		if (locked && pidfile_is_at(fd, turn))
			return fd;
		close(fd);
		if (!locked)
			return -1;
	}
	return -1;
}

static int pidfile_take_now(struct pidfile *p, const char *path, pid_t *other)
{
	int err = -EBUSY;

	*other = 0;
	for (int i = 0; i < TRIES; i++) {
		int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, 0644);

		if (fd < 0)
			return -errno;
		err = pidfile_lock(fd);
		if (err == 0 && pidfile_is_at(fd, path)) {
			pidfile_inherit(p, path, fd);
			pidfile_begin(p);
			pidfile_write(p);
			return 0;
		}
		if (err == -EBUSY && !pidfile_is_held(fd) && pidfile_is_at(fd, path))
			err = unlink(path) < 0 ? -errno : 0;    /* left over, and a stranger has locked it for reading */
		close(fd);
		if (err < 0 && err != -EBUSY)
			return err;
		if (err == -EBUSY && (*other = pidfile_holder(path)) > 0)
			return -EBUSY;
	}
	return -EBUSY;
}

int pidfile_take(struct pidfile *p, const char *path, pid_t *other)
{
	char turn[PATH_MAX + 8];
	int fd, err;

	snprintf(turn, sizeof turn, "%s.new", path);
	fd = pidfile_turn(turn);
	err = pidfile_take_now(p, path, other);
	if (fd >= 0) {
		unlink(turn);
		close(fd);
	}
	return err;
}

void pidfile_inherit(struct pidfile *p, const char *path, int fd)
{
	p->fd = fd;
	p->owner = getpid();
	snprintf(p->path, sizeof p->path, "%s", path);
	pidfile_watch_forks(p);
}

void pidfile_release(struct pidfile *p)
{
	if (p->fd < 0)
		return;
	if (p->owner == getpid() && pidfile_is_at(p->fd, p->path) && unlink(p->path) < 0)
		(void)!ftruncate(p->fd, 0);     /* the folder is not ours any more: an empty one says nothing wrong */
	close(p->fd);
	p->fd = -1;
}

/* --- What it says --------------------------------------------------------------------------------- */

void pidfile_begin(struct pidfile *p)
{
	p->text_n = (size_t)snprintf(p->text, sizeof p->text, "%d\nstart=%llu\nfailed=%0*d\n", (int)getpid(),
	                             pidfile_start_of(getpid()), FAILED_DIGITS, 0);
}

void pidfile_add(struct pidfile *p, const char *key, const char *value)
{
	size_t room = sizeof p->text - p->text_n;
	int n = snprintf(p->text + p->text_n, room, "%s=%s\n", key, value);

	if (n > 0 && (size_t)n < room)
		p->text_n += (size_t)n;
}

void pidfile_write(const struct pidfile *p)
{
	if (p->fd >= 0 && pwrite(p->fd, p->text, p->text_n, 0) == (ssize_t)p->text_n)
		(void)!ftruncate(p->fd, (off_t)p->text_n);
}

/* The count is counted up in the file, digit by digit: nothing here may use stdio. */
void pidfile_count_failed(const struct pidfile *p)
{
	const char *at = strstr(p->text, "failed=");
	char digits[FAILED_DIGITS];
	off_t place;

	if (p->fd < 0 || !at)
		return;
	place = at + 7 - p->text;
	if (pread(p->fd, digits, sizeof digits, place) != sizeof digits)
		return;
	for (int i = FAILED_DIGITS - 1; i >= 0; i--) {
		if (digits[i] != '9') {
			digits[i]++;
			break;
		}
		digits[i] = '0';
	}
	(void)!pwrite(p->fd, digits, sizeof digits, place);
}

/* --- What another says ---------------------------------------------------------------------------- */

unsigned long long pidfile_start_of(pid_t pid)
{
	char path[64], text[1024];
	unsigned long long start = 0;
	const char *p;
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fread(text, 1, sizeof text - 1, f);
	fclose(f);
	text[n] = '\0';
	p = strrchr(text, ')');         /* the program's name may hold anything, also this */
	if (p && sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
	                &start) != 1)
		start = 0;
	return start;
}

bool pidfile_value(const struct pidfile_says *says, const char *key, int n, char *dst, size_t size)
{
	size_t len = strlen(key);

	for (const char *line = strchr(says->text, '\n'); line; line = strchr(line, '\n')) {
		line++;
		if (strncmp(line, key, len) != 0 || line[len] != '=' || n-- > 0)
			continue;
		snprintf(dst, size, "%.*s", (int)strcspn(line + len + 1, "\n"), line + len + 1);
		return true;
	}
	return false;
}

int pidfile_read(const char *path, struct pidfile_says *says)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char number[32], *end;
	struct stat st;
	ssize_t n;
	long pid;

	memset(says, 0, sizeof *says);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	says->there = true;
	says->held = pidfile_is_held(fd);
	n = fstat(fd, &st) < 0 ? -1 : read(fd, says->text, sizeof says->text - 1);
	close(fd);
	if (n < 0)
		return -errno;
	says->dev = st.st_dev;
	says->ino = st.st_ino;
	says->text[n] = '\0';
	pid = strtol(says->text, &end, 10);
	if (pid > 0 && pid <= INT_MAX && *end == '\n' &&
	    pidfile_value(says, "start", 0, number, sizeof number)) {
		says->pid = (pid_t)pid;
		says->start = strtoull(number, NULL, 10);
	}
	if (pidfile_value(says, "failed", 0, number, sizeof number))
		says->failed = (unsigned)strtoul(number, NULL, 10);
	return 0;
}
