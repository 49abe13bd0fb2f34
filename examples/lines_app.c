/* SPDX-License-Identifier: MIT */
#include <myriad.h>

static void handle(struct myr_conn *c)                  /* blocking style, any engine */
{
	char line[1024];

	while (myr_recv(c, line, sizeof line) >= 0)
		myr_printf(c, "%s\r\n", line);
}
static const struct myr_service lines = { .name = "lines", .framing = &myr_crlf, .handle = handle };

MYR_APP("lines", "each line comes back", &lines, "tcp::7000");
