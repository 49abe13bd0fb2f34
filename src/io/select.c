/* SPDX-License-Identifier: MIT
 *
 * select.c - the select(2) selector: any system, descriptors below FD_SETSIZE.
 *
 * Higher descriptors are refused before they are asked for (selector_ops.fd_limit), never passed to
 * FD_SET, which would write past the set. */
#include "io/selector.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/sys.h"

struct select_set {
	fd_set read, write;
	int    top;                     /* highest descriptor watched, or -1 */
	int    next;                    /* where the next wait begins to report: fairness */
	void  *data[FD_SETSIZE];
};

static int select_open(struct myr_selector *s)
{
	struct select_set *set = sys_calloc(1, sizeof *set);

	if (set == NULL)
		return -ENOMEM;
	set->top = -1;
	s->own = set;
	return 0;
}

static void select_close(struct myr_selector *s)
{
	free(s->own);
}

static void select_put(fd_set *set, int fd, int on)
{
	if (on)
		FD_SET(fd, set);
	else
		FD_CLR(fd, set);
}

static int select_set(struct myr_selector *s, int fd, unsigned had, unsigned events, void *data)
{
	struct select_set *set = s->own;

	(void)had;
	if (fd < 0 || fd >= FD_SETSIZE)
		return -EMFILE;
	select_put(&set->read, fd, events & MYR_READ);
	select_put(&set->write, fd, events & MYR_WRITE);
	set->data[fd] = data;
	if (events != 0 && fd > set->top)
		set->top = fd;
	while (set->top >= 0 && !FD_ISSET(set->top, &set->read) && !FD_ISSET(set->top, &set->write))
		set->top--;
	return 0;
}

static int select_wait(struct myr_selector *s, struct myr_event *out, int max, int timeout_ms)
{
	struct select_set *set = s->own;
	fd_set r = set->read, w = set->write;
	struct timeval t = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	int n = 0, left, fd;

	left = sys_select(set->top + 1, &r, &w, NULL, timeout_ms < 0 ? NULL : &t);
	if (left < 0)
		return -errno;
	if (left == 0)
		return 0;
	fd = set->next <= set->top ? set->next : 0;
	for (int seen = 0; seen <= set->top && n < max; seen++, fd = fd < set->top ? fd + 1 : 0) {
		unsigned events = (FD_ISSET(fd, &r) ? (unsigned)MYR_READ : 0u) |
		                  (FD_ISSET(fd, &w) ? (unsigned)MYR_WRITE : 0u);

		if (events == 0)
			continue;
		out[n].events = events;
		out[n++].data = set->data[fd];
	}
	set->next = fd;
	return n;
}

const struct selector_ops selector_select = {
	.name = "select", .fd_limit = FD_SETSIZE,
	.open = select_open, .close = select_close, .set = select_set, .wait = select_wait,
};
