/* SPDX-License-Identifier: MIT
 *
 * test_lookup.c - a handler that connects to a name waits for the name server, and nobody else does.
 *
 * This program's getaddrinfo(3) is the name server: it knows "slow.test" as 127.0.0.1, once the test lets it answer,
 * and "none.test" as nothing. */
#include <dlfcn.h>
#include <netdb.h>

#include "serving.h"

static const struct shape shapes[] = {
	{ "io_uring", 1, MYR_THREADS }, { "epoll", 1, MYR_THREADS }, { "epoll", 2, MYR_PROCESSES }, { "poll", 1, MYR_THREADS },
	{ "select", 1, MYR_THREADS },   { "thread", 1, MYR_THREADS }, { "fork", 1, MYR_THREADS },
};

#define SHAPES (sizeof shapes / sizeof shapes[0])

enum { OPENED, ASKED, GONE };           /* counters */

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **list)
{
	int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (host != NULL && strcmp(host, "none.test") == 0)
		return EAI_NONAME;
	if (host == NULL || strcmp(host, "slow.test") != 0)
		return real(host, port, hints, list);
	atomic_fetch_add(&serving.shared->counters[ASKED], 1);
	while (counter(OPENED) == 0)
		usleep(500);
	return real("127.0.0.1", port, hints, list);
}

/* "HOST": an echo from this very server, reached by that name.  Anything else comes back. */
static void relay(struct myr_conn *c, const char *host)
{
	char at[128], line[64];
	struct myr_conn *there;
	int err;

	snprintf(at, sizeof at, "tcp:%s:%s", host, strrchr(myr_server_address(myr_server_of(c), 0), ':') + 1);
	err = myr_dial(&there, at, 5000);
	if (err < 0) {
		myr_printf(c, "%s: %s\n", err == -EHOSTUNREACH ? "unreachable" : myr_strerror(err), myr_reason());
		return;
	}
	myr_set_framing(there, &myr_lines);
	myr_printf(there, "hello\n");
	if (myr_recv(there, line, sizeof line) >= 0)
		myr_printf(c, "%s by name\n", line);
	myr_close(there);
}

static void handle(struct myr_conn *c)
{
	char line[64];

	while (myr_recv(c, line, sizeof line) >= 0) {
		if (strstr(line, ".test") != NULL)
			relay(c, line);
		else
			myr_printf(c, "%s\n", line);
	}
}

static void finish(struct myr_conn *c)
{
	(void)c;
	atomic_fetch_add(&serving.shared->counters[GONE], 1);
}

static const struct myr_service service = {
	.name = "names", .framing = &myr_lines, .frame_max = 63, .handle = handle, .finish = finish
};

static void everywhere(void (*scenario)(const struct shape *))
{
	for (size_t i = 0; i < SHAPES; i++)
		if (works(shapes[i].engine))
			scenario(&shapes[i]);
}

static void others(const struct shape *shape)
{
	int a, b[8];

	serve(shape, &service);
	a = dial();
	say(a, "slow.test\n");
	await_counter(ASKED, 1);
	for (int i = 0; i < 8; i++) {           /* with two workers some of them at the one that asks */
		b[i] = dial();
		say(b[i], "quick\n");
		expect(b[i], "quick\n");
	}
	assert_true(is_silent(a, 0));
	atomic_store(&serving.shared->counters[OPENED], 1);
	expect(a, "hello by name\n");
	close(a);
	for (int i = 0; i < 8; i++)
		close(b[i]);
	stop_serving();
	assert_int_equal(served()->run, 0);
}

static void test_a_slow_name_server_holds_up_nobody_else(void **state)
{
	(void)state;
	everywhere(others);
}

static void leaves(const struct shape *shape)
{
	const struct linger rude = { .l_onoff = 1 };
	int fd;

	serve(shape, &service);
	fd = dial();
	say(fd, "slow.test\n");
	await_counter(ASKED, 1);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &rude, sizeof rude);
	close(fd);
	stop_serving();
	atomic_store(&serving.shared->counters[OPENED], 1);
	assert_int_equal(served()->run, 0);
}

static void test_a_client_that_leaves_during_the_lookup(void **state)
{
	(void)state;
	everywhere(leaves);
}

static void unknown(const struct shape *shape)
{
	int fd;

	serve(shape, &service);
	fd = dial();
	say(fd, "none.test\n");
	expect(fd, "unreachable: cannot find host \"none.test\": Name or service not known\n");
	close(fd);
	stop_serving();
	assert_int_equal(served()->run, 0);
}

static void test_a_name_nobody_knows_has_its_reason(void **state)
{
	(void)state;
	everywhere(unknown);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_a_slow_name_server_holds_up_nobody_else, end_serving),
		cmocka_unit_test_teardown(test_a_client_that_leaves_during_the_lookup, end_serving),
		cmocka_unit_test_teardown(test_a_name_nobody_knows_has_its_reason, end_serving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
