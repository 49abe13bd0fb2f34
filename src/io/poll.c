/* SPDX-License-Identifier: MIT
 *
 * poll.c - the poll(2) selector: any system, any descriptor, a cost that grows with the number.
 *
 * The kernel's array is kept dense.  A loop with a handful of descriptors (a thread, a forked child)
 * finds them by looking; only a larger one pays for a map by descriptor. */
#include "io/selector.h"

#include <errno.h>
#include <string.h>

#include "base/sys.h"

#define POLL_FEW 16                     /* up to here a search beats a map */

struct poll_set {
	struct pollfd *fds;
	void   **data;
	int     *places;                /* by descriptor: index + 1; NULL while there are few */
	int      count, room, places_room;
	int      next;                  /* where the next wait begins to report: fairness */
};

static int poll_open(struct myr_selector *s)
{
	s->own = sys_calloc(1, sizeof(struct poll_set));
	return s->own == NULL ? -ENOMEM : 0;
}

static void poll_close(struct myr_selector *s)
{
	struct poll_set *p = s->own;

	free(p->fds);
	free(p->data);
	free(p->places);
	free(p);
}

static int poll_find(const struct poll_set *p, int fd)
{
	if (p->places != NULL)
		return fd < p->places_room ? p->places[fd] - 1 : -1;
	for (int i = 0; i < p->count; i++)
		if (p->fds[i].fd == fd)
			return i;
	return -1;
}

static int poll_map(struct poll_set *p, int fd)
{
	int room = p->places_room > 0 ? p->places_room : 256, *places;

	if (p->count < POLL_FEW && p->places == NULL)
		return 0;
	for (int i = 0; i < p->count && p->places == NULL; i++)
		fd = p->fds[i].fd > fd ? p->fds[i].fd : fd;
	while (room <= fd)
		room *= 2;
	if (p->places != NULL && room == p->places_room)
		return 0;
	places = sys_calloc((size_t)room, sizeof *places);
	if (places == NULL)
		return -ENOMEM;
	for (int i = 0; i < p->count; i++)
		places[p->fds[i].fd] = i + 1;
	free(p->places);
	p->places = places;
	p->places_room = room;
	return 0;
}

static int poll_add(struct poll_set *p, int fd, short mask, void *data)
{
	if (p->count == p->room) {
		int room = p->room > 0 ? p->room * 2 : 4;
		struct pollfd *fds = sys_realloc(p->fds, (size_t)room * sizeof *fds);
		void **d;

		if (fds == NULL)
			return -ENOMEM;
		p->fds = fds;
		d = sys_realloc(p->data, (size_t)room * sizeof *d);
		if (d == NULL)
			return -ENOMEM;
		p->data = d;
		p->room = room;
	}
	if (poll_map(p, fd) < 0)
		return -ENOMEM;
	p->fds[p->count] = (struct pollfd){ .fd = fd, .events = mask };
	p->data[p->count++] = data;
	if (p->places != NULL)
		p->places[fd] = p->count;
	return 0;
}

static void poll_remove(struct poll_set *p, int i)
{
	int last = --p->count;

	if (p->places != NULL) {
		p->places[p->fds[last].fd] = i + 1;
		p->places[p->fds[i].fd] = 0;
	}
	p->fds[i] = p->fds[last];
	p->data[i] = p->data[last];
}

static int poll_set(struct myr_selector *s, int fd, unsigned had, unsigned events, void *data)
{
	short mask = (short)((events & MYR_READ ? POLLIN : 0) | (events & MYR_WRITE ? POLLOUT : 0));
	struct poll_set *p = s->own;
	int i;

	if (had == 0)
		return events == 0 ? 0 : poll_add(p, fd, mask, data);
	i = poll_find(p, fd);
	if (i < 0)
		return -ENOENT;
	if (events == 0) {
		poll_remove(p, i);
	} else {
		p->fds[i].events = mask;
		p->data[i] = data;
	}
	return 0;
}

/* Report from where the last report ended, so that a full batch starves nobody. */
static int poll_wait(struct myr_selector *s, struct myr_event *out, int max, int timeout_ms)
{
	struct poll_set *p = s->own;
	int n = 0, left = sys_poll(p->fds, (nfds_t)p->count, timeout_ms), i;

	if (left < 0)
		return -errno;
	if (left == 0)
		return 0;
	i = p->next < p->count ? p->next : 0;
	for (int seen = 0; seen < p->count && left > 0 && n < max; seen++, i = i + 1 < p->count ? i + 1 : 0) {
		short r = p->fds[i].revents;

		if (r == 0)
			continue;
		left--;
		out[n].data = p->data[i];
		out[n++].events = (r & ~POLLOUT ? (unsigned)MYR_READ : 0u) | (r & ~POLLIN ? (unsigned)MYR_WRITE : 0u);
	}
	p->next = i;
	return n;
}

const struct selector_ops selector_poll = {
	.name = "poll", .open = poll_open, .close = poll_close, .set = poll_set, .wait = poll_wait,
};
