/* SPDX-License-Identifier: MIT
 *
 * run.c - myriad run: somebody's application, from a shared object or from its source. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/app_build.h"
#include "cli/app_load.h"
#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/host.h"
#include "cli/launch.h"
#include "cli/say.h"
#include "cli/text.h"
#include "service/services.h"

#define COMMAND     "myriad run"
#define ENDPOINT    "50007"             /* of an application that names none */

enum {
	R_OPTION = H_COUNT, R_CFLAGS, R_FOREGROUND, R_DAEMON, R_PID_FILE, R_LOG_FILE, R_USER, R_GROUP, R_CHDIR,
	R_UMASK, R_COUNT
};

static const struct opt own_table[R_COUNT - H_COUNT] = {
	[R_OPTION - H_COUNT] = { .name = "option", .letter = 'O', .kind = OPT_LIST, .arg = "NAME=VALUE",
		.about = "an option of the application's own", .group = "The application" },
	[R_CFLAGS - H_COUNT] = { .name = "cflags", .kind = OPT_TEXT, .arg = "FLAGS",
		.about = "further flags for the compiler, if APP is a .c; as $CFLAGS" },
	[R_FOREGROUND - H_COUNT] = { .name = "no-daemon", .letter = 'n', .kind = OPT_SWITCH,
		.about = "in the foreground, the log on standard error: this is what happens anyway", .group = "In the background" },
	[R_DAEMON - H_COUNT] = { .name = "daemon", .letter = 'D', .kind = OPT_SWITCH,
		.about = "in the background; returns when it serves, or says why it does not" },
	[R_PID_FILE - H_COUNT] = { .name = "pid-file", .kind = OPT_TEXT, .arg = "FILE",
		.about = "locked while it runs: the same application does not run twice; with -D it is NAME.pid" },
	[R_LOG_FILE - H_COUNT] = { .name = "log-file", .kind = OPT_TEXT, .arg = "FILE",
		.about = "instead of standard error; opened anew on SIGUSR1; with -D it is NAME.log; - for none" },
	[R_USER - H_COUNT] = { .name = "user", .kind = OPT_TEXT, .arg = "NAME",
		.about = "who to be once it listens: a user's name or number; root only" },
	[R_GROUP - H_COUNT] = { .name = "group", .kind = OPT_TEXT, .arg = "NAME", .about = "its group, if not the user's own" },
	[R_CHDIR - H_COUNT] = { .name = "chdir", .kind = OPT_TEXT, .arg = "DIR",
		.about = "its folder, once it is loaded: pid file, log and unix: endpoints are looked for there" },
	[R_UMASK - H_COUNT] = { .name = "umask", .kind = OPT_TEXT, .arg = "MODE", .about = "for the files it makes, in octal: 027" },
};

static int run_help_for(const struct opt_value *, char **args, int args_n);

static struct opt table[R_COUNT];
static const struct command command = {
	.name = COMMAND, .arguments = "APP.so|APP.c [ENDPOINT...]",
	.about = "Runs an application until Ctrl-C, or in the background",
	.examples = { "myriad run lines.c :7000 -e io_uring      compiled first; the compiler's errors are shown",
	              "myriad run -D lines.so                    in the background; then: myriad status lines" },
	.opts = table, .opts_n = R_COUNT,
	.more = HOST_HELP
		"SIGHUP: with -D, a new process takes over, as by myriad reload.  SIGUSR1: open the log anew.\n"
		"APP is one file: a .c is compiled by $CC or cc, others that it needs it can #include.\n"
		"As root, nobody else may be able to write APP or any folder that leads to it.\n"
		"`myriad run APP --help` begins with what APP says of itself.  `myriad new NAME` writes one.\n",
	.help_for = run_help_for,
};

static struct launch launch = { .report = -1, .umask = -1 };

/* --- The application's own options ------------------------------------------------------------------ */

static const struct myr_app_option *option_find(const struct myr_app *app, const char *given)
{
	size_t n = strcspn(given, "=");

	for (const struct myr_app_option *o = app->options; o && o->name; o++)
		if (strlen(o->name) == n && strncmp(o->name, given, n) == 0)
			return o;
	return NULL;
}

static int option_unknown(const struct myr_app *app, const char *given, const char *file, int status)
{
	const char *names[HOST_APP_OPTIONS_MAX];
	char name[64], shows_all[256];
	size_t n = 0;

	for (const struct myr_app_option *o = app->options; o && o->name && n < HOST_APP_OPTIONS_MAX; o++)
		names[n++] = o->name;
	snprintf(name, sizeof name, "%.*s", (int)strcspn(given, "="), given);
	snprintf(shows_all, sizeof shows_all, COMMAND " %s --help", file);
	if (n == 0)
		say_error(COMMAND, "-O %s: %s has no options", given, app->name);
	else
		say_unknown(COMMAND, "option of the application", name, names, n, shows_all);
	return status;
}

static int options_check(const struct myr_app *app, const struct opt_value *v, const char *file)
{
	int status = v->from == FROM_ENVIRONMENT ? EXIT_CONFIG : EXIT_USAGE;
	size_t n = 0;

	for (const struct myr_app_option *o = app->options; o && o->name; o++, n++)
		if (!*o->name || strchr(o->name, '=') || !o->value || n >= HOST_APP_OPTIONS_MAX) {
			say_error(COMMAND, "%s: option %zu of %s needs a name and a default, and there may be %d", file, n + 1,
			          app->name, HOST_APP_OPTIONS_MAX);
			return EXIT_FAILED;
		}
	for (size_t i = 0; i < v->list_n; i++) {
		if (!strchr(v->list[i], '=')) {
			say_error(COMMAND, v->from == FROM_ENVIRONMENT ? "MYRIAD_OPTION: %s: that is no NAME=VALUE, and no value there "
			          "has a blank" : "-O %s: that is no NAME=VALUE", v->list[i]);
			return status;
		}
		if (!option_find(app, v->list[i]))
			return option_unknown(app, v->list[i], file, status);
	}
	return OPTS_GO_ON;
}

/* The last one given, else the default. */
static const char *option_value(const struct host *h, const struct myr_app_option *o)
{
	const struct opt_value *v = &h->values[R_OPTION];

	for (size_t i = v->list_n; i > 0; i--)
		if (option_find(h->app, v->list[i - 1]) == o)
			return strchr(v->list[i - 1], '=') + 1;
	return o->value;
}

/* --- The application -------------------------------------------------------------------------------- */

static bool ends_in(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n > m && strcmp(text + n - m, end) == 0;
}

static bool is_object(const char *file)
{
	return ends_in(file, ".so") || strstr(file, ".so.");
}

static void run_suggest(const char *name)
{
	char inside[PATH_MAX];

	snprintf(inside, sizeof inside, "%.1000s/%.1000s.c", name, name);
	if (access(inside, F_OK) == 0)
		say_try(COMMAND " %s", inside);
	else if (builtin_find(name))
		say_try("myriad serve %s, a service that comes with the command", name);
	else
		say_try("myriad new NAME, which writes one to begin from");
}

static int run_check_args(char **args, size_t args_n)
{
	if (args_n == 0) {
		say_error(COMMAND, "which application?   (" COMMAND " -h)");
		say_try("myriad new lines && " COMMAND " lines/lines.c");
		return EXIT_USAGE;
	}
	if (!is_object(args[0]) && !ends_in(args[0], ".c")) {
		say_error(COMMAND, "%s is neither a shared object (.so) nor a source (.c)", args[0]);
		run_suggest(args[0]);
		return EXIT_USAGE;
	}
	for (size_t i = 1; i < args_n; i++)
		if (is_object(args[i]) || ends_in(args[i], ".c")) {
			say_error(COMMAND, "%s: one file is an application, and %s is one already", args[i], args[0]);
			say_try("#include \"%s\" in the first, or build an APP.so from all and run that", args[i]);
			return EXIT_USAGE;
		}
	return OPTS_GO_ON;
}

static int run_load(struct app_loaded *a, const char *file, const char *cflags)
{
	struct app_build built = { .dir = "" };
	int status = app_trust(file);

	if (status == OPTS_GO_ON && !is_object(file)) {
		status = app_build(&built, file, cflags);
		if (status == OPTS_GO_ON)
			status = app_load(a, built.object, file);
		app_build_remove(&built);
	} else if (status == OPTS_GO_ON) {
		status = app_load(a, file, file);
	}
	return status;
}

/* What the application says of itself. */
static int run_help_for(const struct opt_value *values, char **args, int args_n)
{
	struct app_loaded a;
	int status = run_check_args(args, (size_t)args_n);

	if (status == OPTS_GO_ON)
		status = run_load(&a, args[0], values[R_CFLAGS].text);
	if (status != OPTS_GO_ON)
		return status;
	printf("%s  %s\n", a.app.name, a.app.about ? a.app.about : "");
	printf("  listens on %s, unless told otherwise\n", a.app.endpoint ? a.app.endpoint : ENDPOINT);
	for (const struct myr_app_option *o = a.app.options; o && o->name; o++)
		printf("  -O %s=%-*s %s\n", o->name, (int)(18 - (strlen(o->name) < 18 ? strlen(o->name) : 18)),
		       o->value ? o->value : "", o->about ? o->about : "");
	putchar('\n');
	return OPTS_GO_ON;
}

/* --- The command line ------------------------------------------------------------------------------ */

static int run_umask(const struct opt_value *v)
{
	char *end;
	long mode;

	if (!v->text)
		return OPTS_GO_ON;
	mode = strtol(v->text, &end, 8);
	if (*v->text >= '0' && *v->text <= '7' && *end == '\0' && mode <= 0777) {
		launch.umask = (int)mode;
		return OPTS_GO_ON;
	}
	say_error(COMMAND, "--umask: \"%s\" is no mode: three octal digits, as 027", v->text);
	return v->from == FROM_ENVIRONMENT ? EXIT_CONFIG : EXIT_USAGE;
}

static int run_check(const struct opt_value *values)
{
	int status;

	if (values[R_DAEMON].n && values[R_FOREGROUND].n) {
		say_error(COMMAND, "--daemon and --no-daemon exclude each other");
		return EXIT_USAGE;
	}
	if (values[R_DAEMON].n && simulate_is_meant(values[H_ENGINE].text)) {
		say_error(COMMAND, "a simulation ends by itself: it is no daemon");
		return EXIT_USAGE;
	}
	status = run_umask(&values[R_UMASK]);
	return status == OPTS_GO_ON ? owner_find(&launch.owner, values[R_USER].text, values[R_GROUP].text) : status;
}

/* A daemon has a pid file and a log; what runs in the foreground has them if they are asked for. */
static void run_files(const struct opt_value *values, const char *name)
{
	static char pid_file[PATH_MAX], log_file[PATH_MAX];
	const char *log = values[R_LOG_FILE].text;

	launch.name = name;
	launch.daemon = values[R_DAEMON].n;
	snprintf(pid_file, sizeof pid_file, "%s.pid", name);
	snprintf(log_file, sizeof log_file, "%s.log", name);
	launch.pid_path = values[R_PID_FILE].text ? values[R_PID_FILE].text : launch.daemon ? pid_file : NULL;
	launch.log_path = log ? strcmp(log, "-") == 0 ? NULL : log : launch.daemon ? log_file : NULL;
	launch.folder = values[R_CHDIR].text;
}

static int run_app(const struct opt_value *values, char **args, size_t args_n)
{
	struct host h = { .command = &command, .values = values, .subject = args[0] };
	struct app_loaded a;
	int status = run_load(&a, args[0], values[R_CFLAGS].text);

	if (status == OPTS_GO_ON)
		status = options_check(&a.app, &values[R_OPTION], args[0]);
	if (status != OPTS_GO_ON)
		return status;
	h.app = &a.app;
	h.endpoint = a.app.endpoint ? a.app.endpoint : ENDPOINT;
	if ((status = host_app_values(&h, option_value)) != OPTS_GO_ON)
		return status;
	run_files(values, a.app.name);
	if (values[H_CHECK].n)
		return host_serve(&h, args + 1, args_n - 1);
	status = launch_begin(&launch);
	launch_join(&launch, &h);
	if (status == OPTS_GO_ON)
		status = host_serve(&h, args + 1, args_n - 1);
	launch_end(&launch);
	return status;
}

static int run_with(const struct opt_value *values, char **args, size_t args_n)
{
	int status;

	host_level(values);
	if ((status = run_check_args(args, args_n)) != OPTS_GO_ON || (status = run_check(values)) != OPTS_GO_ON)
		return status;
	status = owner_begin(&launch.owner);
	if (status == OPTS_GO_ON && values[R_DAEMON].n && !values[H_CHECK].n && launch.got.from == 0)
		status = daemon_begin(&launch.report);
	return status == OPTS_GO_ON ? run_app(values, args, args_n) : status;
}

int run_main(int argc, char **argv)
{
	struct opt_value values[R_COUNT];
	int args, status;

	memcpy(table, host_table, sizeof host_table);
	memcpy(table + H_COUNT, own_table, sizeof own_table);
	inheritance_take(&launch.got);
	if ((status = will_begin(&launch.will, argc, argv)) < 0) {
		say_error(COMMAND, "cannot find out where and what we are: %s", myr_strerror(status));
		return EXIT_FAILED;
	}
	status = opts_parse(&command, values, argc, argv, &args);
	if (status == OPTS_GO_ON)
		status = run_with(values, argv + 1, (size_t)args);
	opts_free(&command, values);
	return status;
}
