/* SPDX-License-Identifier: MIT
 *
 * crash.c - the last line of a server whose application crashes.
 *
 * On an event engine handlers run in the server's own process: without a word here its log would simply stop.  The
 * signal handler has a stack of its own, because the usual first crash is a stack that was too small: a large
 * array in a blocking handler.  It only writes, and returns; the fault comes again and ends the process. */
#include "cli/crash.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK     ((size_t)64 << 10)
#define STACK_END ((uintptr_t)1 << 20)  /* an access so far from the stack's top is still meant for it */

static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };

static struct {
	const char *command;
	pid_t pid;                      /* who serves; 0: nobody */
	bool at_exit;
} crash;

static const char *crash_name(int sig)
{
	switch (sig) {
	case SIGSEGV: return "segmentation fault";
	case SIGBUS:  return "bus error";
	case SIGFPE:  return "arithmetic error";
	case SIGILL:  return "illegal instruction";
	default:      return "abort";
	}
}

static uintptr_t crash_stack_top(const void *context)
{
	const ucontext_t *u = context;

#if defined __x86_64__
	return (uintptr_t)u->uc_mcontext.gregs[REG_RSP];
#elif defined __aarch64__
	return (uintptr_t)u->uc_mcontext.sp;
#else
	(void)u;
	return 0;
#endif
}

static bool crash_is_overflow(int sig, const siginfo_t *info, const void *context)
{
	uintptr_t at = (uintptr_t)info->si_addr, top = crash_stack_top(context);

	return sig == SIGSEGV && top != 0 && at < top + STACK_END && at + STACK_END > top;
}

static void crash_say(int sig, siginfo_t *info, void *context)
{
	char line[300] = "error: ";
	ssize_t put;

	strcat(line, crash.command);
	strcat(line, ": the application has crashed: ");
	strcat(line, crash_name(sig));
	if (crash_is_overflow(sig, info, context))
		strcat(line, ", its handler's stack is full: less on the stack, or a larger --stack-size");
	strcat(line, "\n");
	put = write(STDERR_FILENO, line, strlen(line));
	(void)put;
	if (info->si_code <= 0)
		raise(sig);             /* it was sent: it does not come by itself again */
}

static void crash_exit(void)
{
	static const char line[] = "error: the application has called exit(), which ends the server and all its connections\n";
	ssize_t put = crash.pid == getpid() ? write(STDERR_FILENO, line, sizeof line - 1) : 0;

	(void)put;
}

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__

/* A sanitizer has its own word on crashes. */
static void crash_catch(void)
{
	(void)crash_say, (void)fatal;
}

#else

static void crash_catch(void)
{
	const stack_t stack = { .ss_sp = malloc(STACK), .ss_size = STACK };
	struct sigaction a = { .sa_sigaction = crash_say, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESETHAND };

	if (stack.ss_sp != NULL)
		sigaltstack(&stack, NULL);
	for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++)
		sigaction(fatal[i], &a, NULL);
}

#endif

void crash_watch(const char *command)
{
	crash.command = command;
	crash.pid = getpid();
	if (!crash.at_exit)
		crash.at_exit = atexit(crash_exit) == 0;
	crash_catch();
}

void crash_done(void)
{
	crash.pid = 0;
}
