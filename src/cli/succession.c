/* SPDX-License-Identifier: MIT
 *
 * succession.c - a will is written while there is time, and executed by a signal handler.
 *
 * In the handler nothing is allocated and no lock is taken: _Fork() and execve() only.  _Fork() runs no
 * atfork handlers, so the lock on the pid file, which other children close, goes along. */
#include "cli/succession.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VARIABLE "MYRIAD_SUCCESSION"
#define TEXT_MAX 65536
#define LISTENERS_MAX 1024
#define ENTRY_MAX 8192
#define FDS_MAX  4096

extern char **environ;

/* --- What has been inherited ---------------------------------------------------------------------- */

/* "tcp::7000=5,6": nobody whom we execute is to have 5 and 6; a compiler may leave somebody behind. */
static void inheritance_keep(const char *entry)
{
	for (const char *p = strrchr(entry, '='); p; p = strchr(p + 1, ','))
		fcntl(atoi(p + 1), F_SETFD, FD_CLOEXEC);
}

/* "from=7 lock=3 control=5\n", then a line for each listener. */
void inheritance_take(struct inheritance *in)
{
	static const char *listeners[LISTENERS_MAX + 1];
	const char *text = getenv(VARIABLE);
	static char *copy;              /* the listeners' names are in it */
	char *line, *save = NULL;
	size_t n = 0;
	int from = 0;

	*in = (struct inheritance){ .lock = -1, .control = -1 };
	if (!text)
		return;
	copy = strdup(text);
	unsetenv(VARIABLE);
	line = copy ? strtok_r(copy, "\n", &save) : NULL;
	if (!line || sscanf(line, "from=%d lock=%d control=%d", &from, &in->lock, &in->control) != 3 ||
	    from != (int)getppid())
		return;                         /* left over from somebody who is not our parent */
	in->from = from;
	while (n < LISTENERS_MAX && (line = strtok_r(NULL, "\n", &save))) {
		listeners[n++] = line;
		inheritance_keep(line);
	}
	in->listeners = listeners;
	for (int *fd = (int[]){ in->lock, in->control, -1 }; *fd >= 0; fd++)
		fcntl(*fd, F_SETFD, FD_CLOEXEC);
}

/* --- The will -------------------------------------------------------------------------------------- */

int will_begin(struct will *w, int argc, char **argv)
{
	char program[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);

	*w = (struct will){ .home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC) };
	if (n < 0 || w->home < 0)
		return -errno;
	program[n] = '\0';
	w->program = strdup(program);
	w->argv = calloc((size_t)argc + 2, sizeof *w->argv);
	if (!w->program || !w->argv)
		return -ENOMEM;
	w->argv[0] = w->program;
	for (int i = 0; i < argc; i++)
		if (!(w->argv[i + 1] = strdup(argv[i])))
			return -ENOMEM;
	return 0;
}

static int will_pass_on(struct will *w, int fd)
{
	if (fd < 0)
		return 0;
	if (w->fds_n == FDS_MAX)
		return -EMFILE;
	w->fds[w->fds_n++] = fd;
	return 0;
}

/* "tcp::7000=5,6": 5 and 6 */
static int will_pass_on_listed(struct will *w, const char *entry)
{
	const char *p = strrchr(entry, '=');
	int err = 0;

	for (; p && err == 0; p = strchr(p + 1, ','))
		err = will_pass_on(w, atoi(p + 1));
	return err;
}

static int will_list(struct will *w, struct myr_server *server, char *dst, size_t size)
{
	char entry[ENTRY_MAX];
	size_t n = strlen(dst);

	for (int i = 0, len, err; (len = myr_server_bequest(server, i, entry, sizeof entry)) != -ENOENT; i++) {
		if (len < 0 || n + (size_t)len + 2 > size)
			return -ENAMETOOLONG;
		if ((err = will_pass_on_listed(w, entry)) < 0)
			return err;
		n += (size_t)snprintf(dst + n, size - n, "%s\n", entry);
	}
	return 0;
}

int will_complete(struct will *w, struct myr_server *server, int lock, int control)
{
	size_t n = 0;
	char *text = malloc(TEXT_MAX);
	int err;

	w->fds = calloc(FDS_MAX, sizeof *w->fds);
	while (environ[n])
		n++;
	w->envp = calloc(n + 2, sizeof *w->envp);
	if (!text || !w->fds || !w->envp)
		return -ENOMEM;
	snprintf(text, TEXT_MAX, VARIABLE "=from=%d lock=%d control=%d\n", (int)getpid(), lock, control);
	if ((err = will_pass_on(w, lock)) < 0 || (err = will_pass_on(w, control)) < 0 ||
	    (err = will_list(w, server, text, TEXT_MAX)) < 0)
		return err;
	memcpy(w->envp, environ, n * sizeof *environ);
	w->envp[n] = text;
	return 0;
}

static _Noreturn void will_be_done(const struct will *w)
{
	static const char failed[] = "error: cannot execute the program again\n";
	static const int ends[] = { SIGTERM, SIGINT, SIGQUIT };
	sigset_t none;

	for (size_t i = 0; i < w->fds_n; i++)
		fcntl(w->fds[i], F_SETFD, 0);
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
		signal(ends[i], SIG_DFL);       /* or one that comes now would be taken by our parent's handler */
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	setpgid(0, 0);                          /* so that our parent can end all of us */
	if (fchdir(w->home) == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execve(w->program, w->argv, w->envp);
	}
	(void)!write(STDERR_FILENO, failed, sizeof failed - 1);
	_exit(1);
}

pid_t will_execute(const struct will *w)
{
	pid_t pid = _Fork();

	if (pid == 0)
		will_be_done(w);
	return pid < 0 ? -errno : pid;
}
