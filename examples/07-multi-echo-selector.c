/* SPDX-License-Identifier: MIT
 *
 * Echo for many connections on the bare selector: everything the library otherwise does, by hand.
 *
 *	07-multi-echo-selector [ENDPOINT [select|poll|epoll]]
 *
 * What one must think of: data NULL marks the listener and a record travels with each connection; forget a
 * descriptor before closing it; ask for WRITE only while there is something to send; read no more while there is,
 * so that a client who does not read cannot fill our memory; a reset ends one connection, not the server. */
#include <errno.h>
#include <myriad.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct client {
	int    fd;
	size_t n;                      /* bytes in out that are not sent yet */
	char   out[1024];
};

static volatile sig_atomic_t stopped;

static void stop(int sig)
{
	(void)sig;
	stopped = 1;
}

static void take(struct myr_selector *s, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *c;

	if (fd < 0)
		return;                /* gone again, or no descriptor left: the others go on */
	c = calloc(1, sizeof *c);
	if (c == NULL || myr_selector_set(s, fd, MYR_READ, c) < 0) {
		free(c);
		close(fd);
		return;
	}
	c->fd = fd;
}

static void leave(struct myr_selector *s, struct client *c)
{
	myr_selector_set(s, c->fd, 0, NULL);
	close(c->fd);
	free(c);
}

static void serve(struct myr_selector *s, struct client *c, unsigned events)
{
	ssize_t n;

	if (events & MYR_READ) {
		n = recv(c->fd, c->out, sizeof c->out, 0);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
			leave(s, c);
			return;
		}
		c->n = n > 0 ? n : 0;
	}
	if (c->n > 0) {
		n = send(c->fd, c->out, c->n, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			leave(s, c);
			return;
		}
		if (n > 0)
			memmove(c->out, c->out + n, c->n -= n);
	}
	if (myr_selector_set(s, c->fd, c->n > 0 ? MYR_WRITE : MYR_READ, c) < 0)
		leave(s, c);
}

int main(int argc, char **argv)
{
	const char *endpoint = argc > 1 ? argv[1] : "65432";
	struct sigaction on_int = { .sa_handler = stop };
	struct sockaddr_in here;
	socklen_t size = sizeof here;
	struct myr_selector *s;
	struct myr_event e[64];
	int n, listener = myr_listen(endpoint);

	if (listener < 0 || myr_selector_new(&s, argc > 2 ? argv[2] : NULL) < 0 ||
	    myr_selector_set(s, listener, MYR_READ, NULL) < 0) {
		fprintf(stderr, "%s\n", myr_reason());
		return 1;
	}
	if (getsockname(listener, (struct sockaddr *)&here, &size) == 0 && here.sin_family == AF_INET)
		fprintf(stderr, "multi echo on tcp:127.0.0.1:%d, by hand\n", ntohs(here.sin_port));
	sigaction(SIGINT, &on_int, NULL);
	sigaction(SIGTERM, &on_int, NULL);
	while (!stopped) {
		n = myr_selector_wait(s, e, 64, MYR_NONE);
		if (n < 0 && n != -EINTR) {
			fprintf(stderr, "%s\n", myr_strerror(n));
			return 1;
		}
		for (int i = 0; i < n; i++) {
			if (e[i].data == NULL)
				take(s, e[i].fd);
			else
				serve(s, e[i].data, e[i].events);
		}
	}
	myr_selector_free(s);          /* the kernel closes the rest */
	return 0;
}
