/* SPDX-License-Identifier: MIT
 *
 * uring.c - mover by completions: multishot receives into provided buffers, batched sends.
 *
 * want says what the owner would like, armed what the kernel has been asked.  They differ in three
 * ways only: wanted and not armed, armed and no longer wanted, detached and still armed; update()
 * and wind_up() resolve them.  A request's user_data is the port (or a record of ours) with the kind
 * of request in its low three bits: safe, because a port is released only when nothing is in flight,
 * its cancellations included.  Everything waits for the one system call in wait(). */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"
#include "io/loop.h"
#include "io/ring.h"
#include "io/ring_abi.h"

enum kind { RECV, SEND, SENDMSG, FIN, POLL, ACCEPT, CANCEL, CLOSE };    /* three bits */

struct accepting {                      /* one accept in flight */
	struct port *port;
	struct list link;
	enum { WANTED, DOOMED, CANCELLED } fate;
	socklen_t address_len;
	struct sockaddr_storage address;
};

struct sending {                        /* one send of several pieces in flight */
	struct port *port;
	struct list link;
	struct msghdr msg;
	struct iovec iov[PORT_IOV];
};

struct uring {
	struct ring ring;
	struct list accepts, sends;     /* in flight */
};

#define POLL_EVENTS (PORT_READABLE | PORT_WRITABLE)

static struct uring *uring_of(const struct port *p)
{
	return p->loop->io;
}

/* --- Asking ------------------------------------------------------------------------------------ */

static void ask(struct io_uring_sqe *sqe, const struct port *p, const void *data, enum kind kind)
{
	if (p != NULL && (p->flags & PORT_SLOT) && kind != CLOSE && kind != CANCEL)
		sqe->flags |= IOSQE_FIXED_FILE;
	sqe->user_data = (uint64_t)(uintptr_t)data | kind;
	ring_queued(sqe);
}

static void arm_recv(struct port *p)
{
	struct ring *r = &uring_of(p)->ring;
	struct io_uring_sqe *sqe = ring_sqe(r);

	io_uring_prep_recv(sqe, p->handle, NULL, 0, 0);
	if (r->multishot)
		sqe->ioprio |= IORING_RECV_MULTISHOT;
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = 0;
	ask(sqe, p, p, RECV);
	p->armed |= PORT_RECV;
	p->budget = 0;
}

static bool arm_send_pieces(struct port *p, int n, const struct iovec *iov)
{
	struct uring *u = uring_of(p);
	struct sending *s = sys_malloc(sizeof *s);
	struct io_uring_sqe *sqe;

	if (s == NULL)
		return false;
	s->port = p;
	memcpy(s->iov, iov, (size_t)n * sizeof *iov);
	s->msg = (struct msghdr){ .msg_iov = s->iov, .msg_iovlen = (size_t)n };
	list_append(&u->sends, &s->link);
	sqe = ring_sqe(&u->ring);
	io_uring_prep_sendmsg(sqe, p->handle, &s->msg, MSG_NOSIGNAL | MSG_WAITALL);
	ask(sqe, p, s, SENDMSG);
	return true;
}

static void arm_send(struct port *p)
{
	struct iovec iov[PORT_IOV];
	int n = p->ops->gather(p, iov, PORT_IOV);

	if (n == 0)
		return;
	if (n == 1 || !arm_send_pieces(p, n, iov)) {
		struct io_uring_sqe *sqe = ring_sqe(&uring_of(p)->ring);

		io_uring_prep_send(sqe, p->handle, iov[0].iov_base, iov[0].iov_len, MSG_NOSIGNAL | MSG_WAITALL);
		ask(sqe, p, p, SEND);
	}
	p->armed |= PORT_SEND;
}

/* A slot is half-closed through a descriptor that it gets for a moment: the request for a shutdown
 * would run on a thread of the kernel's, at twice the cost. */
static void arm_install(struct port *p)
{
	struct io_uring_sqe *sqe = ring_sqe(&uring_of(p)->ring);

	sqe->opcode = RING_OP_FIXED_FD_INSTALL;
	sqe->fd = p->handle;
	ask(sqe, p, p, FIN);
	p->armed |= PORT_FIN;
}

/* A slot without a descriptor takes no option: connecting it to nobody resets it as well. */
static void arm_disconnect(struct port *p)
{
	static const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	struct io_uring_sqe *sqe = ring_sqe(&uring_of(p)->ring);

	io_uring_prep_connect(sqe, p->handle, &nobody, sizeof nobody);
	ask(sqe, p, p, FIN);
	p->armed |= PORT_FIN;
	p->flags &= (uint8_t)~PORT_RESET;
}

static void arm_fin(struct port *p)
{
	struct io_uring_sqe *sqe;

	if (!(p->flags & PORT_SLOT)) {
		if (sys_shutdown(p->handle, SHUT_WR) < 0 && errno != ENOTCONN)
			port_failed(p, -errno);
		else
			port_sent(p, 0);
	} else if (uring_of(p)->ring.install) {
		arm_install(p);
	} else {
		sqe = ring_sqe(&uring_of(p)->ring);
		io_uring_prep_shutdown(sqe, p->handle, SHUT_WR);
		ask(sqe, p, p, FIN);
		p->armed |= PORT_FIN;
	}
}

static void arm_poll(struct port *p, unsigned want)
{
	struct io_uring_sqe *sqe = ring_sqe(&uring_of(p)->ring);

	io_uring_prep_poll_add(sqe, p->handle, (want & PORT_READABLE ? POLLIN : 0u) |
	                                       (want & PORT_WRITABLE ? POLLOUT : 0u));
	ask(sqe, p, p, POLL);
	p->armed |= (uint8_t)want;
}

static void cancel(struct port *p, const void *data, enum kind kind)
{
	struct io_uring_sqe *sqe = ring_sqe(&uring_of(p)->ring);

	io_uring_prep_cancel64(sqe, (uint64_t)(uintptr_t)data | kind, 0);
	ask(sqe, p, p, CANCEL);
	p->armed |= PORT_CANCEL;
}

static const void *sending_of(struct uring *u, const struct port *p)
{
	for (struct list *n = u->sends.next; n != &u->sends; n = n->next)
		if (list_of(n, struct sending, link)->port == p)
			return list_of(n, struct sending, link);
	return NULL;
}

/* --- Accepting: single shots under a budget, each with a place for the address ---------------------- */

static unsigned accepts_in_flight(struct uring *u, const struct port *p)
{
	unsigned n = 0;

	for (struct list *l = u->accepts.next; l != &u->accepts; l = l->next) {
		const struct accepting *a = list_of(l, struct accepting, link);

		n += a->port == p;
	}
	return n;
}

static void doom_accepts(struct uring *u, const struct port *p)
{
	for (struct list *l = u->accepts.next; l != &u->accepts; l = l->next) {
		struct accepting *a = list_of(l, struct accepting, link);

		if (a->port == p && a->fate == WANTED)
			a->fate = DOOMED;
	}
}

static bool accepts_are_doomed(struct uring *u, const struct port *p)
{
	for (struct list *l = u->accepts.next; l != &u->accepts; l = l->next) {
		const struct accepting *a = list_of(l, struct accepting, link);

		if (a->port == p && a->fate != WANTED)
			return true;
	}
	return false;
}

static void arm_accept(struct port *p)
{
	struct uring *u = uring_of(p);
	struct accepting *a = sys_malloc(sizeof *a);
	struct io_uring_sqe *sqe;

	if (a == NULL)
		return;                 /* with the next completion or touch */
	a->port = p;
	a->fate = WANTED;
	a->address_len = sizeof a->address;
	a->address.ss_family = AF_UNSPEC;
	list_append(&u->accepts, &a->link);
	sqe = ring_sqe(&u->ring);
	io_uring_prep_accept(sqe, p->handle, (struct sockaddr *)&a->address, &a->address_len,
	                     u->ring.direct ? 0 : SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (u->ring.direct)
		sqe->file_index = IORING_FILE_INDEX_ALLOC;
	ask(sqe, p, a, ACCEPT);
	p->armed |= PORT_ACCEPT;
}

/* One at a time: its completion comes back here for the next. */
static void cancel_an_accept(struct port *p)
{
	struct uring *u = uring_of(p);

	for (struct list *l = u->accepts.next; l != &u->accepts; l = l->next) {
		struct accepting *a = list_of(l, struct accepting, link);

		if (a->port != p || a->fate == CANCELLED)
			continue;
		a->fate = CANCELLED;
		cancel(p, a, ACCEPT);
		return;
	}
}

/* The kernel wakes one accept for each connection.  One that is being cancelled may be the one that it
 * wakes, and the others would sleep on: so all go, and new ones look into the queue first. */
static void update_accepts(struct port *p)
{
	unsigned have = accepts_in_flight(uring_of(p), p);
	unsigned want = p->want & PORT_ACCEPT ? p->budget : 0;

	if (have > want)
		doom_accepts(uring_of(p), p);
	if (accepts_are_doomed(uring_of(p), p)) {
		cancel_an_accept(p);
		return;
	}
	for (; have < want; have++)
		arm_accept(p);
}

/* --- Resolving what is wanted against what is armed ----------------------------------------------------- */

static void update_poll(struct port *p)
{
	unsigned want = p->want & POLL_EVENTS, armed = p->armed & POLL_EVENTS;

	if (want == armed)
		return;
	if (armed != 0)
		cancel(p, p, POLL);     /* and armed anew when that has come back */
	else
		arm_poll(p, want);
}

static void uring_update(struct port *p)
{
	if (p->armed & PORT_CANCEL)
		return;                 /* its completion touches the port */
	if (p->want & PORT_RECV) {
		p->budget = 0;
		if (!(p->armed & PORT_RECV))
			arm_recv(p);
	}
	if ((p->want & PORT_SEND) && !(p->armed & PORT_SEND))
		arm_send(p);
	if ((p->want & (PORT_SEND | PORT_FIN)) == PORT_FIN && !(p->armed & (PORT_SEND | PORT_FIN)))
		arm_fin(p);
	if ((p->want | p->armed) & POLL_EVENTS)
		update_poll(p);
	if ((p->want | p->armed) & PORT_ACCEPT)
		update_accepts(p);
}

static void reset_on_close(int fd)
{
	const struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	sys_setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

static void cancel_one(struct port *p)
{
	const void *s;

	if (p->armed & PORT_RECV)
		cancel(p, p, RECV);
	else if (p->armed & PORT_SEND && (s = sending_of(uring_of(p), p)) != NULL)
		cancel(p, s, SENDMSG);
	else if (p->armed & PORT_SEND)
		cancel(p, p, SEND);
	else if (p->armed & POLL_EVENTS)
		cancel(p, p, POLL);
	else if (p->armed & PORT_ACCEPT)
		cancel_an_accept(p);
	/* A FIN in flight answers by itself, at once. */
}

/* Detached: cancel what is in flight, one after the other, then close, then release. */
static void wind_up(struct port *p)
{
	struct ring *r = &uring_of(p)->ring;
	struct io_uring_sqe *sqe;

	if ((p->armed & (PORT_CANCEL | PORT_CLOSE)) || (p->flags & PORT_RELEASED))
		return;
	if (p->armed != 0) {
		cancel_one(p);
		return;
	}
	if (p->flags & PORT_BORROWED) {
		loop_released(p);
		return;
	}
	if ((p->flags & (PORT_RESET | PORT_SLOT)) == (PORT_RESET | PORT_SLOT)) {
		if (r->install)
			arm_install(p); /* finish_fin() sets the option */
		else
			arm_disconnect(p);
		return;                 /* and finish_fin() comes back here */
	}
	if (p->flags & PORT_RESET)
		reset_on_close(p->handle);
	sqe = ring_sqe(r);
	if (p->flags & PORT_SLOT)
		io_uring_prep_close_direct(sqe, (unsigned)p->handle);
	else
		io_uring_prep_close(sqe, p->handle);
	ask(sqe, p, p, CLOSE);
	p->armed |= PORT_CLOSE;
}

static int uring_attach(struct port *p)
{
	p->armed = 0;
	return 0;
}

static void uring_discard(struct myr_loop *l, int32_t handle, uint8_t flags)
{
	struct uring *u = l->io;
	struct io_uring_sqe *sqe;

	if (!(flags & PORT_SLOT)) {
		sys_close(handle);
		return;
	}
	sqe = ring_sqe(&u->ring);
	io_uring_prep_close_direct(sqe, (unsigned)handle);
	ask(sqe, NULL, NULL, CLOSE);
}

/* --- Completions ------------------------------------------------------------------------------------------ */

/* Ended by itself, or by us: whatever is still wanted is asked for again by the next update. */
static bool is_passing(int res)
{
	return res == -ECANCELED || res == -ENOBUFS || res == -EINTR || res == -EAGAIN;
}

static void recv_failed(struct port *p, int res)
{
	struct ring *r = &uring_of(p)->ring;

	if (res == -EINVAL && r->multishot) {
		r->multishot = false;           /* a kernel older than 6.0 */
		loop_touch(p);
	} else if (!is_passing(res)) {
		port_failed(p, res);
	}
}

static void finish_recv(struct port *p, const struct io_uring_cqe *cqe)
{
	struct ring *r = &uring_of(p)->ring;

	if (!(cqe->flags & IORING_CQE_F_MORE)) {
		p->armed &= (uint8_t)~PORT_RECV;
		loop_touch(p);
	}
	if (cqe->res > 0)
		port_received(p, ring_bytes(r, cqe), (size_t)cqe->res);
	else if (cqe->res == 0)
		port_received(p, NULL, 0);
	else
		recv_failed(p, cqe->res);
	ring_give_back(r, cqe);
	/* No longer wanted: the first bytes after a pause are let pass, since pauses are short and a
	 * cancellation for each would cost more than it saves; the second time it is meant. */
	if (!(p->want & PORT_RECV) && (p->armed & (PORT_RECV | PORT_CANCEL)) == PORT_RECV && !port_is_muted(p) &&
	    p->budget++ > 0)
		cancel(p, p, RECV);
}

static void finish_send(struct port *p, int res)
{
	struct iovec more;

	p->armed &= (uint8_t)~PORT_SEND;
	if (res >= 0)
		port_sent(p, (size_t)res);
	else if (!is_passing(res))
		port_failed(p, res);
	if (!port_is_muted(p) && p->ops->gather(p, &more, 1) > 0)
		loop_touch(p);
}

/* The descriptor of a slot, for a moment; or the result of a shutdown or a disconnection. */
static void finish_fin(struct port *p, int res)
{
	p->armed &= (uint8_t)~PORT_FIN;
	if (port_is_muted(p) && uring_of(p)->ring.install) {
		if (p->flags & PORT_RESET && res >= 0)
			reset_on_close(res);
		p->flags &= (uint8_t)~PORT_RESET;
	}
	if (uring_of(p)->ring.install && res >= 0) {
		if (!port_is_muted(p) && sys_shutdown(res, SHUT_WR) < 0 && errno != ENOTCONN)
			port_failed(p, -errno);
		sys_close(res);
	}
	if (res < 0 && res != -ENOTCONN)
		port_failed(p, res);
	else
		port_sent(p, 0);
}

static void finish_dialling(struct port *p)
{
	int err = 0;
	socklen_t n = sizeof err;

	if (sys_getsockopt(p->handle, SOL_SOCKET, SO_ERROR, &err, &n) < 0)
		err = errno;
	if (err != 0) {
		port_failed(p, -err);
		return;
	}
	p->flags &= (uint8_t)~PORT_DIALLING;
	port_ready(p, PORT_WRITABLE);
}

static void finish_poll(struct port *p, int res)
{
	p->armed &= (uint8_t)~POLL_EVENTS;
	loop_touch(p);                          /* still wanted, unless its owner says otherwise now */
	if (res < 0) {
		if (!is_passing(res))
			port_failed(p, res);
		return;
	}
	if (p->flags & PORT_DIALLING) {
		if (!port_is_muted(p))
			finish_dialling(p);
		return;
	}
	port_ready(p, (res & ~POLLOUT ? (unsigned)PORT_READABLE : 0u) |
	              (res & ~POLLIN ? (unsigned)PORT_WRITABLE : 0u));
}

static void finish_accept(struct accepting *a, int res)
{
	struct port *p = a->port;
	struct uring *u = uring_of(p);
	uint8_t flags = u->ring.direct ? PORT_SLOT : 0;

	list_remove(&a->link);
	if (accepts_in_flight(u, p) == 0)
		p->armed &= (uint8_t)~PORT_ACCEPT;
	if (res >= 0 && port_is_muted(p))
		uring_discard(p->loop, res, flags);
	else if (res >= 0)
		p->ops->accepted(p, res, flags, (struct sockaddr *)&a->address, a->address_len);
	else if (!is_passing(res))
		port_failed(p, res == -ENFILE ? -EMFILE : res);
	free(a);
	loop_touch(p);
}

static void finish_cancel(struct port *p)
{
	p->armed &= (uint8_t)~PORT_CANCEL;      /* found, too late, or not there any more: all are fine */
	loop_touch(p);
}

static void uring_complete(const struct io_uring_cqe *cqe)
{
	enum kind kind = (enum kind)(cqe->user_data & 7);
	void *data = (void *)(uintptr_t)(cqe->user_data & ~(uint64_t)7);
	struct port *p = data;

	if (data == NULL)
		return;                         /* a discarded slot is closed */
	switch (kind) {
	case RECV:
		finish_recv(p, cqe);
		break;
	case SEND:
		finish_send(p, cqe->res);
		break;
	case SENDMSG:
		p = ((struct sending *)data)->port;
		list_remove(&((struct sending *)data)->link);
		free(data);
		finish_send(p, cqe->res);
		break;
	case FIN:
		finish_fin(p, cqe->res);
		break;
	case POLL:
		finish_poll(p, cqe->res);
		break;
	case ACCEPT:
		p = ((struct accepting *)data)->port;
		finish_accept(data, cqe->res);
		break;
	case CANCEL:
		finish_cancel(p);
		break;
	case CLOSE:
		p->armed = 0;
		loop_released(p);
		return;
	}
	if (port_is_muted(p))
		wind_up(p);
}

static void uring_wait(struct myr_loop *l, int64_t until)
{
	struct uring *u = l->io;
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;

	loop_sleeps(l);
	ring_enter(&u->ring, clock_timeout(l->now, until));
	loop_awakes(l);
	l->now = clock_ms();
	io_uring_for_each_cqe(&u->ring.uring, head, cqe) {
		uring_complete(cqe);
		n++;
	}
	io_uring_cq_advance(&u->ring.uring, n);
}

/* --- Life ---------------------------------------------------------------------------------------------------- */

static int uring_open(struct myr_loop *l, const void *arg)
{
	struct uring *u = sys_malloc(sizeof *u);
	int err;

	(void)arg;
	if (u == NULL)
		return fail(-ENOMEM, "out of memory");
	err = ring_open(&u->ring);
	if (err < 0) {
		free(u);
		return err;
	}
	list_init(&u->accepts);
	list_init(&u->sends);
	l->io = u;
	return 0;
}

static void uring_close(struct myr_loop *l)
{
	struct uring *u = l->io;

	ring_close(&u->ring);
	free(u);
}

const struct mover mover_uring = {
	.name = "uring", .open = uring_open, .close = uring_close, .attach = uring_attach,
	.update = uring_update, .detach = wind_up, .wait = uring_wait, .discard = uring_discard,
};
