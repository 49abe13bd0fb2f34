/* SPDX-License-Identifier: MIT
 *
 * new.c - myriad new: an application of twelve lines, with a test and a Makefile, to begin from. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/opts.h"
#include "cli/say.h"

#define COMMAND   "myriad new"
#define NAME_LONG 40

static const struct command command = {
	.name = COMMAND, .arguments = "NAME",
	.about = "Writes an application into a new folder NAME: its source, its test, its Makefile",
	.examples = { "myriad new lines", "cd lines && make && myriad run lines.c" },
	.more = "NAME is letters, digits and _.  Nothing that exists is overwritten.\n",
};

/* In the texts @ stands for the name. */
static const char app_text[] =
	"#include <myriad.h>\n"
	"\n"
	"static void handle(struct myr_conn *c)          /* one client, as if there were no other */\n"
	"{\n"
	"\tchar line[1024];\n"
	"\tssize_t n;\n"
	"\n"
	"\twhile ((n = myr_recv(c, line, sizeof line)) >= 0)\n"
	"\t\tmyr_send(c, line, n);\n"
	"}\n"
	"static const struct myr_service service = { .name = \"@\", .framing = &myr_crlf, .handle = handle };\n"
	"MYR_APP(\"@\", \"each line comes back\", &service, \"7000\");\n";

static const char test_text[] =
	"/* The service without a network: what is fed to it, and what it sends. */\n"
	"#include \"@.c\"\n"
	"\n"
	"#include <stdio.h>\n"
	"#include <string.h>\n"
	"\n"
	"static int check(const char *what, const char *got, const char *expected)\n"
	"{\n"
	"\tint same = strcmp(got, expected) == 0;\n"
	"\n"
	"\tprintf(\"%s  %s\\n\", same ? \"ok    \" : \"FAILED\", what);\n"
	"\treturn !same;\n"
	"}\n"
	"\n"
	"int main(void)\n"
	"{\n"
	"\tstruct myr_test *t;\n"
	"\tint failed = 0;\n"
	"\tsize_t n;\n"
	"\n"
	"\tif (myr_test_new(&t, &service, NULL) < 0) {\n"
	"\t\tfprintf(stderr, \"%s\\n\", myr_reason());\n"
	"\t\treturn 1;\n"
	"\t}\n"
	"\tmyr_test_feed(t, \"hel\", 3);\n"
	"\tfailed += check(\"half a line is no line\", myr_test_sent(t, &n), \"\");\n"
	"\tmyr_test_feed(t, \"lo\\r\\nagain\\n\", 10);\n"
	"\tfailed += check(\"each line comes back\", myr_test_sent(t, &n), \"hello\\r\\nagain\\r\\n\");\n"
	"\tmyr_test_free(t);\n"
	"\treturn failed > 0;\n"
	"}\n";

static const char make_text[] =
	"# make: test, then build.  `myriad run @.c` needs none of this.\n"
	"CFLAGS += -g -O2 -Wall $(shell pkg-config --cflags myriad)\n"
	"\n"
	"all: test @.so\n"
	"\n"
	"@.so: @.c\n"
	"\t$(CC) $(CFLAGS) -shared -fPIC @.c -o $@@\n"
	"\n"
	"test_@: test_@.c @.c\n"
	"\t$(CC) $(CFLAGS) test_@.c $(shell pkg-config --libs myriad) -o $@@\n"
	"\n"
	"test: test_@\n"
	"\t./test_@\n"
	"\n"
	"clean:\n"
	"\trm -f @.so test_@\n"
	"\n"
	".PHONY: all test clean\n";

static const struct {
	const char *name, *text;
} files[] = { { "@.c", app_text }, { "test_@.c", test_text }, { "Makefile", make_text } };

/* "@" is the name, "@@" an @. */
static void new_fill(FILE *f, const char *text, const char *name)
{
	for (; *text; text++) {
		if (*text != '@')
			putc(*text, f);
		else if (text[1] == '@')
			putc(*text++, f);
		else
			fputs(name, f);
	}
}

static int new_failed(const char *what)
{
	say_error(COMMAND, "cannot write %s: %s", what, myr_strerror(-errno));
	if (errno == EEXIST)
		say_try("another name: what exists is not overwritten");
	return EXIT_FAILED;
}

static int new_write(const char *name, size_t which)
{
	char path[256] = "";
	FILE *path_text = fmemopen(path, sizeof path, "w"), *f;
	int fd, failed;

	if (!path_text)
		return new_failed(name);
	fprintf(path_text, "%s/", name);
	new_fill(path_text, files[which].name, name);
	fclose(path_text);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (!f)
		return new_failed(path);
	new_fill(f, files[which].text, name);
	failed = ferror(f);
	return fclose(f) != 0 || failed ? new_failed(path) : OPTS_GO_ON;
}

static int new_check(const char *name)
{
	bool fine = isalpha((unsigned char)name[0]) && strlen(name) <= NAME_LONG;

	for (const char *p = name; *p && fine; p++)
		fine = isalnum((unsigned char)*p) || *p == '_';
	if (fine)
		return OPTS_GO_ON;
	say_error(COMMAND, "\"%s\" is no name: a letter, then letters, digits and _, %d at most", name, NAME_LONG);
	return EXIT_USAGE;
}

static void new_tell(const char *name)
{
	static const char connect[] = "myriad connect 7000";
	char run[NAME_LONG + 20];
	int wide = snprintf(run, sizeof run, "myriad run %s.c", name);

	if (wide < (int)strlen(connect))
		wide = (int)strlen(connect);
	printf("%s/%s.c  test_%s.c  Makefile\n\nNext:\n  cd %s\n", name, name, name, name);
	printf("  %-*s   serve it on 127.0.0.1:7000\n", wide, run);
	printf("  %-*s   talk to it, from another terminal\n", wide, connect);
	printf("  %-*s   test it, build %s.so; this needs the library installed\n", wide, "make", name);
}

static int new_make(const char *name)
{
	int status = new_check(name);

	if (status != OPTS_GO_ON)
		return status;
	if (mkdir(name, 0777) < 0)
		return new_failed(name);
	for (size_t i = 0; i < sizeof files / sizeof *files && status == OPTS_GO_ON; i++)
		status = new_write(name, i);
	if (status != OPTS_GO_ON)
		return status;
	new_tell(name);
	return EXIT_DONE;
}

int new_main(int argc, char **argv)
{
	int args, status = opts_parse(&command, NULL, argc, argv, &args);

	if (status != OPTS_GO_ON)
		return status;
	if (args != 1) {
		say_error(COMMAND, args == 0 ? "which name?" : "one name at a time");
		say_try(COMMAND " lines");
		return EXIT_USAGE;
	}
	return new_make(argv[1]);
}
