/* SPDX-License-Identifier: MIT
 *
 * signals.c - Ctrl-C and its like, told to the server. */
#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cli/say.h"

static const int signals[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP };

static struct {
	struct myr_server *server;
	pid_t pid;
	const char *interrupted;
	int said;                       /* on a terminal: what a second Ctrl-C does */
	volatile sig_atomic_t come;
	bool passed;                            /* the last one was passed on by a predecessor */
} stopping;

static void signals_say(int sig)
{
	static const char hint[] = "\nfinishing what was begun; Ctrl-C again cuts\n";

	if (stopping.said++ > 0 || sig != SIGINT)
		return;
	if (stopping.interrupted)
		(void)!write(STDOUT_FILENO, stopping.interrupted, strlen(stopping.interrupted));
	else if (isatty(STDERR_FILENO) && say_level >= LOG_NOTICE)
		(void)!write(STDERR_FILENO, hint, sizeof hint - 1);
}

/* A predecessor passes on what stopped it, and whoever did that may tell us as well, before or after: together
 * that is one. */
static bool signals_count(const siginfo_t *info)
{
	bool passed = info->si_code == SI_QUEUE, counts = passed ? !stopping.come : !stopping.passed;

	stopping.passed = passed && counts;
	return counts;
}

/* A terminal sends Ctrl-C to all processes of the group, forked ones too: it counts once. */
static void signals_stop(int sig, siginfo_t *info, void *context)
{
	int saved = errno;
	bool counts;

	(void)context;
	if (getpid() != stopping.pid)
		return;
	counts = signals_count(info);
	stopping.come = 1;
	signals_say(sig);
	if (counts)
		myr_server_stop(stopping.server);
	if (sig == SIGQUIT)
		myr_server_stop(stopping.server);
	errno = saved;
}

void signals_catch(struct myr_server *server, const char *interrupted)
{
	struct sigaction ours = { .sa_sigaction = signals_stop, .sa_flags = SA_SIGINFO | SA_RESTART }, old;

	stopping.server = server;
	stopping.pid = getpid();
	stopping.interrupted = interrupted;
	sigfillset(&ours.sa_mask);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (sigaction(signals[i], NULL, &old) == 0 && (signals[i] == SIGTERM || old.sa_handler != SIG_IGN))
			sigaction(signals[i], &ours, NULL);
}

void signals_pass_on(pid_t successor)
{
	sigqueue(successor, SIGTERM, (union sigval){ .sival_int = 0 });
}

bool signals_stopping(void)
{
	return stopping.come;
}

void signals_let_go(void)
{
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		signal(signals[i], SIG_IGN);    /* it is over: nothing is left to stop */
}
