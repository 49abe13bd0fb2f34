/* SPDX-License-Identifier: MIT
 *
 * tally.h - what became of many connections: how many, why not, how many bytes, how long. */
#ifndef CLI_TALLY_H
#define CLI_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TALLY_REASONS 32

struct tally {
	unsigned conns, ok, failed;
	struct { const char *why; unsigned n; } reasons[TALLY_REASONS];
	unsigned reasons_n;
	uint64_t sent, received;        /* bytes */
	int64_t  began, ended;          /* tally_clock() */
	double  *ms;                    /* of each that was ok: from its opening to its last byte */
};

int64_t tally_clock(void);              /* nanoseconds, monotonic */
double  tally_ms(int64_t since);        /* from then to now */

int  tally_open (struct tally *, unsigned conns);       /* 0 or -ENOMEM */
void tally_close(struct tally *);
void tally_ok   (struct tally *, double ms);
void tally_fail (struct tally *, const char *why);      /* why is kept: a constant */
int  tally_status(const struct tally *);                /* EXIT_DONE, EXIT_PARTLY, EXIT_FAILED */

struct latency { double min, median, p99, max; };
void tally_latency(const struct tally *, struct latency *);     /* sorts ms; ok > 0 */

void tally_print(const struct tally *);                 /* the summary, on standard error */
bool tally_can_report(void);                            /* built with jansson */
int  tally_report(const struct tally *, const char *endpoint);  /* JSON on standard output; 0 or -errno */

#endif
