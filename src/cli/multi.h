/* SPDX-License-Identifier: MIT
 *
 * multi.h - what the parts of `myriad multi` share. */
#ifndef CLI_MULTI_H
#define CLI_MULTI_H

#include <stdbool.h>

#include "cli/crowd.h"
#include "cli/target.h"
#include "cli/typed.h"

#define MULTI "myriad multi"

enum multi_kind { MULTI_PLAIN, MULTI_S1_P3, MULTI_S2_P1 };

struct multi {
	struct crowd crowd;
	enum multi_kind kind;
	struct target target;           /* exact editions */
	bool quiet, json, prompts;
	const char *eol;
	unsigned blamed;                /* failures that have been said */
	struct typed typed;             /* prompts */
	unsigned at;                    /* the connection that gets what is typed */
};

/* multi.c */
void multi_show_text (struct multi *, unsigned id, const void *, size_t n, double ms);  /* "[1] hello <- 0.2 ms" */
void multi_put(struct multi *, const char *line);

/* multi_seed.c: the tutorials' programs */
extern const struct crowd_show multi_show_s1_p3, multi_show_s2_p1;
void multi_seed(struct multi *, bool messages_given);   /* what these programs are like */
bool multi_seed_usage(const struct multi *, int args_n);         /* true: too few, and it has been said */

/* multi_prompt.c: connection by connection, from a prompt or a pipe */
extern const struct crowd_show multi_show_prompt;

#endif
