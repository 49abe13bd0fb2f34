/* SPDX-License-Identifier: MIT
 *
 * child.c - fork, watch, reap. */
#include "serve/child.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "base/error.h"
#include "base/threads.h"

static void child_release(struct child *c)
{
	if (--c->ports == 0)
		c->ended(c);
}

/* --- The channel --------------------------------------------------------------------------------- */

static void child_said(struct channel *channel, const struct message *m, const uint8_t *bytes, size_t n)
{
	struct child *c = (struct child *)channel;

	c->said(c, m, bytes, n);
}

static void child_silent(struct channel *channel)
{
	(void)channel;                  /* the pidfd will say how it ended */
}

static void child_channel_released(struct channel *channel)
{
	child_release((struct child *)channel);
}

/* --- The pidfd ----------------------------------------------------------------------------------- */

static void child_ready(struct port *p, unsigned events)
{
	struct child *c = list_of(p, struct child, pidfd);
	siginfo_t info = { .si_pid = 0 };

	(void)events;
	if (sys_waitid(P_PIDFD, (id_t)p->handle, &info, WEXITED | WNOHANG) < 0) {
		if (errno == EINTR) {
			loop_touch(p);
			return;
		}
	} else if (info.si_pid == 0) {
		loop_touch(p);
		return;
	}
	c->reaped = true;
	c->how = info.si_code;          /* 0: the host has reaped it, or ignores SIGCHLD */
	c->status = info.si_status;
	channel_drain(&c->channel);
	channel_close(&c->channel);
	loop_detach(p);
}

static void child_failed(struct port *p, int err)
{
	log_line(&p->loop->log, 0, LOG_ERR, "cannot watch child %d: %s", (int)list_of(p, struct child, pidfd)->pid,
	         myr_strerror(err));
}

static void child_pidfd_released(struct port *p)
{
	child_release(list_of(p, struct child, pidfd));
}

static const struct port_ops pidfd_ops = { .ready = child_ready, .failed = child_failed,
                                           .released = child_pidfd_released };

/* --- Birth and death ----------------------------------------------------------------------------- */

static void child_reap_now(pid_t pid)
{
	siginfo_t info;

	kill(pid, SIGKILL);
	while (sys_waitid(P_PID, (id_t)pid, &info, WEXITED) < 0 && errno == EINTR)
		;
}

/* The parent's half.  A child that cannot be watched must not live. */
static pid_t child_watch(struct child *c, struct myr_loop *l, int channel)
{
	int err, fd = sys_pidfd_open(c->pid, 0);

	if (fd < 0) {
		err = -errno;
		sys_close(channel);
		child_reap_now(c->pid);
		return fail(err, "cannot watch a child: %s", myr_strerror(err));
	}
	c->pidfd = (struct port){ .ops = &pidfd_ops, .loop = l, .handle = fd, .want = PORT_READABLE };
	c->channel.said = child_said;
	c->channel.ended = child_silent;
	c->channel.released = child_channel_released;
	err = channel_open(&c->channel, l, channel);
	if (err < 0)
		goto fail_channel;
	c->ports = 2;
	err = loop_attach(&c->pidfd);
	if (err < 0)
		goto fail_attach;
	loop_touch(&c->pidfd);
	return c->pid;
fail_attach:
	/* Its channel goes through the loop: let `ended` come when it has. */
	sys_close(fd);
	child_reap_now(c->pid);
	c->ports = 1;
	c->reaped = true;
	c->how = CLD_KILLED;
	c->status = SIGKILL;
	channel_close(&c->channel);
	return c->pid;
fail_channel:
	sys_close(fd);
	child_reap_now(c->pid);
	return fail(err, "cannot watch a child: %s", myr_strerror(err));
}

/* In the child: no handler of ours may stop the server from here. */
static void child_signals(const struct myr_server *v, const sigset_t *let_through)
{
	if (v->signals) {
		signal(SIGINT, SIG_IGN);        /* a terminal sends it to all of us; the parent drains */
		signal(SIGTERM, SIG_DFL);
	}
	signals_restore(let_through);
}

pid_t child_fork(struct child *c, struct myr_loop *l, int *uplink)
{
	sigset_t old;
	int ends[2];
	int err;

	if (sys_socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
		return fail(-errno, "cannot make a channel: %s", myr_strerror(-errno));
	c->how = c->status = 0;
	c->reaped = false;
	signals_hold(&old);
	c->pid = sys_fork();
	if (c->pid == 0) {
		sys_close(ends[0]);
		*uplink = ends[1];
		child_signals(l->server, &old);
		return 0;
	}
	err = -errno;
	signals_restore(&old);
	sys_close(ends[1]);
	if (c->pid < 0) {
		sys_close(ends[0]);
		return fail(err, "cannot fork: %s", myr_strerror(err));
	}
	return child_watch(c, l, ends[0]);
}

void child_kill(struct child *c)
{
	if (!c->reaped)                 /* or the number might be somebody else's */
		kill(c->pid, SIGKILL);
}

bool child_ended_well(const struct child *c)
{
	return c->how == 0 || (c->how == CLD_EXITED && c->status == 0);
}

void child_describe(const struct child *c, char *dst, size_t size)
{
	if (c->how == CLD_EXITED)
		snprintf(dst, size, "ended with status %d", c->status);
	else if (c->how == CLD_KILLED || c->how == CLD_DUMPED)
		snprintf(dst, size, "was killed by signal %d (%s)", c->status, strsignal(c->status));
	else
		snprintf(dst, size, "ended, nobody knows how");
}
