/* SPDX-License-Identifier: MIT
 *
 * tally.c - counting, and the summary in words. */
#include "cli/tally.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/say.h"
#include "cli/text.h"

int64_t tally_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

double tally_ms(int64_t since)
{
	return (double)(tally_clock() - since) / 1e6;
}

int tally_open(struct tally *t, unsigned conns)
{
	*t = (struct tally){ .conns = conns, .began = tally_clock(), .ms = calloc(conns, sizeof *t->ms) };
	return t->ms ? 0 : -ENOMEM;
}

void tally_close(struct tally *t)
{
	free(t->ms);
}

void tally_ok(struct tally *t, double ms)
{
	t->ms[t->ok++] = ms;
}

void tally_fail(struct tally *t, const char *why)
{
	unsigned i = 0;

	t->failed++;
	while (i < t->reasons_n && strcmp(t->reasons[i].why, why) != 0)
		i++;
	if (i == TALLY_REASONS)
		t->reasons[i = TALLY_REASONS - 1].why = "other reasons";
	else if (i == t->reasons_n)
		t->reasons[t->reasons_n++].why = why;
	t->reasons[i].n++;
}

int tally_status(const struct tally *t)
{
	return t->failed == 0 ? EXIT_DONE : t->ok > 0 ? EXIT_PARTLY : EXIT_FAILED;
}

static int by_size(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

void tally_latency(const struct tally *t, struct latency *l)
{
	const size_t n = t->ok;

	qsort(t->ms, n, sizeof *t->ms, by_size);
	l->min = t->ms[0];
	l->median = n % 2 ? t->ms[n / 2] : (t->ms[n / 2 - 1] + t->ms[n / 2]) / 2;
	l->p99 = t->ms[(n * 99 + 99) / 100 - 1];        /* the least that 99 % do not exceed */
	l->max = t->ms[n - 1];
}

void tally_print(const struct tally *t)
{
	char conns[TEXT_NUMBER], ok[TEXT_NUMBER], failed[TEXT_NUMBER], in[TEXT_NUMBER], out[TEXT_NUMBER];
	struct latency l;

	fprintf(stderr, "[*] %s connection%s: %s ok, %s failed; %s sent, %s received in %.2f s\n",
	        text_number(conns, t->conns), t->conns == 1 ? "" : "s", text_number(ok, t->ok),
	        text_number(failed, t->failed), text_volume(out, t->sent), text_volume(in, t->received),
	        (double)(t->ended - t->began) / 1e9);
	for (unsigned i = 0; i < t->reasons_n; i++)
		fprintf(stderr, "    %s failed: %s\n", text_number(failed, t->reasons[i].n), t->reasons[i].why);
	if (t->ok == 0)
		return;
	tally_latency(t, &l);
	fprintf(stderr, "    from open to last byte: least %.1f, median %.1f, 99 %% %.1f, most %.1f ms\n",
	        l.min, l.median, l.p99, l.max);
}
