/* SPDX-License-Identifier: MIT
 *
 * daytime.c - RFC 867: the date and the time as a line of text, then the end. */
#include <time.h>

#include "service/services.h"

static void tell(struct myr_conn *c)
{
	time_t now = myr_time(c);
	struct tm tm;
	char line[64];

	if (gmtime_r(&now, &tm))
		myr_write(c, line, strftime(line, sizeof line, "%A, %B %d, %Y %H:%M:%S-UTC\r\n", &tm));
	myr_close(c);
}

const struct myr_service service_daytime = {
	.name = "daytime", .about = "the date and time as text, once (RFC 867)",
	.on_open = tell,
};
