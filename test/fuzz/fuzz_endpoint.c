/* SPDX-License-Identifier: MIT
 *
 * fuzz_endpoint.c - what a user may write: refused with a sentence, or understood; and what was
 * understood is, written out, understood as the same. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(int truth, const char *text, const char *more)
{
	if (!truth) {
		fprintf(stderr, "endpoint \"%s\": %s\n", text, more);
		abort();
	}
}

/* The fields that its kind has. */
static int is_same(const struct endpoint *a, const struct endpoint *b)
{
	if (a->kind != b->kind)
		return 0;
	switch (a->kind) {
	case ENDPOINT_TCP:
	case ENDPOINT_UDP:  return a->port == b->port && strcmp(a->host, b->host) == 0;
	case ENDPOINT_UNIX:
	case ENDPOINT_UNIXGRAM: return strcmp(a->path, b->path) == 0;
	case ENDPOINT_FD:   return a->fd == b->fd;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	char *text = malloc(n + 1), out[512], small[8], *why = malloc(100);
	struct endpoint e, again;
	size_t len;
	int err;

	if (text == NULL || why == NULL)
		abort();
	if (n > 0)
		memcpy(text, bytes, n);
	text[n] = '\0';
	memset(why, 0x55, 100);
	err = endpoint_parse(&e, text, why, 100);
	if (err != 0) {
		must(err == -EINVAL, text, "another error than -EINVAL");
		must(memchr(why, '\0', 100) != NULL && why[0] != '\0', text, "no reason given");
	} else {
		must(memchr(e.host, '\0', sizeof e.host) != NULL, text, "host has no end");
		len = endpoint_format(&e, out, sizeof out);
		must(len == strlen(out) && len > 0, text, "wrong length");
		must(endpoint_parse(&again, out, why, 100) == 0, text, out);
		must(is_same(&e, &again), text, out);
		endpoint_format(&e, small, sizeof small);
		must(memchr(small, '\0', sizeof small) != NULL, text, "no end when cut");
	}
	free(text);
	free(why);
	return 0;
}
