/* SPDX-License-Identifier: MIT
 *
 * echo.c - RFC 862: what comes in goes out.
 *
 * Nothing here limits a client that sends and never reads: the library stops reading from it once
 * its output is full. */
#include "service/services.h"

static size_t echo(struct myr_conn *c, const void *bytes, size_t n)
{
	myr_write(c, bytes, n);
	return n;
}

const struct myr_service service_echo = {
	.name = "echo", .about = "what comes in goes out (RFC 862)",
	.on_data = echo,
};
