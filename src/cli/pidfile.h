/* SPDX-License-Identifier: MIT
 *
 * pidfile.h - the file that says which process serves an application; while it does, the file is locked.
 *
 * The lock is the truth and the kernel keeps it: it ends with the process, however that ends.  What
 * stands in the file says who it is, and since when:
 *
 *	4127
 *	start=8837464           when, in clock ticks after boot: a number used again has another start
 *	failed=0000000          reloads that failed
 *	name=lines              and more, each to the end of its line: since, log, listen (several), reload
 *
 * The lock belongs to the open file (fcntl, F_OFD_SETLK), so a process that replaces this one inherits it
 * without a moment between.  Forked children do not: in them the file is closed.
 *
 * Everybody may read the file, and so lock it for reading; such a lock on one that was left over is nothing,
 * and the file is replaced.  Those who do that take turns, for the moment by a file NAME.pid.new. */
#ifndef CLI_PIDFILE_H
#define CLI_PIDFILE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#define PIDFILE_TEXT 4096

struct pidfile {
	int   fd;                       /* -1: there is none */
	pid_t owner;                    /* who may remove it */
	char  path[PATH_MAX];
	char  text[PIDFILE_TEXT];       /* what it says next; in memory so that a signal handler can write it */
	size_t text_n;
};

/* 0; -EBUSY: *other has it (0: it has not said who it is); or -errno.  One in a process. */
int  pidfile_take(struct pidfile *, const char *path, pid_t *other);
/* With the lock inherited in fd. */
void pidfile_inherit(struct pidfile *, const char *path, int fd);
/* Begin what it says, for this process; then more lines. */
void pidfile_begin(struct pidfile *);
void pidfile_add(struct pidfile *, const char *key, const char *value);
void pidfile_write(const struct pidfile *);     /* [sig] */
void pidfile_count_failed(const struct pidfile *);      /* [sig] one more reload has failed */
/* Removed, if it is still ours. */
void pidfile_release(struct pidfile *);

struct pidfile_says {
	bool  there;                    /* the file exists */
	bool  held;                     /* it is locked: somebody serves */
	pid_t pid;                      /* 0: it does not say, or says nonsense */
	unsigned long long start;
	unsigned failed;
	dev_t dev;
	ino_t ino;
	char  text[PIDFILE_TEXT];
};

/* 0, also if there is none; -errno: it cannot be read. */
int  pidfile_read(const char *path, struct pidfile_says *);
/* The value of a key, its n-th one; false: there is none.  Cut to size. */
bool pidfile_value(const struct pidfile_says *, const char *key, int n, char *dst, size_t size);
/* When the process started, in clock ticks after boot; 0: there is no such process. */
unsigned long long pidfile_start_of(pid_t);

#endif
