/* SPDX-License-Identifier: MIT
 *
 * time.c - RFC 868: the seconds since 1900 as 32 bits, most significant byte first, then the end.
 *
 * 32 bits are full in 2036; RFC 868 has no answer, so they wrap. */
#include "service/services.h"

#define FROM_1900_TO_1970 2208988800u

static void tell(struct myr_conn *c)
{
	uint32_t now = (uint32_t)myr_time(c) + FROM_1900_TO_1970;
	const uint8_t bytes[4] = { (uint8_t)(now >> 24), (uint8_t)(now >> 16), (uint8_t)(now >> 8), (uint8_t)now };

	myr_write(c, bytes, sizeof bytes);
	myr_close(c);
}

const struct myr_service service_time = {
	.name = "time", .about = "the seconds since 1900 as four bytes, once (RFC 868)",
	.on_open = tell,
};
