/* SPDX-License-Identifier: MIT
 *
 * A loop watches any descriptor, not only sockets: here the keyboard.  Typing EXIT ends the server cleanly: it takes
 * no more clients and leaves when those it has are gone.
 *
 *	10-stdin-in-the-loop [ENDPOINT [ENGINE]] */
#include <errno.h>
#include <myriad.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static size_t echo(struct myr_conn *c, const void *p, size_t n)
{
	myr_write(c, p, n);
	return n;
}

static void typed(struct myr_loop *l, int fd, unsigned events, void *arg)
{
	static char line[64];          /* what was typed may come in pieces, too */
	static size_t have;
	ssize_t n = read(fd, line + have, sizeof line - 1 - have);
	char *end;

	(void)events;
	(void)arg;
	if (n <= 0) {                  /* nobody will type any more: clients are still served */
		myr_watch(l, fd, 0, NULL, NULL);
		return;
	}
	have += n;
	line[have] = '\0';
	while ((end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		if (strcmp(line, "EXIT") == 0)
			myr_loop_stop(l);      /* a worker's loop: its server drains */
		else
			fprintf(stderr, "type EXIT to end\n");
		have -= end + 1 - line;
		memmove(line, end + 1, have + 1);
	}
	if (have == sizeof line - 1)
		have = 0;              /* no command is that long */
}

static int start(struct myr_loop *l, void *arg)
{
	int err = myr_watch(l, STDIN_FILENO, MYR_READ, typed, arg);

	return err == -EPERM ? 0 : err;        /* epoll: a file or /dev/null, where nobody types */
}

int main(int argc, char **argv)
{
	const struct myr_service service = { .name = "stdin in the loop", .on_data = echo, .start = start };

	return myr_serve(&service, argc > 1 ? argv[1] : "9999", argc > 2 ? argv[2] : "select");
}
