/* SPDX-License-Identifier: MIT
 *
 * banner.c - the screen of a server that starts.  It says which addresses are open to whom. */
#include "cli/banner.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/say.h"
#include "cli/text.h"

#define ENGINE "engine "

static char engine_note[512];           /* "engine epoll; not io_uring: ...", if it is not the first choice */
static bool shown;

static bool starts(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

static bool banner_is_wanted(void)
{
	return say_level >= LOG_NOTICE && isatty(STDERR_FILENO);
}

void banner_log(int level, const char *line, void *arg)
{
	if (!shown && starts(line, ENGINE))
		snprintf(engine_note, sizeof engine_note, "%s", line);
	else
		say_log(level, line, arg);
}

static const char *banner_reach(const char *address)
{
	if (starts(address, "unix"))
		return "processes of this machine";
	address += starts(address, "udp:") || starts(address, "tcp:") ? 4 : 0;
	if (starts(address, "127.") || starts(address, "[::1]:"))
		return "this machine only";
	if (starts(address, ":"))
		return "OPEN on all addresses of this machine";
	if (starts(address, "0.0.0.0:"))
		return "OPEN on all IPv4 addresses of this machine";
	if (starts(address, "[::]:"))
		return "OPEN on all IPv6 addresses of this machine";
	return "OPEN to whoever reaches this address";
}

static const char *banner_engine(const struct banner *b)
{
	const char *best = *engine_note ? engine_note + strlen(ENGINE) : myr_engines()[0];

	return b->engine ? b->engine : best;
}

static void banner_limits(const struct banner *b)
{
	char files[TEXT_NUMBER], before[TEXT_NUMBER];

	fprintf(stderr, "  limits  ");
	if (b->most)
		fprintf(stderr, "%s connections; ", b->most);
	fprintf(stderr, "%s open files", text_number(files, b->files));
	if (b->files != b->files_before)
		fprintf(stderr, ", raised from %s", text_number(before, b->files_before));
	fputc('\n', stderr);
}

/* "tcp:127.0.0.1:50007" is 50007 to myriad connect. */
static const char *banner_short(const char *address)
{
	static const char here[] = "tcp:127.0.0.1:";

	return starts(address, here) ? address + sizeof here - 1 : starts(address, "tcp:") ? address + 4 : address;
}

void banner_show(const struct banner *b)
{
	shown = true;
	if (!banner_is_wanted()) {
		if (*engine_note)
			say_log(LOG_NOTICE, engine_note, NULL);
		return;
	}
	fprintf(stderr, "myriad %s  %s: %s\n", main_number(), b->name, b->about ? b->about : "");
	for (int i = 0; i < b->listeners; i++) {
		const char *address = myr_server_address(b->server, i);

		fprintf(stderr, "  listen  %-24s %s\n", address, banner_reach(address));
	}
	fprintf(stderr, "  engine  %s\n  workers %s\n", banner_engine(b), b->workers);
	banner_limits(b);
	fprintf(stderr, "Ctrl-C stops it.  Try:  myriad connect %s\n", banner_short(myr_server_address(b->server, 0)));
}
