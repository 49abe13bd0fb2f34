/* SPDX-License-Identifier: MIT
 *
 * owner.h - who a server is once it listens: --user and --group, and no way back. */
#ifndef CLI_OWNER_H
#define CLI_OWNER_H

#include <stdbool.h>
#include <sys/types.h>

struct owner {
	bool wanted;                    /* false: stay who we are */
	uid_t uid;
	gid_t gid;
	char name[64];                  /* of the user, for its further groups; "": it has none */
};

/* Names or numbers; NULL: not given.  A user's group is its own unless one is given.  Returns OPTS_GO_ON, or
 * the exit status: it has been said what is wrong. */
int owner_find(struct owner *, const char *user, const char *group);
/* NoNewPrivs, if there is another to become: it is each thread's own, so this is for when there is but one, before
 * the application is loaded.  Returns as above. */
int owner_begin(const struct owner *);
/* Become it, for good, after owner_begin(): groups, group, user; then make sure that root cannot be regained.
 * 0 or -errno. */
int owner_become(const struct owner *);

#endif
