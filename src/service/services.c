/* SPDX-License-Identifier: MIT
 *
 * services.c - the table of services: `myriad services`, `myriad serve NAME`. */
#include "service/services.h"

#include <string.h>

#define APP(s) &(const struct myr_app){ .size = sizeof(struct myr_app), .service_size = sizeof(struct myr_service), .service = s }

const struct builtin builtins[] = {
	{ .app = APP(&service_echo),    .port = 50007, .editions = editions_echo },     /* RFC 862: 7 */
	{ .app = &app_reverse,          .port = 50008, .editions = editions_reverse },
	{ .app = APP(&service_discard), .port = 50009 },        /* RFC 863: 9 */
	{ .app = &app_stamp,            .port = 50010, .editions = editions_stamp },
	{ .app = &app_list,             .port = 50011, .editions = editions_list },
	{ .app = &app_count,            .port = 50012, .editions = editions_count },
	{ .app = APP(&service_daytime), .port = 50013 },        /* RFC 867: 13 */
	{ .app = &app_primes,           .port = 50014 },
	{ .app = APP(&service_chargen), .port = 50019 },        /* RFC 864: 19 */
	{ .app = APP(&service_time),    .port = 50037 },        /* RFC 868: 37 */
	{ .app = NULL }
};

const struct builtin *builtin_find(const char *name)
{
	const struct builtin *b = builtins;

	while (b->app != NULL && strcmp(b->app->service->name, name) != 0)
		b++;
	return b->app != NULL ? b : NULL;
}
