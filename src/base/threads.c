/* SPDX-License-Identifier: MIT
 *
 * threads.c - starting threads. */
#include "base/threads.h"

#include "base/sys.h"

int thread_start(pthread_t *thread, size_t stack, void *(*fn)(void *), void *arg)
{
	pthread_attr_t attr;
	sigset_t old;
	int err;

	pthread_attr_init(&attr);
	if (stack > 0)
		pthread_attr_setstacksize(&attr, stack);
	signals_hold(&old);
	err = sys_pthread_create(thread, &attr, fn, arg);
	signals_restore(&old);
	pthread_attr_destroy(&attr);
	return -err;
}
