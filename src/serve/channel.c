/* SPDX-License-Identifier: MIT
 *
 * channel.c - messages between a process and one that it forked. */
#include "serve/channel.h"

#include <errno.h>
#include <string.h>

#define CHANNEL_PATIENCE_MS 100
#define CHANNEL_TURN 32                 /* messages taken in one turn */

struct parcel {
	struct parcel *next;
	struct message head;
	size_t  n;
	uint8_t bytes[];
};

static int channel_try(int fd, const struct message *m, const void *bytes, size_t n)
{
	struct iovec iov[2] = { { (void *)(uintptr_t)m, sizeof *m }, { (void *)(uintptr_t)bytes, n } };
	const struct msghdr h = { .msg_iov = iov, .msg_iovlen = n > 0 ? 2 : 1 };

	while (sys_sendmsg(fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return errno == ENOBUFS ? -EAGAIN : -errno;
	return 0;
}

int channel_send(int fd, const struct message *m, const void *bytes, size_t n)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int err = channel_try(fd, m, bytes, n);

	if (err != -EAGAIN || sys_poll(&p, 1, CHANNEL_PATIENCE_MS) <= 0)
		return err;
	return channel_try(fd, m, bytes, n);
}

int channel_say(struct channel *c, const struct message *m, const void *bytes, size_t n)
{
	struct parcel *parcel;

	if (port_is_muted(&c->port))
		return -EPIPE;
	if (c->first == NULL) {
		int err = channel_try(c->port.handle, m, bytes, n);

		if (err != -EAGAIN)
			return err;
	}
	if (c->waiting + n > CHANNEL_QUEUE && (m->say == SAY_TELL || m->say == SAY_TELL_ALL))
		return -EAGAIN;
	parcel = sys_malloc(sizeof *parcel + n);
	if (parcel == NULL)
		return -ENOMEM;
	parcel->next = NULL;
	parcel->head = *m;
	parcel->n = n;
	if (n > 0)
		memcpy(parcel->bytes, bytes, n);
	*c->last = parcel;
	c->last = &parcel->next;
	c->waiting += n + sizeof *parcel;
	loop_touch(&c->port);
	return 0;
}

static void channel_drop_first(struct channel *c)
{
	struct parcel *parcel = c->first;

	c->first = parcel->next;
	if (c->first == NULL)
		c->last = &c->first;
	c->waiting -= parcel->n + sizeof *parcel;
	free(parcel);
}

static void channel_settle(struct port *p)
{
	const struct channel *c = (const struct channel *)p;

	if (c->first != NULL)
		p->want |= PORT_WRITABLE;
	else
		p->want &= (uint8_t)~PORT_WRITABLE;
}

static void channel_forward(struct channel *c)
{
	while (c->first != NULL) {
		if (channel_try(c->port.handle, &c->first->head, c->first->bytes, c->first->n) == -EAGAIN)
			return;
		channel_drop_first(c);          /* sent, or nobody will ever read it */
	}
}

/* One message.  False: there is none. */
static bool channel_take(struct channel *c)
{
	struct { struct message head; uint8_t bytes[CHANNEL_BYTES]; } m;
	ssize_t n = sys_recv(c->port.handle, &m, sizeof m, MSG_DONTWAIT);

	if (n >= (ssize_t)sizeof m.head) {
		c->said(c, &m.head, m.bytes, (size_t)n - sizeof m.head);
		return !port_is_muted(&c->port);
	}
	if (n < 0 && errno == EINTR)
		return true;
	if ((n == 0 || errno != EAGAIN) && (c->port.want & PORT_READABLE)) {
		c->port.want = 0;
		c->ended(c);
	}
	return false;
}

static void channel_ready(struct port *p, unsigned events)
{
	struct channel *c = (struct channel *)p;

	if (events & PORT_WRITABLE)
		channel_forward(c);
	if (events & PORT_READABLE)
		for (int i = 0; i < CHANNEL_TURN && channel_take(c); i++)
			;
	if (!port_is_muted(p))
		loop_touch(p);
}

void channel_drain(struct channel *c)
{
	while (!port_is_muted(&c->port) && channel_take(c))
		;
}

static void channel_failed(struct port *p, int err)
{
	(void)err;                      /* what failed shows as the end on the next read */
	channel_ready(p, PORT_READABLE);
}

static void channel_released(struct port *p)
{
	struct channel *c = (struct channel *)p;

	while (c->first != NULL)
		channel_drop_first(c);
	c->released(c);
}

static const struct port_ops channel_ops = {
	.settle = channel_settle, .ready = channel_ready, .failed = channel_failed, .released = channel_released,
};

int channel_open(struct channel *c, struct myr_loop *l, int fd)
{
	int err;

	c->port = (struct port){ .ops = &channel_ops, .loop = l, .handle = fd, .want = PORT_READABLE };
	c->first = NULL;
	c->last = &c->first;
	c->waiting = 0;
	err = loop_attach(&c->port);
	if (err < 0) {
		sys_close(fd);
		return err;
	}
	loop_touch(&c->port);
	return 0;
}

void channel_close(struct channel *c)
{
	loop_detach(&c->port);
}
