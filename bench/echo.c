/* SPDX-License-Identifier: MIT
 *
 * echo.c - the server that is measured: echo in either style under any engine.
 *
 *	echo blocking|callback ENGINE ENDPOINT [WORKERS [processes]]
 *
 * Limits that a load from one address would meet are off. */
#include <myriad.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static struct myr_server *server;

static void echo(struct myr_conn *c)
{
	char buf[4096];
	ssize_t n;

	while ((n = myr_read(c, buf, sizeof buf)) > 0)
		myr_write(c, buf, (size_t)n);
}

static size_t on_data(struct myr_conn *c, const void *p, size_t n)
{
	myr_write(c, p, n);
	return n;
}

static void on_signal(int sig)
{
	(void)sig;
	myr_server_stop(server);
}

int main(int argc, char **argv)
{
	const struct myr_service blocking = { .name = "echo", .handle = echo };
	const struct myr_service callback = { .name = "echo", .on_data = on_data };
	struct myr_config config = { .conns_per_peer = (unsigned)MYR_NONE, .accept_rate = (unsigned)MYR_NONE };
	struct rlimit files;
	int err;

	if (argc < 4 || (strcmp(argv[1], "blocking") != 0 && strcmp(argv[1], "callback") != 0)) {
		fprintf(stderr, "usage: echo blocking|callback ENGINE ENDPOINT [WORKERS [processes]]\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	config.engine = argv[2];
	config.workers = argc > 4 ? (unsigned)atoi(argv[4]) : 1;
	config.workers_are = argc > 5 ? MYR_PROCESSES : MYR_THREADS;
	err = myr_server_new(&server, &config);
	if (err == 0)
		err = myr_server_add(server, argv[1][0] == 'b' ? &blocking : &callback, argv[3], NULL);
	if (err < 0) {
		fprintf(stderr, "echo: %s\n", myr_reason());
		return 1;
	}
	signal(SIGTERM, on_signal);
	printf("ready %s\n", myr_server_address(server, 0));
	fflush(stdout);
	err = myr_server_run(server);
	if (err < 0)
		fprintf(stderr, "echo: %s\n", myr_reason());
	myr_server_free(server);
	return err < 0;
}
