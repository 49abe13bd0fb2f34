/* SPDX-License-Identifier: MIT
 *
 * leaks.c - what a process holds. */
#include "support/leaks.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/clock.h"

static unsigned count_tasks(void)
{
	DIR *d = opendir("/proc/self/task");
	unsigned n = 0;

	if (d == NULL)
		return 0;
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2;                   /* . and .. */
}

#if defined __SANITIZE_THREAD__
#define THREADS_ARE_WATCHED 1
#elif defined __has_feature
#if __has_feature(thread_sanitizer)
#define THREADS_ARE_WATCHED 1
#endif
#endif

#ifdef THREADS_ARE_WATCHED
static void *nothing(void *arg)
{
	return arg;
}

/* With a process's first thread ThreadSanitizer starts one of its own, which stays.  Have it before counting. */
static void meet_the_watcher(void)
{
	static pid_t met;
	pthread_t t;

	if (met == getpid() || pthread_create(&t, NULL, nothing, NULL) != 0)
		return;
	met = getpid();
	pthread_join(t, NULL);
}
#else
static void meet_the_watcher(void)
{
}
#endif

/* ECHILD is the only answer of a process without children, zombies included. */
static bool has_children(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

void census_take(struct census *c)
{
	DIR *d;
	struct dirent *e;

	meet_the_watcher();
	d = opendir("/proc/self/fd");
	memset(c, 0, sizeof *c);
	while (d != NULL && (e = readdir(d)) != NULL) {
		int fd = atoi(e->d_name);

		if (e->d_name[0] != '.' && fd < LEAKS_FDS && fd != dirfd(d))
			c->open[fd] = true;
	}
	if (d != NULL)
		closedir(d);
	c->tasks = count_tasks();
	c->children = has_children();
}

static size_t tell_fds(const struct census *before, const struct census *now, char *dst, size_t size)
{
	size_t at = 0;

	for (int fd = 0; fd < LEAKS_FDS && at < size; fd++) {
		char path[40], what[100];
		ssize_t n;

		if (!now->open[fd] || before->open[fd])
			continue;
		snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
		n = readlink(path, what, sizeof what - 1);
		what[n < 0 ? 0 : n] = '\0';
		at += (size_t)snprintf(dst + at, size - at, "leaked descriptor %d (%s); ", fd, what);
	}
	return at;
}

void census_compare(const struct census *before, char *dst, size_t size, long deadline_ms)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	int64_t deadline = test_now() + deadline_ms;
	struct census now;
	size_t at;

	for (;;) {
		census_take(&now);
		if (now.tasks <= before->tasks || test_now() >= deadline)
			break;
		nanosleep(&moment, NULL);
	}
	dst[0] = '\0';
	at = tell_fds(before, &now, dst, size);
	if (now.tasks > before->tasks && at < size)
		at += (size_t)snprintf(dst + at, size - at, "%u leaked threads; ", now.tasks - before->tasks);
	if (now.children && !before->children && at < size)
		snprintf(dst + at, size - at, "leaked child processes; ");
}
