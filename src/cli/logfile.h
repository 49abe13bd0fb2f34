/* SPDX-License-Identifier: MIT
 *
 * logfile.h - standard output and error in a file: whole lines, each with its time, opened anew on request.
 *
 * A process of its own writes the file, all others have a pipe to it.  So there is one place where the
 * file is opened, whatever forks: after a request to open it anew no worker, no child and no printf of a
 * service can write to the old one.  It escapes what could harm who reads the log, lives until the last
 * of those who write has gone, and so also keeps the last words of one that was killed. */
#ifndef CLI_LOGFILE_H
#define CLI_LOGFILE_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>

#include "cli/owner.h"

struct logfile {
	int   control;                  /* orders to the writer; -1: there is none */
	pid_t writer;                   /* our child; 0: another's */
	bool  output;                   /* standard output is the file's, too */
	bool  handed;                   /* another process goes on with it */
	char  path[PATH_MAX];           /* from the root */
};

int  logfile_path(struct logfile *, const char *path);   /* 0 or -errno */
/* From now on 1 (if `output`) and 2 are the file's.  Until logfile_started() lines also go to what 2 was;
 * then `says` goes to `report` (-1: nowhere), which the writer closes.  The writer is `owner`, and so is a
 * file it makes; one that is there must be a file that the owner may write, or lie where root alone decides.
 * No pipe: it could hold up the server.  0 or -errno. */
int  logfile_start(struct logfile *, bool output, const struct owner *, int report, const char *says);
void logfile_started(const struct logfile *);   /* [sig] */
void logfile_reopen(const struct logfile *);    /* [sig] */
/* Our last line has been written: wait until it is in the file, but not for ever. */
void logfile_end(struct logfile *);

#endif
