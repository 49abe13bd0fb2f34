/* SPDX-License-Identifier: MIT
 *
 * launch.c - a launched application's life, from its folder to its successor.
 *
 * SIGUSR1 opens the log anew.  SIGHUP starts a successor, if we are a daemon.  SIGUSR2 is ours: whichever
 * worker starts last sends it to us, and a successor that serves sends it to its parent. */
#include "cli/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli/say.h"
#include "cli/signals.h"

#define COMMAND "myriad run"
#define SERVES_S  60                    /* a successor that does not serve by then may be replaced */
#define LEAVES_MS 1000                  /* one that does not end by then is killed */

static struct {
	struct launch *launch;
	struct myr_server *server;
	pid_t pid;                      /* forked children have our handlers, and are not meant */
	bool  serves, reloads;
	_Atomic unsigned *starts;       /* calls of start() that went well, in all workers */
	unsigned starts_all;
	int (*inner_start)(struct myr_loop *, void *);
	volatile pid_t successor;       /* 0: there is none */
	time_t born;                    /* when it was executed, by the monotonic clock */
	bool   again;                   /* another one in its place, once it has ended */
} self;

/* --- When all workers have started -------------------------------------------------------------------- */

static int launch_start(struct myr_loop *l, void *arg)
{
	int err = self.inner_start ? self.inner_start(l, arg) : 0;

	if (err < 0)
		return err;
	if (atomic_fetch_add(self.starts, 1) + 1 == self.starts_all)
		kill(self.pid, SIGUSR2);
	return 0;
}

static struct myr_service launch_wrap(const struct myr_service *service)
{
	struct myr_service s = *service;

	self.inner_start = s.start;
	s.start = launch_start;
	return s;
}

/* In a signal handler. */
static void launch_serves(void)
{
	struct launch *l = self.launch;

	if (self.serves || atomic_load(self.starts) < self.starts_all)
		return;
	self.serves = true;
	l->pidfile.owner = self.pid;
	l->log.handed = false;
	pidfile_write(&l->pidfile);
	if (l->log.control >= 0)
		logfile_started(&l->log);
	else if (l->report >= 0)
		(void)!write(l->report, l->says, strlen(l->says));
	if (l->got.from > 0 && getppid() == l->got.from)
		kill(l->got.from, SIGUSR2);
}

/* --- Successors ----------------------------------------------------------------------------------- */

static void launch_say(const char *text)
{
	(void)!write(STDERR_FILENO, text, strlen(text));
}

static time_t launch_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* With all its children: a compiler, workers that are processes.  It has a group of its own. */
static void launch_kill(pid_t successor)
{
	kill(-successor, SIGKILL);
	kill(successor, SIGKILL);
}

/* It may take its time to start, but not all of it: who asks again then wants another. */
static void launch_replace(void)
{
	if (launch_clock() - self.born < SERVES_S) {
		launch_say("reload: one is under way\n");
		return;
	}
	launch_say("reload: the new process has not served within a minute: another one in its place\n");
	self.again = true;
	launch_kill(self.successor);
}

static void launch_reload(void)
{
	pid_t pid;

	if (!self.reloads || signals_stopping())
		return;
	if (self.successor > 0) {
		launch_replace();
		return;
	}
	launch_say("reload: starting a new process\n");
	self.again = false;
	self.born = launch_clock();
	pid = will_execute(&self.launch->will);
	if (pid > 0) {
		self.successor = pid;
	} else {
		launch_say("error: reload failed: cannot fork; this one goes on\n");
		pidfile_count_failed(&self.launch->pidfile);
	}
}

static void launch_reap(void)
{
	int status;

	if (self.successor <= 0 || waitpid(self.successor, &status, WNOHANG) <= 0)
		return;
	self.successor = 0;
	if (self.launch->pidfile.owner == 0)
		return;                         /* it had taken over */
	if (self.again) {
		launch_reload();
		return;
	}
	launch_say("error: reload failed: the new process has ended; this one goes on\n");
	pidfile_count_failed(&self.launch->pidfile);
}

static void launch_succeeded(void)
{
	launch_say("reload: the new process serves; this one ends with its connections\n");
	self.launch->pidfile.owner = 0;         /* the file is no longer ours to remove */
	self.launch->log.handed = true;
	self.reloads = false;
	if (signals_stopping())
		signals_pass_on(self.successor);        /* we were to stop: then so is it */
	else
		myr_server_hand_over(self.server);
}

/* An application's threads may take our signals as well.  Only the main thread handles them, one at a time: what
 * comes while it handles another waits. */
static void launch_forward(int sig, siginfo_t info)
{
	info.si_code = SI_QUEUE;        /* one from the kernel cannot be handed on as such */
	syscall(SYS_rt_tgsigqueueinfo, self.pid, self.pid, sig, &info);
}

static void launch_signal(int sig, siginfo_t *info, void *context)
{
	int saved = errno;

	(void)context;
	if (getpid() != self.pid)
		return;
	if (gettid() != self.pid)
		launch_forward(sig, *info);
	else if (sig == SIGUSR1)
		logfile_reopen(&self.launch->log);
	else if (sig == SIGHUP)
		launch_reload();
	else if (sig == SIGCHLD)
		launch_reap();
	else if (self.successor > 0 && info->si_pid == self.successor)
		launch_succeeded();
	else
		launch_serves();
	errno = saved;
}

static void launch_catch(void)
{
	struct sigaction ours = { .sa_sigaction = launch_signal, .sa_flags = SA_SIGINFO | SA_RESTART | SA_NOCLDSTOP };

	sigfillset(&ours.sa_mask);
	sigaction(SIGUSR1, &ours, NULL);
	sigaction(SIGUSR2, &ours, NULL);
	if (!self.reloads)
		return;
	sigaction(SIGCHLD, &ours, NULL);
	sigaction(SIGHUP, &ours, NULL);
}

/* --- The host's hooks ------------------------------------------------------------------------------- */

static void launch_note(struct launch *l, struct myr_server *server)
{
	char when[32];
	time_t now = time(NULL);
	struct tm utc;

	gmtime_r(&now, &utc);
	strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
	pidfile_begin(&l->pidfile);
	pidfile_add(&l->pidfile, "name", l->name);
	pidfile_add(&l->pidfile, "since", when);
	pidfile_add(&l->pidfile, "reload", self.reloads ? "yes" : "no");
	if (l->log.control >= 0)
		pidfile_add(&l->pidfile, "log", l->log.path);
	for (int i = 0; myr_server_address(server, i); i++)
		pidfile_add(&l->pidfile, "listen", myr_server_address(server, i));
}

/* It listens, and no worker has started. */
static int launch_bound(struct host *h, void *arg)
{
	struct launch *l = arg;
	struct myr_stats stats;
	int err = owner_become(&l->owner);

	if (err < 0) {
		say_error(COMMAND, "cannot become user %d, group %d for good: %s", (int)l->owner.uid, (int)l->owner.gid,
		          myr_strerror(err));
		return EXIT_FAILED;
	}
	myr_server_stats(h->server, &stats);
	self.starts_all = (unsigned)(stats.workers * h->endpoints_n);
	self.server = h->server;
	if (!l->daemon)
		return OPTS_GO_ON;
	err = will_complete(&l->will, h->server, l->pidfile.fd, l->log.control);
	self.reloads = err == 0;
	if (err < 0)
		say_log(4, "reload will not be possible", NULL);
	return OPTS_GO_ON;
}

static void launch_serving(struct host *h, void *arg)
{
	struct launch *l = arg;

	launch_note(l, h->server);
	launch_catch();
}

void launch_join(struct launch *l, struct host *h)
{
	h->inherited = l->got.listeners;
	if (!self.launch || h->values[H_CHECK].n)
		return;
	h->bound = launch_bound;
	h->wrap = launch_wrap;
	h->serving = launch_serving;
	h->hook_arg = l;
}

/* --- Before and after --------------------------------------------------------------------------------- */

static int launch_folder(const struct launch *l)
{
	if (l->folder && chdir(l->folder) < 0) {
		say_error(COMMAND, "--chdir: cannot enter %s: %s", l->folder, myr_strerror(-errno));
		return EXIT_FAILED;
	}
	if (l->umask >= 0)
		umask((mode_t)l->umask);
	return OPTS_GO_ON;
}

static int launch_pidfile(struct launch *l)
{
	pid_t other;
	int err;

	if (!l->pid_path)
		return OPTS_GO_ON;
	if (l->got.from > 0) {
		pidfile_inherit(&l->pidfile, l->pid_path, l->got.lock);
		l->pidfile.owner = 0;           /* it is the other's until we serve */
		return OPTS_GO_ON;
	}
	err = pidfile_take(&l->pidfile, l->pid_path, &other);
	if (err == 0)
		return OPTS_GO_ON;
	if (err == -EBUSY && other > 0)
		say_error(COMMAND, "another myriad runs this application, pid %d   (%s)", (int)other, l->pid_path);
	else if (err == -EBUSY)
		say_error(COMMAND, "another myriad runs this application   (%s is locked)", l->pid_path);
	else
		say_error(COMMAND, "cannot write the pid file %s: %s", l->pid_path, myr_strerror(err));
	if (err == -EBUSY)
		say_try("myriad stop %s, or another --pid-file", l->pid_path);
	else
		say_try("--pid-file or --chdir, to a folder that can be written");
	return EXIT_FAILED;
}

static int launch_log(struct launch *l)
{
	int err;

	if (l->got.from > 0) {
		l->log.control = l->got.control;        /* 1 and 2 are the writer's already */
		l->log.output = l->log.handed = true;   /* it is the other's until we serve */
		setvbuf(stdout, NULL, _IOLBF, 0);
		if (l->log.control >= 0)
			return logfile_path(&l->log, l->log_path) < 0 ? EXIT_FAILED : OPTS_GO_ON;
		return OPTS_GO_ON;
	}
	if (!l->log_path) {
		if (l->daemon)                  /* or whoever reads our output would wait for its end */
			dup2(STDERR_FILENO, STDOUT_FILENO);
		snprintf(l->says, sizeof l->says, "started, pid %d\n", (int)getpid());
		return OPTS_GO_ON;
	}
	err = logfile_path(&l->log, l->log_path);
	snprintf(l->says, sizeof l->says, "started, pid %d, log %s\n", (int)getpid(), l->log.path);
	if (err == 0)
		err = logfile_start(&l->log, l->daemon, &l->owner, l->report, l->says);
	if (err == 0)
		return OPTS_GO_ON;
	say_error(COMMAND, "cannot write the log file %s: %s", l->log_path, myr_strerror(err));
	say_try("--log-file, or --log-file - for standard error");
	return EXIT_FAILED;
}

int launch_begin(struct launch *l)
{
	int status;

	signal(SIGUSR1, SIG_IGN);       /* until they mean something: they may come as soon as `ready` is out */
	signal(SIGUSR2, SIG_IGN);
	l->pidfile.fd = l->log.control = -1;
	self.launch = l;
	self.pid = getpid();
	self.starts = mmap(NULL, sizeof *self.starts, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (self.starts == MAP_FAILED) {
		say_error(COMMAND, "out of memory");
		return EXIT_FAILED;
	}
	if ((status = launch_folder(l)) == OPTS_GO_ON && (status = launch_pidfile(l)) == OPTS_GO_ON)
		status = launch_log(l);
	return status;
}

static bool launch_has_left(pid_t successor)
{
	struct pollfd p = { .fd = (int)syscall(SYS_pidfd_open, successor, 0), .events = POLLIN };
	bool left = poll(&p, 1, LEAVES_MS) > 0;

	if (p.fd >= 0)
		close(p.fd);
	return left;
}

/* Its word may have come when no handler was to run any more. */
static bool launch_has_taken_over(pid_t successor)
{
	const struct timespec now = { .tv_sec = 0 };
	siginfo_t info;
	sigset_t word;

	sigemptyset(&word);
	sigaddset(&word, SIGUSR2);
	return sigtimedwait(&word, &info, &now) == SIGUSR2 && info.si_pid == successor;
}

/* A successor that has not taken over is not to any more.  No handler may come between: it would reap it, and
 * 0 is the number of all our children. */
static void launch_call_off(struct launch *l)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (self.successor <= 0 || l->pidfile.owner == 0)
		return;
	signals_pass_on(self.successor);
	if (!launch_has_left(self.successor)) {
		if (launch_has_taken_over(self.successor)) {
			l->pidfile.owner = 0;   /* it finishes what it has begun, by itself */
			l->log.handed = true;
			return;
		}
		launch_kill(self.successor);    /* it hangs in the application, say */
	}
	waitpid(self.successor, NULL, 0);
}

void launch_end(struct launch *l)
{
	if (self.launch != l)
		return;
	self.reloads = false;
	launch_call_off(l);
	logfile_end(&l->log);
	pidfile_release(&l->pidfile);
}
