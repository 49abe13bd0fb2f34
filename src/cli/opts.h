/* SPDX-License-Identifier: MIT
 *
 * opts.h - one table of options for each command; from it come the parsing, the ranges, the help,
 * the defaults and --print-config.
 *
 * A value is taken from the command line, else from the environment (MYRIAD_IDLE_TIMEOUT for
 * --idle-timeout), else it is the default.  Names are never guessed from their beginnings, or
 * tomorrow's option would break today's script: that is why getopt_long() is not used. */
#ifndef CLI_OPTS_H
#define CLI_OPTS_H

#include <stdbool.h>
#include <stddef.h>

enum opt_kind {
	OPT_SWITCH, OPT_TEXT, OPT_LIST, OPT_CHOICE, OPT_COUNT, OPT_SIZE, OPT_DURATION,
	OPT_MAYBE                       /* text that may be left out: --name, or --name=TEXT */
};
enum opt_from { FROM_DEFAULT, FROM_ENVIRONMENT, FROM_COMMAND_LINE };

struct opt {
	const char *name;               /* without the dashes */
	char letter;                    /* 0: none */
	enum opt_kind kind;
	const char *arg;                /* what help calls the value; OPT_MAYBE: "[=ID]" */
	const char *word;               /* a word taken instead of a number ("none"); OPT_CHOICE: all, with blanks between;
	                                   OPT_MAYBE: what a bare --name means */
	long long min, max;
	const char *standard;           /* the default, as a user would write it; NULL: nothing */
	const char *about;
	const char *group;              /* a heading in --help before this one */
	bool here_only;                 /* about this one call: the environment has no say */
};

#define OPT_WORD (-1LL)                 /* the word: no limit, or one for each processor */

struct opt_value {
	enum opt_from from;
	const char *text;               /* as given; NULL: nothing */
	long long n;                    /* OPT_SWITCH: 1; OPT_CHOICE: its index; durations: ms */
	const char **list;              /* OPT_LIST */
	size_t list_n;
};

struct command {
	const char *name;               /* "myriad serve" */
	const char *arguments;          /* "SERVICE [ENDPOINT...]" */
	const char *about;
	const char *examples[2];
	const struct opt *opts;
	size_t opts_n;
	size_t short_n;                 /* those that -h shows; 0: all */
	const char *more;               /* the end of --help */
	/* Help was asked for with arguments: says what is special about them, before the rest.  OPTS_GO_ON, or the
	 * exit status.  NULL: nothing is. */
	int (*help_for)(const struct opt_value *, char **args, int args_n);
};

#define OPTS_GO_ON (-1)

/* Options and arguments may be mixed; "--" ends the options.  Arguments are moved to the front of
 * argv[1...], their number to *args.  Returns OPTS_GO_ON, or the exit status: help was asked for, or
 * something was wrong and has been said.  values: opts_n of them; opts_free() after either. */
int  opts_parse(const struct command *, struct opt_value *values, int argc, char **argv, int *args);
void opts_free (const struct command *, struct opt_value *values);

/* help.c */
void help_short(const struct command *);
void help_full (const struct command *);
void help_config(const struct command *, const struct opt_value *);     /* each value and where it came from */

#endif
