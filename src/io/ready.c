/* SPDX-License-Identifier: MIT
 *
 * ready.c - mover over any selector: receive and send when told that it is possible.
 *
 * One scratch buffer per loop is lent to whoever receives, so an idle connection holds none.  A
 * port gets at most one receive and one send in a turn: that is the fairness rule.  Sends are tried
 * at once and the selector asked for writability only when one falls short (PORT_BLOCKED). */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <syslog.h>

#include "base/error.h"
#include "base/sys.h"
#include "io/file.h"
#include "io/loop.h"
#include "io/selector.h"

struct ready {
	struct myr_selector selector;
	int  reserve;                   /* a descriptor to give up when there are no more; -1: none */
	bool complained;
	struct myr_event events[LOOP_EVENTS];
	uint8_t scratch[LOOP_SCRATCH];
};

static int ready_open(struct myr_loop *l, const void *arg)
{
	const struct selector_ops *ops = arg;
	struct ready *r = sys_malloc(sizeof *r);
	int err;

	if (r == NULL)
		return fail(-ENOMEM, "out of memory");
	r->reserve = -1;
	r->complained = false;
	err = selector_open(&r->selector, ops);
	if (err < 0) {
		free(r);
		return fail(err, "cannot open the selector %s: %s", ops->name, myr_strerror(err));
	}
	l->io = r;
	return 0;
}

static void ready_close(struct myr_loop *l)
{
	struct ready *r = l->io;

	if (r->reserve >= 0)
		sys_close(r->reserve);
	selector_close(&r->selector);
	free(r);
}

static int ready_watch(struct port *p, unsigned events)
{
	struct ready *r = p->loop->io;
	int err;

	if (events == p->armed)
		return 0;
	err = r->selector.ops->set(&r->selector, p->handle, p->armed, events, p);
	if (err == 0)
		p->armed = (uint8_t)events;
	return err;
}

static unsigned ready_events(const struct port *p)
{
	unsigned events = 0;

	if (p->want & (PORT_RECV | PORT_READABLE | PORT_ACCEPT))
		events |= MYR_READ;
	if ((p->want & PORT_WRITABLE) || ((p->want & PORT_SEND) && (p->flags & PORT_BLOCKED)))
		events |= MYR_WRITE;
	/* Not for writing, nor for listeners, which stop at their budget, nor for watches, which are the
	 * user's: those must be told again. */
	if (events == MYR_READ && (p->want & PORT_RECV))
		events |= SELECTOR_EDGE;
	return events;
}

/* There may be more than was read, and no further edge will say so. */
static MYR_SLOW void ready_read_on(struct port *p)
{
	struct ready *r = p->loop->io;

	if (!port_is_muted(p) && (p->armed & MYR_READ))
		r->selector.ops->set(&r->selector, p->handle, p->armed, p->armed, p);
}

/* What is wanted from the start is asked for now, so that an impossible descriptor is an error here. */
static int ready_attach(struct port *p)
{
	const struct selector_ops *ops = ((struct ready *)p->loop->io)->selector.ops;
	int err;

	if (ops->fd_limit != 0 && p->handle >= ops->fd_limit)
		return fail(-EMFILE, "%s cannot watch descriptor %d: its limit is %d", ops->name, (int)p->handle,
		            ops->fd_limit);
	p->armed = 0;
	err = ready_watch(p, ready_events(p));
	if (err < 0)
		return fail(err, "%s cannot watch descriptor %d: %s", ops->name, (int)p->handle, myr_strerror(err));
	return 0;
}

/* What a send came to: `sent` of `total` bytes, or -1 and errno. */
static MYR_SLOW void ready_sent_short(struct port *p, ssize_t sent)
{
	if (sent < 0 && errno != EAGAIN && errno != EINTR) {
		port_failed(p, -errno);
		return;
	}
	if (sent < 0 && errno == EINTR) {
		loop_touch(p);
		return;
	}
	p->flags |= PORT_BLOCKED;
	if (sent > 0)
		p->ops->sent(p, (size_t)sent);
}

static MYR_SLOW void ready_send_pieces(struct port *p)
{
	struct iovec iov[PORT_IOV];
	int n = p->ops->gather(p, iov, PORT_IOV);
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = (size_t)n };
	size_t total = 0;
	ssize_t sent;

	for (int i = 0; i < n; i++)
		total += iov[i].iov_len;
	sent = sys_sendmsg(p->handle, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent < (ssize_t)total) {
		ready_sent_short(p, sent);
		return;
	}
	if (n == PORT_IOV)
		loop_touch(p);          /* there may be more than one send can take */
	p->ops->sent(p, total);
}

/* Whose fault it is, the file's or the socket's, shows when the rest is read and sent as bytes. */
static bool ready_blames_file(ssize_t sent)
{
	switch (sent < 0 ? errno : 0) {
	case 0: case EINVAL: case ENOSYS: case EIO: case EOVERFLOW: case ENOMEM: case EBADF: case ESPIPE:
		return sent <= 0;
	default:
		return false;
	}
}

static MYR_SLOW void ready_send_file(struct port *p, struct file *f)
{
	uint64_t want = f->left < FILE_SLICE ? f->left : FILE_SLICE;
	ssize_t sent = file_send(f, p->handle);

	if (ready_blames_file(sent)) {
		f->copied = true;
		loop_touch(p);
	} else if (sent < (ssize_t)want) {
		ready_sent_short(p, sent);
	} else {
		p->ops->sent(p, (size_t)sent);
	}
}

/* One piece, all of it taken: that is what nearly every send is. */
static void ready_send(struct port *p)
{
	struct iovec iov[2];
	int n = p->ops->gather(p, iov, 2);
	ssize_t sent;

	if (n != 1) {
		if (n > 1)
			ready_send_pieces(p);
		else if (n == PORT_FILE)
			ready_send_file(p, iov->iov_base);
		return;
	}
	sent = sys_send(p->handle, iov->iov_base, iov->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent == (ssize_t)iov->iov_len)
		p->ops->sent(p, (size_t)sent);
	else
		ready_sent_short(p, sent);
}

static MYR_SLOW void ready_fin(struct port *p)
{
	if (sys_shutdown(p->handle, SHUT_WR) < 0 && errno != ENOTCONN)
		port_failed(p, -errno);
	else
		port_sent(p, 0);
}

static void ready_reserve(struct ready *r)
{
	if (r->reserve < 0)
		r->reserve = sys_eventfd(0, EFD_CLOEXEC);
}

static MYR_SLOW void ready_update_watch(struct port *p)
{
	int err;

	if ((p->want & (PORT_FIN | PORT_SEND)) == PORT_FIN)
		ready_fin(p);
	if (p->want & PORT_ACCEPT)
		ready_reserve(p->loop->io);
	if (port_is_muted(p))
		return;
	err = ready_watch(p, ready_events(p));
	if (err < 0)
		port_failed(p, err);
}

static void ready_update(struct port *p)
{
	if ((p->want & PORT_SEND) && !(p->flags & PORT_BLOCKED))
		ready_send(p);
	if ((p->want & ~PORT_SEND) == PORT_RECV && p->armed == (MYR_READ | SELECTOR_EDGE) &&
	    !(p->flags & PORT_BLOCKED))
		return;                 /* watched for what it wants: nearly always */
	ready_update_watch(p);
}

static void ready_detach(struct port *p)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	ready_watch(p, 0);
	if (p->flags & PORT_RESET)
		sys_setsockopt(p->handle, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	if (!(p->flags & PORT_BORROWED))
		sys_close(p->handle);
	loop_released(p);
}

static inline void ready_recv(struct port *p, uint8_t *scratch, bool to_the_end)
{
	ssize_t n = sys_recv(p->handle, scratch, LOOP_SCRATCH, MSG_DONTWAIT);

	if (n >= 0)
		p->ops->received(p, scratch, (size_t)n);
	else if (errno != EAGAIN && errno != EINTR)
		port_failed(p, -errno);
	if (n < 0 || n == LOOP_SCRATCH || (to_the_end && n > 0))
		ready_read_on(p);
}

/* No descriptor is left: give up the reserve, take the head of the queue with it and close it, so that
 * one client is refused at once instead of all waiting for ever.  The owner is told and pauses. */
static void ready_shed(struct ready *r, int fd)
{
	int c;

	if (r->reserve < 0)
		return;
	sys_close(r->reserve);
	c = sys_accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (c >= 0)
		sys_close(c);
	r->reserve = -1;
	ready_reserve(r);
}

static void ready_accept(struct port *p)
{
	struct sockaddr_storage a;

	for (unsigned budget = p->budget; budget > 0 && (p->want & PORT_ACCEPT); budget--) {
		socklen_t n = sizeof a;
		int fd;

		a.ss_family = AF_UNSPEC;
		fd = sys_accept4(p->handle, (struct sockaddr *)&a, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			p->ops->accepted(p, fd, 0, (struct sockaddr *)&a, n);
			continue;
		}
		if (errno == EAGAIN)
			return;
		if (errno == EINTR)
			continue;
		if (errno == EMFILE || errno == ENFILE) {
			ready_shed(p->loop->io, p->handle);
			port_failed(p, -EMFILE);
			return;
		}
		port_failed(p, -errno);
	}
}

/* Whether it is the owner's business: PORT_WRITABLE or 0. */
static unsigned ready_writable(struct port *p)
{
	int err = 0;
	socklen_t n = sizeof err;

	if (p->flags & PORT_BLOCKED) {
		p->flags &= (uint8_t)~PORT_BLOCKED;
		loop_touch(p);          /* the flush sends */
		return 0;
	}
	if (p->flags & PORT_DIALLING) {
		if (sys_getsockopt(p->handle, SOL_SOCKET, SO_ERROR, &err, &n) < 0)
			err = errno;
		if (err != 0) {
			port_failed(p, -err);
			return 0;
		}
		p->flags &= (uint8_t)~PORT_DIALLING;
	}
	return PORT_WRITABLE;
}

static MYR_SLOW void ready_event(struct port *p, unsigned events, uint8_t *scratch)
{
	unsigned told = 0;

	if (events & MYR_READ) {
		if (p->want & PORT_RECV)
			ready_recv(p, scratch, events & SELECTOR_EDGE);
		else if (p->want & PORT_ACCEPT)
			ready_accept(p);
		else
			told = PORT_READABLE;
	}
	if ((events & MYR_WRITE) && (p->armed & MYR_WRITE) && !port_is_muted(p))
		told |= ready_writable(p);
	port_ready(p, told);            /* both at once: a watch hears of a hang-up in one call */
}

static void ready_wait(struct myr_loop *l, int64_t until)
{
	struct ready *r = l->io;
	int n;

	loop_sleeps(l);
	n = r->selector.ops->wait(&r->selector, r->events, LOOP_EVENTS, clock_timeout(l->now, until));
	loop_awakes(l);
	l->now = clock_ms();
	if (n < 0 && n != -EINTR && !r->complained) {
		r->complained = true;
		log_line(&l->log, 0, LOG_ERR, "%s: %s", r->selector.ops->name, myr_strerror(n));
	}
	for (int i = 0; i < n; i++) {
		struct port *p = r->events[i].data;

		if (r->events[i].events == MYR_READ && (p->want & PORT_RECV))
			ready_recv(p, r->scratch, false);       /* a muted port wants nothing */
		else if (!port_is_muted(p))
			ready_event(p, r->events[i].events, r->scratch);
	}
}

static size_t ready_send_now(struct port *p, const uint8_t *b, size_t n)
{
	ssize_t sent = sys_send(p->handle, b, n, MSG_NOSIGNAL | MSG_DONTWAIT);

	return sent > 0 ? (size_t)sent : 0;     /* an error will be met again by the flush */
}

static void ready_discard(struct myr_loop *l, int32_t handle, uint8_t flags)
{
	(void)l;
	(void)flags;
	sys_close(handle);
}

const struct mover mover_ready = {
	.name = "ready", .files = true, .open = ready_open, .close = ready_close, .attach = ready_attach,
	.update = ready_update, .detach = ready_detach, .wait = ready_wait, .discard = ready_discard,
	.send_now = ready_send_now,
};
