/* SPDX-License-Identifier: MIT
 *
 * simulate.c - clients that come, send some lines, end their half and read to the end.
 *
 * Everything they do is drawn from the seed and their number, and all workers are turned by one
 * thread, so the same seed is the same run. */
#include "cli/simulate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "cli/say.h"
#include "cli/text.h"

#define LINES_MAX  6
#define LINE_BYTES 120
#define PAUSE_MS   50
#define ENOUGH     65536                /* of chargen, which has no end */

struct client {
	struct simulation *sim;
	uint64_t random;
	unsigned lines;                 /* still to be sent */
	bool wrong, enough;
	size_t sent_n, got_n;
	char sent[LINES_MAX * LINE_BYTES];
};

struct usher {                          /* one in each worker; they take turns */
	struct simulation *sim;
	uint64_t random;
};

/* splitmix64, by Sebastiano Vigna */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* --- One client ------------------------------------------------------------------------------- */

static void client_open(struct myr_conn *c)
{
	struct client *k = myr_state(c);

	myr_tick(c, (int)(draw(&k->random) % PAUSE_MS));
}

static void client_speak(struct myr_conn *c)
{
	struct client *k = myr_state(c);
	size_t n = draw(&k->random) % LINE_BYTES;
	char *line = k->sent + k->sent_n;

	if (k->lines == 0) {
		myr_write_eof(c);
		return;
	}
	for (size_t i = 0; i < n; i++)
		line[i] = (char)('a' + draw(&k->random) % 26);
	line[n++] = '\n';
	if (myr_write(c, line, n) < 0)
		return;
	k->sent_n += n;
	k->lines--;
	myr_tick(c, (int)(draw(&k->random) % PAUSE_MS));
}

static size_t client_hear(struct myr_conn *c, const void *bytes, size_t n)
{
	struct client *k = myr_state(c);

	if (k->sim->verify && !k->wrong && (n > k->sent_n - k->got_n || memcmp(k->sent + k->got_n, bytes, n) != 0))
		k->wrong = true;
	k->got_n += n;
	k->sim->received += n;
	if (k->got_n > ENOUGH) {
		k->enough = true;
		myr_abort(c);
	}
	return n;
}

static void client_close(struct myr_conn *c, int why)
{
	struct client *k = myr_state(c);
	struct simulation *sim = k->sim;

	sim->ended++;
	sim->sent += k->sent_n;
	if (k->wrong || (why < 0 && why != MYR_EOF && !k->enough) || (sim->verify && (k->lines > 0 || k->got_n != k->sent_n)))
		sim->failed++;
}

static const struct myr_service client = {
	.name = "client", .state = sizeof(struct client), .on_open = client_open, .on_tick = client_speak,
	.on_data = client_hear, .on_close = client_close,
};

/* --- All of them ------------------------------------------------------------------------------ */

static void usher_next(struct myr_loop *l, void *arg)
{
	struct usher *u = arg;
	struct simulation *sim = u->sim;
	struct myr_conn *c;
	struct client *k;

	if (sim->begun == sim->clients) {
		free(u);
		return;
	}
	sim->begun++;
	if (myr_connect(&c, l, &client, myr_server_address(sim->server, sim->listener), NULL) == 0) {
		k = myr_state(c);
		k->sim = sim;
		k->random = sim->seed ^ sim->begun * UINT64_C(0xd1342543de82ef95);
		k->lines = 1 + (unsigned)(draw(&k->random) % LINES_MAX);
	} else {
		sim->ended++;
		sim->failed++;
	}
	if (myr_after(l, (int)(draw(&u->random) % 3), usher_next, u) < 0)
		free(u);
}

static struct simulation *simulation;
static int (*inner_start)(struct myr_loop *, void *arg);

static int usher_start(struct myr_loop *l, void *arg)
{
	struct simulation *sim = simulation;
	struct usher *u;
	int err = inner_start ? inner_start(l, arg) : 0;

	if (err < 0)
		return err;
	u = malloc(sizeof *u);
	if (!u)
		return -ENOMEM;
	*u = (struct usher){ .sim = sim, .random = sim->seed + sim->ushers++ };
	err = myr_after(l, 0, usher_next, u);
	if (err < 0)
		free(u);
	return err;
}

struct myr_service simulate_wrap(const struct myr_service *service, struct simulation *sim)
{
	struct myr_service s = *service;

	simulation = sim;
	inner_start = s.start;
	s.start = usher_start;
	return s;
}

/* --- Before and after ------------------------------------------------------------------------- */

bool simulate_is_meant(const char *engine)
{
	return engine && (strcmp(engine, "sim") == 0 || strncmp(engine, "sim:", 4) == 0);
}

int simulate_seed(const char *engine, uint64_t *seed)
{
	const char *text = engine[3] == ':' ? engine + 4 : getenv("MYRIAD_SEED");
	uint32_t any;
	char *end;

	if (!text) {
		if (getrandom(&any, sizeof any, 0) != sizeof any)
			return -EIO;
		*seed = any;
		return 0;
	}
	errno = 0;
	*seed = strtoull(text, &end, 10);
	return errno != 0 || *end != '\0' || *text < '0' || *text > '9' ? -EINVAL : 0;
}

/* "sim: seed 42, hash 3d3786500f6daad4, 1318 virtual ms": the second half belongs to the result. */
void simulate_log(int level, const char *line, void *arg)
{
	struct simulation *sim = arg;
	const char *hash = strncmp(line, "sim: ", 5) == 0 ? strstr(line, "hash ") : NULL;

	if (hash)
		snprintf(sim->trace, sizeof sim->trace, "%s", hash);
	else if (strncmp(line, "sim: ", 5) != 0)
		say_log(level, line, NULL);
}

int simulate_report(const struct simulation *sim)
{
	char clients[TEXT_NUMBER], sent[TEXT_NUMBER], received[TEXT_NUMBER], failed[TEXT_NUMBER];
	unsigned lost = sim->failed + (sim->clients - sim->ended);

	printf("sim: seed %" PRIu64 ", %s client%s, %s bytes sent, %s bytes received, %s failed%s%s\n", sim->seed,
	       text_number(clients, sim->clients), sim->clients == 1 ? "" : "s", text_number(sent, sim->sent),
	       text_number(received, sim->received), text_number(failed, lost), *sim->trace ? ", " : "", sim->trace);
	return lost == 0 ? EXIT_DONE : lost < sim->clients ? EXIT_PARTLY : EXIT_FAILED;
}
