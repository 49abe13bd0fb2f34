/* SPDX-License-Identifier: MIT
 *
 * serve.c - myriad serve: a service that comes with the command, or a tutorial's edition of it. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/host.h"
#include "cli/say.h"

#define COMMAND "myriad serve"
#define OPTIONS_MAX 64
#define NO "no"                         /* the default of an option that is a switch */

enum { S_EXACT = H_COUNT, S_LIST, S_COUNT };

static const struct opt own_table[S_COUNT - H_COUNT] = {
	[S_EXACT - H_COUNT] = { .name = "seed-exact", .kind = OPT_MAYBE, .arg = "[=ID]", .word = "yes",
		.about = "to the byte as a tutorial has it, say S0-P3: what it sends and what it prints; `ready` "
		         "is then on standard error", .group = "The services" },
	[S_LIST - H_COUNT] = { .name = "list", .here_only = true, .kind = OPT_SWITCH, .about = "list the services" },
};

static struct opt table[OPTIONS_MAX];   /* the host's, ours, the services' */

static struct command command = {
	.name = COMMAND, .arguments = "SERVICE [ENDPOINT...]",
	.about = "Runs a service until Ctrl-C",
	.examples = { "myriad serve echo                      on port 50007 of this machine",
	              "myriad serve reverse :7000 -e thread   on port 7000 of all addresses, a thread for each client" },
	.opts = table, .opts_n = S_COUNT, .short_n = S_COUNT,
	.more = HOST_HELP,
};

/* --- The services' own options ------------------------------------------------------------------- */

static bool option_is_switch(const struct myr_app_option *o)
{
	return strcmp(o->value, NO) == 0;
}

static const struct myr_app_option *option_find(const struct builtin *b, const char *name)
{
	for (const struct myr_app_option *o = b->app->options; o && o->name; o++)
		if (strcmp(o->name, name) == 0)
			return o;
	return NULL;
}

static bool table_has(const char *name)
{
	for (size_t i = 0; i < command.opts_n; i++)
		if (strcmp(table[i].name, name) == 0)
			return true;
	return false;
}

/* An option that two services share stands once, with the first of them. */
static void table_add_service(const struct builtin *b)
{
	static char groups[OPTIONS_MAX][48];
	char *group = groups[command.opts_n];

	snprintf(group, sizeof *groups, "Options of %s", b->app->service->name);
	for (const struct myr_app_option *o = b->app->options; o && o->name; o++) {
		if (table_has(o->name))
			continue;
		assert(command.opts_n < OPTIONS_MAX);
		table[command.opts_n++] = (struct opt){
			.name = o->name, .kind = option_is_switch(o) ? OPT_SWITCH : OPT_TEXT, .about = o->about,
			.arg = option_is_switch(o) ? NULL : "VALUE", .standard = option_is_switch(o) ? NULL : o->value,
			.group = group,
		};
		group = NULL;
	}
}

static void table_make(void)
{
	memcpy(table, host_table, sizeof host_table);
	memcpy(table + H_COUNT, own_table, sizeof own_table);
	for (const struct builtin *b = builtins; b->app; b++)
		table_add_service(b);
}

/* An option of another service, on the command line, is a mistake; in the environment it is not meant. */
static int options_check(const struct builtin *b, const struct opt_value *values)
{
	for (size_t i = S_COUNT; i < command.opts_n; i++)
		if (values[i].from == FROM_COMMAND_LINE && !option_find(b, table[i].name)) {
			say_error(COMMAND, "--%s is not an option of %s", table[i].name, b->app->service->name);
			say_try(COMMAND " --help   (shows which service has it)");
			return EXIT_USAGE;
		}
	return OPTS_GO_ON;
}

/* What was asked for, else what the tutorial has, else the default. */
static const char *option_value(const struct host *h, const struct myr_app_option *o)
{
	const struct opt_value *values = h->values;
	const struct edition *e = h->edition;
	size_t n = strlen(o->name);

	for (size_t i = S_COUNT; i < command.opts_n; i++) {
		if (strcmp(table[i].name, o->name) != 0)
			continue;
		if (values[i].from == FROM_DEFAULT)
			break;
		return table[i].kind != OPT_SWITCH ? values[i].text : values[i].n ? "yes" : NO;
	}
	if (e && e->value && strncmp(e->value, o->name, n) == 0 && e->value[n] == '=')
		return e->value + n + 1;
	return o->value;
}

/* --- Which service, which edition ------------------------------------------------------------------ */

static const struct builtin *serve_find(const char *name)
{
	const struct builtin *found = builtin_find(name);
	const char *names[32];
	size_t n = 0;

	if (found)
		return found;
	for (const struct builtin *b = builtins; b->app && n < sizeof names / sizeof *names; b++)
		names[n++] = b->app->service->name;
	say_unknown(COMMAND, "service", name, names, n, COMMAND " --list");
	return NULL;
}

static int serve_edition(const struct builtin *b, const struct opt_value *v, const struct edition **out)
{
	char ids[128] = "";

	*out = NULL;
	if (!v->text || strcmp(v->text, NO) == 0)
		return OPTS_GO_ON;
	for (const struct edition *e = b->editions; e && e->id; e++) {
		if (strcmp(v->text, "yes") == 0 || strcmp(v->text, e->id) == 0) {
			*out = e;
			return OPTS_GO_ON;
		}
		snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%s%s", *ids ? ", " : "", e->id);
	}
	if (*ids)
		say_error(COMMAND, "--seed-exact: %s has no \"%s\"; it has %s", b->app->service->name, v->text, ids);
	else
		say_error(COMMAND, "--seed-exact: %s is in no tutorial", b->app->service->name);
	return v->from == FROM_ENVIRONMENT ? EXIT_CONFIG : EXIT_USAGE;
}

/* --- The command line ------------------------------------------------------------------------------ */

static int serve_with(const struct opt_value *values, char **args, size_t args_n)
{
	struct host h = { .command = &command, .values = values };
	const struct builtin *b;
	char endpoint[16];
	int status;

	host_level(values);
	if (values[S_LIST].n) {
		services_print();
		return EXIT_DONE;
	}
	if (args_n == 0) {
		say_error(COMMAND, "which service?   (" COMMAND " --list shows all)");
		say_try(COMMAND " echo");
		return EXIT_USAGE;
	}
	b = serve_find(args[0]);
	if (!b)
		return EXIT_USAGE;
	if ((status = options_check(b, values)) != OPTS_GO_ON ||
	    (status = serve_edition(b, &values[S_EXACT], &h.edition)) != OPTS_GO_ON)
		return status;
	snprintf(endpoint, sizeof endpoint, "%d", b->port);
	h.subject = b->app->service->name;
	h.app = b->app;
	h.endpoint = endpoint;
	h.verify = b->app->service == &service_echo;
	status = host_app_values(&h, option_value);
	return status == OPTS_GO_ON ? host_serve(&h, args + 1, args_n - 1) : status;
}

int serve_main(int argc, char **argv)
{
	struct opt_value values[OPTIONS_MAX];
	int args, status;

	table_make();
	status = opts_parse(&command, values, argc, argv, &args);
	if (status == OPTS_GO_ON)
		status = serve_with(values, argv + 1, (size_t)args);
	opts_free(&command, values);
	return status;
}
