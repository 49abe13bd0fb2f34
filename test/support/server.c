/* SPDX-License-Identifier: MIT
 *
 * server.c - a server in a child process, and how it ended. */
#include "support/server.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/clock.h"
#include "support/leaks.h"

#define LEAK_WAIT_MS 1000

#if defined __SANITIZE_ADDRESS__
int __lsan_do_recoverable_leak_check(void);
#else
static int __lsan_do_recoverable_leak_check(void)
{
	return 0;
}
#endif

/* --- In the child -------------------------------------------------------------------------------- */

static struct myr_server *running;

static void on_term(int sig)
{
	(void)sig;
	if (running != NULL)
		myr_server_stop(running);
}

static void write_log(int level, const char *line, void *arg)
{
	const int *fd = arg;

	(void)level;
	dprintf(*fd, "%s\n", line);
}

/* Clients' ends that we inherited would keep their connections open for ever. */
static void close_others(int a, int b)
{
	for (int fd = 3; fd < LEAKS_FDS; fd++)
		if (fd != a && fd != b)
			close(fd);
}

static int add_all(struct myr_server *v, const struct hosted *list, unsigned n, int report)
{
	/* An address of our own: a port that we give back may be another server's the next moment, and some look
	 * whether anybody listens there. */
	const unsigned pid = (unsigned)getpid();
	char any[40];

	snprintf(any, sizeof any, "tcp:127.%u.%u.%u:0", 1 + (pid >> 14) % 200, (pid >> 7) & 127, 1 + (pid & 127));
	for (unsigned i = 0; i < n; i++) {
		int at = myr_server_add(v, list[i].service, list[i].endpoint != NULL ? list[i].endpoint : any, NULL);

		if (at < 0)
			return at;
		dprintf(report, "%s\n", myr_server_address(v, at));
	}
	dprintf(report, "\n");
	return 0;
}

/* The last words, on the pipe: how many were cut, and what is left. */
static int child_run(const struct myr_config *config, const struct hosted *list, unsigned n, int report, int log)
{
	struct census before;
	struct myr_server *v;
	char leaks[512];
	int err;

	census_take(&before);
	err = myr_server_new(&running, config);
	if (err == 0)
		err = add_all(running, list, n, report);
	if (err == 0)
		err = myr_server_run(running);
	if (err < 0)
		dprintf(log, "server: %s\n", myr_reason());
	v = running;
	running = NULL;                 /* first: a late signal must not stop what is gone */
	myr_server_free(v);
	census_compare(&before, leaks, sizeof leaks, LEAK_WAIT_MS);
	dprintf(report, "%d %s%s\n", err, leaks, __lsan_do_recoverable_leak_check() ? "leaked memory" : "");
	return err < 0;
}

static _Noreturn void child_live(const struct myr_config *config, const struct hosted *list, unsigned n,
                                 unsigned fds_max, int report, int log)
{
	struct myr_config mine = *config;
	const struct rlimit limit = { fds_max, fds_max };
	const struct sigaction term = { .sa_handler = on_term };

	close_others(report, log);
	mine.log = write_log;
	mine.log_arg = &log;
	sigaction(SIGTERM, &term, NULL);
	signal(SIGINT, SIG_IGN);
	if (fds_max > 0)
		setrlimit(RLIMIT_NOFILE, &limit);
	_exit(child_run(&mine, list, n, report, log));
}

/* --- In the parent ------------------------------------------------------------------------------- */

static bool read_line(int fd, char *dst, size_t size, int64_t deadline)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	size_t n = 0;

	while (n + 1 < size && poll(&p, 1, test_left(deadline)) == 1 && read(fd, dst + n, 1) == 1) {
		if (dst[n] == '\n') {
			dst[n] = '\0';
			return true;
		}
		n++;
	}
	dst[n] = '\0';
	return false;
}

static bool read_addresses(struct server *s)
{
	int64_t deadline = test_now() + 10000;
	char line[SERVER_ADDRESS];

	while (read_line(s->report, line, sizeof line, deadline)) {
		if (line[0] == '\0')
			return true;
		memcpy(s->address[s->n_sites++], line, sizeof line);
	}
	return false;
}

bool server_start(struct server *s, const struct myr_config *config, const struct hosted *list, unsigned n,
                  unsigned fds_max)
{
	int ends[2];

	memset(s, 0, sizeof *s);
	s->log = memfd_create("log", MFD_CLOEXEC);
	if (s->log < 0 || pipe(ends) < 0)
		abort();
	fflush(NULL);
	s->pid = fork();
	if (s->pid < 0)
		abort();
	if (s->pid == 0)
		child_live(config, list, n, fds_max, ends[1], s->log);
	close(ends[1]);
	s->report = ends[0];
	s->pidfd = (int)syscall(SYS_pidfd_open, s->pid, 0);
	if (s->pidfd < 0)
		abort();
	return read_addresses(s);
}

void server_stop(const struct server *s)
{
	if (s->pid > 0)
		kill(s->pid, SIGTERM);
}

void server_kill(struct server *s)
{
	if (s->pid > 0)
		kill(s->pid, SIGKILL);
}

static void read_last_words(struct server *s, struct server_end *end)
{
	char line[600];
	char *rest;

	if (!read_line(s->report, line, sizeof line, test_now() + 1000)) {
		snprintf(end->leaks, sizeof end->leaks, "it left without a last word; ");
		return;
	}
	end->cut = (int)strtol(line, &rest, 10);
	snprintf(end->leaks, sizeof end->leaks, "%s", rest[0] == ' ' ? rest + 1 : rest);
}

void server_wait(struct server *s, struct server_end *end, int ms)
{
	struct pollfd p = { .fd = s->pidfd, .events = POLLIN };
	int how;

	memset(end, 0, sizeof *end);
	if (s->pid <= 0 || poll(&p, 1, ms) != 1)
		return;
	waitpid(s->pid, &how, 0);
	s->pid = 0;
	end->over = true;
	end->signal = WIFSIGNALED(how) ? WTERMSIG(how) : 0;
	end->status = WIFEXITED(how) ? WEXITSTATUS(how) : 0;
	if (end->signal == 0)
		read_last_words(s, end);
}

void server_free(struct server *s)
{
	if (s->pid > 0) {
		server_kill(s);
		waitpid(s->pid, NULL, 0);
	}
	close(s->pidfd);
	close(s->report);
	close(s->log);
	memset(s, 0, sizeof *s);
}

/* --- What it said -------------------------------------------------------------------------------- */

static FILE *open_log(const struct server *s)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/self/fd/%d", s->log);
	return fopen(path, "re");       /* an offset of its own */
}

void server_show_log(const struct server *s)
{
	FILE *f = open_log(s);
	char line[500];

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		printf("# log: %s", line);
	if (f != NULL)
		fclose(f);
}

bool server_has_said(const struct server *s, const char *text)
{
	FILE *f = open_log(s);
	char line[500];
	bool found = false;

	while (f != NULL && !found && fgets(line, sizeof line, f) != NULL)
		found = strstr(line, text) != NULL;
	if (f != NULL)
		fclose(f);
	return found;
}

long server_cpu_ms(const struct server *s)
{
	long long unsigned t[4] = { 0 };
	char path[40];
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)s->pid);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	/* pid (name) state, ten numbers, then user, system, and the same of dead children */
	if (fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %llu %llu",
	           &t[0], &t[1], &t[2], &t[3]) != 4)
		t[0] = 0;
	fclose(f);
	return (long)((t[0] + t[1] + t[2] + t[3]) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK));
}
