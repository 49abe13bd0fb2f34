/* SPDX-License-Identifier: MIT
 *
 * What belongs to a connection, and what to all of them.  A framework's factory makes one protocol object for each
 * connection; here the library makes it: `state` bytes, zeroed, freed with the connection.  What all of them use is
 * the factory itself: the argument of myr_server_add() for what does not change, `shared` for what does.
 *
 *	13-factory-state [ENDPOINT [ENGINE]] */
#include <myriad.h>

struct protocol { unsigned long lines; };      /* one for each connection */
struct totals   { unsigned long lines; };      /* one for all, in every thread and process */

static void line(struct myr_conn *c, const void *p, size_t n)
{
	struct protocol *mine = myr_state(c);
	struct totals *all = myr_shared(c);
	unsigned long total;

	(void)p;
	(void)n;
	mine->lines++;
	myr_lock(c);
	total = ++all->lines;
	myr_unlock(c);
	myr_printf(c, "your line %lu, line %lu of all\n", mine->lines, total);
}

int main(int argc, char **argv)
{
	const struct myr_service service = {
		.name = "factory state", .framing = &myr_lines, .on_frame = line,
		.state = sizeof(struct protocol), .shared = sizeof(struct totals),
	};

	return myr_serve(&service, argc > 1 ? argv[1] : "50007", argc > 2 ? argv[2] : NULL);
}
