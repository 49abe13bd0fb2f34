/* SPDX-License-Identifier: MIT
 *
 * The second client waits.  One connection at a time: the kernel connects the others, and they may even send,
 * but nobody answers them before the first has left; then they are served in the order in which they asked.
 *
 *	03-second-client-waits [ENDPOINT [ENGINE]]
 *
 * The cure is the last argument: the same handler with "thread", "fork" or "epoll" keeps nobody waiting. */
#include <myriad.h>

static void echo(struct myr_conn *c)
{
	char buf[1024];
	ssize_t n;

	while ((n = myr_read(c, buf, sizeof buf)) > 0)     /* as long as this client stays, we are here */
		myr_write(c, buf, n);
}

int main(int argc, char **argv)
{
	const struct myr_service service = { .name = "one at a time", .handle = echo };

	return myr_serve(&service, argc > 1 ? argv[1] : "50007", argc > 2 ? argv[2] : "iterative");
}
