/* SPDX-License-Identifier: MIT
 *
 * edit.h - what libedit does for typed.c, or nothing if it was not there when this was built. */
#ifndef CLI_EDIT_H
#define CLI_EDIT_H

#include <stdbool.h>

bool edit_built(void);
void edit_open  (const char *prompt, void (*line)(char *text));         /* text is line()'s to free(); NULL: Ctrl-D */
void edit_key   (void);                 /* standard input can be read */
void edit_set_prompt(const char *prompt);       /* from the next line on */
void edit_show  (const char *prompt);   /* the line being typed, again, on a line of its own */
void edit_close (void);                 /* the terminal is as it was */

/* For programs that wait while somebody types: the line is the caller's to free(); NULL: the end.  Signals that
 * end the program give the terminal back here; after edit_open() that is the caller's task. */
char *edit_ask(const char *prompt);

#endif
