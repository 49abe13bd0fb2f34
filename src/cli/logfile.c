/* SPDX-License-Identifier: MIT
 *
 * logfile.c - the writer of the log: lines from a pipe, orders from another. */
#include "cli/logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/say.h"
#include "cli/text.h"
#include "cli/trust.h"

#define COMMAND    "myriad run"
#define LINE_BYTES 4096                 /* longer ones are cut in pieces */
#define END_MS     1000
#define LOG_MODE   0640
#define ORDER_STARTED 's'
#define ORDER_REOPEN  'o'

struct writer {
	const char *path, *says;
	int file, pipe, control;
	int terminal, report;           /* -1: no more */
	unsigned long lost;             /* lines that could not be written */
	int  lost_why;
	size_t n;
	char line[LINE_BYTES];          /* what has come of the next one */
};

/* --- The writer ----------------------------------------------------------------------------------- */

/* Without links, in any of its names.  Older kernels look at the last one only, which is too little to make a file
 * that is then given away: its owner can do that itself. */
static int open_plainly(const char *path, int flags)
{
	struct open_how how = { .flags = (unsigned)flags, .mode = flags & O_CREAT ? LOG_MODE : 0,
	                        .resolve = RESOLVE_NO_SYMLINKS };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);

	if (fd >= 0 || (flags & O_EXCL) || (errno != ENOSYS && errno != EPERM))
		return fd;
	return open(path, flags | O_NOFOLLOW, LOG_MODE);
}

/* A pipe or a terminal that takes nothing must not hold us up, and so the server: one is refused, the other
 * loses lines.  Root may have been led to any file of the system, if others can put links there. */
static int writer_try(const char *path, int flags, bool mistrust)
{
	struct stat st;
	int fd, err = 0;

	flags |= O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	fd = mistrust ? open_plainly(path, flags) : open(path, flags, LOG_MODE);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		err = -ENXIO;
	else if (mistrust && st.st_nlink > 1)
		err = -EMLINK;
	if (err < 0)
		close(fd);
	return err < 0 ? err : fd;
}

/* Root, in a place where others can decide what a name is? */
static bool writer_mistrusts(const char *path)
{
	struct trust t;
	int err;

	if (geteuid() != 0)
		return false;
	err = trust_path(&t, path);
	return (err != 0 && err != -ENOENT) || t.shared;
}

static int writer_open(const char *path)
{
	return writer_try(path, O_CREAT, writer_mistrusts(path));
}

/* Before rights are given up: what only root can make or open.  Nothing is given away but what is new. */
static int writer_make(const char *path, const struct owner *owner)
{
	bool mistrust = writer_mistrusts(path);
	int fd = writer_try(path, O_CREAT | O_EXCL, mistrust);

	if (fd < 0)
		return fd == -EEXIST && !mistrust ? writer_try(path, 0, false) : fd;
	if (fchown(fd, owner->uid, owner->gid) == 0)
		return fd;
	close(fd);
	return -errno;
}

/* These are open, whatever they are; opened by name they would be somebody's file, or nothing.  -1: it is neither. */
static int writer_standard(const char *path)
{
	return strcmp(path, "/dev/stderr") == 0 ? STDERR_FILENO : strcmp(path, "/dev/stdout") == 0 ? STDOUT_FILENO : -1;
}

/* Becomes the owner; the file's descriptor, or -errno. */
static int writer_begin(const char *path, const struct owner *owner)
{
	int err, fd = writer_standard(path);

	if (fd >= 0)
		fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	else if (owner->wanted)
		fd = writer_make(path, owner);
	err = owner_become(owner);
	if (err == 0 && fd < 0)
		fd = writer_open(path);
	return err < 0 ? err : fd;
}

static bool writer_put(int fd, const char *p, size_t n)
{
	while (n > 0) {
		ssize_t put = write(fd, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		p += put;
		n -= (size_t)put;
	}
	return true;
}

static size_t writer_stamp(char *dst, size_t size)
{
	struct timespec now;
	struct tm utc;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	n = strftime(dst, size, "%Y-%m-%dT%H:%M:%S", &utc);
	return n + (size_t)snprintf(dst + n, size - n, ".%03dZ ", (int)(now.tv_nsec / 1000000));
}

/* With the time before it; a full disk costs lines, and how many is said when there is room again. */
static void writer_file(struct writer *w, const char *text, size_t n)
{
	char whole[64 + 4 * (LINE_BYTES + 4)];
	size_t at = 0;

	if (w->lost > 0) {
		at = writer_stamp(whole, sizeof whole);
		at += (size_t)snprintf(whole + at, sizeof whole - at, "warning: %lu lines are lost: %s\n", w->lost,
		                       strerror(w->lost_why));
		if (!writer_put(w->file, whole, at)) {
			w->lost++;
			return;
		}
		w->lost = 0;
	}
	at = writer_stamp(whole, sizeof whole);
	memcpy(whole + at, text, n);
	if (!writer_put(w->file, whole, at + n)) {
		w->lost++;
		w->lost_why = errno;
	}
}

static void writer_line(struct writer *w, const char *line, size_t n)
{
	char text[4 * (LINE_BYTES + 4) + 20];
	struct text_shown shown = { .held_n = 0 };
	size_t m = text_show(&shown, text, line, n);

	m += text_show_end(&shown, text + m);
	text[m++] = '\n';
	writer_file(w, text, m);
	if (w->terminal >= 0)
		(void)writer_put(w->terminal, text, m);
}

static void writer_take(struct writer *w, const char *p, size_t n)
{
	while (n > 0) {
		const char *end = memchr(p, '\n', n);
		size_t piece = end ? (size_t)(end - p) : n, room = sizeof w->line - w->n;

		if (piece > room) {
			piece = room;
			end = NULL;
		}
		memcpy(w->line + w->n, p, piece);
		w->n += piece;
		if (end || w->n == sizeof w->line) {
			writer_line(w, w->line, w->n);
			w->n = 0;
		}
		p += piece + (end ? 1 : 0);
		n -= piece + (end ? 1 : 0);
	}
}

/* What has been written by now; false: nobody is left who could write more. */
static bool writer_drain(struct writer *w)
{
	char piece[16384];
	ssize_t n;

	while ((n = read(w->pipe, piece, sizeof piece)) > 0)
		writer_take(w, piece, (size_t)n);
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* What the error's own text does not say. */
static const char *writer_why(int err)
{
	if (err == -ENXIO)
		return "it is neither a file nor a terminal, and could hold up the server";
	if (geteuid() == 0 && (err == -ELOOP || err == -EMLINK))
		return "it is a link, or a link leads there, and root follows none that others may have made";
	return NULL;
}

static void writer_reopen(struct writer *w)
{
	char text[256];
	struct stat st;
	int fd;

	if (writer_standard(w->path) >= 0 || (fstat(w->file, &st) == 0 && !S_ISREG(st.st_mode)))
		return;                         /* nobody moves a terminal away */
	fd = writer_open(w->path);
	if (fd < 0) {
		snprintf(text, sizeof text, "error: cannot open the log anew, this one goes on: %s",
		         writer_why(fd) ? writer_why(fd) : myr_strerror(fd));
		writer_line(w, text, strlen(text));
		return;
	}
	close(w->file);
	w->file = fd;
}

static void writer_started(struct writer *w)
{
	if (w->report >= 0 && writer_put(w->report, w->says, strlen(w->says)))
		close(w->report);
	if (w->terminal >= 0)
		close(w->terminal);
	w->report = w->terminal = -1;
}

/* What was written before an order belongs before it. */
static bool writer_obey(struct writer *w)
{
	char order;
	ssize_t n = read(w->control, &order, 1);
	bool more;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	more = writer_drain(w);
	if (n <= 0)
		w->control = -1;
	else if (order == ORDER_REOPEN)
		writer_reopen(w);
	else
		writer_started(w);
	return more;
}

static void writer_run(struct writer *w)
{
	bool more = true;

	while (more) {
		struct pollfd p[] = { { .fd = w->pipe, .events = POLLIN }, { .fd = w->control, .events = POLLIN } };

		if (poll(p, 2, -1) < 0)
			continue;
		if (p[1].revents)
			more = writer_obey(w);
		else if (p[0].revents)
			more = writer_drain(w);
	}
	if (w->n > 0)
		writer_line(w, w->line, w->n);
}

/* It ends when its input does, not when it is told to: the last lines are the ones that matter. */
static void writer_ignore_signals(void)
{
	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGSEGV && sig != SIGBUS && sig != SIGILL && sig != SIGFPE && sig != SIGABRT && sig != SIGCHLD)
			signal(sig, SIG_IGN);
}

static void writer_keep(const int *keep, size_t n)
{
	unsigned from = 3;

	for (;;) {                      /* the lowest of those that are kept and still ahead */
		unsigned next = ~0u;

		for (size_t i = 0; i < n; i++)
			if (keep[i] >= (int)from && (unsigned)keep[i] < next)
				next = (unsigned)keep[i];
		if (next > from)
			syscall(SYS_close_range, from, next - (next != ~0u), 0);
		if (next == ~0u)
			return;
		from = next + 1;
	}
}

static _Noreturn void writer_live(struct writer *w, const struct owner *owner, int result)
{
	int keep[] = { -1, w->pipe, w->control, w->terminal, w->report };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	writer_ignore_signals();
	w->file = writer_begin(w->path, owner);
	if (write(result, &w->file, sizeof w->file) < 0 || w->file < 0)
		_exit(1);
	for (int fd = 0; fd <= 2 && null >= 0; fd++)
		dup2(null, fd);
	keep[0] = w->file;
	writer_keep(keep, sizeof keep / sizeof *keep);
	fcntl(w->pipe, F_SETFL, fcntl(w->pipe, F_GETFL) | O_NONBLOCK);
	writer_run(w);
	_exit(0);
}

/* --- Those who write ------------------------------------------------------------------------------ */

int logfile_path(struct logfile *l, const char *path)
{
	char here[PATH_MAX];
	int n;

	if (*path == '/')
		n = snprintf(l->path, sizeof l->path, "%s", path);
	else
		n = getcwd(here, sizeof here) ? snprintf(l->path, sizeof l->path, "%s/%s", here, path) : -1;
	return n < 0 ? -errno : n >= (int)sizeof l->path ? -ENAMETOOLONG : 0;
}

/* How the writer's beginning went: 0 or -errno. */
static int logfile_result(struct logfile *l, int from)
{
	int file = -EIO;
	ssize_t n;

	while ((n = read(from, &file, sizeof file)) < 0 && errno == EINTR)
		;
	close(from);
	if (file >= 0)
		return 0;
	waitpid(l->writer, NULL, 0);
	if (writer_why(file))
		say_error(COMMAND, "%s: %s", l->path, writer_why(file));
	return file;
}

int logfile_start(struct logfile *l, bool output, const struct owner *owner, int report, const char *says)
{
	struct writer w = { .path = l->path, .says = says, .report = report };
	int lines[2], orders[2], result[2], err;

	l->control = -1;
	l->output = output;
	w.terminal = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	if (pipe2(lines, O_CLOEXEC) < 0 || pipe2(orders, O_CLOEXEC) < 0 || pipe2(result, O_CLOEXEC) < 0)
		return -errno;
	w.pipe = lines[0];
	w.control = orders[0];
	fflush(stdout);
	l->writer = fork();
	if (l->writer < 0)
		return -errno;
	if (l->writer == 0)
		writer_live(&w, owner, result[1]);
	close(result[1]);
	err = logfile_result(l, result[0]);
	if (err < 0)
		return err;
	if (dup2(lines[1], STDERR_FILENO) < 0 || (output && dup2(lines[1], STDOUT_FILENO) < 0))
		return -errno;
	setvbuf(stdout, NULL, _IOLBF, 0);       /* lines, also of what a service prints */
	fcntl(orders[1], F_SETFL, O_NONBLOCK);
	l->control = orders[1];
	close(w.terminal);
	close(lines[0]);
	close(lines[1]);
	close(orders[0]);
	return 0;
}

static void logfile_order(const struct logfile *l, char order)
{
	if (l->control >= 0)
		(void)!write(l->control, &order, 1);
}

void logfile_started(const struct logfile *l)
{
	logfile_order(l, ORDER_STARTED);
}

void logfile_reopen(const struct logfile *l)
{
	logfile_order(l, ORDER_REOPEN);
}

void logfile_end(struct logfile *l)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct pollfd gone = { .fd = l->control };      /* POLLERR: nobody reads our orders any more */

	if (l->control < 0 || null < 0)
		return;
	fflush(stdout);
	dup2(null, STDERR_FILENO);
	if (l->output)
		dup2(null, STDOUT_FILENO);
	close(null);
	if (!l->handed && poll(&gone, 1, END_MS) > 0 && l->writer > 0)
		waitpid(l->writer, NULL, 0);
	close(l->control);
	l->control = -1;
}
