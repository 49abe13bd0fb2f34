/* SPDX-License-Identifier: MIT
 *
 * dgram.c - datagrams in and out of a socket.
 *
 * What the kernel says of the address that a datagram was sent to is kept as it came and handed back
 * with each answer: the same control message means "arrived at" one way and "leave from" the other. */
#include "io/dgram.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/sys.h"

struct inbox {
	struct mmsghdr messages[DGRAM_BATCH];
	struct iovec pieces[DGRAM_BATCH];
	struct sockaddr_storage addresses[DGRAM_BATCH];
	_Alignas(size_t) uint8_t controls[DGRAM_BATCH][DGRAM_CONTROL];
	uint8_t bytes[DGRAM_BATCH][DGRAM_MAX];
};

/* Best effort: without it answers leave from the address that the kernel chooses. */
void dgram_tune(int fd, int family)
{
	const int on = 1;

	if (family == AF_INET)
		sys_setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
	else if (family == AF_INET6)
		sys_setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof on);
}

/* --- In ------------------------------------------------------------------------------------------ */

struct inbox *inbox_new(void)
{
	return sys_malloc(sizeof(struct inbox));        /* not cleared: pages that are never used cost nothing */
}

int inbox_receive(struct inbox *in, int fd, bool inet, unsigned max)
{
	int n;

	for (unsigned i = 0; i < max && i < DGRAM_BATCH; i++) {
		in->pieces[i] = (struct iovec){ in->bytes[i], DGRAM_MAX };
		in->addresses[i].ss_family = AF_UNSPEC;
		in->messages[i].msg_hdr = (struct msghdr){
			.msg_name = &in->addresses[i], .msg_namelen = sizeof in->addresses[i],
			.msg_iov = &in->pieces[i], .msg_iovlen = 1,
			.msg_control = inet ? in->controls[i] : NULL, .msg_controllen = inet ? DGRAM_CONTROL : 0,
		};
	}
	n = sys_recvmmsg(fd, in->messages, max < DGRAM_BATCH ? max : DGRAM_BATCH, MSG_DONTWAIT, NULL);
	return n < 0 ? -errno : n;
}

/* The interface is only said where an address means nothing without it; elsewhere routes decide. */
static void keep_control(struct dgram_name *to, const struct msghdr *m)
{
	struct msghdr copy = *m;
	const struct cmsghdr *c = CMSG_FIRSTHDR(&copy);
	struct in6_pktinfo six;
	struct in_pktinfo four;
	struct cmsghdr *mine = (struct cmsghdr *)(void *)to->control;

	to->control_n = 0;
	if (c == NULL || (m->msg_flags & MSG_CTRUNC))
		return;
	*mine = *c;
	if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
		memcpy(&four, CMSG_DATA(c), sizeof four);
		four = (struct in_pktinfo){ .ipi_spec_dst = four.ipi_spec_dst };
		memcpy(CMSG_DATA(mine), &four, sizeof four);
		to->control_n = CMSG_SPACE(sizeof four);
	} else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
		memcpy(&six, CMSG_DATA(c), sizeof six);
		if (!IN6_IS_ADDR_LINKLOCAL(&six.ipi6_addr))
			six.ipi6_ifindex = 0;
		memcpy(CMSG_DATA(mine), &six, sizeof six);
		to->control_n = CMSG_SPACE(sizeof six);
	}
}

static size_t header_of(const struct sockaddr_storage *a)
{
	const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)a;

	return a->ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) ? 48 : 28;
}

bool inbox_get(const struct inbox *in, int fd, unsigned i, struct datagram *d)
{
	const struct msghdr *m = &in->messages[i].msg_hdr;
	size_t len = m->msg_namelen < sizeof d->from.address ? m->msg_namelen : sizeof d->from.address;

	d->fd = fd;
	d->bytes = in->bytes[i];
	d->n = in->messages[i].msg_len;
	d->from.len = (socklen_t)len;
	d->from.address.ss_family = AF_UNSPEC;
	memcpy(&d->from.address, &in->addresses[i], len);
	keep_control(&d->from, m);
	d->header = header_of(&d->from.address);
	d->allowed = 0;
	return !(m->msg_flags & MSG_TRUNC);
}

ssize_t dgram_receive(int fd, void *dst, size_t room)
{
	ssize_t n = sys_recv(fd, dst, room, MSG_DONTWAIT | MSG_TRUNC);

	return n < 0 ? -errno : n;
}

/* --- Out ----------------------------------------------------------------------------------------- */

int dgram_send(int fd, const struct dgram_name *to, const void *p, size_t n)
{
	struct iovec piece = { (void *)(uintptr_t)p, n };
	struct msghdr m = { .msg_iov = &piece, .msg_iovlen = 1 };

	if (to != NULL) {
		m.msg_name = (void *)(uintptr_t)&to->address;
		m.msg_namelen = to->len;
		m.msg_control = to->control_n > 0 ? (void *)(uintptr_t)to->control : NULL;
		m.msg_controllen = to->control_n;
	}
	while (sys_sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno == EINTR)
			continue;
		if ((errno != EINVAL && errno != EADDRNOTAVAIL) || m.msg_control == NULL)
			return -errno;
		m.msg_control = NULL;   /* it was sent to a group or to all: that is nobody's own address */
		m.msg_controllen = 0;
	}
	return 0;
}

bool dgram_is_full(int err)
{
	return err == -EAGAIN || err == -ENOBUFS || err == -ENOMEM;
}
