/* SPDX-License-Identifier: MIT
 *
 * matrix.c - the program: matrix [ENGINE [STYLE [WORKERS [SCENARIO]]]]
 *
 * ENGINE is a name from myr_engines(), STYLE blocking or callback, WORKERS a number, with a p after it
 * if they are processes.  Each scenario is a test; the last one is that the server for all of them
 * stops when told and leaves nothing behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engines/matrix_main.h"
#include "support/clock.h"

#define SCENARIOS_MAX 128
#define SLOW_MS 500

const struct topic *const topics[N_TOPICS] = {
	&topic_stream, &topic_framing, &topic_flow, &topic_many, &topic_relay, &topic_limits, &topic_stop,
	&topic_faults,
};

static struct run run = { .engine = "epoll", .style = CALLBACK, .workers = 1 };
static struct server server;
static const char *names[SERVER_SITES];

const char *main_address(const char *service)
{
	for (unsigned i = 0; i < server.n_sites; i++)
		if (strcmp(names[i], service) == 0)
			return server.address[i];
	return "no such service";
}

/* --- One scenario -------------------------------------------------------------------------------- */

static unsigned model(const struct scenario *scenario)
{
	bool alone = strcmp(run.engine, "iterative") == 0;
	bool forks = strcmp(run.engine, "fork") == 0;
	bool replaced = run.workers > 1 && (run.processes || forks);

	return (alone && run.workers < scenario->at_once ? IN_TURN : 0) |
	       (forks || replaced ? PARTED : 0) | (replaced ? REPLACED : 0);
}

static const char *expected_of(const struct scenario *scenario, unsigned at)
{
	for (unsigned i = 0; i < 2; i++)
		if (scenario->except[i].where & at)
			return scenario->except[i].text;
	return scenario->text;
}

static void show(const char *what, const char *text)
{
	printf("# --- %s:\n", what);
	while (*text != '\0') {
		int n = (int)strcspn(text, "\n");

		printf("# %.*s\n", n, text);
		text += n + (text[n] == '\n');
	}
}

static void play(void **state)
{
	const struct scenario *scenario = *state;
	unsigned at = model(scenario);
	struct script s = { .run = &run, .scenario = scenario, .model = at, .in_turn = at & IN_TURN };
	const char *expected = expected_of(scenario, at);
	int64_t began = test_now();
	bool same;

	talk_begin(&s.talk);
	scenario->play(&s);
	same = strcmp(s.talk.text, expected) == 0;
	if (!same) {
		show("expected", expected);
		show("heard", s.talk.text);
		server_show_log(s.has_own ? &s.own : &server);
	}
	if (test_now() - began > SLOW_MS)
		printf("# %d ms: %s\n", (int)(test_now() - began), scenario->name);
	talk_end(&s.talk);
	if (s.has_own)
		server_free(&s.own);
	assert_true(same);
}

/* --- The server for all -------------------------------------------------------------------------- */

static int start(void **state)
{
	const struct myr_config config = { .engine = run.engine, .workers = run.workers,
	                                   .workers_are = run.processes ? MYR_PROCESSES : MYR_THREADS };
	struct hosted list[SERVER_SITES];
	unsigned n = 0;

	(void)state;
	for (unsigned i = 0; i < N_TOPICS; i++)
		for (unsigned j = 0; j < topics[i]->n_hostings; j++, n++) {
			names[n] = topics[i]->hostings[j].name;
			list[n] = (struct hosted){ topics[i]->hostings[j].in[run.style], NULL };
		}
	if (server_start(&server, &config, list, n, 0))
		return 0;
	server_show_log(&server);
	return -1;
}

static void stops_and_leaves_nothing(void **state)
{
	struct server_end end;

	(void)state;
	server_stop(&server);
	server_wait(&server, &end, 10000);
	if (!end.over || end.signal != 0 || end.leaks[0] != '\0' || end.cut != 0)
		server_show_log(&server);
	assert_true(end.over);
	assert_int_equal(end.signal, 0);
	assert_int_equal(end.status, 0);
	assert_int_equal(end.cut, 0);
	assert_string_equal(end.leaks, "");
}

static int end(void **state)
{
	(void)state;
	server_free(&server);
	return 0;
}

/* --- The program --------------------------------------------------------------------------------- */

static bool is_here(const char *engine)
{
	for (const char *const *e = myr_engines(); *e != NULL; e++)
		if (strcmp(*e, engine) == 0)
			return true;
	return false;
}

static bool parse(int argc, char **argv)
{
	char *rest = NULL;

	if (argc > 1)
		run.engine = argv[1];
	if (argc > 2 && strcmp(argv[2], "blocking") == 0)
		run.style = BLOCKING;
	else if (argc > 2 && strcmp(argv[2], "callback") != 0)
		return false;
	if (argc > 3) {
		run.workers = (unsigned)strtoul(argv[3], &rest, 10);
		run.processes = strcmp(rest, "p") == 0;
	}
	return run.workers > 0 && (rest == NULL || rest[0] == '\0' || run.processes);
}

static unsigned collect(struct CMUnitTest *tests, const char *only)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_TOPICS; i++)
		for (unsigned j = 0; j < topics[i]->n_scenarios; j++) {
			const struct scenario *s = &topics[i]->scenarios[j];

			if (only == NULL || strcmp(only, s->name) == 0)
				tests[n++] = (struct CMUnitTest){ .name = s->name, .test_func = play,
				                                  .initial_state = (void *)(uintptr_t)s };
		}
	tests[n++] = (struct CMUnitTest){ .name = "the server stops and leaves nothing behind",
	                                  .test_func = stops_and_leaves_nothing };
	return n;
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[SCENARIOS_MAX];
	unsigned n;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (!parse(argc, argv)) {
		fprintf(stderr, "usage: matrix [ENGINE [blocking|callback [WORKERS[p] [SCENARIO]]]]\n");
		return 2;
	}
	if (!is_here(run.engine)) {
		printf("1..0 # SKIP the engine %s does not work here\n", run.engine);
		return 0;
	}
	n = collect(tests, argc > 4 ? argv[4] : NULL);
	return _cmocka_run_group_tests("matrix", tests, n, start, end);
}
