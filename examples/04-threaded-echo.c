/* SPDX-License-Identifier: MIT
 *
 * A thread for each client, and the three parts of a handler: setup, handle, finish.
 *
 *	04-threaded-echo [ENDPOINT [ENGINE]]
 *
 * setup() may refuse; when it has not, finish() runs, once, however the connection ended: what one takes, the other
 * gives back.  The log shows each connection's number, so one can see them side by side. */
#include <myriad.h>
#include <syslog.h>

static int setup(struct myr_conn *c)
{
	myr_log(c, LOG_INFO, "accepted connection by %s", myr_peer(c));
	return 0;
}

static void handle(struct myr_conn *c)
{
	char buf[1024];
	ssize_t n;

	while ((n = myr_read(c, buf, sizeof buf)) > 0) {
		myr_log(c, LOG_INFO, "received from %s data %.*s", myr_peer(c), (int)n, buf);
		myr_write(c, buf, n);                      /* all of it: never a part */
	}
}

static void finish(struct myr_conn *c)
{
	myr_log(c, LOG_INFO, "terminating connection to %s", myr_peer(c));
}

int main(int argc, char **argv)
{
	const struct myr_service service = {
		.name = "threaded echo", .setup = setup, .handle = handle, .finish = finish,
	};

	return myr_serve(&service, argc > 1 ? argv[1] : "50007", argc > 2 ? argv[2] : "thread");
}
