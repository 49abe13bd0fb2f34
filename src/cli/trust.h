/* SPDX-License-Identifier: MIT
 *
 * trust.h - can anybody but root change what a path leads to?
 *
 * Asked of one place the answer is worth nothing: who can write any folder on the way, or has set a link
 * there, decides where the way ends.  So it is gone step by step, each link too.  What only root can change
 * stays as it was found, so a path that has passed can be opened by its name. */
#ifndef CLI_TRUST_H
#define CLI_TRUST_H

#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

struct trust {
	char at[PATH_MAX];              /* where it leads to, or the folder or link that others can change */
	struct stat st;                 /* of that */
	int  links;                     /* passed on the way */
	bool shared;                    /* it is in a folder where all can make files, as /tmp */
};

/* 0: root alone decides about the way there (who owns the file at its end is for the caller to judge, by `st`);
 * 1: so do others; or -errno: -ENOENT with the way judged so far, if there is no file. */
int  trust_path(struct trust *, const char *path);
/* Can others than root write it, or give themselves the right to? */
bool trust_is_others(const struct stat *);

#endif
