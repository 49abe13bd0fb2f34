/* SPDX-License-Identifier: MIT
 *
 * exact_echo.c - the echo servers of the tutorials: S0-P3 and S0-P2 (threads, one at a time), S1-P2 (select),
 * S4-P1 (Twisted).
 *
 * In blocking style where they call recv(1024): each piece is what that would give, under any engine. */
#include "service/exact.h"
#include "service/screen.h"
#include "service/services.h"

/* --- S0-P3 ------------------------------------------------------------------------------------------ */

static void s0_p3_started(struct myr_server *v, int listeners)
{
	(void)v, (void)listeners;
	screen_print("server: starting");
}

static void s0_p3_say(struct myr_conn *c, const char *what)
{
	struct screen s = { .text = NULL };

	screen_add(&s, "server@Thread-%lu: %s ", myr_number(c), what);
	screen_peer(&s, c);
	screen_add(&s, "\n");
	screen_show(&s);
}

static int s0_p3_setup(struct myr_conn *c)
{
	s0_p3_say(c, "accepted connection by");
	return 0;
}

static void s0_p3_handle(struct myr_conn *c)
{
	char data[EXACT_RECV];
	ssize_t n;

	while ((n = myr_read(c, data, sizeof data)) > 0) {
		struct screen s = { .text = NULL };

		screen_add(&s, "server@Thread-%lu: received from ", myr_number(c));
		screen_peer(&s, c);
		screen_add(&s, " data ");
		screen_raw(&s, data, (size_t)n);
		screen_add(&s, "\n");
		screen_show(&s);
		if (myr_write(c, data, (size_t)n) < 0)
			return;
	}
}

static void s0_p3_finish(struct myr_conn *c)
{
	s0_p3_say(c, "terminating connection to");
}

static const struct myr_service s0_p3 = {
	.name = "echo", .about = "S0-P3: the threaded echo server",
	.setup = s0_p3_setup, .handle = s0_p3_handle, .finish = s0_p3_finish,
};

/* --- S0-P2: the tutorial shows no line of it ---------------------------------------------------------- */

static void s0_p2_handle(struct myr_conn *c)
{
	char data[EXACT_RECV];
	ssize_t n;

	while ((n = myr_read(c, data, sizeof data)) > 0)
		if (myr_write(c, data, (size_t)n) < 0)
			return;
}

static const struct myr_service s0_p2 = {
	.name = "echo", .about = "S0-P2: the echo server for one client at a time", .handle = s0_p2_handle,
};

/* --- S1-P2 ------------------------------------------------------------------------------------------ */

static void s1_p2_started(struct myr_server *v, int listeners)
{
	for (int i = 0; i < listeners; i++) {
		struct screen s = { .text = NULL };

		screen_add(&s, "Listening on ");
		screen_address(&s, myr_server_address(v, i));
		screen_add(&s, "\n");
		screen_show(&s);
	}
}

static void s1_p2_say(struct myr_conn *c, const char *what)
{
	struct screen s = { .text = NULL };

	screen_add(&s, "%s ", what);
	screen_peer(&s, c);
	screen_add(&s, "\n");
	screen_show(&s);
}

static void s1_p2_handle(struct myr_conn *c)
{
	char data[EXACT_RECV];
	ssize_t n;

	s1_p2_say(c, "Accepted connection from");
	while ((n = myr_read(c, data, sizeof data)) > 0) {
		struct screen s = { .text = NULL };

		screen_add(&s, "Echoing ");
		screen_bytes(&s, data, (size_t)n);
		screen_add(&s, " to ");
		screen_peer(&s, c);
		screen_add(&s, "\n");
		screen_show(&s);
		if (myr_write(c, data, (size_t)n) < 0)
			break;
	}
	s1_p2_say(c, "Closing connection to");
}

static const struct myr_service s1_p2 = {
	.name = "echo", .about = "S1-P2: the multi-connection server", .handle = s1_p2_handle,
};

/* --- S4-P1 ------------------------------------------------------------------------------------------ */

static void s4_p1_received(struct myr_conn *c, const char *data, size_t n)
{
	struct screen s = { .text = NULL };

	screen_add(&s, "Received %zu bytes :", n);
	screen_raw(&s, data, n);
	screen_add(&s, "\n");
	screen_show(&s);
	myr_write(c, data, n);
}

static size_t s4_p1_data(struct myr_conn *c, const void *bytes, size_t n)
{
	for (size_t i = 0; i < n; i += EXACT_TWISTED)
		s4_p1_received(c, (const char *)bytes + i, n - i < EXACT_TWISTED ? n - i : EXACT_TWISTED);
	return n;
}

static const struct myr_service s4_p1 = {
	.name = "echo", .about = "S4-P1: the Twisted echo server", .on_data = s4_p1_data,
};

const struct edition editions_echo[] = {
	{ .id = "S0-P3", .service = &s0_p3, .endpoints = { ":50007" }, .engine = "thread", .started = s0_p3_started,
	  .interrupted = "\nKeyborad Interrupt detected\n", .ended = "server: shut down\n" },
	{ .id = "S1-P2", .service = &s1_p2, .endpoints = { "127.0.0.1:65432" }, .engine = "select",
	  .started = s1_p2_started, .interrupted = "Caught keyboard interrupt, exiting\n" },
	{ .id = "S4-P1", .service = &s4_p1, .endpoints = { ":50007" } },
	{ .id = "S0-P2", .service = &s0_p2, .endpoints = { ":50007" }, .engine = "iterative" },
	{ .id = NULL }
};
