/* SPDX-License-Identifier: MIT
 *
 * The loop that spins.  A healthy socket can almost always be written to.  Who always asks for MYR_WRITE is told so
 * at once, again and again, while nothing happens: one idle connection keeps a processor busy.
 *
 * So ask for it only while there is something to write: 07-multi-echo-selector.c does. */
#include <myriad.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WAITS = 1000 };

/* How many of n waits returned before their time was up, on one idle connection. */
static int returns(struct myr_selector *s, int fd, unsigned events, int n, int ms)
{
	struct myr_event e;
	int early = 0;

	if (myr_selector_set(s, fd, events, NULL) < 0)
		return -1;
	for (int i = 0; i < n; i++)
		early += myr_selector_wait(s, &e, 1, ms) > 0;
	return early;
}

int main(int argc, char **argv)
{
	struct myr_selector *s;
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) < 0 || myr_selector_new(&s, argc > 1 ? argv[1] : NULL) < 0) {
		fprintf(stderr, "%s\n", myr_reason());
		return 1;
	}
	printf("asking for READ and WRITE: %d of %d waits returned at once\n",
	       returns(s, fd[0], MYR_READ | MYR_WRITE, WAITS, 1000), (int)WAITS);
	printf("asking for READ:           %d of %d waits returned at once\n", returns(s, fd[0], MYR_READ, 10, 10), 10);
	if (write(fd[1], "x", 1) != 1)
		return 1;
	printf("... and one byte later:    %d of %d waits returned at once\n", returns(s, fd[0], MYR_READ, 1, 1000), 1);
	myr_selector_set(s, fd[0], 0, NULL);
	myr_selector_free(s);
	close(fd[0]);
	close(fd[1]);
	return 0;
}
