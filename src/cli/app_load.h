/* SPDX-License-Identifier: MIT
 *
 * app_load.h - an application from a shared object, made with MYR_APP.
 *
 * It is loaded in a child first: what crashes there has crashed nobody.  It is never unloaded. */
#ifndef CLI_APP_LOAD_H
#define CLI_APP_LOAD_H

#include <myriad.h>

struct app_loaded {
	struct myr_app app;             /* ours: what an older application lacks is zero */
	struct myr_service service;
};

/* `shown` is what messages call it.  Returns OPTS_GO_ON, or the exit status: it has been said why. */
int app_load(struct app_loaded *, const char *path, const char *shown);
/* As root nobody else may be able to change what is loaded: the file, and every folder and link that leads to
 * it.  As above. */
int app_trust(const char *path);

#endif
