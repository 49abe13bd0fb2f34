/* SPDX-License-Identifier: MIT
 *
 * serve.c - myriad serve: options to a configuration, listeners, readiness, signals, the end.
 *
 * A client may connect once its `ready` line is out, and a signal sent then drains. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <syslog.h>
#include <unistd.h>

#include "cli/banner.h"
#include "cli/blame.h"
#include "cli/commands.h"
#include "cli/opts.h"
#include "cli/say.h"
#include "cli/simulate.h"
#include "cli/text.h"
#include "cli/trace.h"
#include "service/services.h"

#define COMMAND "myriad serve"
#define WEEK_MS 604800000

enum {
	S_LISTEN, S_ENGINE, S_WORKERS, S_PROCESSES, S_MAX_CONNS, S_MAX_PER_PEER, S_ACCEPT_RATE, S_DRAIN,
	S_IN_MAX, S_OUT_HIGH, S_OUT_LOW, S_OUT_MAX, S_OPEN, S_FRAME, S_IDLE, S_CLOSE, S_STACK,
	S_SIM_CLIENTS, S_QUIET, S_VERBOSE, S_LIST, S_CHECK, S_COUNT
};

#define SIZE_OPT(n, least, def, what, ...) { .name = n, .kind = OPT_SIZE, .arg = "SIZE", .word = "none", \
	.min = least, .max = 1 << 30, .standard = def, .about = what, __VA_ARGS__ }
#define TIME_OPT(n, def, what) { .name = n, .kind = OPT_DURATION, .arg = "TIME", .word = "none", \
	.min = 1, .max = WEEK_MS, .standard = def, .about = what }
#define COUNT_OPT(n, what, ...) { .name = n, .kind = OPT_COUNT, .arg = "N", .word = "none", \
	.min = 1, .max = 10000000, .about = what, __VA_ARGS__ }

/* The defaults are the library's; without one here, the library works it out. */
static const struct opt table[S_COUNT] = {
	[S_LISTEN] = { .name = "listen", .letter = 'l', .kind = OPT_LIST, .arg = "ADDR",
		.about = "an address to listen on, as ENDPOINT" },
	[S_ENGINE] = { .name = "engine", .letter = 'e', .kind = OPT_TEXT, .arg = "NAME", .standard = "auto",
		.about = "the concurrency model; myriad engines shows all" },
	[S_WORKERS] = { .name = "workers", .letter = 'w', .kind = OPT_COUNT, .arg = "N|auto", .word = "auto",
		.min = 1, .max = 1024, .standard = "1", .about = "loops side by side; auto: one for each processor" },
	[S_PROCESSES] = { .name = "processes", .kind = OPT_SWITCH, .about = "workers are processes, not threads" },
	[S_MAX_CONNS] = COUNT_OPT("max-conns", "connections at a time, all workers together", .group = "Limits of the server"),
	[S_MAX_PER_PEER] = COUNT_OPT("max-conns-per-peer", "connections at a time from one address"),
	[S_ACCEPT_RATE] = COUNT_OPT("accept-rate", "new connections a second"),
	[S_DRAIN] = TIME_OPT("drain-timeout", "30s", "for all connections to end, when stopped; then they are cut"),
	[S_IN_MAX] = SIZE_OPT("in-max", 1, "256k", "input that waits to be used", .group = "Limits of each connection"),
	[S_OUT_HIGH] = SIZE_OPT("out-high", 1, "256k", "with so much output queued nothing more is read"),
	[S_OUT_LOW] = SIZE_OPT("out-low", 0, "64k", "... until only so much is left"),
	[S_OUT_MAX] = SIZE_OPT("out-max", 1, "16M", "with so much output queued the connection ends"),
	[S_OPEN] = TIME_OPT("open-timeout", "30s", "until the first byte, either way"),
	[S_FRAME] = TIME_OPT("frame-timeout", "30s", "from the first byte of a frame to its last"),
	[S_IDLE] = TIME_OPT("idle-timeout", "5m", "without a byte, either way"),
	[S_CLOSE] = TIME_OPT("close-timeout", "5s", "for the peer to take the last output"),
	[S_STACK] = { .name = "stack-size", .kind = OPT_SIZE, .arg = "SIZE", .min = 16 << 10, .max = 64 << 20,
		.standard = "256k", .about = "stack of a blocking handler on an event engine" },
	[S_SIM_CLIENTS] = { .name = "sim-clients", .kind = OPT_COUNT, .arg = "N", .min = 1, .max = 10000,
		.standard = "100", .about = "simulated clients, with --engine sim or sim:SEED", .group = "More" },
	[S_QUIET] = { .name = "quiet", .letter = 'q', .kind = OPT_SWITCH, .about = "say only what is wrong" },
	[S_VERBOSE] = { .name = "verbose", .letter = 'v', .kind = OPT_SWITCH, .about = "say more, also of connections" },
	[S_LIST] = { .name = "list", .kind = OPT_SWITCH, .about = "list the services" },
	[S_CHECK] = { .name = "check", .kind = OPT_SWITCH, .about = "do everything but serve: is it right, is the address free?" },
};

static const struct command command = {
	.name = COMMAND, .arguments = "SERVICE [ENDPOINT...]",
	.about = "Runs a service until Ctrl-C",
	.examples = { "myriad serve echo                      on port 50007 of this machine",
	              "myriad serve reverse :7000 -e thread   on port 7000 of all addresses, a thread for each client" },
	.opts = table, .opts_n = S_COUNT,
	.more = "An ENDPOINT is PORT (this machine only), :PORT (all addresses), HOST:PORT, [::1]:PORT,\n"
	        "the same after udp:, unix:PATH, unixgram:PATH (both with ,mode=0660) or fd:N.  Port 0 is any\n"
	        "that is free.  A datagram is answered with at most 3 times its size (udp:PORT,amplify=N), and\n"
	        "not if another server seems to have sent it (,from=any).  When it accepts, a line\n"
	        "`ready tcp:127.0.0.1:50007` goes to standard output for each.\n"
	        "SIGINT and SIGTERM: finish what was begun, then end; twice: cut.  SIGQUIT: cut at once.\n",
};

struct serving {
	const struct builtin *builtin;
	const struct opt_value *values;
	const char *engine;             /* NULL: the best */
	char seeded[32];                /* "sim:42" */
	const char **endpoints;
	size_t endpoints_n;
	rlim_t files, files_before;
	struct myr_server *server;
	struct myr_service service;     /* the builtin's, as it is or wrapped */
	struct simulation sim;
};

/* --- Signals ---------------------------------------------------------------------------------- */

static struct {
	struct myr_server *server;
	pid_t pid;
	int said;                       /* on a terminal: what a second Ctrl-C does */
} stopping;

/* A terminal sends Ctrl-C to all processes of the group, forked ones too: it counts once. */
static void stop(int sig)
{
	static const char hint[] = "\nfinishing what was begun; Ctrl-C again cuts\n";
	int saved = errno;

	if (getpid() != stopping.pid)
		return;
	if (stopping.said++ == 0 && sig == SIGINT && isatty(STDERR_FILENO) && say_level >= LOG_NOTICE)
		(void)!write(STDERR_FILENO, hint, sizeof hint - 1);
	myr_server_stop(stopping.server);
	if (sig == SIGQUIT)
		myr_server_stop(stopping.server);
	errno = saved;
}

/* What was ignored when we were started stays ignored: nohup, and jobs in the background. */
static void serve_catch(struct myr_server *server)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP };
	struct sigaction ours = { .sa_handler = stop, .sa_flags = SA_RESTART }, old;

	stopping.server = server;
	stopping.pid = getpid();
	sigfillset(&ours.sa_mask);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		if (sigaction(signals[i], NULL, &old) == 0 && (signals[i] == SIGTERM || old.sa_handler != SIG_IGN))
			sigaction(signals[i], &ours, NULL);
}

static void serve_let_go(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGQUIT, SIGHUP };

	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		signal(signals[i], SIG_IGN);    /* it is over: nothing is left to stop */
}

/* --- Options to a configuration ----------------------------------------------------------------- */

static const struct builtin *serve_find(const char *name)
{
	const char *names[32];
	size_t n = 0;

	for (const struct builtin *b = builtins; b->service; b++) {
		if (strcmp(b->service->name, name) == 0)
			return b;
		if (n < sizeof names / sizeof *names)
			names[n++] = b->service->name;
	}
	say_unknown(COMMAND, "service", name, names, n, COMMAND " --list");
	return NULL;
}

/* The words are -1: MYR_NONE, SIZE_MAX and MYR_PER_CPU alike. */
static void serve_configure(struct serving *s, struct myr_config *config)
{
	const struct opt_value *v = s->values;

	*config = (struct myr_config){
		.engine = s->engine,
		.workers = (unsigned)v[S_WORKERS].n,
		.workers_are = v[S_PROCESSES].n ? MYR_PROCESSES : MYR_THREADS,
		.log = s->seeded[0] ? simulate_log : banner_log,
		.log_arg = &s->sim,
		.conns_max = (unsigned)v[S_MAX_CONNS].n,
		.conns_per_peer = (unsigned)v[S_MAX_PER_PEER].n,
		.accept_rate = (unsigned)v[S_ACCEPT_RATE].n,
		.in_max = (size_t)v[S_IN_MAX].n,
		.out_high = (size_t)v[S_OUT_HIGH].n,
		.out_low = (size_t)v[S_OUT_LOW].n,
		.out_max = (size_t)v[S_OUT_MAX].n,
		.open_ms = (int)v[S_OPEN].n,
		.frame_ms = (int)v[S_FRAME].n,
		.idle_ms = (int)v[S_IDLE].n,
		.close_ms = (int)v[S_CLOSE].n,
		.drain_ms = (int)v[S_DRAIN].n,
		.stack = (size_t)v[S_STACK].n,
	};
}

/* Two marks that are given in the wrong order are a slip worth telling. */
static int serve_check_order(const struct opt_value *v, int low, int high)
{
	if (v[low].from == FROM_DEFAULT || v[high].n == OPT_WORD || (v[low].n != OPT_WORD && v[low].n <= v[high].n))
		return OPTS_GO_ON;
	say_error(COMMAND, "--%s %s is above --%s %s", table[low].name, v[low].text, table[high].name, v[high].text);
	return v[low].from == FROM_ENVIRONMENT ? EXIT_CONFIG : EXIT_USAGE;
}

static int serve_engine(struct serving *s)
{
	const struct opt_value *engine = &s->values[S_ENGINE];

	s->engine = strcmp(engine->text, "auto") == 0 ? NULL : engine->text;
	if (!simulate_is_meant(s->engine))
		return OPTS_GO_ON;
	if (simulate_seed(s->engine, &s->sim.seed) < 0) {
		say_error(COMMAND, "engine \"%s\": the seed must be a number", s->engine);
		say_try("--engine sim:42");
		return EXIT_USAGE;
	}
	snprintf(s->seeded, sizeof s->seeded, "sim:%" PRIu64, s->sim.seed);
	s->engine = s->seeded;
	return OPTS_GO_ON;
}

static void serve_raise_files(struct serving *s)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return;
	s->files = s->files_before = r.rlim_cur;
	r.rlim_cur = r.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &r) == 0)
		s->files = r.rlim_cur;
}

/* --- The server --------------------------------------------------------------------------------- */

static int serve_new(struct serving *s)
{
	struct myr_config config;
	int err;

	serve_configure(s, &config);
	err = myr_server_new(&s->server, &config);
	if (err == 0)
		return OPTS_GO_ON;
	say_error(COMMAND, "%s", myr_reason());
	if (err == -ENOTSUP)
		say_try("no --engine, for the best one here   (myriad engines shows all)");
	else if (err == -EINVAL && s->engine)
		say_try("myriad engines   (shows all)");
	else
		return EXIT_FAILED;
	return err == -ENOTSUP ? EXIT_FAILED : s->values[S_ENGINE].from == FROM_ENVIRONMENT ? EXIT_CONFIG : EXIT_USAGE;
}

static int serve_listen(struct serving *s)
{
	s->service = *s->builtin->service;
	if (say_level >= LOG_INFO)
		s->service = trace_wrap(&s->service);
	if (s->seeded[0]) {
		s->service = simulate_wrap(&s->service);
		s->sim.server = s->server;
		s->sim.clients = (unsigned)s->values[S_SIM_CLIENTS].n;
		s->sim.verify = s->builtin->service == &service_echo;
	}
	for (size_t i = 0; i < s->endpoints_n; i++) {
		int err = myr_server_add(s->server, &s->service, s->endpoints[i], &s->sim);

		if (err >= 0)
			continue;
		blame_listen(COMMAND, s->service.name, s->endpoints[i], err);
		return err != -EINVAL ? EXIT_FAILED :
			s->values[S_LISTEN].from == FROM_ENVIRONMENT ? EXIT_CONFIG : EXIT_USAGE;
	}
	return OPTS_GO_ON;
}

static void serve_stopped(const struct serving *s)
{
	char served[TEXT_NUMBER], refused[TEXT_NUMBER], cut[TEXT_NUMBER], in[TEXT_NUMBER], out[TEXT_NUMBER];
	struct myr_stats stats;

	if (say_level < LOG_NOTICE || myr_server_stats(s->server, &stats) < 0)
		return;
	fprintf(stderr, "stopped: %s served, %s refused, %s cut, %s in, %s out\n", text_number(served, stats.accepted),
	        text_number(refused, stats.refused), text_number(cut, stats.cut), text_volume(in, stats.bytes_in),
	        text_volume(out, stats.bytes_out));
}

/* The command that does the same again: the seed, and whatever else is not the default. */
static void serve_repeat(const struct serving *s)
{
	printf("repeat: " COMMAND " %s -e %s", s->builtin->service->name, s->seeded);
	for (size_t i = 0; i < S_COUNT; i++) {
		const struct opt_value *v = &s->values[i];

		if (v->from != FROM_DEFAULT && i != S_ENGINE && i != S_LISTEN && (table[i].kind != OPT_SWITCH || v->n))
			printf(" --%s%s%s", table[i].name, table[i].kind == OPT_SWITCH ? "" : " ",
			       table[i].kind == OPT_SWITCH ? "" : v->text);
	}
	putchar('\n');
}

static int serve_run(struct serving *s)
{
	int err;

	serve_catch(s->server);
	for (size_t i = 0; i < s->endpoints_n && !s->seeded[0]; i++)
		printf("ready %s\n", myr_server_address(s->server, (int)i));
	fflush(stdout);
	err = myr_server_run(s->server);
	serve_let_go();
	if (err < 0) {
		say_error(COMMAND, "%s", myr_reason());
		return EXIT_FAILED;
	}
	serve_stopped(s);
	if (!s->seeded[0])
		return EXIT_DONE;
	err = simulate_report(&s->sim);
	serve_repeat(s);
	return err;
}

static void serve_banner(const struct serving *s)
{
	const struct opt_value *v = s->values;
	char workers[64];

	if (s->seeded[0])
		return;                         /* nobody can connect to a simulation */
	snprintf(workers, sizeof workers, "%s%s", v[S_WORKERS].n == OPT_WORD ? "one for each processor" :
	         v[S_WORKERS].text, v[S_WORKERS].n == 1 ? "" : v[S_PROCESSES].n ? ", processes" : ", threads");
	banner_show(&(struct banner){
		.server = s->server, .service = s->builtin->service, .listeners = s->endpoints_n,
		.engine = s->engine, .workers = workers, .most = v[S_MAX_CONNS].n > 0 ? v[S_MAX_CONNS].text : NULL,
		.files = s->files, .files_before = s->files_before,
	});
}

static int serve_service(struct serving *s)
{
	int status;

	serve_raise_files(s);
	status = serve_new(s);
	if (status == OPTS_GO_ON)
		status = serve_listen(s);
	if (status == OPTS_GO_ON && s->values[S_CHECK].n) {
		printf("ok\n");
		status = EXIT_DONE;
	} else if (status == OPTS_GO_ON) {
		serve_banner(s);
		status = serve_run(s);
	}
	myr_server_free(s->server);
	return status;
}

/* --- The command line --------------------------------------------------------------------------- */

static void serve_level(const struct opt_value *v)
{
	say_level = v[S_QUIET].n ? LOG_WARNING : v[S_VERBOSE].n ? LOG_DEBUG : LOG_NOTICE;
}

/* Arguments and --listen together; without either what the environment says; else the service's port. */
static int serve_endpoints(struct serving *s, char **args, size_t args_n)
{
	const struct opt_value *listen = &s->values[S_LISTEN];
	size_t listed = args_n > 0 && listen->from == FROM_ENVIRONMENT ? 0 : listen->list_n;
	const char **all = malloc((args_n + listed + 1) * sizeof *all);
	static char standard[16];

	if (!all) {
		say_error(COMMAND, "out of memory");
		return EXIT_FAILED;
	}
	for (size_t i = 0; i < args_n; i++)
		all[s->endpoints_n++] = args[i];
	for (size_t i = 0; i < listed; i++)
		all[s->endpoints_n++] = listen->list[i];
	if (s->endpoints_n == 0) {
		snprintf(standard, sizeof standard, "%d", s->builtin->port);
		all[s->endpoints_n++] = standard;
	}
	s->endpoints = all;
	return OPTS_GO_ON;
}

static int serve_with(struct serving *s, char **args, size_t args_n)
{
	int status;

	serve_level(s->values);
	if (s->values[S_LIST].n) {
		services_print();
		return EXIT_DONE;
	}
	if (args_n == 0) {
		say_error(COMMAND, "which service?   (" COMMAND " --list shows all)");
		say_try(COMMAND " echo");
		return EXIT_USAGE;
	}
	s->builtin = serve_find(args[0]);
	if (!s->builtin)
		return EXIT_USAGE;
	if ((status = serve_check_order(s->values, S_OUT_LOW, S_OUT_HIGH)) != OPTS_GO_ON ||
	    (status = serve_check_order(s->values, S_OUT_HIGH, S_OUT_MAX)) != OPTS_GO_ON ||
	    (status = serve_engine(s)) != OPTS_GO_ON ||
	    (status = serve_endpoints(s, args + 1, args_n - 1)) != OPTS_GO_ON)
		return status;
	return serve_service(s);
}

int serve_main(int argc, char **argv)
{
	struct opt_value values[S_COUNT];
	struct serving s = { .values = values };
	int args, status = opts_parse(&command, values, argc, argv, &args);

	if (status == OPTS_GO_ON)
		status = serve_with(&s, argv + 1, (size_t)args);
	free(s.endpoints);
	opts_free(&command, values);
	return status;
}
