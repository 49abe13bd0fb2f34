/* SPDX-License-Identifier: MIT
 *
 * services.c - the table of services: `myriad services`, `myriad serve NAME`. */
#include "service/services.h"

#define APP(s) &(const struct myr_app){ .size = sizeof(struct myr_app), .service_size = sizeof(struct myr_service), .service = s }

const struct builtin builtins[] = {
	{ .app = APP(&service_echo),    .port = 50007 },        /* RFC 862: 7 */
	{ .app = APP(&service_reverse), .port = 50008 },
	{ .app = APP(&service_discard), .port = 50009 },        /* RFC 863: 9 */
	{ .app = APP(&service_daytime), .port = 50013 },        /* RFC 867: 13 */
	{ .app = APP(&service_chargen), .port = 50019 },        /* RFC 864: 19 */
	{ .app = APP(&service_time),    .port = 50037 },        /* RFC 868: 37 */
	{ .app = NULL }
};
