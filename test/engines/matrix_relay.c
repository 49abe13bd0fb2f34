/* SPDX-License-Identifier: MIT
 *
 * matrix_relay.c - servers that are clients, too: relays and questions asked upstream.
 *
 * The scripts are the upstream: client U is the other end of what the server dialled. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engines/matrix.h"

#define LINE 512
#define DIAL_MS 3000

/* --- relay: the first line is an endpoint; from there on bytes either way --------------------- */

static void relay_handle(struct myr_conn *c)
{
	struct myr_conn *up;
	char endpoint[LINE];

	if (myr_recv(c, endpoint, sizeof endpoint) < 0)
		return;
	if (myr_dial(&up, endpoint, DIAL_MS) < 0)
		myr_abort(c);
	else
		myr_relay(c, up);
}

static void relay_frame(struct myr_conn *c, const void *p, size_t n)
{
	struct myr_conn *up;
	char endpoint[LINE];

	snprintf(endpoint, sizeof endpoint, "%.*s", (int)n, (const char *)p);
	if (myr_connect(&up, myr_loop_of(c), NULL, endpoint, NULL) < 0)
		myr_abort(c);
	else
		myr_relay(c, up);
}

static const struct myr_service
	relay_blocking = { .name = "relay", .framing = &myr_lines, .handle = relay_handle },
	relay_callback = { .name = "relay", .framing = &myr_lines, .on_frame = relay_frame };

/* --- ask: the first line is an endpoint; the others are questions for it, one at a time ------- */

static void ask_handle(struct myr_conn *c)
{
	struct myr_conn *up;
	char line[LINE];
	ssize_t n;

	if (myr_recv(c, line, sizeof line) < 0)
		return;
	if (myr_dial(&up, line, DIAL_MS) < 0) {
		myr_printf(c, "nobody is there\n");
		return;
	}
	myr_set_framing(up, &myr_lines);
	while ((n = myr_recv(c, line, sizeof line)) >= 0) {
		myr_send(up, line, (size_t)n);
		n = myr_recv(up, line, sizeof line);
		if (n < 0) {
			myr_printf(c, "no answer\n");
			break;
		}
		myr_send(c, line, (size_t)n);
	}
	myr_close(up);
}

/* Each knows the other, and tells it when it goes. */
struct ask {
	struct myr_conn *up;
};

struct upstream {
	struct myr_conn *client;
};

static void upstream_frame(struct myr_conn *up, const void *p, size_t n)
{
	const struct upstream *u = myr_state(up);

	myr_send(u->client, p, n);
	myr_resume(u->client);
}

static void upstream_close(struct myr_conn *up, int why)
{
	struct myr_conn *c = ((struct upstream *)myr_state(up))->client;

	if (c == NULL)
		return;
	((struct ask *)myr_state(c))->up = NULL;
	myr_printf(c, why < 0 && why != MYR_EOF ? "nobody is there\n" : "no answer\n");
	myr_close(c);
}

static void ask_close(struct myr_conn *c, int why)
{
	struct myr_conn *up = ((struct ask *)myr_state(c))->up;

	(void)why;
	if (up == NULL)
		return;
	((struct upstream *)myr_state(up))->client = NULL;
	myr_close(up);
}

static void ask_dial(struct myr_conn *c, const char *endpoint)
{
	static const struct myr_service upstream = {
		.name = "upstream", .framing = &myr_lines, .state = sizeof(struct upstream),
		.on_frame = upstream_frame, .on_close = upstream_close,
	};
	struct ask *a = myr_state(c);

	if (myr_connect(&a->up, myr_loop_of(c), &upstream, endpoint, NULL) < 0) {
		myr_printf(c, "nobody is there\n");
		myr_close(c);
	} else {
		((struct upstream *)myr_state(a->up))->client = c;
	}
}

static void ask_frame(struct myr_conn *c, const void *p, size_t n)
{
	const struct ask *a = myr_state(c);
	char endpoint[LINE];

	if (a->up != NULL) {
		myr_send(a->up, p, n);
		myr_pause(c);
		return;
	}
	snprintf(endpoint, sizeof endpoint, "%.*s", (int)n, (const char *)p);
	ask_dial(c, endpoint);
}

static const struct myr_service
	ask_blocking = { .name = "ask", .framing = &myr_lines, .handle = ask_handle },
	ask_callback = { .name = "ask", .framing = &myr_lines, .state = sizeof(struct ask), .on_frame = ask_frame,
	                 .on_close = ask_close };

static const struct hosting hostings[] = {
	{ "relay", { &relay_blocking, &relay_callback } },
	{ "ask",   { &ask_blocking,   &ask_callback } },
};

/* --- Scenarios -------------------------------------------------------------------------------- */

struct ends {
	struct client *a, *u;
};

/* A client of the service, and the upstream that it asks for. */
static struct ends through(struct script *s, const char *service, const char *rest)
{
	char address[64], line[LINE];
	int listening = talk_listen(address, sizeof address);
	struct ends e = { .a = meet(s, "A", service) };

	snprintf(line, sizeof line, "%s\n%s", address, rest);
	e.a->quiet = true;
	say(e.a, line);
	e.a->quiet = false;
	e.u = client_accept(&s->talk, "U", listening);
	close(listening);
	return e;
}

/* An endpoint where nobody listens. */
static struct client *to_nobody(struct script *s, const char *service)
{
	struct client *a = meet(s, "A", service);
	char address[64], line[LINE];

	close(talk_listen(address, sizeof address));
	snprintf(line, sizeof line, "%s\n", address);
	a->quiet = true;
	say(a, line);
	a->quiet = false;
	return a;
}

static void relay_both_ways(struct script *s)
{
	struct ends e = through(s, "relay", "at once\n");

	hear_line(e.u);
	say(e.a, "hello\n");
	hear_line(e.u);
	say(e.u, "hi\n");
	hear_line(e.a);
	say_eof(e.a);
	hear_end(e.u);
	say(e.u, "last words\n");
	hear_line(e.a);
	say_eof(e.u);
	hear_end(e.a);
}

static void relay_other_end_first(struct script *s)
{
	struct ends e = through(s, "relay", "");

	say(e.u, "that is all\n");
	say_eof(e.u);
	hear_end(e.a);
	say(e.a, "I go on\n");
	hear_line(e.u);
	say_eof(e.a);
	hear_end(e.u);
}

static void relay_much(struct script *s)
{
	struct ends e = through(s, "relay", "");
	size_t n;

	n = say_until_stuck(e.a, 64 << 20, 100);
	note(&s->talk, "A> %s", n < 64 << 20 ? "all that goes, and it stalls" : "64 MiB, and no end");
	say_pattern(e.u, 1000000);
	hear_pattern(e.a, 1000000);
	e.u->quiet = true;
	hear_pattern(e.u, n);
	note(&s->talk, "U< %s", e.u->heard == n ? "all of it" : "less");
	e.u->quiet = false;
	say_eof(e.a);
	hear_end(e.u);
}

static void relay_reset(struct script *s)
{
	struct ends e = through(s, "relay", "");

	say(e.a, "hello\n");
	hear_line(e.u);
	hang_up_rudely(e.u);
	hear_end(e.a);
}

static void relay_client_reset(struct script *s)
{
	struct ends e = through(s, "relay", "");

	say(e.a, "hello\n");
	hear_line(e.u);
	hang_up_rudely(e.a);
	hear_end(e.u);
}

static void relay_to_nobody(struct script *s)
{
	hear_end(to_nobody(s, "relay"));
}

static void ask_upstream(struct script *s)
{
	struct ends e = through(s, "ask", "one?\n");

	hear_line(e.u);
	say(e.u, "1\n");
	hear_line(e.a);
	say(e.a, "two?\nthree?\n");
	hear_line(e.u);
	hear_nothing(e.u, SOON_MS / 2);
	say(e.u, "2\n");
	hear_line(e.u);
	say(e.u, "3\n");
	hear_line(e.a);
	hear_line(e.a);
	say_eof(e.a);
	hear_end(e.a);
	hear_end(e.u);
}

static void ask_leaves(struct script *s)
{
	struct ends e = through(s, "ask", "one?\n");

	hear_line(e.u);
	hang_up(e.u);
	hear_end(e.a);
}

static void ask_nobody(struct script *s)
{
	hear_end(to_nobody(s, "ask"));
}

static const struct scenario scenarios[] = {
	{ "a relay, both ways and half-closed", relay_both_ways,
	  .text = "U< at once\nA> hello\nU< hello\nU> hi\nA< hi\nA> EOF\nU< EOF\nU> last words\n"
	          "A< last words\nU> EOF\nA< EOF\n" },
	{ "a relay, half-closed from the far end", relay_other_end_first,
	  .text = "U> that is all\nU> EOF\nA< that is all\nA< EOF\nA> I go on\nU< I go on\n"
	          "A> EOF\nU< EOF\n" },
	{ "a relay holds back who is too fast", relay_much,
	  .text = "A> all that goes, and it stalls\nU> 1000000 bytes\nA< 1000000 bytes\n"
	          "U< all of it\nA> EOF\nU< EOF\n" },
	{ "a relay's far end resets", relay_reset,
	  .text = "A> hello\nU< hello\nU> RESET\n"
	          "A< RESET\n" },
	{ "a relay's client resets", relay_client_reset,
	  .text = "A> hello\nU< hello\nA> RESET\n"
	          "U< RESET\n" },
	{ "a relay to where nobody listens", relay_to_nobody, .text = "A< RESET\n" },
	{ "questions asked upstream", ask_upstream,
	  .text = "U< one?\nU> 1\nA< 1\nA> two?\nA> three?\nU< two?\nU< nothing\nU> 2\nU< three?\n"
	          "U> 3\nA< 2\nA< 3\nA> EOF\nA< EOF\nU< EOF\n" },
	{ "an upstream that leaves", ask_leaves,
	  .text = "U< one?\nU> hangs up\nA< no answer\n"
	          "A< EOF\n" },
	{ "an upstream that is not there", ask_nobody, .text = "A< nobody is there\nA< EOF\n" },
};

const struct topic topic_relay = {
	hostings, sizeof hostings / sizeof hostings[0], scenarios, sizeof scenarios / sizeof scenarios[0],
};
