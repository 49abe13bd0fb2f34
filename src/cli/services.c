/* SPDX-License-Identifier: MIT
 *
 * services.c - what can be served. */
#include <stdio.h>

#include "cli/commands.h"
#include "cli/opts.h"
#include "cli/say.h"
#include "service/services.h"

static const struct command services = {
	.name = "myriad services", .arguments = "", .about = "Lists what can be served, and where by default",
	.examples = { "myriad services", "myriad serve reverse" },
};

void services_print(void)
{
	printf("%-10s %-6s %s\n", "SERVICE", "PORT", "ABOUT");
	for (const struct builtin *b = builtins; b->app; b++)
		printf("%-10s %-6d %s\n", b->app->service->name, b->port, b->app->service->about);
}

int services_main(int argc, char **argv)
{
	int args, status = opts_parse(&services, NULL, argc, argv, &args);

	if (status != OPTS_GO_ON)
		return status;
	if (args > 0) {
		say_error(services.name, "\"%s\" is not expected here", argv[1]);
		return EXIT_USAGE;
	}
	services_print();
	return EXIT_DONE;
}
