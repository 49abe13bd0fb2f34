#include <myriad.h>                                      /* callback style: 9 lines */

static size_t echo(struct myr_conn *c, const void *p, size_t n)
{
	myr_write(c, p, n);
	return n;
}

int main(void) { return myr_serve(&(struct myr_service){ .on_data = echo }, "tcp::7007", "io_uring"); }
