/* SPDX-License-Identifier: MIT
 *
 * app_build.h - an application made from its source: one .c file, one call of the compiler. */
#ifndef CLI_APP_BUILD_H
#define CLI_APP_BUILD_H

#include <limits.h>

struct app_build {
	char dir[PATH_MAX];             /* ours alone, removed by app_build_remove(); "": there is none */
	char object[PATH_MAX + 16];     /* what to load */
};

/* $CC or cc, with <myriad.h> of this program, $CFLAGS and `cflags` (NULL: none).  What the compiler says
 * goes to standard error as it is.  Returns OPTS_GO_ON, or the exit status: the rest has been said.  A signal
 * that ends the process removes it, too. */
int  app_build(struct app_build *, const char *source, const char *cflags);
void app_build_remove(struct app_build *);

#endif
