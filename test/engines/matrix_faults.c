/* SPDX-License-Identifier: MIT
 *
 * matrix_faults.c - crashes, and what a server is made of: endpoints, processes.
 *
 * What a crash costs is where the models differ most: one connection, one worker, or everything. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "engines/matrix.h"

#define LINE 512

/* --- fragile: "crash" crashes, "crash locked" with the lock held; "process" tells who serves --- */

struct fragile {
	bool broken;
};

static void fragile_lock(struct myr_conn *c, bool crash)
{
	struct fragile *f = myr_shared(c);
	int err = myr_lock(c);

	if (crash) {
		f->broken = true;
		abort();
	}
	myr_printf(c, "%s, %s\n", err == 0 ? "locked" : myr_strerror(err), f->broken ? "broken" : "whole");
	f->broken = false;
	myr_unlock(c);
}

static void fragile_line(struct myr_conn *c, const char *p, size_t n)
{
	char line[LINE];

	snprintf(line, sizeof line, "%.*s", (int)n, p);
	if (strcmp(line, "crash") == 0)
		abort();
	if (strcmp(line, "lock") == 0 || strcmp(line, "crash locked") == 0)
		fragile_lock(c, line[0] == 'c');
	else if (strcmp(line, "process") == 0)
		myr_printf(c, "%d %d\n", (int)getpid(), (int)getppid());
	else
		myr_send(c, p, n);
}

static void fragile_handle(struct myr_conn *c)
{
	char line[LINE];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0)
		fragile_line(c, line, (size_t)n);
}

static void fragile_frame(struct myr_conn *c, const void *p, size_t n)
{
	fragile_line(c, p, n);
}

static const struct myr_service
	fragile_blocking = { .name = "fragile", .framing = &myr_lines, .shared = sizeof(struct fragile),
	                     .handle = fragile_handle },
	fragile_callback = { .name = "fragile", .framing = &myr_lines, .shared = sizeof(struct fragile),
	                     .on_frame = fragile_frame };

static const struct hosting hostings[] = {
	{ "fragile", { &fragile_blocking, &fragile_callback } },
};

/* --- Scenarios -------------------------------------------------------------------------------- */

static const struct myr_config ample;

static void crashes(struct script *s)
{
	struct client *a, *b;

	serve(s, &ample, "fragile");
	a = meet(s, "A", "fragile");
	say(a, "hello\n");
	hear_line(a);
	say(a, "crash\n");
	hear_cut(a);
	if (s->model & PARTED) {
		wait_for_log(s, "killed by signal");
		b = meet(s, "B", "fragile");
		say(b, "hello\n");
		hear_line(b);
		hang_up(b);
		serve_stop(s);
	}
	serve_ends(s);
}

static void crashes_locked(struct script *s)
{
	struct client *a, *b;

	serve(s, &ample, "fragile");
	a = meet(s, "A", "fragile");
	say(a, "crash locked\n");
	hear_cut(a);
	if (s->model & PARTED) {
		wait_for_log(s, "killed by signal");
		b = meet(s, "B", "fragile");
		say(b, "lock\nlock\n");
		hear_line(b);
		hear_line(b);
		hang_up(b);
		serve_stop(s);
	}
	serve_ends(s);
}

/* Kill the worker that serves A; then come with ten clients at once. */
static void worker_killed(struct script *s)
{
	static const struct client_opts quiet = { .quiet = true };
	struct client *a, *c[10];
	int self = 0, parent = 0;
	unsigned good = 0;

	serve(s, &ample, "fragile");
	a = meet(s, "A", "fragile");
	a->quiet = true;
	say(a, "process\n");
	sscanf(hear_line(a), "%d %d", &self, &parent);
	a->quiet = false;
	note(&s->talk, "A is served by %s", self == s->own.pid ? "the server's process" : "a child of it");
	if (s->model & REPLACED) {
		kill(parent == s->own.pid ? self : parent, SIGKILL);
		hear_cut(a);
	}
	for (int i = 0; i < 10; i++) {
		c[i] = client_dial(&s->talk, "", where(s, "fragile"), &quiet);
		say(c[i], "hello\n");
		say_eof(c[i]);
	}
	hang_up(a);
	for (int i = 0; i < 10; i++) {
		good += strcmp(hear_line(c[i]), "hello") == 0;
		hear_end(c[i]);
	}
	note(&s->talk, "%u of 10 were served", good);
	if (s->model & REPLACED)
		wait_for_log(s, "killed by signal");
	serve_stop(s);
	serve_ends(s);
}

/* The same service at two addresses: two shared blocks, one server. */
static void two_places(struct script *s)
{
	static const struct place places[] = {
		{ .service = "tally" }, { .service = "tally" }, { .service = "echo" },
	};
	struct client *c;

	serve_at(s, &ample, places, 3, 0);
	for (unsigned i = 0; i < 2; i++) {
		c = client_dial(&s->talk, "", s->own.address[i], NULL);
		say(c, i == 0 ? "+\n+\n?\n" : "+\n?\n");
		hear_line(c);
		hang_up(c);
	}
	c = meet(s, "", "echo");
	say(c, "hello\n");
	hear_line(c);
	hang_up(c);
	serve_stop(s);
	serve_ends(s);
}

static void at_a_path(struct script *s)
{
	char dir[] = "/tmp/myriad-matrix-XXXXXX", endpoint[60];
	struct place place = { .service = "peer", .endpoint = endpoint };
	struct client *c;

	if (mkdtemp(dir) == NULL)
		abort();
	snprintf(endpoint, sizeof endpoint, "unix:%s/socket", dir);
	serve_at(s, &ample, &place, 1, 0);
	note(&s->talk, "%s", strcmp(where(s, "peer"), endpoint) == 0 ? "as asked" : where(s, "peer"));
	c = meet(s, "", "peer");
	say(c, "?\n");
	hear_line(c);
	hear_line(c);
	say_eof(c);
	hear_end(c);
	serve_stop(s);
	serve_ends(s);
	note(&s->talk, "the socket is %s", access(endpoint + 5, F_OK) == 0 ? "still there" : "gone");
	unlink(endpoint + 5);
	rmdir(dir);
}

#define DIES "server: killed by signal 6\n"

static const struct scenario scenarios[] = {
	{ "a crash in a handler", crashes, .text = "A> hello\nA< hello\nA> crash\nA< END\n" DIES,
	  .except = { { PARTED, "A> hello\nA< hello\nA> crash\nA< END\nB> hello\nB< hello\n"
	                        "B> hangs up\nserver: exit 0\n" } } },
	{ "a crash with the lock held", crashes_locked, .text = "A> crash locked\nA< END\n" DIES,
	  .except = { { PARTED, "A> crash locked\nA< END\nB> lock\nB> lock\n"
	                        "B< owner died, broken\nB< locked, whole\nB> hangs up\n"
	                        "server: exit 0\n" } } },
	{ "a worker is killed, and replaced", worker_killed,
	  .text = "A is served by the server's process\nA> hangs up\n10 of 10 were served\n"
	          "server: exit 0\n",
	  .except = { { REPLACED, "A is served by a child of it\nA< END\nA> hangs up\n"
	                          "10 of 10 were served\nserver: exit 0\n" },
	    { PARTED, "A is served by a child of it\nA> hangs up\n10 of 10 were served\n"
	              "server: exit 0\n" } } },
	{ "one service at two addresses", two_places,
	  .text = "> +\n> +\n> ?\n< 2\n> hangs up\n> +\n> ?\n< 1\n> hangs up\n> hello\n< hello\n"
	          "> hangs up\nserver: exit 0\n" },
	{ "a unix socket", at_a_path,
	  .text = "as asked\n> ?\n< unix\n< unix 0\n> EOF\n< EOF\n"
	          "server: exit 0\nthe socket is gone\n" },
};

const struct topic topic_faults = {
	hostings, sizeof hostings / sizeof hostings[0], scenarios, sizeof scenarios / sizeof scenarios[0],
};
