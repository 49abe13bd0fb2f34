/* SPDX-License-Identifier: MIT
 *
 * owner.c - rights given up: in the one order in which each step is still allowed. */
#include "cli/owner.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cli/opts.h"
#include "cli/say.h"

#define COMMAND "myriad run"

static bool owner_number(const char *text, unsigned *n)
{
	char *end;
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	*n = (unsigned)v;
	return *text >= '0' && *text <= '9' && *end == '\0' && errno == 0 && v < 0xffffffff;  /* -1 means "as it is" */
}

static int owner_find_user(struct owner *o, const char *text)
{
	unsigned n;
	const struct passwd *p = owner_number(text, &n) ? getpwuid(n) : getpwnam(text);

	if (p) {
		snprintf(o->name, sizeof o->name, "%s", p->pw_name);
		o->uid = p->pw_uid;
		o->gid = p->pw_gid;
		return OPTS_GO_ON;
	}
	if (owner_number(text, &n)) {           /* one that has no name; nor has its group */
		o->uid = n;
		o->gid = n;
		return OPTS_GO_ON;
	}
	say_error(COMMAND, "--user: there is no user \"%s\"", text);
	return EXIT_USAGE;
}

static int owner_find_group(struct owner *o, const char *text)
{
	const struct group *g = getgrnam(text);
	unsigned n;

	if (g)
		o->gid = g->gr_gid;
	else if (owner_number(text, &n))
		o->gid = n;
	else {
		say_error(COMMAND, "--group: there is no group \"%s\"", text);
		return EXIT_USAGE;
	}
	return OPTS_GO_ON;
}

int owner_find(struct owner *o, const char *user, const char *group)
{
	int status = OPTS_GO_ON;

	*o = (struct owner){ .uid = geteuid(), .gid = getegid() };
	if (user)
		status = owner_find_user(o, user);
	if (status == OPTS_GO_ON && group)
		status = owner_find_group(o, group);
	if (status != OPTS_GO_ON)
		return status;
	o->wanted = (user || group) && (geteuid() == 0 || o->uid != geteuid() || o->gid != getegid());
	if (o->wanted && geteuid() != 0) {
		say_error(COMMAND, "%s needs root: only root may become another user", user ? "--user" : "--group");
		return EXIT_FAILED;
	}
	return OPTS_GO_ON;
}

static bool owner_can_go_back(const struct owner *o)
{
	uid_t real, effective, saved;
	gid_t greal, geffective, gsaved;

	if (getresuid(&real, &effective, &saved) < 0 || getresgid(&greal, &geffective, &gsaved) < 0)
		return true;
	if (real != o->uid || effective != o->uid || saved != o->uid || greal != o->gid || geffective != o->gid ||
	    gsaved != o->gid)
		return true;
	return o->uid != 0 && (setuid(0) == 0 || seteuid(0) == 0);
}

int owner_begin(const struct owner *o)
{
	if (!o->wanted || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		return OPTS_GO_ON;
	say_error(COMMAND, "cannot give up new rights: %s", myr_strerror(-errno));
	return EXIT_FAILED;
}

/* NoNewPrivs is not among what libc sets for all threads (setuid and its like are): owner_begin() has set it, and
 * this makes sure. */
int owner_become(const struct owner *o)
{
	if (!o->wanted)
		return 0;
	if ((*o->name ? initgroups(o->name, o->gid) : setgroups(1, &o->gid)) < 0 ||
	    setresgid(o->gid, o->gid, o->gid) < 0 || setresuid(o->uid, o->uid, o->uid) < 0)
		return -errno;
	if (owner_can_go_back(o))
		return -EPERM;
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : -EPERM;
}
