/* SPDX-License-Identifier: MIT
 *
 * test.c - the public myr_test_*: one connection of a service in a simulated world of its own.
 *
 * The network is perfect and the clock stands still but for myr_test_pass(), so a test sees exactly
 * what its own calls cause.  The peer behaves as clients do: it takes what is sent, and closes when
 * the service has closed.  Services under faults are what the engine "sim" is for. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/error.h"
#include "conn/conn.h"
#include "conn/shared.h"
#include "io/sim.h"

#define TEST_SEED  1
#define TEST_PORT  40000
#define TEST_TURNS 100000u              /* without time passing: it will never wait */

struct myr_test {
	struct origin origin;           /* first: the connection finds us by it */
	struct myr_loop loop;
	struct sim *world;
	struct sim_peer *peer;
	struct myr_conn *conn;          /* NULL: gone */
	int  why;
	bool started;
};

static void test_ended(struct myr_conn *c)
{
	struct myr_test *t = (struct myr_test *)(uintptr_t)c->origin;

	t->why = conn_why(c);
	t->conn = NULL;
}

static int test_status(const struct myr_test *t)
{
	if (t->conn == NULL)
		return t->why;
	return t->conn->bits & C_OVER ? conn_why(t->conn) : 1;
}

/* The service has closed and all has arrived: then the peer closes, too.  True: that is news. */
static bool test_peer_follows(struct myr_test *t)
{
	if (t->conn == NULL || (t->conn->bits & (C_CLOSING | C_IN_ENDED)) != C_CLOSING || !sim_peer_ended(t->peer))
		return false;
	sim_peer_end(t->peer);
	return sim_has_work(t->world, &t->loop);
}

/* Until nothing more happens at this moment.  0, or -ELOOP. */
static int test_settle(struct myr_test *t)
{
	unsigned turns = 0;

	do {
		while (sim_has_work(t->world, &t->loop)) {
			if (turns++ == TEST_TURNS)
				return fail(-ELOOP, "the service never waits: still busy after %u turns", TEST_TURNS);
			loop_turn(&t->loop);
		}
	} while (test_peer_follows(t));
	return 0;
}

static int test_run(struct myr_test *t)
{
	int err = test_settle(t);

	return err < 0 ? err : test_status(t);
}

/* --- The beginning and the end -------------------------------------------------------------------- */

static int test_connect(struct myr_test *t)
{
	const struct sockaddr_in from = {
		.sin_family = AF_INET, .sin_port = htons(TEST_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int handle, err;

	t->peer = sim_pair(t->world, &handle);
	if (t->peer == NULL)
		return -ENOMEM;
	t->conn = conn_accept(&t->loop, &t->origin, handle, 0, (const struct sockaddr *)&from, sizeof from, 0,
	                      (uint32_t)++t->loop.numbers, &err);
	return t->conn == NULL ? err : 0;
}

static int test_start(struct myr_test *t)
{
	const struct myr_service *s = &t->origin.service;
	int err;

	if (s->shared > 0 && (t->origin.shared = shared_new(s->shared)) == NULL)
		return -ENOMEM;
	t->world = sim_new(TEST_SEED, NULL);
	if (t->world == NULL)
		return -ENOMEM;
	sim_share(t->world, true);
	err = loop_open(&t->loop, &mover_sim, t->world, false);
	if (err < 0)
		return err;
	err = s->start != NULL ? s->start(&t->loop, t->origin.arg) : 0;
	t->started = err >= 0;
	return err < 0 ? err : test_connect(t);
}

int myr_test_new_sized(struct myr_test **out, const struct myr_service *s, size_t size, void *arg)
{
	struct myr_test *t;
	struct origin *o;
	int err;

	*out = NULL;
	if (s == NULL)
		return fail(-EINVAL, "there is no service to test");
	t = sys_calloc(1, sizeof *t);
	if (t == NULL)
		return fail(-ENOMEM, "out of memory");
	o = &t->origin;
	err = origin_init(o, s, size, NULL, arg);
	if (err < 0) {
		free(t);
		return err;
	}
	if (o->service.setup != NULL || o->service.handle != NULL || o->service.finish != NULL)
		o->runner = &runner_fiber;
	o->ended = test_ended;
	err = test_start(t);
	if (err == 0)
		err = test_settle(t);
	if (err < 0) {
		myr_test_free(t);
		return err;
	}
	*out = t;
	return 0;
}

void myr_test_free(struct myr_test *t)
{
	if (t == NULL)
		return;
	if (t->conn != NULL)
		conn_cut(t->conn);
	if (t->conn != NULL && (test_settle(t) < 0 || t->conn != NULL))
		return;                 /* a handler that ignores its end is still inside: nothing can be freed */
	sim_peer_free(t->peer);
	if (t->started && t->origin.service.stop != NULL)
		t->origin.service.stop(&t->loop, t->origin.arg);
	if (t->loop.mover != NULL)
		conn_loop_close(&t->loop);
	sim_free(t->world);
	shared_free(t->origin.shared);
	free(t);
}

/* --- What may happen to it ------------------------------------------------------------------------ */

int myr_test_feed(struct myr_test *t, const void *bytes, size_t n)
{
	int err = sim_peer_send(t->peer, bytes, n);

	return err < 0 ? err : test_run(t);
}

int myr_test_end(struct myr_test *t, int why)
{
	if (why >= 0)
		return fail(-EINVAL, "myr_test_end() takes MYR_EOF, MYR_STOP or an error, not %d", why);
	if (why == MYR_EOF)
		sim_peer_end(t->peer);
	else if (why == -ECONNRESET)
		sim_peer_reset(t->peer);
	else if (t->conn != NULL && why == MYR_STOP)
		conn_stop(t->conn);
	else if (t->conn != NULL)
		conn_fail(t->conn, why);
	return test_run(t);
}

int myr_test_pass(struct myr_test *t, int ms)
{
	int64_t end = ms < 0 ? CLOCK_NEVER : sim_now(t->world) + ms;
	unsigned turns = 0;
	int err = test_settle(t);

	while (err == 0 && (ms >= 0 || t->conn != NULL) && sim_advance(t->world, end))
		err = ++turns < TEST_TURNS ? test_settle(t) : fail(-ELOOP, "time passes and the service never ends");
	return err < 0 ? err : test_status(t);
}

const char *myr_test_sent(struct myr_test *t, size_t *n)
{
	size_t unused;

	return sim_peer_take(t->peer, n != NULL ? n : &unused);
}
