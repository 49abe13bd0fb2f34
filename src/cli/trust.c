/* SPDX-License-Identifier: MIT
 *
 * trust.c - a path gone as the kernel goes it: name by name, link by link.
 *
 * `at` never has a link in it, so that ".." is the name before, and nothing but checked folders. */
#include "cli/trust.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40                    /* the kernel's own limit */

bool trust_is_others(const struct stat *st)
{
	bool sticky = S_ISDIR(st->st_mode) && (st->st_mode & S_ISVTX);  /* there nobody replaces another's file */

	return st->st_uid != 0 || (!S_ISLNK(st->st_mode) && !sticky && (st->st_mode & 022));
}

static int trust_begin(struct trust *t, char *rest, const char *path)
{
	char here[PATH_MAX] = "";
	int n;

	*t = (struct trust){ .links = 0 };
	if (*path != '/' && !getcwd(here, sizeof here))
		return -errno;
	n = snprintf(rest, PATH_MAX, "%s/%s", here, path);
	return n >= PATH_MAX ? -ENAMETOOLONG : lstat("/", &t->st) < 0 ? -errno : trust_is_others(&t->st);
}

static void trust_up(struct trust *t)
{
	char *slash = strrchr(t->at, '/');

	if (slash)
		*slash = '\0';
}

/* The link's text in place of its name. */
static int trust_follow(struct trust *t, char *rest)
{
	char text[PATH_MAX], whole[2 * PATH_MAX];
	ssize_t n = readlink(t->at, text, sizeof text - 1);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	if (++t->links > LINKS_MAX)
		return -ELOOP;
	if (snprintf(whole, sizeof whole, "%s/%s", text, rest) >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(rest, whole);
	trust_up(t);
	if (*text == '/')
		t->at[0] = '\0';
	return lstat(*t->at ? t->at : "/", &t->st) < 0 ? -errno : 0;
}

static int trust_enter(struct trust *t, const char *name, char *rest)
{
	size_t n = strlen(t->at);

	t->shared = (t->st.st_mode & 022) != 0;
	if (snprintf(t->at + n, sizeof t->at - n, "/%s", name) >= (int)(sizeof t->at - n))
		return -ENAMETOOLONG;
	if (lstat(t->at, &t->st) < 0)
		return -errno;
	if ((S_ISLNK(t->st.st_mode) || S_ISDIR(t->st.st_mode)) && trust_is_others(&t->st))
		return 1;
	return S_ISLNK(t->st.st_mode) ? trust_follow(t, rest) : 0;
}

static int trust_step(struct trust *t, const char *name, char *rest)
{
	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") != 0)
		return trust_enter(t, name, rest);
	trust_up(t);
	return lstat(*t->at ? t->at : "/", &t->st) < 0 ? -errno : 0;
}

int trust_path(struct trust *t, const char *path)
{
	char rest[PATH_MAX], name[PATH_MAX];
	int err = trust_begin(t, rest, path);

	while (err == 0) {
		char *from = rest + strspn(rest, "/");
		size_t n = strcspn(from, "/");

		if (n == 0)
			break;
		memcpy(name, from, n);
		name[n] = '\0';
		memmove(rest, from + n, strlen(from + n) + 1);
		err = trust_step(t, name, rest);
	}
	if (!*t->at)
		strcpy(t->at, "/");
	return err;
}
