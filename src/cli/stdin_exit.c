/* SPDX-License-Identifier: MIT
 *
 * stdin_exit.c - a server's standard input, read where its clients are.
 *
 * Of several workers one reads, and if it was a process that died, the one that takes its place.  The
 * descriptor stays in blocking mode, because other processes share it with the terminal: it is read only when
 * there is something, and then what is there. */
#include "cli/stdin_exit.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define LINE_BYTES    16                /* more than EXIT: of a longer line the beginning is enough */
#define BACKGROUND_MS 500               /* how soon to look again whether the terminal is ours */

static struct {
	struct myr_server *server;
	_Atomic pid_t *reader;          /* shared by all processes; 0: nobody reads */
	int (*start)(struct myr_loop *, void *);
	void (*stop)(struct myr_loop *, void *);
	struct myr_loop *loop;          /* of the worker that reads, if it is in this process */
	char line[LINE_BYTES];
	size_t n;                       /* of the line, LINE_BYTES if it is longer */
} in;

static void in_watch(struct myr_loop *l);
static void in_again(struct myr_loop *l, void *arg);

/* --- Lines ------------------------------------------------------------------------------------------- */

static bool in_is(const char *text)
{
	return in.n == strlen(text) && memcmp(in.line, text, in.n) == 0;
}

static void in_line(void)
{
	if (in.n > 0 && in.n < LINE_BYTES && in.line[in.n - 1] == '\r')
		in.n--;
	if (in_is("EXIT"))
		myr_server_stop(in.server);
	else if (in.n > 0)
		fprintf(stderr, "EXIT ends the server; other lines are ignored\n");
	in.n = 0;
}

static void in_take(const char *bytes, ssize_t n)
{
	for (ssize_t i = 0; i < n; i++)
		if (bytes[i] == '\n')
			in_line();
		else if (in.n < LINE_BYTES)
			in.line[in.n++] = bytes[i];
}

/* --- The descriptor ---------------------------------------------------------------------------------- */

/* To read a terminal in the background would stop the process. */
static bool in_background(void)
{
	pid_t front = isatty(STDIN_FILENO) ? tcgetpgrp(STDIN_FILENO) : -1;

	return front >= 0 && front != getpgrp();
}

static void in_forget(struct myr_loop *l)
{
	myr_watch(l, STDIN_FILENO, 0, NULL, NULL);
	myr_after(l, MYR_NONE, in_again, NULL);
}

/* What is there, without waiting for more.  False: no more will come. */
static bool in_read(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	char bytes[4096];
	ssize_t n;

	if (poll(&p, 1, 0) <= 0)
		return true;            /* somebody else was faster */
	n = read(STDIN_FILENO, bytes, sizeof bytes);
	in_take(bytes, n);
	if (n == 0)
		in_line();              /* the last one may lack its end */
	return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

static bool in_is_file(void)
{
	struct stat st;

	return fstat(STDIN_FILENO, &st) == 0 && S_ISREG(st.st_mode);
}

static void in_ready(struct myr_loop *l, int fd, unsigned events, void *arg)
{
	(void)fd, (void)events, (void)arg;
	if (in_background()) {
		in_forget(l);
		myr_after(l, BACKGROUND_MS, in_again, NULL);
	} else if (!in_read()) {
		in_forget(l);
	}
}

static void in_again(struct myr_loop *l, void *arg)
{
	(void)arg;
	in_watch(l);
}

static void in_file(struct myr_loop *l, void *arg)
{
	if (in_read())
		myr_after(l, 0, in_file, arg);
}

/* A file is always ready, and epoll does not take it. */
static void in_watch(struct myr_loop *l)
{
	int err = in_is_file() ? myr_after(l, 0, in_file, NULL) : myr_watch(l, STDIN_FILENO, MYR_READ, in_ready, NULL);

	if (err < 0)
		fprintf(stderr, "standard input is not read: %s\n", myr_strerror(err));
}

/* --- The worker that reads ---------------------------------------------------------------------------- */

static bool in_takes_over(void)
{
	pid_t reader = atomic_load(in.reader);

	if (reader != 0 && (kill(reader, 0) == 0 || errno != ESRCH))
		return false;
	return atomic_compare_exchange_strong(in.reader, &reader, getpid());
}

static int in_start(struct myr_loop *l, void *arg)
{
	int err = in.start ? in.start(l, arg) : 0;

	if (err >= 0 && in_takes_over()) {
		in.loop = l;
		in_watch(l);
	}
	return err;
}

static void in_stop(struct myr_loop *l, void *arg)
{
	if (in.loop == l && atomic_load(in.reader) == getpid()) {
		in_forget(l);
		myr_after(l, MYR_NONE, in_file, NULL);
		in.loop = NULL;
	}
	if (in.stop)
		in.stop(l, arg);
}

int stdin_exit_wrap(struct myr_service *s, struct myr_server *server)
{
	in.reader = mmap(NULL, sizeof *in.reader, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (in.reader == MAP_FAILED)
		return -ENOMEM;
	in.server = server;
	in.start = s->start;
	in.stop = s->stop;
	s->start = in_start;
	s->stop = in_stop;
	return 0;
}
