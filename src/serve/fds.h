/* SPDX-License-Identifier: MIT
 *
 * fds.h - a set of descriptors, for processes that fork.
 *
 * A forked child keeps what is the user's (a log, a data file) and its own two or three; everything
 * else of ours is closed, or a dead parent's port would stay taken and ends would never be seen.
 * The set is made beforehand: in the child nothing is allocated. */
#ifndef MYR_FDS_H
#define MYR_FDS_H

struct fds {
	int *fd;                        /* in order */
	unsigned n, room;
};

/* What is open now, with room for `more`: 0 or -ENOMEM. */
int  fds_open_now(struct fds *, unsigned more);
void fds_done(struct fds *);
void fds_add(struct fds *, int fd);
void fds_remove(struct fds *, int fd);
void fds_close_others(const struct fds *);      /* all that are not in the set */

#endif
