/* SPDX-License-Identifier: MIT
 *
 * chargen.c - RFC 864: lines of 72 characters, each beginning one character further on.
 *
 * As fast as the client reads, and no faster: it writes until the output is full and goes on when
 * there is room. */
#include "service/services.h"

#define FIRST   ' '
#define COUNT   95                      /* printable ASCII */
#define COLUMNS 72

static void generate(struct myr_conn *c)
{
	unsigned *start = myr_state(c);
	char line[COLUMNS + 2];

	while (!myr_full(c)) {
		for (unsigned i = 0; i < COLUMNS; i++)
			line[i] = (char)(FIRST + (*start + i) % COUNT);
		line[COLUMNS] = '\r';
		line[COLUMNS + 1] = '\n';
		if (myr_write(c, line, sizeof line) < 0)
			return;
		*start = (*start + 1) % COUNT;
	}
}

const struct myr_service service_chargen = {
	.name = "chargen", .about = "characters without end (RFC 864)",
	.state = sizeof(unsigned), .on_open = generate, .on_room = generate,
};
