/* SPDX-License-Identifier: MIT
 *
 * text.h - words and numbers for people: suggestions, thousands, and bytes made fit for a terminal. */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The nearest of the names by edit distance, or NULL if none is near enough to be what was meant. */
const char *text_nearest(const char *word, const char *const *names, size_t n);

#define TEXT_NUMBER 32
char *text_number(char *dst, uint64_t n);       /* "1,234,567" */
char *text_volume(char *dst, uint64_t bytes);   /* "12 bytes", "1.2 MiB" */

/* Bytes on their way to a terminal, in pieces: text, tabs and line ends stay, whatever else could
 * move the cursor, forge a line or reverse the direction of writing becomes \xNN or \u{...}. */
struct text_shown {
	unsigned char held[4];          /* the start of a sequence whose rest has not come yet */
	size_t held_n;
};

/* Returns how many bytes were put into dst, which has room for 4 * (n + 4). */
size_t text_show(struct text_shown *, char *dst, const void *bytes, size_t n);
size_t text_show_end(struct text_shown *, char *dst);   /* what is still held; at most 16 bytes */

#endif
