/* SPDX-License-Identifier: MIT
 *
 * out.c - whole writes to standard output, without stdio's buffer: what has come is seen at once. */
#include "cli/out.h"

#include <errno.h>
#include <myriad.h>
#include <string.h>
#include <unistd.h>

#include "cli/say.h"

#define PIECE 1024

void out_open(struct out *o, const char *command)
{
	*o = (struct out){ .command = command, .terminal = isatty(STDOUT_FILENO) };
}

static bool out_put(struct out *o, const char *p, size_t n)
{
	if (n > 0)
		o->line = p[n - 1] != '\n';
	while (n > 0 && o->err == 0) {
		ssize_t put = write(STDOUT_FILENO, p, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0) {
			o->err = -errno;
			if (o->err != -EPIPE)   /* head(1) has seen enough: nothing is wrong */
				say_error(o->command, "cannot write: %s", myr_strerror(o->err));
			break;
		}
		p += put;
		n -= (size_t)put;
	}
	return o->err == 0;
}

bool out_bytes(struct out *o, const void *bytes, size_t n)
{
	char text[4 * (PIECE + 4)];
	const char *p = bytes;

	if (!o->terminal)
		return out_put(o, p, n);
	for (size_t piece; n > 0 && o->err == 0; n -= piece, p += piece) {
		piece = n < PIECE ? n : PIECE;
		out_put(o, text, text_show(&o->shown, text, p, piece));
	}
	return o->err == 0;
}

bool out_text(struct out *o, const char *text)
{
	return out_end(o) && out_put(o, text, strlen(text));
}

bool out_end(struct out *o)
{
	char text[16];

	return out_put(o, text, text_show_end(&o->shown, text));
}

int out_status(const struct out *o)
{
	return o->err == 0 || o->err == -EPIPE ? EXIT_DONE : EXIT_FAILED;
}
