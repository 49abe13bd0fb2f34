/* SPDX-License-Identifier: MIT
 *
 * replay.c - what runs a fuzz target where libFuzzer is not: each file given on the command line,
 * once.  A finding is thereby a test under any compiler and tool:
 *
 *	cc -Isrc -Iinclude -Itest test/fuzz/fuzz_framing.c test/fuzz/replay.c src/conn/framing.c
 *	clang -fsanitize=fuzzer,address,undefined ...           (without replay.c) */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static uint8_t *read_whole(const char *path, size_t *n)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes = NULL;
	long end;

	if (f == NULL)
		return NULL;
	if (fseek(f, 0, SEEK_END) == 0 && (end = ftell(f)) >= 0 && fseek(f, 0, SEEK_SET) == 0 &&
	    (bytes = malloc((size_t)end + 1)) != NULL)
		*n = fread(bytes, 1, (size_t)end, f);
	fclose(f);
	return bytes;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		size_t n = 0;
		uint8_t *bytes = read_whole(argv[i], &n);

		if (bytes == NULL) {
			perror(argv[i]);
			return 1;
		}
		LLVMFuzzerTestOneInput(bytes, n);
		free(bytes);
	}
	printf("%d files replayed\n", argc - 1);
	return 0;
}
