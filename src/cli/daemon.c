/* SPDX-License-Identifier: MIT
 *
 * daemon.c - two forks and a pipe.
 *
 * Nothing has been loaded and no thread exists yet.  Standard error stays as it is until the daemon serves,
 * so that whatever goes wrong is seen by whoever typed the command. */
#include "cli/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/opts.h"
#include "cli/say.h"

#define COMMAND "myriad run"

static int daemon_failed(const char *what)
{
	say_error(COMMAND, "cannot go into the background: %s: %s", what, myr_strerror(-errno));
	return EXIT_FAILED;
}

/* A session of its own, and not its leader: no terminal can become ours. */
static int daemon_middle(void)
{
	pid_t pid;

	if (setsid() < 0)
		_exit(daemon_failed("setsid"));
	pid = fork();
	if (pid < 0)
		_exit(daemon_failed("fork"));
	if (pid > 0)
		_exit(0);
	return OPTS_GO_ON;
}

static int daemon_prepare(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0)
		return daemon_failed("/dev/null");
	close(null);
	signal(SIGUSR1, SIG_IGN);               /* until they mean something */
	signal(SIGUSR2, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	return OPTS_GO_ON;
}

/* --- The command that was typed --------------------------------------------------------------------- */

static int daemon_ended(int status)
{
	if (WIFSIGNALED(status)) {
		say_error(COMMAND, "the daemon was killed before it served: SIG%s (%s)", sigabbrev_np(WTERMSIG(status)),
		          strsignal(WTERMSIG(status)));
		return EXIT_FAILED;
	}
	if (WEXITSTATUS(status) != 0)
		return WEXITSTATUS(status);     /* it has said why */
	say_error(COMMAND, "the daemon was stopped before it served");
	return EXIT_FAILED;
}

static int daemon_await(pid_t middle, int report)
{
	char text[4096];
	ssize_t n;
	int status = 0;

	while (waitpid(middle, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return EXIT_FAILED;
	while ((n = read(report, text, sizeof text)) < 0 && errno == EINTR)
		;
	if (n > 0) {
		fwrite(text, 1, (size_t)n, stdout);
		return EXIT_DONE;
	}
	while (waitpid(-1, &status, 0) < 0 && errno == EINTR)   /* ours since the middle one has gone */
		;
	return daemon_ended(status);
}

int daemon_begin(int *report)
{
	int ends[2];
	pid_t pid;

	fflush(stdout);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return daemon_failed("pipe");
	pid = fork();
	if (pid < 0)
		return daemon_failed("fork");
	if (pid > 0) {
		close(ends[1]);
		return daemon_await(pid, ends[0]);
	}
	close(ends[0]);
	*report = ends[1];
	return daemon_middle() == OPTS_GO_ON ? daemon_prepare() : EXIT_FAILED;
}
