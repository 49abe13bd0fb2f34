/* SPDX-License-Identifier: MIT
 *
 * main.c - the command: a table of what it can do, one line each. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/say.h"

#ifndef MYR_VERSION
#define MYR_VERSION "unknown"
#endif

static int main_help(int argc, char **argv);
static int main_version(int argc, char **argv);

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *about;
} commands[] = {
	{ "serve",    serve_main,    "run a service" },
	{ "run",      run_main,      "run an application, APP.so or app.c, in the foreground or as a daemon" },
	{ "stop",     stop_main,     "stop an application that runs as a daemon" },
	{ "status",   status_main,   "does it run, since when, and where does it listen?" },
	{ "reload",   reload_main,   "replace it by what its file is now, without refusing anybody" },
	{ "new",      new_main,      "write a small application, its test and its Makefile" },
	{ "connect",  connect_main,  "talk to a server by hand, or through pipes" },
	{ "multi",    multi_main,    "many connections at once, by hand or from a script" },
	{ "send",     send_main,     "send a file or a text behind its length, take it back" },
	{ "engines",  engines_main,  "what this build and this kernel can do, and why not" },
	{ "services", services_main, "what can be served" },
	{ "help",     main_help,     "this, or more about one command: myriad help serve" },
	{ "version",  main_version,  "which version this is" },
};

#define COMMANDS (sizeof commands / sizeof *commands)

const char *main_number(void)
{
	return MYR_VERSION;
}

static int main_version(int argc, char **argv)
{
	if (argc > 1) {
		say_error("myriad version", "\"%s\" is not expected", argv[1]);
		return EXIT_USAGE;
	}
	printf("myriad %s\n", main_number());
	return EXIT_DONE;
}

static int main_run(int argc, char **argv)
{
	const char *names[COMMANDS];

	for (size_t i = 0; i < COMMANDS; i++) {
		names[i] = commands[i].name;
		if (strcmp(argv[0], names[i]) == 0)
			return commands[i].run(argc, argv);
	}
	say_unknown("myriad", argv[0][0] == '-' ? "option" : "command", argv[0], names, COMMANDS, "myriad help");
	return EXIT_USAGE;
}

static void main_usage(FILE *to)
{
	fprintf(to, "myriad COMMAND ...\nTCP servers with many clients: one handler, every concurrency model.\n\n"
	        "Examples:\n  myriad serve echo               on port 50007 of this machine, until Ctrl-C\n"
	        "  myriad connect 50007            from another terminal\n\nCommands:\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].about);
	fprintf(to, "\nmyriad COMMAND -h tells more about each.\n");
}

static int main_help(int argc, char **argv)
{
	if (argc > 2) {
		say_error("myriad help", "\"%s\" is not expected after \"%s\"", argv[2], argv[1]);
		return EXIT_USAGE;
	}
	if (argc > 1 && argv[1][0] != '-' && strcmp(argv[1], "help") != 0 && strcmp(argv[1], "version") != 0) {
		char option[] = "--help", *of[] = { argv[1], option, NULL };

		return main_run(2, of);
	}
	main_usage(stdout);
	return EXIT_DONE;
}

/* Without 0, 1 and 2 the next socket would be one of them, and be written to. */
static void main_open_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/* What was printed may still fail to arrive: a full disk, a descriptor that was closed. */
static int main_end(const char *command, int status)
{
	char name[40];
	int err = fflush(stdout) != 0 ? -errno : 0;

	if (err == 0 && !ferror(stdout))
		return status;
	snprintf(name, sizeof name, "myriad %s", command);
	say_error(name, "cannot write to standard output%s%s", err < 0 ? ": " : "", err < 0 ? myr_strerror(err) : "");
	return status == EXIT_DONE ? EXIT_FAILED : status;
}

int main(int argc, char **argv)
{
	int status;

	main_open_standard();
	signal(SIGPIPE, SIG_IGN);
	if (argc < 2) {
		main_usage(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)
		status = main_help(0, NULL);
	else if (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0)
		status = main_version(0, NULL);
	else
		status = main_run(argc - 1, argv + 1);
	return main_end(argv[1], status);
}
