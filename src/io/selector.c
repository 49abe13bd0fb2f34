/* SPDX-License-Identifier: MIT
 *
 * selector.c - the table of selectors, and the public myr_selector_*.
 *
 * The library's own ports pass their address as data.  The public functions pass the descriptor
 * and keep the user's data in a table by descriptor, so that an event can name both. */
#include "io/selector.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/error.h"
#include "base/sys.h"

struct selector_entry {
	unsigned events;                /* 0: not watched */
	void *data;
};

static const struct selector_ops *const selectors[] = { &selector_epoll, &selector_poll, &selector_select };

const struct selector_ops *selector_find(const char *name)
{
	if (name == NULL)
		return selectors[0];
	for (size_t i = 0; i < sizeof selectors / sizeof *selectors; i++)
		if (strcmp(selectors[i]->name, name) == 0)
			return selectors[i];
	return NULL;
}

int selector_open(struct myr_selector *s, const struct selector_ops *ops)
{
	*s = (struct myr_selector){ .ops = ops, .fd = -1 };
	return ops->open(s);
}

void selector_close(struct myr_selector *s)
{
	s->ops->close(s);
	free(s->entries);
}

int myr_selector_new(struct myr_selector **out, const char *name)
{
	const struct selector_ops *ops = selector_find(name);
	struct myr_selector *s;
	int err;

	*out = NULL;
	if (ops == NULL)
		return fail(-EINVAL, "unknown selector \"%s\"; there are epoll, poll and select", name);
	s = sys_malloc(sizeof *s);
	if (s == NULL)
		return fail(-ENOMEM, "out of memory");
	err = selector_open(s, ops);
	if (err < 0) {
		free(s);
		return fail(err, "cannot open the selector %s: %s", ops->name, myr_strerror(err));
	}
	*out = s;
	return 0;
}

static int selector_reserve(struct myr_selector *s, int fd)
{
	int room = s->room > 0 ? s->room : 64;
	struct selector_entry *e;

	if (fd < s->room)
		return 0;
	while (room <= fd)
		room *= 2;
	e = sys_realloc(s->entries, (size_t)room * sizeof *e);
	if (e == NULL)
		return -ENOMEM;
	memset(e + s->room, 0, (size_t)(room - s->room) * sizeof *e);
	s->entries = e;
	s->room = room;
	return 0;
}

int myr_selector_set(struct myr_selector *s, int fd, unsigned events, void *data)
{
	struct selector_entry *e;
	int err;

	if (fd < 0)
		return -EBADF;
	if ((events & ~(unsigned)(MYR_READ | MYR_WRITE)) != 0)
		return -EINVAL;
	if (s->ops->fd_limit != 0 && fd >= s->ops->fd_limit)
		return fail(-EMFILE, "select cannot watch descriptor %d: its limit is %d", fd, s->ops->fd_limit);
	if (events == 0 && fd >= s->room)
		return 0;
	/* Only epoll would say so itself; and a table goes no further than the descriptors do. */
	if ((fd >= s->room || s->entries[fd].events == 0) && events != 0 && fcntl(fd, F_GETFD) < 0)
		return -EBADF;
	err = selector_reserve(s, fd);
	if (err < 0)
		return err;
	e = &s->entries[fd];
	err = e->events != events ? s->ops->set(s, fd, e->events, events, (void *)(intptr_t)fd) : 0;
	if (err < 0)
		return err;
	*e = (struct selector_entry){ events, data };
	return 0;
}

int myr_selector_wait(struct myr_selector *s, struct myr_event *events, int max, int ms)
{
	int n;

	if (max <= 0)
		return -EINVAL;
	n = s->ops->wait(s, events, max, ms < 0 ? -1 : ms);
	for (int i = 0; i < n; i++) {
		const struct selector_entry *e = &s->entries[(intptr_t)events[i].data];

		events[i].fd = (int)(intptr_t)events[i].data;
		events[i].events &= e->events;          /* a hang-up comes as both, whatever was asked */
		events[i].data = e->data;
	}
	return n;
}

void myr_selector_free(struct myr_selector *s)
{
	if (s == NULL)
		return;
	selector_close(s);
	free(s);
}
