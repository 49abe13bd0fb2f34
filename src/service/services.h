/* SPDX-License-Identifier: MIT
 *
 * services.h - the services that come with the command.
 *
 * Each is one small file that sees nothing but <myriad.h>: they are examples of its use.  To add one,
 * write its file, declare it here and give it a line in services.c. */
#ifndef MYR_SERVICES_H
#define MYR_SERVICES_H

#include <myriad.h>

extern const struct myr_service
	service_echo, service_reverse, service_discard, service_chargen, service_daytime, service_time,
	service_count, service_list, service_primes, service_stamp;
/* Those with options. */
extern const struct myr_app app_count, app_list, app_primes, app_reverse, app_stamp;

/* A service as a tutorial has it, to the byte: `--seed-exact`, or `--seed-exact=ID`.  What it prints
 * goes to standard output, and nothing else does. */
struct edition {
	const char *id;                 /* "S0-P3": the tutorial's number and the program's */
	const struct myr_service *service;
	const char *endpoints[3];       /* the tutorial's, unless others are given; ends with NULL */
	const char *engine;             /* the tutorial's, unless another is given */
	const char *value;              /* "delay=5s": its own default for an option; NULL: the service's */
	void (*started)(struct myr_server *, int listeners);    /* prints that it listens; may be NULL */
	const char *interrupted, *ended;        /* printed at the first Ctrl-C, at the end; NULL: nothing */
};

extern const struct edition editions_count[], editions_echo[], editions_list[], editions_reverse[], editions_stamp[];

/* The RFCs' ports are below 1024 and need a right; the default is the same number plus 50000. */
struct builtin {
	const struct myr_app *app;      /* its options are options of `myriad serve`: --name; those whose default is
	                                   "no" are switches */
	int port;
	const struct edition *editions; /* the usual one first; ends with a NULL id; NULL: none */
};
extern const struct builtin builtins[];         /* app NULL at the end */
const struct builtin *builtin_find(const char *name);   /* NULL: there is none */

#endif
