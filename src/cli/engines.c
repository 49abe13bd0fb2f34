/* SPDX-License-Identifier: MIT
 *
 * engines.c - the engines, what each does, and whether it works here: found out by asking for it. */
#include <myriad.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/opts.h"
#include "cli/say.h"

static const struct command engines = {
	.name = "myriad engines", .arguments = "",
	.about = "Lists the engines, best first, and whether each works here",
	.examples = { "myriad engines", "myriad serve echo --engine thread" },
};

static const struct {
	const char *name, *who, *how;
} table[] = {
	{ "io_uring",  "one loop for all",      "rings: the kernel does it and reports" },
	{ "epoll",     "one loop for all",      "when ready, from an interest list" },
	{ "poll",      "one loop for all",      "when ready, asking about all each time" },
	{ "select",    "one loop for all",      "when ready, descriptors below 1,024" },
	{ "thread",    "a thread for each",     "when ready, one by itself" },
	{ "fork",      "a process for each",    "when ready, one by itself" },
	{ "iterative", "one after the other",   "when ready, one at a time" },
	{ "sim",       "one loop for all",      "simulated network and clock, by a seed" },
};

#define ENGINES (sizeof table / sizeof *table)
#define ROW     "%-10s %-22s %-40s %s\n"

static bool engines_works(const char *name)
{
	for (const char *const *e = myr_engines(); *e; e++)
		if (strcmp(*e, name) == 0)
			return true;
	return false;
}

static void engines_silent(int level, const char *line, void *arg)
{
	(void)level;
	(void)line;
	(void)arg;
}

/* "engine io_uring is not available: why (try epoll)" - the line begins with a shorter first half. */
static const char *engines_why_not(const char *name)
{
	const struct myr_config config = { .engine = name, .log = engines_silent };
	struct myr_server *server;
	const char *why;

	if (myr_server_new(&server, &config) == 0) {
		myr_server_free(server);
		return "";
	}
	why = strstr(myr_reason(), "available: ");
	return why ? why + strlen("available: ") : myr_reason();
}

int engines_main(int argc, char **argv)
{
	int args, status = opts_parse(&engines, NULL, argc, argv, &args);

	if (status != OPTS_GO_ON)
		return status;
	if (args > 0) {
		say_error(engines.name, "\"%s\" is not expected here", argv[1]);
		return EXIT_USAGE;
	}
	printf(ROW, "ENGINE", "WHO RUNS A CONNECTION", "HOW BYTES MOVE", "HERE");
	for (size_t i = 0; i < ENGINES; i++)
		printf(ROW, table[i].name, table[i].who, table[i].how, engines_works(table[i].name) ? "yes" : "no");
	for (size_t i = 0; i < ENGINES; i++)
		if (!engines_works(table[i].name))
			printf("\nnot %s: %s\n", table[i].name, engines_why_not(table[i].name));
	return EXIT_DONE;
}
