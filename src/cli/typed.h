/* SPDX-License-Identifier: MIT
 *
 * typed.h - lines from standard input while a loop runs, and output above the line being typed.
 *
 * At a terminal, built with libedit, the line can be edited and there is a history; otherwise lines
 * come as the terminal, a pipe or a file gives them.  One at a time: the terminal is one, too. */
#ifndef CLI_TYPED_H
#define CLI_TYPED_H

#include <myriad.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#define TYPED_MAX 65536                 /* the longest line */

struct typed {
	const char *command;            /* for messages */
	struct myr_loop *loop;
	/* A line without its end, terminated, n bytes; then NULL once: no more will come, and nothing is watched. */
	void (*line)(void *arg, char *text, size_t n);
	void *arg;
	char prompt[64];
	bool edits;                     /* libedit has the terminal */
	bool screen;                    /* standard input and output are terminals */
	bool open, shown;               /* shown: the prompt stands there */
	bool paused;                    /* plain: lines are left where they are */
	bool failed;                    /* it did not come to its end, and that has been said */
	char *text;                     /* plain: what has come of a line */
	size_t n;
};

extern volatile sig_atomic_t typed_interrupted; /* the signal that has stopped the loop; 0: none */

bool typed_can_edit(void);              /* built with libedit, and at terminals */
int  typed_open  (struct typed *);      /* 0 or a negative error, not said; command, loop, line, arg, prompt are set */
void typed_prompt(struct typed *, const char *prompt);
/* Whole lines of ours or escaped ones, to standard output. */
void typed_print (struct typed *, const char *text);
/* Plain lines only: no more until typed_resume(), which may give some at once; may be called in line(). */
void typed_pause (struct typed *);
void typed_resume(struct typed *);
void typed_close (struct typed *);      /* gives the terminal back; may be called in line() */
void typed_free  (struct typed *);      /* after the loop */

#endif
