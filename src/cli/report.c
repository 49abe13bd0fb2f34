/* SPDX-License-Identifier: MIT
 *
 * report.c - the tally as JSON, for programs. */
#include "cli/tally.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef MYR_HAVE_JSON

#include <jansson.h>

#include "cli/text.h"

bool tally_can_report(void)
{
	return true;
}

/* An argument need not be UTF-8, and a JSON text must be: other bytes are shown as \xNN. */
static json_t *report_text(const char *text)
{
	struct text_shown shown = { 0 };
	size_t n = strlen(text);
	char *clean = malloc(4 * (n + 4) + 16);
	json_t *made;

	if (!clean)
		return NULL;
	n = text_show(&shown, clean, text, n);
	n += text_show_end(&shown, clean + n);
	made = json_stringn(clean, n);
	free(clean);
	return made;
}

static json_t *report_reasons(const struct tally *t)
{
	json_t *reasons = json_object();

	for (unsigned i = 0; i < t->reasons_n; i++)
		json_object_set_new(reasons, t->reasons[i].why, json_integer(t->reasons[i].n));
	return reasons;
}

static json_t *report_latency(const struct tally *t)
{
	struct latency l;

	if (t->ok == 0)
		return json_null();
	tally_latency(t, &l);
	return json_pack("{s:f, s:f, s:f, s:f}", "min", l.min, "median", l.median, "p99", l.p99, "max", l.max);
}

int tally_report(const struct tally *t, const char *endpoint)
{
	json_t *report = json_pack("{s:o, s:i, s:i, s:i, s:o, s:{s:I, s:I}, s:f, s:o}",
		"endpoint", report_text(endpoint), "connections", (int)t->conns, "ok", (int)t->ok,
		"failed", (int)t->failed, "reasons", report_reasons(t),
		"bytes", "sent", (json_int_t)t->sent, "received", (json_int_t)t->received,
		"seconds", (double)(t->ended - t->began) / 1e9, "latency_ms", report_latency(t));
	int err = report ? json_dumpf(report, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6)) : -1;

	json_decref(report);
	putchar('\n');
	return err == 0 ? 0 : report ? -EIO : -ENOMEM;
}

#else

bool tally_can_report(void)
{
	return false;
}

int tally_report(const struct tally *t, const char *endpoint)
{
	(void)t;
	(void)endpoint;
	return -ENOSYS;
}

#endif
