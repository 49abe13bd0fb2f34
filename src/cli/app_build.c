/* SPDX-License-Identifier: MIT
 *
 * app_build.c - the compiler, run on an application's source.
 *
 * The header is found from where the program is: ../include, in the tree as well as installed.  No library
 * is linked: the program that loads the application has it.
 *
 * Who ends us in the meantime ends the compiler, and nothing is left of it: until app_build_remove() signals
 * are caught.  The compiler has a session of its own, so that one signal reaches all of its processes. */
#include "cli/app_build.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/opts.h"
#include "cli/say.h"

#define COMMAND   "myriad run"
#define WORDS_MAX 64

extern char **environ;

struct words {                          /* a command line under construction */
	char *word[WORDS_MAX];
	size_t n;
};

static void words_add(struct words *w, char *word)
{
	if (w->n + 1 < WORDS_MAX)
		w->word[w->n++] = word;
}

/* $CC may be "ccache gcc", $CFLAGS is several: blanks separate, there is no quoting. */
static void words_split(struct words *w, char *text)
{
	char *save = NULL;

	for (char *word = strtok_r(text, " \t\n", &save); word; word = strtok_r(NULL, " \t\n", &save))
		words_add(w, word);
}

static void build_include(char *dst, size_t size)
{
	char program[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
	char *slash;

	*dst = '\0';
	if (n < 0)
		return;
	program[n] = '\0';
	slash = strrchr(program, '/');
	if (slash)
		*slash = '\0';
	snprintf(dst, size, "-I%s/../include", program);
}

static int build_no_compiler(const char *compiler, int err)
{
	say_error(COMMAND, "cannot run the compiler \"%s\": %s", compiler, myr_strerror(-err));
	if (err == ENOENT)
		say_try("apt install gcc, or CC=another-compiler myriad run ..., or an application that is built: APP.so");
	return EXIT_FAILED;
}

/* --- What ends us --------------------------------------------------------------------------------- */

static const int ends[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
#define ENDS_N (sizeof ends / sizeof *ends)

static struct {
	struct app_build *build;        /* NULL: signals are not ours */
	pid_t us, compiler;             /* compiler 0: it does not run */
	volatile sig_atomic_t come;     /* while it did */
	struct sigaction before[ENDS_N];
} catching;

static void build_unlink(const struct app_build *b)
{
	unlink(b->object);
	rmdir(b->dir);
}

/* A child that tries to load has this handler, too. */
static void build_signal(int sig)
{
	int saved = errno;

	if (catching.compiler > 0 && getpid() == catching.us) {
		catching.come = sig;
		kill(-catching.compiler, sig);
	} else {
		if (getpid() == catching.us)
			build_unlink(catching.build);
		signal(sig, SIG_DFL);
		raise(sig);             /* when this handler returns */
	}
	errno = saved;
}

static void build_catch(struct app_build *b)
{
	struct sigaction ours = { .sa_handler = build_signal };

	catching.build = b;
	catching.us = getpid();
	catching.come = 0;
	sigfillset(&ours.sa_mask);
	for (size_t i = 0; i < ENDS_N; i++) {
		sigaction(ends[i], NULL, &catching.before[i]);
		if (catching.before[i].sa_handler != SIG_IGN)
			sigaction(ends[i], &ours, NULL);
	}
}

static void build_let_go(void)
{
	struct sigaction now;

	for (size_t i = 0; catching.build && i < ENDS_N; i++)
		if (sigaction(ends[i], NULL, &now) == 0 && now.sa_handler == build_signal)
			sigaction(ends[i], &catching.before[i], NULL);
	catching.build = NULL;
}

/* --- The compiler runs ---------------------------------------------------------------------------- */

static int build_judge(int status, const char *compiler, const char *source)
{
	if (catching.come == SIGINT)
		return EXIT_INTERRUPTED;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return OPTS_GO_ON;
	if (WIFSIGNALED(status))
		say_error(COMMAND, "%s is not compiled: %s was killed by signal %d (%s)", source, compiler,
		          WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		say_error(COMMAND, "%s is not compiled: %s ended with status %d", source, compiler, WEXITSTATUS(status));
	return EXIT_FAILED;
}

/* Its number is not given to another before it has been forgotten here. */
static int build_wait(pid_t pid, const char *compiler, const char *source)
{
	siginfo_t ended;
	int status;

	while (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR)
		;
	catching.compiler = 0;
	if (catching.come)
		kill(-pid, SIGKILL);            /* what it has left behind */
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXIT_FAILED;
	return build_judge(status, compiler, source);
}

/* No signal comes between its start and our knowing whom to tell of it. */
static int build_spawn(pid_t *pid, struct words *w)
{
	posix_spawnattr_t attr;
	sigset_t defaults, all, before;
	int err;

	sigemptyset(&defaults);
	sigaddset(&defaults, SIGINT);
	sigaddset(&defaults, SIGPIPE);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSID);
	posix_spawnattr_setsigdefault(&attr, &defaults);
	posix_spawnattr_setsigmask(&attr, &before);
	err = posix_spawnp(pid, w->word[0], NULL, &attr, w->word, environ);
	posix_spawnattr_destroy(&attr);
	if (err == 0)
		catching.compiler = *pid;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return err;
}

static int build_run(struct words *w, const char *source)
{
	pid_t pid;
	int err = build_spawn(&pid, w);

	return err ? build_no_compiler(w->word[0], err) : build_wait(pid, w->word[0], source);
}

static int build_dir(struct app_build *b)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(b->dir, sizeof b->dir, "%s/myriad-XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (mkdtemp(b->dir)) {
		snprintf(b->object, sizeof b->object, "%s/app.so", b->dir);
		return OPTS_GO_ON;
	}
	say_error(COMMAND, "cannot make a temporary folder %s: %s", b->dir, myr_strerror(-errno));
	say_try("TMPDIR=another-folder myriad run ...");
	b->dir[0] = '\0';
	return EXIT_FAILED;
}

int app_build(struct app_build *b, const char *source, const char *cflags)
{
	static char *const always[] = { "-shared", "-fPIC", "-g", "-O2", "-Wall" };
	const char *cc = getenv("CC"), *more = getenv("CFLAGS");
	char *compiler = strdup(cc && *cc ? cc : "cc"), *flags = NULL, include[PATH_MAX + 16];
	struct words w = { .n = 0 };
	int status;

	build_catch(b);
	status = build_dir(b);
	if (asprintf(&flags, "%s %s", more ? more : "", cflags ? cflags : "") < 0)
		flags = NULL;
	if (status != OPTS_GO_ON || !compiler || !flags) {
		status = status != OPTS_GO_ON ? status : EXIT_FAILED;
		goto out;
	}
	words_split(&w, compiler);
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		words_add(&w, always[i]);
	build_include(include, sizeof include);
	words_add(&w, include);
	words_split(&w, flags);
	words_add(&w, "-o");
	words_add(&w, b->object);
	words_add(&w, "-x");
	words_add(&w, "c");
	words_add(&w, (char *)(uintptr_t)source);
	status = build_run(&w, source);
out:
	free(compiler);
	free(flags);
	if (status != OPTS_GO_ON || catching.come)
		app_build_remove(b);
	if (catching.come && catching.come != SIGINT)
		raise(catching.come);           /* it ends us now as it would have then */
	return status;
}

void app_build_remove(struct app_build *b)
{
	if (b->dir[0])
		build_unlink(b);
	build_let_go();
	b->dir[0] = '\0';
}
