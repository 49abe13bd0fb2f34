/* SPDX-License-Identifier: MIT
 *
 * control.c - myriad stop, status and reload: by the pid file, and by what the kernel says about it.
 *
 * A number in a file is not believed: the file must be locked, the process must have started when the file
 * says, and it must have the file open.  Then it is signalled through a pidfd, which cannot become another's. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/opts.h"
#include "cli/pidfile.h"
#include "cli/say.h"

#define LOOK_MS 20                      /* between two looks at the pid file */

enum { T_PID_FILE, T_TIMEOUT, T_QUIET, T_NOW, T_COUNT };

#define PID_FILE_OPT { .name = "pid-file", .kind = OPT_TEXT, .arg = "FILE", .about = "instead of NAME" }
#define TIMEOUT_OPT(def, what) { .name = "timeout", .kind = OPT_DURATION, .arg = "TIME", .min = 1, .max = 604800000, \
	.standard = def, .about = what, .here_only = true }
#define QUIET_OPT { .name = "quiet", .letter = 'q', .kind = OPT_SWITCH, .about = "say only what is wrong" }

static const struct opt stop_table[T_COUNT] = {
	[T_PID_FILE] = PID_FILE_OPT,
	[T_TIMEOUT] = TIMEOUT_OPT("1m", "how long to wait for its end"),
	[T_QUIET] = QUIET_OPT,
	[T_NOW] = { .name = "now", .kind = OPT_SWITCH, .about = "cut its connections; else they may finish what was begun",
		.here_only = true },
};
static const struct opt status_table[T_QUIET + 1] = {
	[T_PID_FILE] = PID_FILE_OPT,
	[T_TIMEOUT] = TIMEOUT_OPT("1s", "how long one that is just starting may take to say who it is"),
	[T_QUIET] = { .name = "quiet", .letter = 'q', .kind = OPT_SWITCH, .about = "only the exit status" },
};
static const struct opt reload_table[T_QUIET + 1] = {
	[T_PID_FILE] = PID_FILE_OPT,
	[T_TIMEOUT] = TIMEOUT_OPT("1m", "how long to wait for the new process to serve"),
	[T_QUIET] = QUIET_OPT,
};

#define NAME_HELP "NAME is the application's, if NAME.pid is in this folder, or the pid file itself.\n"

static const struct command stop_command = {
	.name = "myriad stop", .arguments = "NAME|PIDFILE", .about = "Stops a daemon and waits until it has ended",
	.examples = { "myriad stop lines", "myriad stop /run/lines.pid --now" },
	.opts = stop_table, .opts_n = T_COUNT,
	.more = NAME_HELP "Status 0: it has ended.  1: it does not run, may not be stopped, or has not ended in time.\n",
};
static const struct command status_command = {
	.name = "myriad status", .arguments = "NAME|PIDFILE", .about = "Tells whether a daemon runs",
	.examples = { "myriad status lines", "myriad status -q lines && echo it runs" },
	.opts = status_table, .opts_n = T_QUIET + 1,
	.more = NAME_HELP "Status 0: it runs.  1: it does not.\n",
};
static const struct command reload_command = {
	.name = "myriad reload", .arguments = "NAME|PIDFILE",
	.about = "Replaces a daemon by a new process, which loads the application again",
	.examples = { "myriad reload lines", "myriad reload --pid-file /run/lines.pid" },
	.opts = reload_table, .opts_n = T_QUIET + 1,
	.more = NAME_HELP "The new process inherits the sockets; when it serves, the old one keeps only the connections it has.\n"
		"Nobody is refused.  If the new one fails the old one goes on, and its log says why.\n"
		"Status 0: the new one serves.  1: it does not run, or the old one goes on.\n",
};

struct target {
	const struct command *command;
	const struct opt_value *values;
	char path[PATH_MAX];
	struct pidfile_says says;
	int  pidfd;
};

/* --- Which --------------------------------------------------------------------------------------- */

static int target_path(struct target *t, char **args, int args_n)
{
	const char *name = args_n > 0 ? args[0] : NULL, *file = t->values[T_PID_FILE].text;
	size_t n = name ? strlen(name) : 0;

	if (args_n > (file ? 0 : 1)) {
		say_error(t->command->name, "\"%s\" is not expected here", args[file ? 0 : 1]);
		return EXIT_USAGE;
	}
	if (!name && !file) {
		say_error(t->command->name, "which application?");
		say_try("%s NAME, or --pid-file FILE", t->command->name);
		return EXIT_USAGE;
	}
	if (file || strchr(name, '/') || (n > 4 && strcmp(name + n - 4, ".pid") == 0))
		snprintf(t->path, sizeof t->path, "%s", file ? file : name);
	else
		snprintf(t->path, sizeof t->path, "%s.pid", name);
	return OPTS_GO_ON;
}

/* --- Is it the one --------------------------------------------------------------------------------- */

/* Somebody who can write the file could name any process in it: but not one that has it open. */
static int target_has_file(const struct target *t)
{
	char path[64];
	struct dirent *e;
	struct stat st;
	int has = 0;
	DIR *d;

	snprintf(path, sizeof path, "/proc/%d/fd", (int)t->says.pid);
	d = opendir(path);
	if (!d)
		return -errno;
	while (!has && (e = readdir(d)))
		has = fstatat(dirfd(d), e->d_name, &st, 0) == 0 && st.st_dev == t->says.dev && st.st_ino == t->says.ino;
	closedir(d);
	return has;
}

/* 1: it runs, and t->pidfd is it.  0: it does not run.  -EAGAIN: it does not say (yet) who it is; -errno. */
static int target_open(struct target *t)
{
	int err = pidfile_read(t->path, &t->says);

	if (err < 0 || !t->says.held)
		return err;
	if (t->says.pid == 0)
		return -EAGAIN;
	t->pidfd = (int)syscall(SYS_pidfd_open, t->says.pid, 0);
	if (t->pidfd < 0)
		return -EAGAIN;
	/* In this order: what is found out now is about the process that the pidfd is. */
	err = target_has_file(t);
	if (pidfile_start_of(t->says.pid) == t->says.start && (err == 1 || err == -EACCES))
		return 1;
	close(t->pidfd);
	t->pidfd = -1;
	return -EAGAIN;
}

static long long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static int target_find(struct target *t, long long patience_ms)
{
	long long until = now_ms() + (patience_ms < 1000 ? patience_ms : 1000);
	int err;

	while ((err = target_open(t)) == -EAGAIN && now_ms() < until)
		usleep(LOOK_MS * 1000);
	return err;
}

/* What is wrong, if it is: the exit status; else OPTS_GO_ON. */
static int target_must_run(struct target *t, int found)
{
	if (found == 1)
		return OPTS_GO_ON;
	if (found == -EAGAIN) {
		say_error(t->command->name, "%s is locked, but not by the process that it names", t->path);
	} else if (found < 0) {
		say_error(t->command->name, "cannot read %s: %s", t->path, myr_strerror(found));
	} else if (t->says.there) {
		say_error(t->command->name, "it does not run: nobody holds %s, which one that crashed or was killed has left",
		          t->path);
	} else {
		say_error(t->command->name, "it does not run, or not here: there is no %s", t->path);
		say_try("--pid-file FILE, or the folder in which it was started (--chdir)");
	}
	return EXIT_FAILED;
}

static int target_signal(const struct target *t, int sig)
{
	if (syscall(SYS_pidfd_send_signal, t->pidfd, sig, NULL, 0) == 0 || errno == ESRCH)
		return OPTS_GO_ON;
	say_error(t->command->name, "cannot signal process %d: %s", (int)t->says.pid, myr_strerror(-errno));
	if (errno == EPERM)
		say_try("as the user it runs as, or as root");
	return EXIT_FAILED;
}

static void target_name(const struct target *t, char *dst, size_t size)
{
	const char *slash = strrchr(t->path, '/');

	if (!pidfile_value(&t->says, "name", 0, dst, size))
		snprintf(dst, size, "%.*s", (int)strcspn(slash ? slash + 1 : t->path, "."), slash ? slash + 1 : t->path);
}

static bool target_has_ended(const struct target *t, long long ms)
{
	struct pollfd p = { .fd = t->pidfd, .events = POLLIN };
	long long until = now_ms() + ms;

	for (long long left; (left = until - now_ms()) > 0; )
		if (poll(&p, 1, left < 1 << 30 ? (int)left : 1 << 30) > 0)
			return true;
	return false;
}

/* --- The commands ---------------------------------------------------------------------------------- */

static int stop_one(struct target *t, const char *name, long long until)
{
	int status = target_signal(t, t->values[T_NOW].n ? SIGQUIT : SIGTERM);

	if (status != OPTS_GO_ON || target_has_ended(t, until - now_ms()))
		return status;
	say_error(t->command->name, "%s, pid %d, has not ended within %s: it finishes what was begun", name,
	          (int)t->says.pid, t->values[T_TIMEOUT].text);
	if (!t->values[T_NOW].n)
		say_try("%s --now, to cut its connections", t->command->name);
	return EXIT_FAILED;
}

/* It may have handed over just when it was to stop: then whoever took its file over is to stop as well.  As
 * target_open(). */
static int stop_find_successor(struct target *t, long long patience_ms)
{
	struct pidfile_says ended = t->says;
	int found;

	close(t->pidfd);
	t->pidfd = -1;
	found = target_find(t, patience_ms);
	return t->says.dev == ended.dev && t->says.ino == ended.ino ? found : 0;       /* or it was started anew */
}

static int stop_do(struct target *t)
{
	long long timeout = t->values[T_TIMEOUT].n, until = now_ms() + timeout;
	int file = open(t->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);        /* while it is, ino is its own */
	int found = target_find(t, timeout), status = target_must_run(t, found);
	pid_t pid = 0;
	char name[128];

	target_name(t, name, sizeof name);
	while (status == OPTS_GO_ON && found == 1) {
		pid = t->says.pid;
		status = stop_one(t, name, until);
		if (status == OPTS_GO_ON)
			found = stop_find_successor(t, until - now_ms());
		if (found < 0)
			status = target_must_run(t, found);
	}
	if (file >= 0)
		close(file);
	if (status == OPTS_GO_ON && !t->values[T_QUIET].n)
		printf("stopped %s, pid %d\n", name, (int)pid);
	return status == OPTS_GO_ON ? EXIT_DONE : status;
}

static int status_do(struct target *t)
{
	int found = target_find(t, t->values[T_TIMEOUT].n);
	char name[128], text[PATH_MAX];

	if (found == 0 && t->values[T_QUIET].n)
		return EXIT_FAILED;
	if (found == 0) {
		target_name(t, name, sizeof name);
		printf("%s does not run%s\n", name,
		       t->says.there ? "; its pid file was left by one that crashed or was killed" : "");
		return EXIT_FAILED;
	}
	if (target_must_run(t, found) != OPTS_GO_ON)
		return EXIT_FAILED;
	if (t->values[T_QUIET].n)
		return EXIT_DONE;
	target_name(t, name, sizeof name);
	printf("%s runs, pid %d", name, (int)t->says.pid);
	if (pidfile_value(&t->says, "since", 0, text, sizeof text))
		printf(", since %s", text);
	else
		printf(", starting");
	for (int i = 0; pidfile_value(&t->says, "listen", i, text, sizeof text); i++)
		printf("%s %s", i == 0 ? ", listens on" : "", text);
	if (pidfile_value(&t->says, "log", 0, text, sizeof text))
		printf(", log %s", text);
	putchar('\n');
	return EXIT_DONE;
}

/* Another number in the file: it has been replaced.  One more failure: it has not. */
static int reload_await(struct target *t, const struct pidfile_says *before, const char *name)
{
	long long until = now_ms() + t->values[T_TIMEOUT].n;
	char log[PATH_MAX];

	while (now_ms() < until) {
		int err = pidfile_read(t->path, &t->says);

		if (err == 0 && t->says.held && t->says.pid > 0 && t->says.pid != before->pid) {
			if (!t->values[T_QUIET].n)
				printf("reloaded %s, pid %d in place of %d\n", name, (int)t->says.pid, (int)before->pid);
			return EXIT_DONE;
		}
		if (err == 0 && t->says.pid == before->pid && t->says.failed > before->failed) {
			say_error(t->command->name, "the new %s did not start; the old one goes on, pid %d", name, (int)before->pid);
			if (pidfile_value(before, "log", 0, log, sizeof log))
				say_more("why is in its log: %s", log);
			return EXIT_FAILED;
		}
		if (target_has_ended(t, LOOK_MS) && pidfile_read(t->path, &t->says) == 0 && !t->says.held) {
			say_error(t->command->name, "%s, pid %d, has ended", name, (int)before->pid);
			return EXIT_FAILED;
		}
	}
	say_error(t->command->name, "the new %s does not serve yet after %s; the old one, pid %d, goes on until it does", name,
	          t->values[T_TIMEOUT].text, (int)before->pid);
	return EXIT_FAILED;
}

static int reload_do(struct target *t)
{
	int status = target_must_run(t, target_find(t, t->values[T_TIMEOUT].n));
	struct pidfile_says before;
	char name[128], text[16] = "";

	if (status != OPTS_GO_ON)
		return status;
	target_name(t, name, sizeof name);
	if (!pidfile_value(&t->says, "reload", 0, text, sizeof text) || strcmp(text, "yes") != 0) {
		say_error(t->command->name, *text ? "%s, pid %d, runs in the foreground: only a daemon (-D) can be replaced" :
		          "%s, pid %d, is still starting", name, (int)t->says.pid);
		return EXIT_FAILED;
	}
	before = t->says;
	status = target_signal(t, SIGHUP);
	return status == OPTS_GO_ON ? reload_await(t, &before, name) : status;
}

static int control_main(const struct command *command, int (*run)(struct target *), int argc, char **argv)
{
	static struct target t = { .pidfd = -1 };
	struct opt_value values[T_COUNT];
	int args, status = opts_parse(command, values, argc, argv, &args);

	t.command = command;
	t.values = values;
	if (status == OPTS_GO_ON)
		status = target_path(&t, argv + 1, args);
	if (status == OPTS_GO_ON)
		status = run(&t);
	if (t.pidfd >= 0)
		close(t.pidfd);
	opts_free(command, values);
	return status;
}

int stop_main(int argc, char **argv)
{
	return control_main(&stop_command, stop_do, argc, argv);
}

int status_main(int argc, char **argv)
{
	return control_main(&status_command, status_do, argc, argv);
}

int reload_main(int argc, char **argv)
{
	return control_main(&reload_command, reload_do, argc, argv);
}
