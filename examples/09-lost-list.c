/* SPDX-License-Identifier: MIT
 *
 * The lost list.  With a process for each client, each has its own copy of the program's memory: what a handler
 * changes there is gone when the client leaves, and nobody is told.  Shared memory, with a lock, is one for all.
 *
 *	09-lost-list [ENGINE [CLIENTS]]
 *
 * Some clients add one each, to both; the last answer shows what was kept.  With "thread" the plain number looks
 * right, and is not: two threads may add at the same time. */
#include <myriad.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct myr_server *server;
static _Atomic int plain;              /* atomic, so that only processes can lose it here */

static void add(struct myr_conn *c)
{
	int *shared = myr_shared(c), kept;

	plain++;
	myr_lock(c);
	kept = ++*shared;
	myr_unlock(c);
	myr_printf(c, "plain memory counts %d, shared memory counts %d\n", plain, kept);
}

static void stop(int sig)
{
	(void)sig;
	myr_server_stop(server);
}

/* One after the other, each a connection of its own; shows the last answer. */
static int clients(const char *endpoint, int n)
{
	char answer[128];
	struct myr_conn *c;

	for (int i = 0; i < n; i++) {
		if (myr_dial(&c, endpoint, 10000) < 0) {
			fprintf(stderr, "%s\n", myr_reason());
			return 1;
		}
		myr_set_framing(c, &myr_lines);
		if (myr_recv(c, answer, sizeof answer) < 0) {
			fprintf(stderr, "client %d: %s\n", i + 1, myr_strerror(myr_error(c)));
			return 1;
		}
		myr_close(c);
	}
	printf("%d clients added one each: %s\n", n, answer);
	fflush(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	const struct myr_service service = { .name = "lost list", .shared = sizeof(int), .handle = add };
	const struct myr_config config = { .engine = argc > 1 ? argv[1] : "fork" };
	int n = argc > 2 ? atoi(argv[2]) : 20, status = 1;
	pid_t child;

	if (myr_server_new(&server, &config) < 0 || myr_server_add(server, &service, "tcp:127.0.0.1:0", NULL) < 0) {
		fprintf(stderr, "%s\n", myr_reason());
		return 1;
	}
	signal(SIGTERM, stop);
	child = fork();                /* it listens already: a client may connect before the server runs */
	if (child == 0) {
		status = clients(myr_server_address(server, 0), n > 0 ? n : 1);
		kill(getppid(), SIGTERM);
		_exit(status);
	}
	if (child < 0 || myr_server_run(server) < 0)
		fprintf(stderr, "%s\n", myr_reason());
	if (child > 0)
		waitpid(child, &status, 0);
	myr_server_free(server);
	return status != 0;
}
