/* SPDX-License-Identifier: MIT
 *
 * primes.c - how many primes are there up to N?  Work for a processor, not for a loop.
 *
 * myr_offload() has it done in another thread while the loop serves others; --inline does it in the
 * handler, to show the difference (and the watchdog).  The work is given away in slices: so it ends soon after
 * its client is lost or the server has to stop, and a long question does not keep a thread from short ones. */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "service/services.h"
#include "service/value.h"

#define N_MOST  UINT64_C(10000000000)
#define ROOT    100000                  /* of N_MOST */
#define SEGMENT 32768                   /* odd numbers looked at together: they fit the processor's first cache */
#define SLICE   100                     /* segments done at a time: some ten milliseconds */
#define DIGITS  20
#define LINE_MAX_BYTES 256

static uint64_t most;
static bool in_handler;

static const struct myr_app_option options[] = {
	{ "max", "1000000000", "primes counts up to so many, at most 10000000000" },
	{ "inline", "no", "primes computes in the handler: everybody else waits" },
	{ .name = NULL }
};

static int build(struct myr_server *v, void **arg)
{
	int err;

	(void)arg;
	err = value_switch(v, "inline", &in_handler);
	return err < 0 ? err : value_number(v, "max", 2, N_MOST, &most);
}

/* The odd primes up to limit: how many. */
static unsigned small_primes(uint32_t *primes, uint32_t limit)
{
	static _Thread_local bool composite[ROOT / 2 + 1];      /* [i] is 2i + 1 */
	unsigned n = 0;

	memset(composite, 0, sizeof composite);
	for (uint32_t p = 3; p <= limit; p += 2) {
		if (composite[p / 2])
			continue;
		primes[n++] = p;
		for (uint64_t m = (uint64_t)p * p; m <= limit; m += 2 * p)
			composite[m / 2] = true;
	}
	return n;
}

/* Primes among the odd numbers from `low` on, as many as `size`. */
static unsigned count_segment(uint64_t low, unsigned size, const uint32_t *primes, unsigned n)
{
	bool composite[SEGMENT] = { false };
	uint64_t high = low + 2 * (uint64_t)size;
	unsigned count = 0;

	for (unsigned i = 0; i < n && (uint64_t)primes[i] * primes[i] < high; i++) {
		uint64_t p = primes[i], m = p * p > low ? p * p : (low + p - 1) / p * p;

		if (m % 2 == 0)
			m += p;
		for (uint64_t at = (m - low) / 2; at < size; at += p)
			composite[at] = true;
	}
	for (unsigned i = 0; i < size; i++)
		count += !composite[i];
	return count;
}

struct question {
	uint64_t n, at, primes;         /* so many below `at`, the next odd number to look at */
};

static int count_slice(void *arg)
{
	static _Thread_local uint32_t primes[ROOT / 4];
	static _Thread_local unsigned n;
	struct question *q = arg;

	if (n == 0)
		n = small_primes(primes, ROOT);
	for (int i = 0; i < SLICE && q->at <= q->n; i++, q->at += 2 * SEGMENT) {
		uint64_t left = (q->n - q->at) / 2 + 1;

		q->primes += count_segment(q->at, left < SEGMENT ? (unsigned)left : SEGMENT, primes, n);
	}
	return 0;
}

static int count_primes(struct myr_conn *c, struct question *q)
{
	int err = 0;

	q->at = 3;
	q->primes = q->n >= 2;
	while (q->at <= q->n && err == 0) {
		err = in_handler ? count_slice(q) : myr_offload(c, count_slice, q, NULL);
		if (err == 0)
			err = myr_error(c);
	}
	return err;
}

/* Digits and nothing else: no sign, no blank. */
static bool read_number(const char *line, size_t len, uint64_t *n)
{
	*n = 0;
	if (len == 0 || len > DIGITS)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (line[i] < '0' || line[i] > '9' || *n > most)
			return false;
		*n = *n * 10 + (uint64_t)(line[i] - '0');
	}
	return *n <= most;
}

static void handle(struct myr_conn *c)
{
	char line[LINE_MAX_BYTES + 1];
	struct question q;
	ssize_t len;
	int err;

	while ((len = myr_recv(c, line, sizeof line)) >= 0) {
		if (!read_number(line, (size_t)len, &q.n)) {
			myr_printf(c, "error: not a number from 0 to %" PRIu64 "\n", most);
			continue;
		}
		err = count_primes(c, &q);
		if (err == 0)
			myr_printf(c, "%" PRIu64 "\n", q.primes);
		else if (err == -EAGAIN || err == -ECANCELED)
			myr_printf(c, "error: %s\n", err == -EAGAIN ? "too much to do, try again" : "stopped");
		else
			return;
	}
}

const struct myr_service service_primes = {
	.name = "primes", .about = "how many primes up to each number sent; counted in another thread",
	.framing = &myr_lines, .frame_max = LINE_MAX_BYTES,
	.handle = handle,
};

const struct myr_app app_primes = {
	.size = sizeof(struct myr_app), .service_size = sizeof(struct myr_service),
	.service = &service_primes, .options = options, .build = build,
};
