/* SPDX-License-Identifier: MIT
 *
 * send() may take a part.  It returns how much, and who does not look loses the rest.
 *
 * First the bare call on a socket nobody reads from; then the loop that is needed round it; then myr_write(),
 * which takes all or nothing, so that there is no loop to forget. */
#include <errno.h>
#include <myriad.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ALL = 8 << 20 };

static char data[ALL];

static void open_service(struct myr_conn *c)
{
	myr_write(c, data, ALL);
}

int main(void)
{
	const struct myr_service service = { .on_open = open_service };
	struct myr_test *peer;
	size_t done, calls = 0, got;
	char sink[65536];
	ssize_t n;
	int fd[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) < 0) {
		perror("socketpair");
		return 1;
	}
	n = send(fd[0], data, ALL, MSG_NOSIGNAL);
	if (n < 0) {
		perror("send");
		return 1;
	}
	printf("send() was given %d bytes and took %s\n", (int)ALL, n < ALL ? "a part" : "all");

	for (done = n; done < ALL; calls++) {              /* what sendall() is: again with what is left */
		n = send(fd[0], data + done, ALL - done, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN) {
			perror("send");
			return 1;
		}
		done += n > 0 ? n : 0;
		if (read(fd[1], sink, sizeof sink) < 0)    /* the other side must read, or it never ends */
			return 1;
	}
	printf("in a loop: %s, %s\n", calls > 1 ? "many more calls" : "one more call", done == ALL ? "all sent" : "lost");
	close(fd[0]);
	close(fd[1]);

	if (myr_test_new(&peer, &service, NULL) < 0) {
		fprintf(stderr, "%s\n", myr_reason());
		return 1;
	}
	for (got = 0; myr_test_sent(peer, &done) != NULL && done > 0; got += done)
		myr_test_pass(peer, 1);
	printf("myr_write(): one call, the peer got %zu of %d\n", got, (int)ALL);
	myr_test_free(peer);
	return got == ALL ? 0 : 1;
}
