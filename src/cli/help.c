/* SPDX-License-Identifier: MIT
 *
 * help.c - what a table of options says of itself: -h, --help and --print-config.
 *
 * -h fits on a screen and begins with two examples; --help adds ranges, environment and defaults. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cli/opts.h"
#include "cli/text.h"
#include "cli/value.h"

#define COLUMN 30                       /* where descriptions begin */
#define WIDTH  96

static void help_head(const struct command *cmd)
{
	printf("%s%s%s\n%s.\n\nExamples:\n", cmd->name, *cmd->arguments ? " " : "", cmd->arguments, cmd->about);
	for (size_t i = 0; i < 2 && cmd->examples[i]; i++)
		printf("  %s\n", cmd->examples[i]);
}

/* Words wrapped into the right-hand column; `at` is where the cursor stands. */
static void help_text(size_t at, const char *text)
{
	while (*text) {
		size_t room = WIDTH - COLUMN, n = strlen(text), shown;

		if (n > room)
			for (n = room; n > 0 && text[n] != ' '; n--)
				;
		for (shown = n; shown > 0 && text[shown - 1] == ' '; shown--)
			;
		printf("%*s%.*s\n", (int)(at < COLUMN ? COLUMN - at : 0), "", (int)shown, text);
		text += n;
		text += strspn(text, " ");
		at = 0;
	}
}

static void help_opt(const struct opt *o, const char *about)
{
	char left[WIDTH];
	int n = snprintf(left, sizeof left, "  %c%c%c --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
	                 o->letter ? ',' : ' ', o->name, o->arg && *o->arg != '[' ? " " : "", o->arg ? o->arg : "");

	fputs(left, stdout);
	if (n >= COLUMN - 1) {
		putchar('\n');
		n = 0;
	}
	help_text((size_t)n, about);
}

static void help_common(void)
{
	static const struct opt common[] = {
		{ .name = "print-config", .about = "show each value and where it came from" },
		{ .letter = 'h', .name = "help", .about = "-h in short, --help in full" },
	};

	for (size_t i = 0; i < sizeof common / sizeof *common; i++)
		help_opt(&common[i], common[i].about);
}

static void opt_range(const struct opt *o, char *dst, size_t size)
{
	char low[VALUE_TEXT], high[VALUE_TEXT];

	*dst = '\0';
	switch (o->kind) {
	case OPT_COUNT:
		snprintf(dst, size, "%s to %s", text_number(low, (uint64_t)o->min), text_number(high, (uint64_t)o->max));
		break;
	case OPT_SIZE:
		snprintf(dst, size, "%s to %s", value_put_size(low, sizeof low, o->min),
		         value_put_size(high, sizeof high, o->max));
		break;
	case OPT_DURATION:
		snprintf(dst, size, "%s to %s", value_put_duration(low, sizeof low, o->min),
		         value_put_duration(high, sizeof high, o->max));
		break;
	case OPT_CHOICE:
		snprintf(dst, size, "one of: %s", o->word);
		return;
	default:
		return;
	}
	if (o->word)
		snprintf(dst + strlen(dst), size - strlen(dst), ", or %s", o->word);
}

static void opt_environment(const struct opt *o, char *dst, size_t size)
{
	int n = snprintf(dst, size, "MYRIAD_%s", o->name);

	for (int i = 0; i < n; i++)
		dst[i] = dst[i] == '-' ? '_' : (char)toupper((unsigned char)dst[i]);
}

static void help_opt_full(const struct opt *o)
{
	char range[96], about[512], variable[64];
	int n;

	opt_range(o, range, sizeof range);
	n = snprintf(about, sizeof about, "%s%s%s%s%s%s", o->about, *range ? "; " : "", range,
	             o->standard ? "; default " : "", o->standard ? o->standard : "",
	             o->kind == OPT_LIST ? "; repeatable" : "");
	if (!o->here_only && n < (int)sizeof about) {
		opt_environment(o, variable, sizeof variable);
		snprintf(about + n, sizeof about - (size_t)n, "  [%s]", variable);
	}
	help_opt(o, about);
}

void help_short(const struct command *cmd)
{
	size_t shown = cmd->short_n > 0 ? cmd->short_n : cmd->opts_n;

	help_head(cmd);
	printf("\nOptions:\n");
	for (size_t i = 0; i < shown; i++) {
		const struct opt *o = &cmd->opts[i];
		char about[256];

		snprintf(about, sizeof about, "%s%s%s%s", o->about, o->standard ? " (" : "",
		         o->standard ? o->standard : "", o->standard ? ")" : "");
		help_opt(o, about);
	}
	help_common();
	if (shown < cmd->opts_n)
		printf("And those of each service: %s --help\n", cmd->name);
}

void help_full(const struct command *cmd)
{
	help_head(cmd);
	printf("\nOptions");
	if (cmd->opts_n > 0 && !cmd->opts[0].group)
		putchar(':');
	for (size_t i = 0; i < cmd->opts_n; i++) {
		if (cmd->opts[i].group)
			printf("%s%s:\n", i > 0 ? "\n" : ", ", cmd->opts[i].group);
		else if (i == 0)
			putchar('\n');
		help_opt_full(&cmd->opts[i]);
	}
	printf("\nAlways:\n");
	help_common();
	printf("\nDurations are written 250us 10ms 3s 5m, sizes 64 4k 1M, counts 250 10k 1M.\n"
	       "A value given here wins over the environment, and that over the default.\n");
	if (cmd->more)
		printf("\n%s", cmd->more);
	printf("\nExit status: 0 done, 1 failed, 2 usage, 4 partly failed, 78 bad configuration,\n"
	       "130 interrupted.\n");
}

static const char *help_unset(enum opt_kind kind)
{
	switch (kind) {
	case OPT_SWITCH: return "no";
	case OPT_TEXT:
	case OPT_MAYBE:
	case OPT_LIST:   return "-";
	default:         return "auto";         /* the library works it out */
	}
}

void help_config(const struct command *cmd, const struct opt_value *values)
{
	static const char *const words[] = { "default", "environment", "command line" };

	for (size_t i = 0; i < cmd->opts_n; i++) {
		const struct opt_value *v = &values[i];
		const char *text = v->text ? v->text : help_unset(cmd->opts[i].kind);
		char variable[64] = "";

		if (v->from == FROM_ENVIRONMENT)
			opt_environment(&cmd->opts[i], variable, sizeof variable);
		if (cmd->opts[i].kind != OPT_LIST || v->list_n == 0) {
			printf("%-20s %-20s %s%s%s\n", cmd->opts[i].name, text, words[v->from], *variable ? " " : "", variable);
			continue;
		}
		for (size_t j = 0; j < v->list_n; j++)
			printf("%-20s %-20s %s%s%s\n", cmd->opts[i].name, v->list[j], words[v->from],
			       *variable ? " " : "", variable);
	}
}
