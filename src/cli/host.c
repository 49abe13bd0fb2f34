/* SPDX-License-Identifier: MIT
 *
 * host.c - an application served, from its options to the exit status. */
#include "cli/host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "cli/banner.h"
#include "cli/blame.h"
#include "cli/crash.h"
#include "cli/say.h"
#include "cli/signals.h"
#include "cli/stdin_exit.h"
#include "cli/text.h"
#include "cli/trace.h"

#define WEEK_MS 604800000
#define EDITION_ENDPOINTS (sizeof(((struct edition *)0)->endpoints) / sizeof(char *))

#define SIZE_OPT(n, least, def, what, ...) { .name = n, .kind = OPT_SIZE, .arg = "SIZE", .word = "none", \
	.min = least, .max = 1 << 30, .standard = def, .about = what, __VA_ARGS__ }
#define TIME_OPT(n, def, what) { .name = n, .kind = OPT_DURATION, .arg = "TIME", .word = "none", \
	.min = 1, .max = WEEK_MS, .standard = def, .about = what }
#define COUNT_OPT(n, what, ...) { .name = n, .kind = OPT_COUNT, .arg = "N", .word = "none", \
	.min = 1, .max = 10000000, .about = what, __VA_ARGS__ }

/* The defaults are the library's; without one here, the library works it out. */
const struct opt host_table[H_COUNT] = {
	[H_LISTEN] = { .name = "listen", .letter = 'l', .kind = OPT_LIST, .arg = "ADDR",
		.about = "an address to listen on, as ENDPOINT" },
	[H_ENGINE] = { .name = "engine", .letter = 'e', .kind = OPT_TEXT, .arg = "NAME", .standard = "auto",
		.about = "the concurrency model; myriad engines shows all" },
	[H_WORKERS] = { .name = "workers", .letter = 'w', .kind = OPT_COUNT, .arg = "N|auto", .word = "auto",
		.min = 1, .max = 1024, .standard = "1", .about = "loops side by side; auto: one for each processor" },
	[H_PROCESSES] = { .name = "processes", .kind = OPT_SWITCH, .about = "workers are processes, not threads" },
	[H_MAX_CONNS] = COUNT_OPT("max-conns", "connections at a time, all workers together", .group = "Limits of the server"),
	[H_MAX_PER_PEER] = COUNT_OPT("max-conns-per-peer", "connections at a time from one address"),
	[H_ACCEPT_RATE] = COUNT_OPT("accept-rate", "new connections a second"),
	[H_DRAIN] = TIME_OPT("drain-timeout", "30s", "for all connections to end, when stopped; then they are cut"),
	[H_IN_MAX] = SIZE_OPT("in-max", 1, "256k", "input that waits to be used", .group = "Limits of each connection"),
	[H_OUT_HIGH] = SIZE_OPT("out-high", 1, "256k", "with so much output queued nothing more is read"),
	[H_OUT_LOW] = SIZE_OPT("out-low", 0, "64k", "... until only so much is left"),
	[H_OUT_MAX] = SIZE_OPT("out-max", 1, "16M", "with so much output queued the connection ends"),
	[H_OPEN] = TIME_OPT("open-timeout", "30s", "until the first byte, either way"),
	[H_FRAME] = TIME_OPT("frame-timeout", "30s", "from the first byte of a frame to its last"),
	[H_IDLE] = TIME_OPT("idle-timeout", "5m", "without a byte, either way"),
	[H_CLOSE] = TIME_OPT("close-timeout", "5s", "for the peer to take the last output"),
	[H_STACK] = { .name = "stack-size", .kind = OPT_SIZE, .arg = "SIZE", .min = 16 << 10, .max = 64 << 20,
		.standard = "256k", .about = "stack of a blocking handler on an event engine" },
	[H_STDIN_EXIT] = { .name = "stdin-exit", .kind = OPT_SWITCH, .group = "More",
		.about = "the line EXIT on standard input stops, as a signal does" },
	[H_SIM_CLIENTS] = { .name = "sim-clients", .kind = OPT_COUNT, .arg = "N", .min = 1, .max = 10000,
		.standard = "100", .about = "simulated clients, with --engine sim or sim:SEED" },
	[H_QUIET] = { .name = "quiet", .letter = 'q', .kind = OPT_SWITCH, .about = "say only what is wrong" },
	[H_VERBOSE] = { .name = "verbose", .letter = 'v', .kind = OPT_SWITCH, .about = "say more, also of connections" },
	[H_CHECK] = { .name = "check", .kind = OPT_SWITCH, .here_only = true,
		.about = "do everything but serve: is it right, is the address free?" },
};

/* --- Options to a configuration ----------------------------------------------------------------- */

/* The words are -1: MYR_NONE, SIZE_MAX and MYR_PER_CPU alike. */
static void host_configure(struct host *h, struct myr_config *config)
{
	const struct opt_value *v = h->values;

	*config = (struct myr_config){
		.engine = h->engine,
		.workers = (unsigned)v[H_WORKERS].n,
		.workers_are = v[H_PROCESSES].n ? MYR_PROCESSES : MYR_THREADS,
		.log = h->seeded[0] ? simulate_log : banner_log,
		.log_arg = &h->sim,
		.conns_max = (unsigned)v[H_MAX_CONNS].n,
		.conns_per_peer = (unsigned)v[H_MAX_PER_PEER].n,
		.accept_rate = (unsigned)v[H_ACCEPT_RATE].n,
		.in_max = (size_t)v[H_IN_MAX].n,
		.out_high = (size_t)v[H_OUT_HIGH].n,
		.out_low = (size_t)v[H_OUT_LOW].n,
		.out_max = (size_t)v[H_OUT_MAX].n,
		.open_ms = (int)v[H_OPEN].n,
		.frame_ms = (int)v[H_FRAME].n,
		.idle_ms = (int)v[H_IDLE].n,
		.close_ms = (int)v[H_CLOSE].n,
		.drain_ms = (int)v[H_DRAIN].n,
		.stack = (size_t)v[H_STACK].n,
		.values = h->app_values,
		.inherited = h->inherited,
	};
}

/* Two marks that are given in the wrong order are a slip worth telling. */
static int host_check_order(const struct host *h, int low, int high)
{
	const struct opt_value *v = h->values;

	if (v[low].from == FROM_DEFAULT || v[high].n == OPT_WORD || (v[low].n != OPT_WORD && v[low].n <= v[high].n))
		return OPTS_GO_ON;
	say_error(h->command->name, "--%s %s is above --%s %s", host_table[low].name, v[low].text,
	          host_table[high].name, v[high].text);
	return v[low].from == FROM_ENVIRONMENT ? EXIT_CONFIG : EXIT_USAGE;
}

static int host_engine(struct host *h)
{
	const struct opt_value *engine = &h->values[H_ENGINE];

	h->engine = strcmp(engine->text, "auto") == 0 ? NULL : engine->text;
	if (h->edition && engine->from == FROM_DEFAULT)
		h->engine = h->edition->engine;
	if (!simulate_is_meant(h->engine))
		return OPTS_GO_ON;
	if (simulate_seed(h->engine, &h->sim.seed) < 0) {
		say_error(h->command->name, "engine \"%s\": the seed must be a number", h->engine);
		say_try("--engine sim:42");
		return EXIT_USAGE;
	}
	if (h->values[H_STDIN_EXIT].n) {
		say_error(h->command->name, "--stdin-exit: a simulation has no standard input; it ends by itself");
		return h->values[H_STDIN_EXIT].from == FROM_ENVIRONMENT ? EXIT_CONFIG : EXIT_USAGE;
	}
	snprintf(h->seeded, sizeof h->seeded, "sim:%" PRIu64, h->sim.seed);
	h->engine = h->seeded;
	return OPTS_GO_ON;
}

static void host_raise_files(struct host *h)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	h->files = h->files_before = r.rlim_cur;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) == 0)
		h->files = r.rlim_cur;
}

static size_t host_edition_endpoints(const struct edition *edition, const char **dst)
{
	size_t n = 0;

	for (; edition && edition->endpoints[n]; n++)
		dst[n] = edition->endpoints[n];
	return n;
}

/* Arguments and --listen together; without either what the environment says; else the tutorial's or the
 * application's own. */
static int host_endpoints(struct host *h, char **args, size_t args_n)
{
	const struct opt_value *listen = &h->values[H_LISTEN];
	size_t listed = args_n > 0 && listen->from == FROM_ENVIRONMENT ? 0 : listen->list_n;
	const char **all = malloc((args_n + listed + EDITION_ENDPOINTS) * sizeof *all);

	if (!all) {
		say_error(h->command->name, "out of memory");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < args_n; i++)
		all[h->endpoints_n++] = args[i];
	for (size_t i = 0; i < listed; i++)
		all[h->endpoints_n++] = listen->list[i];
	if (h->endpoints_n == 0)
		h->endpoints_n = host_edition_endpoints(h->edition, all);
	if (h->endpoints_n == 0)
		all[h->endpoints_n++] = h->endpoint;
	h->endpoints = all;
	return OPTS_GO_ON;
}

/* --- The server --------------------------------------------------------------------------------- */

static int host_listeners(const struct host *h)
{
	int n = 0;

	while (myr_server_address(h->server, n))
		n++;
	return n;
}

static int host_new(struct host *h)
{
	struct myr_config config;
	int err;

	host_configure(h, &config);
	err = myr_server_new(&h->server, &config);
	if (err == 0)
		return OPTS_GO_ON;
	say_error(h->command->name, "%s", myr_reason());
	if (err == -ENOTSUP)
		say_try("no --engine, for the best one here   (myriad engines shows all)");
	else if (err == -EINVAL && h->engine)
		say_try("myriad engines   (shows all)");
	else
		return EXIT_FAILED;
	return err == -ENOTSUP ? EXIT_FAILED : h->values[H_ENGINE].from == FROM_ENVIRONMENT ? EXIT_CONFIG : EXIT_USAGE;
}

/* The application's own preparations; it may add services of its own, before the one that is ours to add. */
static int host_build(struct host *h)
{
	int err = h->app->build ? h->app->build(h->server, &h->arg) : 0;

	if (err >= 0)
		return OPTS_GO_ON;
	say_error(h->command->name, "%s could not be prepared: %s", h->subject, myr_strerror(err));
	return err == -EINVAL ? EXIT_USAGE : EXIT_FAILED;
}

static int host_wrap(struct host *h)
{
	h->service = *(h->edition ? h->edition->service : h->app->service);
	if (say_level >= LOG_INFO)
		h->service = trace_wrap(&h->service);
	if (h->wrap)
		h->service = h->wrap(&h->service);
	if (!h->seeded[0])
		return h->values[H_STDIN_EXIT].n ? stdin_exit_wrap(&h->service, h->server) : 0;
	h->sim.server = h->server;
	h->sim.listener = host_listeners(h);
	h->sim.clients = (unsigned)h->values[H_SIM_CLIENTS].n;
	h->sim.verify = h->verify;
	h->service = simulate_wrap(&h->service, &h->sim);
	return 0;
}

static int host_listen(struct host *h)
{
	if (host_wrap(h) < 0) {
		say_error(h->command->name, "out of memory");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < h->endpoints_n; i++) {
		int err = myr_server_add(h->server, &h->service, h->endpoints[i], h->arg);

		if (err >= 0)
			continue;
		blame_listen(h->command->name, h->subject, h->endpoints[i], err);
		return err != -EINVAL ? EXIT_FAILED :
			h->values[H_LISTEN].from == FROM_ENVIRONMENT ? EXIT_CONFIG : EXIT_USAGE;
	}
	return OPTS_GO_ON;
}

static void host_stopped(const struct host *h)
{
	char served[TEXT_NUMBER], refused[TEXT_NUMBER], cut[TEXT_NUMBER], in[TEXT_NUMBER], out[TEXT_NUMBER];
	struct myr_stats stats;

	if (say_level < LOG_NOTICE || myr_server_stats(h->server, &stats) < 0)
		return;
	fprintf(stderr, "stopped: %s served, %s refused, %s cut, %s in, %s out\n", text_number(served, stats.accepted),
	        text_number(refused, stats.refused), text_number(cut, stats.cut), text_volume(in, stats.bytes_in),
	        text_volume(out, stats.bytes_out));
}

/* The command that does the same again: the seed, and whatever else is not the default. */
static void host_repeat(const struct host *h)
{
	const struct command *command = h->command;

	printf("repeat: %s %s -e %s", command->name, h->subject, h->seeded);
	for (size_t i = 0; i < command->opts_n; i++) {
		const struct opt *o = &command->opts[i];
		const struct opt_value *v = &h->values[i];
		const char *joint = o->kind == OPT_SWITCH ? "" : o->kind == OPT_MAYBE ? "=" : " ";

		if (v->from == FROM_DEFAULT || i == H_ENGINE || i == H_LISTEN || (o->kind == OPT_SWITCH && !v->n))
			continue;
		for (size_t j = 0; j < v->list_n; j++)
			printf(" --%s %s", o->name, v->list[j]);
		if (v->list_n == 0)
			printf(" --%s%s%s", o->name, joint, *joint ? v->text : "");
	}
	putchar('\n');
}

/* An edition has standard output to itself: what it prints is the tutorial's, and no more. */
static void host_ready(struct host *h)
{
	int listeners = host_listeners(h);

	for (int i = 0; i < listeners && !h->seeded[0]; i++)
		fprintf(h->edition ? stderr : stdout, "ready %s\n", myr_server_address(h->server, i));
	if (h->edition && h->edition->started)
		h->edition->started(h->server, listeners);
	if (fflush(stdout) != 0 || ferror(stdout))
		say_error(h->command->name, "cannot write to standard output: nobody hears that it is ready");
	if (h->serving)
		h->serving(h, h->hook_arg);
}

static int host_run(struct host *h)
{
	int err;

	signals_catch(h->server, h->edition ? h->edition->interrupted : NULL);
	host_ready(h);
	crash_watch(h->command->name);
	err = myr_server_run(h->server);
	crash_done();
	signals_let_go();
	if (err < 0) {
		say_error(h->command->name, "%s", myr_reason());
		return EXIT_FAILED;
	}
	if (h->edition && h->edition->ended)
		fputs(h->edition->ended, stdout);
	fflush(stdout);
	host_stopped(h);
	if (!h->seeded[0])
		return EXIT_DONE;
	err = simulate_report(&h->sim);
	host_repeat(h);
	return err;
}

static void host_banner(const struct host *h)
{
	const struct opt_value *v = h->values;
	char workers[64];

	if (h->seeded[0])
		return;                         /* nobody can connect to a simulation */
	snprintf(workers, sizeof workers, "%s%s", v[H_WORKERS].n == OPT_WORD ? "one for each processor" :
	         v[H_WORKERS].text, v[H_WORKERS].n == 1 ? "" : v[H_PROCESSES].n ? ", processes" : ", threads");
	banner_show(&(struct banner){
		.server = h->server, .name = h->service.name, .about = h->service.about, .listeners = host_listeners(h),
		.engine = h->engine, .workers = workers, .most = v[H_MAX_CONNS].n > 0 ? v[H_MAX_CONNS].text : NULL,
		.files = h->files, .files_before = h->files_before,
	});
}

static int host_start(struct host *h)
{
	int status;

	host_raise_files(h);
	status = host_new(h);
	if (status == OPTS_GO_ON)
		status = host_build(h);
	if (status == OPTS_GO_ON)
		status = host_listen(h);
	if (status == OPTS_GO_ON && h->values[H_CHECK].n) {
		printf("ok\n");
		status = EXIT_DONE;
	}
	if (status == OPTS_GO_ON && h->bound)
		status = h->bound(h, h->hook_arg);
	if (status == OPTS_GO_ON) {
		host_banner(h);
		status = host_run(h);
	}
	myr_server_free(h->server);
	return status;
}

void host_level(const struct opt_value *v)
{
	say_level = v[H_QUIET].n ? LOG_WARNING : v[H_VERBOSE].n ? LOG_DEBUG : LOG_NOTICE;
}

/* "name=value" for each; they live as long as the process. */
int host_app_values(struct host *h, const char *(*value)(const struct host *, const struct myr_app_option *))
{
	static const char *all[HOST_APP_OPTIONS_MAX + 1];
	size_t n = 0;

	for (const struct myr_app_option *o = h->app->options; o && o->name && n < HOST_APP_OPTIONS_MAX; o++) {
		char *text;

		if (asprintf(&text, "%s=%s", o->name, value(h, o)) < 0) {
			say_error(h->command->name, "out of memory");
			return EXIT_FAILED;
		}
		all[n++] = text;
	}
	h->app_values = all;
	return OPTS_GO_ON;
}

int host_serve(struct host *h, char **args, size_t args_n)
{
	int status;

	if ((status = host_check_order(h, H_OUT_LOW, H_OUT_HIGH)) == OPTS_GO_ON &&
	    (status = host_check_order(h, H_OUT_HIGH, H_OUT_MAX)) == OPTS_GO_ON &&
	    (status = host_engine(h)) == OPTS_GO_ON && (status = host_endpoints(h, args, args_n)) == OPTS_GO_ON)
		status = host_start(h);
	free(h->endpoints);
	return status;
}
