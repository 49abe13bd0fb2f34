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
	service_echo, service_reverse, service_discard, service_chargen, service_daytime, service_time;

/* The RFCs' ports are below 1024 and need a right; the default is the same number plus 50000. */
struct builtin {
	const struct myr_service *service;
	int port;
};
extern const struct builtin builtins[];         /* service NULL at the end */

#endif
