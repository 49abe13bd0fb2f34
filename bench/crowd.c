/* SPDX-License-Identifier: MIT
 *
 * crowd.c - many clients of an echo server at once, every byte of every echo checked.
 *
 *	crowd ENDPOINT CLIENTS ECHOES [BYTES]     all stay connected until the last has its last echo
 *	crowd ENDPOINT CLIENTS/TOTAL 1            TOTAL connections, CLIENTS at a time: connect, echo, close
 *
 * One loop of the library, in callback style; also an example of a client with many connections.
 * The bytes of a message depend on the client and the round, so that lost, doubled or crossed bytes
 * are seen.  Prints one line; exit 1 if anything was lost. */
#include <myriad.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#define BYTES_MAX 65536

struct client {
	unsigned long number;
	unsigned round;
	size_t got;
	int    counted;                 /* among those that are connected */
};

static struct {
	const char *endpoint;
	unsigned long clients, total, begun, connected, done, failed;
	unsigned rounds;
	size_t bytes;
	unsigned long echoes, wrong;
	int together;                   /* nobody speaks before all are there, nobody leaves before all are done */
	struct myr_loop *loop;
	struct myr_conn **all;
} crowd;

static unsigned char expected(const struct client *k, size_t i)
{
	return (unsigned char)(k->number * 131 + k->round * 7919 + i * 31 + (i >> 8));
}

static void say(struct myr_conn *c)
{
	static unsigned char message[BYTES_MAX];
	const struct client *k = myr_state(c);

	for (size_t i = 0; i < crowd.bytes; i++)
		message[i] = expected(k, i);
	myr_write(c, message, crowd.bytes);
}

static void start_all(void)
{
	for (unsigned long i = 0; i < crowd.clients; i++)
		if (crowd.all[i] != NULL)
			say(crowd.all[i]);
}

static void leave_all(void)
{
	for (unsigned long i = 0; i < crowd.clients; i++)
		if (crowd.all[i] != NULL)
			myr_close(crowd.all[i]);
}

static void begin_one(void);

static void on_open(struct myr_conn *c)
{
	struct client *k = myr_state(c);

	k->counted = 1;
	crowd.connected++;
	if (!crowd.together)
		say(c);
	else if (crowd.connected + crowd.failed == crowd.clients)
		start_all();
	if (crowd.together && crowd.begun < crowd.clients)
		begin_one();
}

static size_t on_data(struct myr_conn *c, const void *p, size_t n)
{
	struct client *k = myr_state(c);
	const unsigned char *b = p;

	for (size_t i = 0; i < n; i++) {
		if (k->round >= crowd.rounds || b[i] != expected(k, k->got))
			crowd.wrong++;
		if (++k->got < crowd.bytes)
			continue;
		crowd.echoes++;
		k->got = 0;
		if (++k->round < crowd.rounds)
			say(c);
	}
	if (k->round == crowd.rounds) {
		k->round++;             /* counted once */
		crowd.done++;
		if (!crowd.together)
			myr_close(c);
		else if (crowd.done + crowd.failed == crowd.clients)
			leave_all();
	}
	return n;
}

static void on_close(struct myr_conn *c, int why)
{
	const struct client *k = myr_state(c);

	if (crowd.together)
		crowd.all[(unsigned long)(size_t)myr_arg(c)] = NULL;
	if (k->round <= crowd.rounds) {
		if (crowd.failed++ == 0)
			fprintf(stderr, "crowd: client %lu: %s\n", k->number, myr_strerror(why));
		if (crowd.together && crowd.connected + crowd.failed == crowd.clients)
			start_all();
		if (crowd.together && crowd.done + crowd.failed == crowd.clients)
			leave_all();
	}
	if (crowd.begun < crowd.total)
		begin_one();
}

static const struct myr_service client = {
	.name = "crowd", .state = sizeof(struct client),
	.on_open = on_open, .on_data = on_data, .on_close = on_close,
};

static void begin_one(void)
{
	struct myr_conn *c;
	unsigned long i = crowd.begun++;

	if (myr_connect(&c, crowd.loop, &client, crowd.endpoint, (void *)(size_t)i) < 0) {
		if (crowd.failed++ == 0)
			fprintf(stderr, "crowd: %s\n", myr_reason());
		return;
	}
	((struct client *)myr_state(c))->number = i;
	if (crowd.together)
		crowd.all[i] = c;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	const struct myr_config config = { .engine = "epoll", .open_ms = 120000, .idle_ms = 120000 };
	struct rlimit files;
	char *slash;
	double start;

	if (argc < 4) {
		fprintf(stderr, "usage: crowd ENDPOINT CLIENTS[/TOTAL] ECHOES [BYTES]\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	crowd.endpoint = argv[1];
	crowd.clients = crowd.total = strtoul(argv[2], &slash, 10);
	crowd.together = *slash != '/';
	if (!crowd.together)
		crowd.total = strtoul(slash + 1, NULL, 10);
	crowd.rounds = (unsigned)strtoul(argv[3], NULL, 10);
	crowd.bytes = argc > 4 ? strtoul(argv[4], NULL, 10) : 64;
	if (crowd.clients == 0 || crowd.total < crowd.clients || crowd.rounds == 0 || crowd.bytes == 0 ||
	    crowd.bytes > BYTES_MAX) {
		fprintf(stderr, "crowd: CLIENTS, TOTAL, ECHOES from 1, BYTES from 1 to %d\n", BYTES_MAX);
		return 2;
	}
	crowd.all = calloc(crowd.clients, sizeof *crowd.all);
	if (crowd.all == NULL || myr_loop_new(&crowd.loop, &config) < 0) {
		fprintf(stderr, "crowd: %s\n", myr_reason());
		return 1;
	}
	start = now();
	for (unsigned long i = 0; i < crowd.clients && i < 256; i++)    /* the others follow as these connect */
		begin_one();
	myr_loop_run(crowd.loop);
	printf("%lu clients, %lu done, %lu failed, %lu echoes of %zu bytes, %lu wrong bytes, %.2f s\n", crowd.begun,
	       crowd.done, crowd.failed, crowd.echoes, crowd.bytes, crowd.wrong, now() - start);
	myr_loop_free(crowd.loop);
	free(crowd.all);
	return crowd.done == crowd.total && crowd.wrong == 0 ? 0 : 1;
}
