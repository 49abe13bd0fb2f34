/* SPDX-License-Identifier: MIT
 *
 * edit.c - line editing and a session's history, by libedit's readline interface.
 *
 * libedit gives the terminal back at the end of each line, and takes it with the next key: a key that
 * comes between is echoed and lost.  So the handler is installed anew after each line. */
#include "cli/edit.h"

#include <stddef.h>

#ifdef MYR_HAVE_LINEEDIT

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <editline/readline.h>

static void (*edit_line)(char *text);
static char *edit_prompt;
static bool edit_on;

bool edit_built(void)
{
	return true;
}

/* In the C locale libedit swallows what is not ASCII. */
static void edit_begin(bool catches)
{
	static bool begun;

	if (begun)
		return;
	begun = true;
	setlocale(LC_CTYPE, "");
	if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0 && !setlocale(LC_CTYPE, "C.UTF-8"))
		setlocale(LC_CTYPE, "C");
	rl_catch_signals = catches;
	rl_readline_name = "myriad";
	using_history();
	stifle_history(1000);
}

void edit_set_prompt(const char *prompt)
{
	char *copy = strdup(prompt);

	if (!copy)
		return;
	free(edit_prompt);
	edit_prompt = copy;
}

static void edit_got(char *text)
{
	if (text && *text)
		add_history(text);
	if (!text)
		edit_on = false;
	edit_line(text);
	if (edit_on)
		rl_callback_handler_install(edit_prompt, edit_got);
}

void edit_open(const char *prompt, void (*line)(char *text))
{
	edit_begin(false);
	edit_set_prompt(prompt);
	edit_line = line;
	edit_on = true;
	rl_callback_handler_install(edit_prompt, edit_got);
}

void edit_key(void)
{
	rl_callback_read_char();
}

void edit_show(const char *prompt)
{
	edit_set_prompt(prompt);
	rl_set_prompt(edit_prompt);
	fflush(stdout);
	rl_on_new_line();
	rl_forced_update_display();
	fflush(stdout);
}

void edit_close(void)
{
	edit_on = false;
	rl_callback_handler_remove();
	rl_deprep_terminal();
}

char *edit_ask(const char *prompt)
{
	char *text;

	edit_begin(true);
	text = readline(prompt);
	if (text && *text)
		add_history(text);
	return text;
}

#else

bool edit_built(void)
{
	return false;
}

void edit_open(const char *prompt, void (*line)(char *text))
{
	(void)prompt;
	(void)line;
}

void edit_key(void) { }
void edit_set_prompt(const char *prompt) { (void)prompt; }
void edit_show(const char *prompt) { (void)prompt; }
void edit_close(void) { }

char *edit_ask(const char *prompt)
{
	(void)prompt;
	return NULL;
}

#endif
