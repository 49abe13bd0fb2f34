#include <myriad.h>                                      /* blocking style: 12 lines */

static void echo(struct myr_conn *c)
{
	char buf[4096];
	ssize_t n;

	while ((n = myr_read(c, buf, sizeof buf)) > 0)
		myr_write(c, buf, n);
}

int main(void) { return myr_serve(&(struct myr_service){ .handle = echo }, "tcp::7007", "epoll"); }
