/* SPDX-License-Identifier: MIT
 *
 * Two ports, one loop: a server may listen in several places, with one service or with several.
 *
 *	08-two-ports [ENDPOINT ENDPOINT [ENGINE]]
 *
 * The last argument of myr_server_add() is what myr_arg() gives the handler: here, which door a client came in by. */
#include <myriad.h>
#include <signal.h>
#include <stdio.h>

static struct myr_server *server;

static size_t answer(struct myr_conn *c, const void *p, size_t n)
{
	myr_printf(c, "at the %s door: ", (const char *)myr_arg(c));
	myr_write(c, p, n);
	return n;
}

static void stop(int sig)
{
	(void)sig;
	myr_server_stop(server);
}

int main(int argc, char **argv)
{
	static char names[2][8] = { "first", "second" };
	const struct myr_service service = { .name = "two ports", .on_data = answer };
	const struct myr_config config = { .engine = argc > 3 ? argv[3] : "select" };
	const char *places[2] = { argc > 2 ? argv[1] : "5002", argc > 2 ? argv[2] : "5003" };
	int err = myr_server_new(&server, &config);

	for (int i = 0; err >= 0 && i < 2; i++) {
		err = myr_server_add(server, &service, places[i], names[i]);
		if (err >= 0)
			fprintf(stderr, "%s on %s, engine %s\n", names[i], myr_server_address(server, i), config.engine);
	}
	if (err >= 0) {
		signal(SIGINT, stop);
		signal(SIGTERM, stop);
		err = myr_server_run(server);
	}
	if (err < 0)
		fprintf(stderr, "%s\n", myr_reason());
	myr_server_free(server);
	return err < 0;
}
