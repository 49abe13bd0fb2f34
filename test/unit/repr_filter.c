/* SPDX-License-Identifier: MIT
 *
 * repr_filter.c - values in, their Python text out, for repr_python.py.
 *
 * Each value is a letter (b: bytes, s: str, c: ctime of a decimal number), its length as 4 bytes,
 * big-endian, and the data; each answer a length and the text. */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/repr.h"

static void answer(const char *text, size_t n)
{
	uint32_t head = htonl((uint32_t)n);

	fwrite(&head, sizeof head, 1, stdout);
	fwrite(text, 1, n, stdout);
}

static int value(int kind, char *data, size_t n)
{
	size_t size = REPR_STR_MAX(n) + REPR_CTIME_MAX;
	char *text = malloc(size);

	if (!text)
		return 1;
	if (kind == 'b')
		answer(text, repr_bytes(text, size, data, n));
	else if (kind == 's')
		answer(text, repr_str(text, size, data, n));
	else
		answer(repr_ctime(text, (time_t)strtoll(data, NULL, 10)), 24);
	free(text);
	return 0;
}

int main(void)
{
	int kind, status = 0;
	uint32_t n;

	while (status == 0 && (kind = getchar()) != EOF) {
		char *data = NULL;

		if (fread(&n, sizeof n, 1, stdin) != 1 || !(data = calloc(ntohl(n) + 1, 1)) ||
		    fread(data, 1, ntohl(n), stdin) != ntohl(n))
			status = 1;
		else
			status = value(kind, data, ntohl(n));
		free(data);
	}
	return status;
}
