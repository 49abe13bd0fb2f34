/* SPDX-License-Identifier: MIT
 *
 * source.c - where `myriad send` has its bytes from; never more than a piece of them in memory. */
#include "cli/source.h"

#include <errno.h>
#include <fcntl.h>
#include <myriad.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/say.h"

#define PIECE 65536

static ssize_t source_read_fd(int fd, void *p, size_t n)
{
	ssize_t got;

	do
		got = read(fd, p, n);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

/* Copies at most `most` bytes; returns how many, or -errno; *reading: it was the source that failed. */
static long long source_copy(int from, FILE *to, uint64_t most, bool *reading)
{
	static char piece[PIECE];
	uint64_t done = 0;

	while (done < most) {
		uint64_t left = most - done;
		ssize_t n = source_read_fd(from, piece, left < sizeof piece ? (size_t)left : sizeof piece);

		*reading = n < 0;
		if (n < 0)
			return n;
		if (n == 0)
			break;
		if (fwrite(piece, 1, (size_t)n, to) != (size_t)n)
			return -errno;
		done += (uint64_t)n;
	}
	return fflush(to) == 0 ? (long long)done : -errno;
}

static int source_spool(struct source *s, const char *command, uint64_t most)
{
	bool reading = false;
	long long n;

	s->spool = tmpfile();
	n = s->spool ? source_copy(s->fd, s->spool, most, &reading) : -errno;
	if (n < 0) {
		if (reading)
			say_error(command, "cannot read %s: %s", s->name, myr_strerror((int)n));
		else
			say_error(command, "cannot keep %s in a temporary file: %s", s->name, myr_strerror((int)n));
		if (!reading)
			say_try("--length N, if it is known: then nothing has to be kept");
		return (int)n;
	}
	s->fd = fileno(s->spool);
	s->start = 0;
	s->length = (uint64_t)n;
	s->seekable = true;
	return 0;
}

/* What a regular file holds from where it stands, as `(read x; myriad send ...) <file` expects. */
static int source_measure(struct source *s, const char *command, off_t size, long long length)
{
	off_t at = lseek(s->fd, 0, SEEK_CUR);

	s->seekable = true;
	s->start = at < 0 ? 0 : at;
	s->length = size > s->start ? (uint64_t)(size - s->start) : 0;
	if (length == SOURCE_LENGTH_UNKNOWN)
		return 0;
	if (s->length < (uint64_t)length) {
		say_error(command, "%s has %llu bytes, and --length asks for %lld", s->name,
		          (unsigned long long)s->length, length);
		return -EINVAL;
	}
	s->length = (uint64_t)length;
	return 0;
}

int source_open(struct source *s, const char *command, const char *path, long long length, bool again)
{
	struct stat st;
	int err;

	*s = (struct source){ .name = "standard input", .fd = STDIN_FILENO };
	if (path && strcmp(path, "-") != 0) {
		s->name = path;
		s->fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (s->fd < 0 || fstat(s->fd, &st) < 0 || (S_ISDIR(st.st_mode) && (errno = EISDIR))) {
		err = -errno;
		say_error(command, "cannot read %s: %s", s->name, myr_strerror(err));
		return err;
	}
	if (S_ISREG(st.st_mode))
		return source_measure(s, command, st.st_size, length);
	if (length == SOURCE_LENGTH_UNKNOWN)
		return source_spool(s, command, UINT64_MAX);
	s->length = (uint64_t)length;
	if (!again)
		return 0;
	err = source_spool(s, command, (uint64_t)length);
	if (err == 0 && s->length < (uint64_t)length) {
		say_error(command, "%s has %llu bytes, and --length asks for %lld", s->name,
		          (unsigned long long)s->length, length);
		err = -EINVAL;
	}
	return err;
}

void source_text(struct source *s, const char *text)
{
	*s = (struct source){ .name = "the text", .text = text, .length = strlen(text), .fd = -1, .seekable = true };
}

void source_close(struct source *s)
{
	if (s->spool)
		fclose(s->spool);
	else if (s->fd > STDERR_FILENO)
		close(s->fd);
}

ssize_t source_read(struct source *s, void *p, size_t n, uint64_t at)
{
	ssize_t got;

	if (at >= s->length)
		return 0;
	if (n > s->length - at)
		n = (size_t)(s->length - at);
	if (s->text) {
		memcpy(p, s->text + at, n);
		return (ssize_t)n;
	}
	if (!s->seekable)
		return source_read_fd(s->fd, p, n);
	do
		got = pread(s->fd, p, n, s->start + (off_t)at);
	while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}
