/* SPDX-License-Identifier: MIT
 *
 * epoll.c - the epoll(7) selector: Linux, any number of descriptors.
 *
 * Level-triggered for users.  The library's own connections ask for edges, which saves the kernel a second
 * look at each descriptor that was ready. */
#include "io/selector.h"

#include <errno.h>

#include "base/sys.h"

#define EPOLL_BATCH 64

static int epoll_open(struct myr_selector *s)
{
	s->fd = sys_epoll_create1(EPOLL_CLOEXEC);
	return s->fd < 0 ? -errno : 0;
}

static void epoll_close(struct myr_selector *s)
{
	sys_close(s->fd);
}

static uint32_t epoll_mask(unsigned events)
{
	return (events & MYR_READ ? EPOLLIN : 0u) | (events & MYR_WRITE ? EPOLLOUT : 0u) |
	       (events & SELECTOR_EDGE ? EPOLLET | EPOLLRDHUP | EPOLLPRI : 0u);
}

static int epoll_set(struct myr_selector *s, int fd, unsigned had, unsigned events, void *data)
{
	struct epoll_event e = { .events = epoll_mask(events), .data.ptr = data };
	int op = had == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;

	if (had == 0 && events == 0)
		return 0;
	return sys_epoll_ctl(s->fd, op, fd, &e) < 0 ? -errno : 0;
}

/* EPOLLERR and EPOLLHUP come unasked; the mover's next call finds out which.  At urgent data (EPOLLPRI) a receive
 * stops short of what comes after. */
static unsigned epoll_told(uint32_t events)
{
	return (events & (EPOLLIN | EPOLLERR | EPOLLHUP) ? (unsigned)MYR_READ : 0u) |
	       (events & (EPOLLOUT | EPOLLERR | EPOLLHUP) ? (unsigned)MYR_WRITE : 0u) |
	       (events & (EPOLLRDHUP | EPOLLPRI | EPOLLERR | EPOLLHUP) ? SELECTOR_EDGE : 0u);
}

static int epoll_wait_for(struct myr_selector *s, struct myr_event *out, int max, int timeout_ms)
{
	struct epoll_event e[EPOLL_BATCH];
	int n = sys_epoll_wait(s->fd, e, max < EPOLL_BATCH ? max : EPOLL_BATCH, timeout_ms);

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		out[i].events = e[i].events == EPOLLIN ? (unsigned)MYR_READ : epoll_told(e[i].events);
		out[i].data = e[i].data.ptr;
	}
	return n;
}

const struct selector_ops selector_epoll = {
	.name = "epoll", .open = epoll_open, .close = epoll_close, .set = epoll_set, .wait = epoll_wait_for,
};
