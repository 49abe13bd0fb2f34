/* SPDX-License-Identifier: MIT
 *
 * exact_stamp.c - the servers of S2: a thread for each client (S2-P3), two ports and one select (S2-P4), one
 * client at a time (S2-P2). */
#include <inttypes.h>

#include "service/exact.h"
#include "service/repr.h"
#include "service/screen.h"
#include "service/services.h"
#include "service/stamp.h"

static void answer_all(struct myr_conn *c)
{
	char data[EXACT_RECV];
	ssize_t n;

	while ((n = myr_read(c, data, sizeof data)) > 0)
		if (stamp_answer(c, data, (size_t)n, "") < 0)
			return;
}

static void s2_p3_handle(struct myr_conn *c)
{
	struct screen s = { .text = NULL };
	char now[REPR_CTIME_MAX];

	screen_peer(&s, c);
	screen_add(&s, " %s\n", repr_ctime(now, myr_time(c)));
	screen_show(&s);
	if (stamp_delay == 0 || myr_sleep(c, stamp_delay) == 0)
		answer_all(c);
}

static const struct myr_service s2_p3 = {
	.name = "stamp", .about = "S2-P3: ThreadingTCPServer, slow on purpose", .handle = s2_p3_handle,
};

static void s2_p4_started(struct myr_server *v, int listeners)
{
	(void)v, (void)listeners;
	screen_print("Loop de seleção de socket iniciado!");
}

/* Python's id() of the socket is the object's address; so is ours. */
static void s2_p4_received(struct myr_conn *c, const void *data, size_t n)
{
	struct screen s = { .text = NULL };

	screen_add(&s, "\tRecebeu ");
	screen_bytes(&s, data, n);
	screen_add(&s, " em %" PRIuPTR "\n", (uintptr_t)c);
	screen_show(&s);
}

static void s2_p4_handle(struct myr_conn *c)
{
	struct screen s = { .text = NULL };
	char data[EXACT_RECV];
	ssize_t n;

	screen_add(&s, "Conecta: ");
	screen_peer(&s, c);
	screen_add(&s, " %" PRIuPTR "\n", (uintptr_t)c);
	screen_show(&s);
	while ((n = myr_read(c, data, sizeof data)) > 0) {
		s2_p4_received(c, data, (size_t)n);
		if (stamp_answer(c, data, (size_t)n, "") < 0)
			return;
	}
	if (n == MYR_EOF)
		s2_p4_received(c, "", 0);
}

static const struct myr_service s2_p4 = {
	.name = "stamp", .about = "S2-P4: one select for two ports", .handle = s2_p4_handle,
};

static void s2_p2_handle(struct myr_conn *c)
{
	struct screen s = { .text = NULL };
	char data[EXACT_RECV];
	ssize_t n;

	screen_add(&s, "Server conectado por ");
	screen_peer(&s, c);
	screen_add(&s, "\n");
	screen_show(&s);
	while ((n = myr_read(c, data, sizeof data)) > 0)
		if (myr_printf(c, "Resposta => ") < 0 || myr_write(c, data, (size_t)n) < 0)
			return;
}

static const struct myr_service s2_p2 = {
	.name = "stamp", .about = "S2-P2: one client at a time", .handle = s2_p2_handle,
};

const struct edition editions_stamp[] = {
	{ .id = "S2-P3", .service = &s2_p3, .endpoints = { "127.0.0.1:5000" }, .engine = "thread", .value = "delay=5s" },
	{ .id = "S2-P4", .service = &s2_p4, .endpoints = { "127.0.0.1:5002", "127.0.0.1:5003" }, .engine = "select",
	  .started = s2_p4_started },
	{ .id = "S2-P2", .service = &s2_p2, .endpoints = { "127.0.0.1:5000" }, .engine = "iterative" },
	{ .id = NULL }
};
