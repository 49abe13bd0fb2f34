/* SPDX-License-Identifier: MIT
 *
 * opts.c - the command line and the environment, by a table.
 *
 * A mistake is said in one line, with what was given and what would do; nothing is half set. */
#include "cli/opts.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/say.h"
#include "cli/text.h"
#include "cli/value.h"

#define NAME_MAX_BYTES 64
#define OPTS_MAX       64

struct parse {
	const struct command *cmd;
	struct opt_value *values;
	char **argv;
	int argc, at;
	enum opt_from from;
	bool help, full_help, print_config;
};

/* --- One value -------------------------------------------------------------------------------- */

static const char *opt_asks_for(const struct opt *o)
{
	switch (o->kind) {
	case OPT_COUNT:    return "a number (250, 10k, 1M)";
	case OPT_SIZE:     return "a size (64, 4k, 1M)";
	case OPT_DURATION: return "a duration (250us, 10ms, 3s, 5m)";
	default:           return "yes or no";
	}
}

static void opt_name(const struct parse *p, const struct opt *o, char *dst, size_t size)
{
	int n = snprintf(dst, size, p->from == FROM_ENVIRONMENT ? "MYRIAD_%s" : "--%s", o->name);

	if (p->from == FROM_ENVIRONMENT)
		for (int i = 0; i < n; i++)
			dst[i] = dst[i] == '-' ? '_' : (char)toupper((unsigned char)dst[i]);
}

/* What the user asked for is wrong: on the command line that is usage, else configuration. */
static int opt_status(const struct parse *p)
{
	return p->from == FROM_ENVIRONMENT ? EXIT_CONFIG : EXIT_USAGE;
}

static int opt_out_of_range(const struct parse *p, const struct opt *o, const char *text)
{
	char name[NAME_MAX_BYTES], low[VALUE_TEXT], high[VALUE_TEXT];
	const char *or_word = o->word ? ", or " : "";

	if (o->kind == OPT_DURATION) {
		value_put_duration(low, sizeof low, o->min);
		value_put_duration(high, sizeof high, o->max);
	} else if (o->kind == OPT_SIZE) {
		value_put_size(low, sizeof low, o->min);
		value_put_size(high, sizeof high, o->max);
	} else {
		text_number(low, (uint64_t)o->min);
		text_number(high, (uint64_t)o->max);
	}
	opt_name(p, o, name, sizeof name);
	say_error(p->cmd->name, "%s: \"%s\" is out of range (%s to %s%s%s)", name, text, low, high,
	          or_word, o->word ? o->word : "");
	return opt_status(p);
}

static int opt_set_number(const struct parse *p, const struct opt *o, struct opt_value *v, const char *text)
{
	char name[NAME_MAX_BYTES];
	const char *or_word = o->word ? " or " : "";
	int err;

	if (o->word && strcmp(text, o->word) == 0) {
		v->n = OPT_WORD;
		return OPTS_GO_ON;
	}
	err = o->kind == OPT_COUNT ? value_count(text, &v->n) :
		o->kind == OPT_SIZE ? value_size(text, &v->n) : value_duration(text, &v->n);
	if (err == -ERANGE || (err == 0 && (v->n < o->min || v->n > o->max)))
		return opt_out_of_range(p, o, text);
	if (err == 0)
		return OPTS_GO_ON;
	opt_name(p, o, name, sizeof name);
	say_error(p->cmd->name, "%s: \"%s\" is not %s%s%s", name, text, opt_asks_for(o), or_word,
	          o->word ? o->word : "");
	return opt_status(p);
}

static int opt_set_choice(const struct parse *p, const struct opt *o, struct opt_value *v, const char *text)
{
	char name[NAME_MAX_BYTES];
	const char *word = o->word;
	size_t len = strlen(text);

	for (v->n = 0; word; v->n++) {
		const char *end = strchr(word, ' ');

		if ((end ? (size_t)(end - word) : strlen(word)) == len && strncmp(word, text, len) == 0)
			return OPTS_GO_ON;
		word = end ? end + 1 : NULL;
	}
	opt_name(p, o, name, sizeof name);
	say_error(p->cmd->name, "%s: \"%s\" is not one of: %s", name, text, o->word);
	return opt_status(p);
}

static int opt_set_switch(const struct parse *p, const struct opt *o, struct opt_value *v, const char *text)
{
	static const struct { const char *text; int n; } words[] = {
		{ "1", 1 }, { "yes", 1 }, { "true", 1 }, { "0", 0 }, { "no", 0 }, { "false", 0 }, { "", 0 },
	};
	char name[NAME_MAX_BYTES];

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcmp(text, words[i].text) == 0) {
			v->n = words[i].n;
			return OPTS_GO_ON;
		}
	opt_name(p, o, name, sizeof name);
	say_error(p->cmd->name, "%s: \"%s\" is not %s", name, text, opt_asks_for(o));
	return opt_status(p);
}

static int opt_append(struct opt_value *v, const char *text, size_t n)
{
	const char **list = realloc(v->list, (v->list_n + 1) * sizeof *list);
	char *copy = strndup(text, n);

	if (list)
		v->list = list;
	if (!list || !copy) {
		free(copy);
		return EXIT_FAILED;
	}
	v->list[v->list_n++] = copy;
	return OPTS_GO_ON;
}

/* The environment holds a whole list, with blanks between: endpoints have commas of their own. */
static int opt_set_list(const struct parse *p, struct opt_value *v, const char *text)
{
	int status = OPTS_GO_ON;

	if (p->from != FROM_ENVIRONMENT)
		return opt_append(v, text, strlen(text));
	while (status == OPTS_GO_ON && *(text += strspn(text, " \t\n"))) {
		size_t n = strcspn(text, " \t\n");

		status = opt_append(v, text, n);
		text += n;
	}
	return status;
}

static void opt_forget_list(struct opt_value *v)
{
	while (v->list_n > 0)
		free((void *)(uintptr_t)v->list[--v->list_n]);
}

static int opt_set(const struct parse *p, const struct opt *o, const char *text)
{
	struct opt_value *v = &p->values[o - p->cmd->opts];

	assert(o >= p->cmd->opts && o < p->cmd->opts + p->cmd->opts_n);
	if (o->kind == OPT_LIST && v->from != p->from)
		opt_forget_list(v);
	v->from = p->from;
	v->text = text;
	switch (o->kind) {
	case OPT_SWITCH: return opt_set_switch(p, o, v, text);
	case OPT_CHOICE: return opt_set_choice(p, o, v, text);
	case OPT_LIST:   return opt_set_list(p, v, text);
	case OPT_TEXT:
	case OPT_MAYBE:  return OPTS_GO_ON;
	default:         return opt_set_number(p, o, v, text);
	}
}

/* --- Defaults and the environment ------------------------------------------------------------- */

static int opts_set_standards(struct parse *p)
{
	int status = OPTS_GO_ON;

	for (size_t i = 0; i < p->cmd->opts_n && status == OPTS_GO_ON; i++)
		if (p->cmd->opts[i].standard)
			status = opt_set(p, &p->cmd->opts[i], p->cmd->opts[i].standard);
	return status;
}

static int opts_set_environment(struct parse *p)
{
	int status = OPTS_GO_ON;

	p->from = FROM_ENVIRONMENT;
	for (size_t i = 0; i < p->cmd->opts_n && status == OPTS_GO_ON; i++) {
		char name[NAME_MAX_BYTES];
		const char *text;

		if (p->values[i].from == FROM_COMMAND_LINE || p->cmd->opts[i].here_only)
			continue;
		opt_name(p, &p->cmd->opts[i], name, sizeof name);
		text = getenv(name);
		if (text && *text)
			status = opt_set(p, &p->cmd->opts[i], text);
	}
	return status;
}

/* --- The command line ------------------------------------------------------------------------- */

static int opts_unknown(const struct parse *p, const char *given)
{
	const char *names[OPTS_MAX + 3] = { "--help", "--print-config" };
	char made[OPTS_MAX][NAME_MAX_BYTES], shows_all[NAME_MAX_BYTES];
	size_t n = 2;

	for (size_t i = 0; i < p->cmd->opts_n && i < OPTS_MAX; i++) {
		snprintf(made[i], sizeof made[i], "--%s", p->cmd->opts[i].name);
		names[n++] = made[i];
	}
	snprintf(shows_all, sizeof shows_all, "%s --help", p->cmd->name);
	/* "-x" is near to every other letter: nothing sensible to suggest. */
	say_unknown(p->cmd->name, "option", given, names, given[1] == '-' ? n : 0, shows_all);
	return EXIT_USAGE;
}

static const char *opts_next(struct parse *p)
{
	return p->at + 1 < p->argc ? p->argv[++p->at] : NULL;
}

static int opts_take(struct parse *p, const struct opt *o, const char *value)
{
	if (o->kind == OPT_SWITCH)
		return opt_set(p, o, "yes");
	if (!value)
		value = o->kind == OPT_MAYBE ? o->word : opts_next(p);
	if (!value) {
		say_error(p->cmd->name, "--%s needs a value: --%s %s", o->name, o->name, o->arg);
		return EXIT_USAGE;
	}
	return opt_set(p, o, value);
}

static int opts_long(struct parse *p, const char *given)
{
	const char *equals = strchr(given, '=');
	size_t len = equals ? (size_t)(equals - given) : strlen(given);
	char name[NAME_MAX_BYTES];

	snprintf(name, sizeof name, "%.*s", (int)len, given);
	for (size_t i = 0; i < p->cmd->opts_n; i++) {
		const struct opt *o = &p->cmd->opts[i];

		if (strcmp(name + 2, o->name) != 0)
			continue;
		if (!equals || o->kind != OPT_SWITCH)
			return opts_take(p, o, equals ? equals + 1 : NULL);
		say_error(p->cmd->name, "%s takes no value", name);
		return EXIT_USAGE;
	}
	if (strcmp(given, "--help") == 0)
		p->full_help = true;
	else if (strcmp(given, "--print-config") == 0)
		p->print_config = true;
	else
		return opts_unknown(p, name);
	return OPTS_GO_ON;
}

/* Letters may stand together: "-qe epoll", "-w4". */
static int opts_short(struct parse *p, const char *given)
{
	int status = OPTS_GO_ON;

	for (const char *letter = given + 1; *letter && status == OPTS_GO_ON; letter++) {
		const struct opt *o = NULL;

		for (size_t i = 0; i < p->cmd->opts_n; i++)
			if (p->cmd->opts[i].letter == *letter)
				o = &p->cmd->opts[i];
		if (*letter == 'h') {
			p->help = true;
		} else if (!o) {
			const char name[] = { '-', *letter, '\0' };

			return opts_unknown(p, name);
		} else if (o->kind == OPT_SWITCH || o->kind == OPT_MAYBE) {
			status = opts_take(p, o, NULL);
		} else {
			return opts_take(p, o, letter[1] ? letter + 1 : NULL);
		}
	}
	return status;
}

static int opts_command_line(struct parse *p, int *args)
{
	bool only_args = false;
	int status = OPTS_GO_ON;

	p->from = FROM_COMMAND_LINE;
	*args = 0;
	for (p->at = 1; p->at < p->argc && status == OPTS_GO_ON; p->at++) {
		char *given = p->argv[p->at];

		if (only_args || given[0] != '-' || given[1] == '\0')
			p->argv[1 + (*args)++] = given;
		else if (strcmp(given, "--") == 0)
			only_args = true;
		else
			status = given[1] == '-' ? opts_long(p, given) : opts_short(p, given);
	}
	return status;
}

/* Help comes before mistakes: it is wanted most when something is wrong. */
int opts_parse(const struct command *cmd, struct opt_value *values, int argc, char **argv, int *args)
{
	struct parse p = { .cmd = cmd, .values = values, .argv = argv, .argc = argc };
	int status;

	if (cmd->opts_n > 0)
		memset(values, 0, cmd->opts_n * sizeof *values);
	status = opts_set_standards(&p);
	if (status == OPTS_GO_ON)
		status = opts_command_line(&p, args);
	if ((p.help || p.full_help) && cmd->help_for && *args > 0) {
		int mistake = cmd->help_for(values, argv + 1, *args);

		if (mistake != OPTS_GO_ON)
			return mistake;
	}
	if (p.help || p.full_help) {
		(p.full_help ? help_full : help_short)(cmd);
		return EXIT_DONE;
	}
	if (status == OPTS_GO_ON)
		status = opts_set_environment(&p);
	if (status == OPTS_GO_ON && p.print_config) {
		help_config(cmd, values);
		return EXIT_DONE;
	}
	return status;
}

void opts_free(const struct command *cmd, struct opt_value *values)
{
	for (size_t i = 0; i < cmd->opts_n; i++) {
		opt_forget_list(&values[i]);
		free(values[i].list);
	}
}
