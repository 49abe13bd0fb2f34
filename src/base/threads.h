/* SPDX-License-Identifier: MIT
 *
 * threads.h - starting threads and holding signals back.
 *
 * The host's signal handlers run in the host's threads: ours hold back all signals but those that
 * are a fault of the thread itself. */
#ifndef MYR_THREADS_H
#define MYR_THREADS_H

#include <pthread.h>
#include <signal.h>

/* stack 0: the default.  0, or -EAGAIN and the like. */
int thread_start(pthread_t *, size_t stack, void *(*fn)(void *), void *arg);

static inline void signals_hold(sigset_t *old)
{
	sigset_t most;

	sigfillset(&most);
	sigdelset(&most, SIGSEGV);
	sigdelset(&most, SIGBUS);
	sigdelset(&most, SIGFPE);
	sigdelset(&most, SIGILL);
	sigdelset(&most, SIGTRAP);
	sigdelset(&most, SIGABRT);
	sigdelset(&most, SIGSYS);
	pthread_sigmask(SIG_BLOCK, &most, old);
}

static inline void signals_restore(const sigset_t *old)
{
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

#endif
