/* SPDX-License-Identifier: MIT
 *
 * services.c - the table of services: `myriad services`, `myriad serve NAME`. */
#include "service/services.h"

const struct builtin builtins[] = {
	{ &service_echo,    50007 },            /* RFC 862: 7 */
	{ &service_reverse, 50008 },
	{ &service_discard, 50009 },            /* RFC 863: 9 */
	{ &service_daytime, 50013 },            /* RFC 867: 13 */
	{ &service_chargen, 50019 },            /* RFC 864: 19 */
	{ &service_time,    50037 },            /* RFC 868: 37 */
	{ NULL, 0 }
};
