/* SPDX-License-Identifier: MIT
 *
 * test_datagram.c - udp: and unixgram: endpoints, served under every engine in both styles, and dialled. */
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>

#define SERVING_BARE
#include "serving.h"

#define LONGEST 65507                   /* that UDP over IPv4 carries */
#define HEADER  28
#define FLOOD   1500
#define DGRAM_ROOM 66000               /* more than any has */

enum { BEGUN, RELEASED, LAST_ERROR, OVER, TOLD_STOP, QUEUED };         /* counters */

static const struct shape shapes[] = {
	{ "io_uring", 1, MYR_THREADS },  { "io_uring", 3, MYR_THREADS },  { "io_uring", 3, MYR_PROCESSES },
	{ "epoll", 1, MYR_THREADS },     { "epoll", 3, MYR_THREADS },     { "epoll", 3, MYR_PROCESSES },
	{ "poll", 1, MYR_THREADS },      { "select", 1, MYR_THREADS },    { "select", 3, MYR_PROCESSES },
	{ "thread", 1, MYR_THREADS },    { "thread", 3, MYR_PROCESSES },  { "iterative", 1, MYR_THREADS },
	{ "iterative", 3, MYR_PROCESSES }, { "fork", 1, MYR_THREADS },    { "fork", 3, MYR_PROCESSES },
};

static const struct shape singles[] = {
	{ "io_uring", 1, MYR_THREADS }, { "epoll", 1, MYR_THREADS }, { "poll", 1, MYR_THREADS },
	{ "select", 1, MYR_THREADS }, { "thread", 1, MYR_THREADS }, { "fork", 1, MYR_THREADS },
	{ "iterative", 1, MYR_THREADS },
};

#define SHAPES  (sizeof shapes / sizeof shapes[0])
#define SINGLES (sizeof singles / sizeof singles[0])

/* --- The service: a datagram is a command, or comes back ------------------------------------------ */

static _Atomic int *counters(struct myr_conn *c)
{
	return ((struct board_of_test *)myr_arg(c))->counters;
}

static void send_much(struct myr_conn *c)
{
	char piece[100];
	ssize_t n;

	memset(piece, 'm', sizeof piece);
	while ((n = myr_write(c, piece, sizeof piece)) > 0)
		;
	atomic_store(&counters(c)[LAST_ERROR], (int)n);
}

static void send_flood(struct myr_conn *c)
{
	for (int i = 0; i < FLOOD; i++)
		if (myr_printf(c, "%d", i) < 0)
			return;
	atomic_fetch_add(&counters(c)[QUEUED], 1);
}

static void send_too_long(struct myr_conn *c)
{
	static const char nothing[DGRAM_ROOM];

	if (myr_write(c, nothing, sizeof nothing) != -EMSGSIZE || myr_send(c, nothing, LONGEST + 1) != -EMSGSIZE)
		myr_printf(c, "not refused");
	else
		myr_printf(c, "refused");
	if (myr_write_eof(c) != 0 || myr_write(c, "more", 4) != -EPIPE)
		myr_log(c, 3, "a write after the end was not refused");
}

/* True: it waits, and "waited" is to follow. */
static bool obey(struct myr_conn *c, const char *p, size_t n)
{
	ssize_t sent = 0;

	if (n >= 4 && memcmp(p, "much", 4) == 0) {
		send_much(c);
	} else if (n >= 5 && memcmp(p, "three", 5) == 0) {
		myr_send(c, "one", 3);
		myr_write(c, "", 0);
		myr_printf(c, "three");
	} else if (n >= 4 && memcmp(p, "long", 4) == 0) {
		send_too_long(c);
	} else if (n == 4 && memcmp(p, "peer", 4) == 0) {
		myr_printf(c, "%s", myr_peer(c));
	} else if (n == 5 && memcmp(p, "flood", 5) == 0) {
		send_flood(c);
	} else if (n == 4 && memcmp(p, "wait", 4) == 0) {
		atomic_fetch_add(&counters(c)[BEGUN], 1);
		return true;
	} else {
		sent = myr_send(c, p, n);
	}
	if (sent < 0)
		atomic_store(&counters(c)[LAST_ERROR], (int)sent);
	return false;
}

static void command_handle(struct myr_conn *c)
{
	static _Thread_local char room[DGRAM_ROOM];
	char *p = room, byte;
	ssize_t n = myr_recv(c, p, DGRAM_ROOM);

	if (n < 0)
		return;
	if (obey(c, p, (size_t)n)) {
		while (!atomic_load(&counters(c)[RELEASED]) && myr_sleep(c, 2) == 0)
			;
		myr_printf(c, "waited");
	} else if (myr_error(c) == 0 && (myr_recv(c, &byte, 1) != MYR_EOF || myr_read(c, &byte, 1) != MYR_EOF)) {
		myr_log(c, 3, "a datagram does not end");
		myr_printf(c, "no end");
	}
	atomic_fetch_add(&counters(c)[OVER], 1);
}

static void command_tick(struct myr_conn *c)
{
	if (!atomic_load(&counters(c)[RELEASED])) {
		myr_tick(c, 2);
		return;
	}
	myr_printf(c, "waited");
	myr_close(c);
}

static void command_frame(struct myr_conn *c, const void *p, size_t n)
{
	bool *waits = myr_state(c);

	*waits = obey(c, p, n);
	if (*waits)
		myr_tick(c, 2);
}

static void command_eof(struct myr_conn *c)
{
	const bool *waits = myr_state(c);

	if (!*waits)
		myr_close(c);
}

static void command_stop(struct myr_conn *c)
{
	atomic_fetch_add(&counters(c)[TOLD_STOP], 1);
}

static void command_close(struct myr_conn *c, int why)
{
	(void)why;
	atomic_fetch_add(&counters(c)[OVER], 1);
}

/* A framing changes nothing for a datagram: this one would split and wrap. */
static const struct myr_service styles[2] = {
	{ .name = "command", .framing = &myr_netstrings, .frame_max = 65536, .handle = command_handle },
	{ .name = "command", .framing = &myr_netstrings, .frame_max = 65536, .state = sizeof(bool),
	  .on_frame = command_frame, .on_eof = command_eof, .on_tick = command_tick, .on_stop = command_stop,
	  .on_close = command_close },
};

/* The board is the argument: it must be there before serve() makes it. */
static void serve_datagrams(const struct shape *shape, const struct myr_service *s, const char *endpoint)
{
	serving.endpoint = endpoint;
	serving.board_is_arg = true;
	serve(shape, s);
}

/* --- Clients --------------------------------------------------------------------------------------- */

static int udp_from(const char *from, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	a.sin_addr.s_addr = inet_addr(from);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static int udp_to(const char *to)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)serving.port) };
	int fd = udp_from("127.0.0.1", 0);

	a.sin_addr.s_addr = inet_addr(to);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static void ask(int fd, const void *p, size_t n)
{
	assert_int_equal(send(fd, p, n, 0), (ssize_t)n);
}

static void hear(int fd, const void *p, size_t n)
{
	static char got[DGRAM_ROOM];
	ssize_t k = receive(fd, got, sizeof got);

	if (k < 0)
		fail_msg("no answer: %s", strerror(errno));
	assert_int_equal(k, n);
	assert_memory_equal(got, p, n);
}

static void hear_text(int fd, const char *text)
{
	hear(fd, text, strlen(text));
}

static int unixgram_to(const char *path, bool named)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	if (named)
		assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a.sun_family), 0);
	memcpy(a.sun_path, path, strlen(path) + 1);
	assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
	return fd;
}

static const char *unix_path(void)
{
	static char path[100];

	if (path[0] == '\0')            /* the same in the server's process */
		snprintf(path, sizeof path, "/tmp/myriad-dgram-%d", (int)getpid());
	return path;
}

static const char *unix_endpoint(const char *options)
{
	static char text[140];

	snprintf(text, sizeof text, "unixgram:%s%s", unix_path(), options);
	return text;
}

/* --- Answers --------------------------------------------------------------------------------------- */

static void talk_to(int fd)
{
	static char big[LONGEST];
	char me[64];
	struct sockaddr_in a;
	socklen_t n = sizeof a;

	for (size_t i = 0; i < sizeof big; i++)
		big[i] = (char)(i * 7 + i / 251);
	ask(fd, "hello", 5);
	hear_text(fd, "hello");
	ask(fd, "", 0);
	hear(fd, "", 0);
	ask(fd, big, sizeof big);
	hear(fd, big, sizeof big);
	ask(fd, "three, with room for all of them", 32);
	hear_text(fd, "one");
	hear(fd, "", 0);
	hear_text(fd, "three");
	memcpy(big, "long", 4);
	ask(fd, big, 40000);
	hear_text(fd, "refused");
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	snprintf(me, sizeof me, "127.0.0.1:%d", ntohs(a.sin_port));
	ask(fd, "peer", 4);
	hear_text(fd, me);
}

static void test_answers_keep_their_boundaries_everywhere(void **state)
{
	const struct report *r;
	int fds[8];

	(void)state;
	for (size_t i = 0; i < 2 * SHAPES; i++) {
		if (!works(shapes[i / 2].engine))
			continue;
		serve_datagrams(&shapes[i / 2], &styles[i % 2], "udp:127.0.0.1:0");
		for (int k = 0; k < 8; k++)
			fds[k] = udp_to("127.0.0.1");
		for (int k = 0; k < 8; k++)
			ask(fds[k], "first", 5);
		for (int k = 0; k < 8; k++)
			hear_text(fds[k], "first");
		talk_to(fds[0]);
		for (int k = 0; k < 8; k++)
			close(fds[k]);
		stop_serving();
		if (strstr(serving.shared->log, "does not end") || strstr(serving.shared->log, "not refused"))
			fail_msg("%s", serving.shared->log);
		r = served();
		assert_int_equal(r->run, 0);
		assert_int_equal(r->stats.accepted, 14);
		assert_int_equal(r->stats.refused, 0);
		assert_int_equal(r->stats.conns_open, 0);
		assert_true(r->stats.bytes_in >= LONGEST && r->stats.bytes_out >= LONGEST);
	}
}

static void test_an_answer_comes_from_the_address_that_was_asked(void **state)
{
	static const char *const where[] = { "127.0.0.1", "127.0.0.2", "127.3.2.1" };

	(void)state;
	for (size_t i = 0; i < SINGLES; i++) {
		struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
		struct sockaddr_in a = { .sin_family = AF_INET }, from;
		const struct timeval patience = { .tv_sec = PATIENCE_S };
		char got[16];
		int fd;

		if (!works(singles[i].engine))
			continue;
		serve_datagrams(&singles[i], &styles[i % 2], "udp::0");
		fd = udp_from("0.0.0.0", 0);
		for (size_t k = 0; k < 3; k++) {
			socklen_t n = sizeof from;

			a.sin_port = htons((uint16_t)serving.port);
			a.sin_addr.s_addr = inet_addr(where[k]);
			assert_int_equal(sendto(fd, "hi", 2, 0, (struct sockaddr *)&a, sizeof a), 2);
			assert_int_equal(recvfrom(fd, got, sizeof got, 0, (struct sockaddr *)&from, &n), 2);
			assert_int_equal(from.sin_addr.s_addr, a.sin_addr.s_addr);
			assert_int_equal(from.sin_port, a.sin_port);
		}
		close(fd);
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		six.sin6_port = htons((uint16_t)serving.port);
		if (fd >= 0 && connect(fd, (struct sockaddr *)&six, sizeof six) == 0) {
			setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
			ask(fd, "six", 3);
			hear_text(fd, "six");
		}
		close(fd);
		stop_serving();
		assert_int_equal(served()->run, 0);
	}
}

/* --- What may not be ------------------------------------------------------------------------------- */

/* How much came back, headers counted, when the handler is through with it. */
static size_t heard_back(int fd)
{
	char got[512];
	size_t sum = 0;
	ssize_t n;

	await_counter(OVER, 1);
	while ((n = recv(fd, got, sizeof got, MSG_DONTWAIT)) >= 0)
		sum += (size_t)n + HEADER;
	return sum;
}

static void check_amplification(const struct shape *shape, const struct myr_service *s, const char *endpoint,
                                size_t asked, size_t times)
{
	char request[1000] = "much";
	size_t most = times * (asked + HEADER), back;
	int fd;

	serve_datagrams(shape, s, endpoint);
	fd = udp_to("127.0.0.1");
	ask(fd, request, asked);
	back = heard_back(fd);
	assert_in_range(back, most > 128 ? most - 128 : 0, most);
	assert_int_equal(counter(LAST_ERROR), MYR_EAMPLIFY);
	close(fd);
	stop_serving();
	assert_int_equal(served()->run, 0);
}

static void test_answers_are_at_most_three_times_the_request(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * SINGLES; i++) {
		if (!works(singles[i / 2].engine))
			continue;
		check_amplification(&singles[i / 2], &styles[i % 2], "udp:127.0.0.1:0", 4, 3);
		check_amplification(&singles[i / 2], &styles[i % 2], "udp:127.0.0.1:0", 700, 3);
		check_amplification(&singles[i / 2], &styles[i % 2], "udp:127.0.0.1:0,amplify=20", 4, 20);
	}
}

static void test_another_servers_port_is_not_answered(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * SINGLES; i++) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		bool any = i % 2;
		int fd, other;

		if (!works(singles[i / 2].engine))
			continue;
		serve_datagrams(&singles[i / 2], &styles[0], any ? "udp:127.0.0.1:0,from=any" : "udp:127.0.0.1:0");
		a.sin_port = htons((uint16_t)serving.port);
		other = udp_from("127.0.0.2", serving.port);
		assert_int_equal(connect(other, (struct sockaddr *)&a, sizeof a), 0);
		fd = udp_to("127.0.0.1");
		ask(other, "loop?", 5);
		ask(fd, "next", 4);
		hear_text(fd, "next");
		if (any)
			hear_text(other, "loop?");
		else
			assert_true(is_silent(other, 0));
		close(fd);
		close(other);
		stop_serving();
		assert_int_equal(served()->stats.refused, any ? 0 : 1);
	}
}

static void test_one_address_has_no_more_than_its_share_at_work(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * SINGLES; i++) {
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		int fd, other;

		if (!works(singles[i / 2].engine) || strcmp(singles[i / 2].engine, "iterative") == 0)
			continue;       /* that one has one at work */
		serving.config.conns_per_peer = 2;
		serve_datagrams(&singles[i / 2], &styles[i % 2], "udp:127.0.0.1:0");
		a.sin_port = htons((uint16_t)serving.port);
		fd = udp_to("127.0.0.1");
		other = udp_from("127.0.0.2", 0);
		assert_int_equal(connect(other, (struct sockaddr *)&a, sizeof a), 0);
		for (int k = 0; k < 6; k++)
			ask(fd, "wait", 4);
		ask(other, "after them", 10);
		hear_text(other, "after them");
		await_counter(BEGUN, 2);
		assert_true(is_silent(fd, 0));
		atomic_store(&serving.shared->counters[RELEASED], 1);
		hear_text(fd, "waited");
		hear_text(fd, "waited");
		close(fd);
		close(other);
		stop_serving();
		assert_int_equal(counter(BEGUN), 2);
		assert_int_equal(served()->stats.refused, 4);
	}
}

/* Who does not fit waits in the kernel's queue. */
static void test_a_full_house_reads_on_later(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * SINGLES; i++) {
		int fd;

		if (!works(singles[i / 2].engine))
			continue;
		serving.config.conns_max = 3;
		serve_datagrams(&singles[i / 2], &styles[i % 2], "udp:127.0.0.1:0");
		fd = udp_to("127.0.0.1");
		for (int k = 0; k < 9; k++)
			ask(fd, "wait", 4);
		await_counter(BEGUN, strcmp(singles[i / 2].engine, "iterative") == 0 ? 1 : 2);
		atomic_store(&serving.shared->counters[RELEASED], 1);
		for (int k = 0; k < 9; k++)
			hear_text(fd, "waited");
		close(fd);
		stop_serving();
		assert_int_equal(served()->run, 0);
	}
}

/* --- Unix ------------------------------------------------------------------------------------------ */

static size_t echo_data(struct myr_conn *c, const void *p, size_t n)
{
	myr_write(c, p, n);
	return n;
}

static void echo_handle(struct myr_conn *c)
{
	char buf[1200];
	ssize_t n;

	while ((n = myr_read(c, buf, sizeof buf)) > 0)
		myr_write(c, buf, (size_t)n);
}

static void test_a_unix_datagram_above_the_limit_is_dropped(void **state)
{
	const struct myr_service short_ones[2] = { { .name = "echo", .frame_max = 1000, .handle = echo_handle },
	                                           { .name = "echo", .frame_max = 1000, .on_data = echo_data } };
	static char bytes[70000];

	(void)state;
	memset(bytes, 'b', sizeof bytes);
	for (size_t i = 0; i < 2 * SHAPES; i++) {
		int fd;

		if (!works(shapes[i / 2].engine))
			continue;
		serve_datagrams(&shapes[i / 2], &short_ones[i % 2], unix_endpoint(""));
		fd = unixgram_to(unix_path(), true);
		ask(fd, bytes, 1001);
		ask(fd, bytes, sizeof bytes);
		ask(fd, bytes, 1000);
		hear(fd, bytes, 1000);
		assert_true(is_silent(fd, 0));
		close(fd);
		await_log("is too long");
		stop_serving();
		assert_int_equal(served()->stats.accepted, 1);
		assert_int_equal(access(unix_path(), F_OK), -1);
	}
}

static void test_the_longest_unix_datagram_comes_back(void **state)
{
	static char bytes[65536];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (char)(i * 11 + i / 509);
	for (size_t i = 0; i < 2 * SINGLES; i++) {
		int fd;

		if (!works(singles[i / 2].engine))
			continue;
		serve_datagrams(&singles[i / 2], &styles[i % 2], unix_endpoint(""));
		fd = unixgram_to(unix_path(), true);
		ask(fd, bytes, sizeof bytes);
		hear(fd, bytes, sizeof bytes);
		close(fd);
		stop_serving();
		assert_int_equal(served()->run, 0);
	}
}

static void test_a_nameless_client_cannot_be_answered(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * SINGLES; i++) {
		int fd, named;

		if (!works(singles[i / 2].engine))
			continue;
		serve_datagrams(&singles[i / 2], &styles[i % 2], unix_endpoint(""));
		fd = unixgram_to(unix_path(), false);
		ask(fd, "hello", 5);
		await_counter(OVER, 1);
		assert_int_equal(counter(LAST_ERROR), -ENOTCONN);
		named = unixgram_to(unix_path(), true);
		ask(named, "hello", 5);
		hear_text(named, "hello");
		close(fd);
		close(named);
		stop_serving();
		assert_int_equal(served()->run, 0);
	}
}

/* Its queue holds a few; the rest waits here, in order, until it reads. */
static void test_what_a_full_socket_does_not_take_waits(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * SINGLES; i++) {
		char text[16];
		int fd;

		if (!works(singles[i / 2].engine))
			continue;
		serve_datagrams(&singles[i / 2], &styles[i % 2], unix_endpoint(""));
		fd = unixgram_to(unix_path(), true);
		ask(fd, "flood", 5);
		await_counter(QUEUED, 1);
		for (int k = 0; k < FLOOD; k++) {
			snprintf(text, sizeof text, "%d", k);
			hear_text(fd, text);
		}
		assert_true(is_silent(fd, 0));
		close(fd);
		stop_serving();
		assert_int_equal(served()->run, 0);
	}
}

static void test_who_never_reads_is_given_up_after_close_ms(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * SINGLES; i++) {
		int fd;

		if (!works(singles[i / 2].engine))
			continue;
		serving.config.close_ms = 50;
		serve_datagrams(&singles[i / 2], &styles[i % 2], unix_endpoint(""));
		fd = unixgram_to(unix_path(), true);
		ask(fd, "flood", 5);
		await_counter(QUEUED, 1);
		await_counter(OVER, 1);
		stop_serving();
		assert_int_equal(served()->run, 0);             /* or drain_ms would have cut it */
		close(fd);
	}
}

static void test_a_socket_file_is_as_asked_and_goes_with_its_server(void **state)
{
	const struct shape epoll = { "epoll", 1, MYR_THREADS };
	const struct myr_config config = { .engine = "epoll" };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct myr_server *v;
	struct stat st;
	int stale = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	memcpy(a.sun_path, unix_path(), strlen(unix_path()) + 1);
	assert_int_equal(bind(stale, (struct sockaddr *)&a, sizeof a), 0);
	close(stale);
	serve_datagrams(&epoll, &styles[1], unix_endpoint(",mode=0640"));
	assert_true(serving.port > 0);
	assert_int_equal(stat(unix_path(), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(myr_server_new(&v, &config), 0);
	assert_int_equal(myr_server_add(v, &styles[1], unix_endpoint(""), NULL), -EADDRINUSE);
	myr_server_free(v);
	assert_int_equal(stat(unix_path(), &st), 0);
	stop_serving();
	served();
	assert_int_equal(stat(unix_path(), &st), -1);
}

/* --- Addresses that are taken -------------------------------------------------------------------------- */

static void test_a_port_that_is_served_is_not_shared(void **state)
{
	static const unsigned workers[] = { 1, 3 };

	(void)state;
	for (int i = 0; i < 4; i++) {
		const struct myr_config config = { .engine = "epoll", .workers = workers[i % 2] };
		const struct shape shape = { "epoll", workers[i / 2], MYR_THREADS };
		struct myr_server *v;
		char endpoint[40];
		int fd;

		serve_datagrams(&shape, &styles[1], "udp:127.0.0.1:0");
		snprintf(endpoint, sizeof endpoint, "udp:127.0.0.1:%d", serving.port);
		assert_int_equal(myr_server_new(&v, &config), 0);
		assert_int_equal(myr_server_add(v, &styles[1], endpoint, NULL), -EADDRINUSE);
		assert_non_null(strstr(myr_reason(), endpoint));
		myr_server_free(v);
		fd = udp_to("127.0.0.1");
		ask(fd, "still there", 11);
		hear_text(fd, "still there");
		close(fd);
		stop_serving();
		served();
	}
}

static void test_the_simulation_says_that_it_has_no_datagrams(void **state)
{
	const struct myr_config config = { .engine = "sim:1" };
	struct myr_server *v;

	(void)state;
	assert_int_equal(myr_server_new(&v, &config), 0);
	assert_int_equal(myr_server_add(v, &styles[1], "udp:0", NULL), -ENOTSUP);
	assert_string_equal(myr_reason(), "the simulated network has no datagrams: use a tcp: or unix: endpoint");
	assert_int_equal(myr_server_add(v, &styles[1], "unixgram:/tmp/x", NULL), -ENOTSUP);
	myr_server_free(v);
}

/* --- The end --------------------------------------------------------------------------------------------- */

static void test_a_drain_lets_what_was_begun_be_answered(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * SHAPES; i++) {
		int fd;

		if (!works(shapes[i / 2].engine))
			continue;
		serve_datagrams(&shapes[i / 2], &styles[i % 2], "udp:127.0.0.1:0");
		fd = udp_to("127.0.0.1");
		ask(fd, "wait", 4);
		await_counter(BEGUN, 1);
		stop_serving();
		if (i % 2 == 1)
			await_counter(TOLD_STOP, 1);
		atomic_store(&serving.shared->counters[RELEASED], 1);
		hear_text(fd, "waited");
		assert_int_equal(served()->run, 0);
		close(fd);
	}
}

static void test_a_cut_ends_what_would_wait_on(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * SINGLES; i++) {
		int fd;

		if (!works(singles[i / 2].engine))
			continue;
		serving.config.drain_ms = 50;
		serve_datagrams(&singles[i / 2], &styles[i % 2], "udp:127.0.0.1:0");
		fd = udp_to("127.0.0.1");
		ask(fd, "wait", 4);
		await_counter(BEGUN, 1);
		stop_serving();
		assert_int_equal(served()->run, 1);
		close(fd);
	}
}

/* --- Dialled ----------------------------------------------------------------------------------------------- */

static void test_a_dialled_endpoint_keeps_boundaries(void **state)
{
	const struct shape epoll = { "epoll", 1, MYR_THREADS };
	struct myr_conn *c;
	char endpoint[200], buf[100];

	(void)state;
	for (int i = 0; i < 2; i++) {
		serve_datagrams(&epoll, &styles[i], i == 0 ? "udp:127.0.0.1:0" : unix_endpoint(""));
		snprintf(endpoint, sizeof endpoint, "udp:127.0.0.1:%d", serving.port);
		if (i == 1)
			snprintf(endpoint, sizeof endpoint, "%s", unix_endpoint(""));
		assert_int_equal(myr_dial(&c, endpoint, 1000), 0);
		assert_int_equal(myr_write(c, "a", 1), 1);
		assert_int_equal(myr_send(c, "", 0), 0);
		assert_int_equal(myr_write(c, "three is the last of these", 26), 26);
		assert_int_equal(myr_recv(c, buf, 1), -EMSGSIZE);
		assert_int_equal(myr_recv(c, buf, sizeof buf), 1);
		assert_string_equal(buf, "a");
		assert_int_equal(myr_recv(c, buf, sizeof buf), 0);
		assert_int_equal(myr_read(c, buf, 2), 2);
		assert_int_equal(myr_read(c, buf + 2, sizeof buf - 2), 1);
		assert_memory_equal(buf, "one", 3);
		assert_int_equal(myr_read(c, buf, sizeof buf), 5);      /* the empty one is no end */
		assert_memory_equal(buf, "three", 5);
		myr_set_timeout(c, 20);
		assert_int_equal(myr_read(c, buf, sizeof buf), -ETIMEDOUT);
		myr_close(c);
		stop_serving();
		served();
	}
}

struct heard {
	char text[200];
	int  why;
};

static void heard_open(struct myr_conn *c)
{
	myr_write(c, "first", 5);
	myr_write(c, "", 0);
	myr_write(c, "last", 4);
	myr_write_eof(c);
}

static size_t heard_data(struct myr_conn *c, const void *p, size_t n)
{
	struct heard *h = myr_arg(c);
	size_t at = strlen(h->text);

	snprintf(h->text + at, sizeof h->text - at, "[%.*s]", (int)n, (const char *)p);
	return n;
}

static void heard_close(struct myr_conn *c, int why)
{
	struct heard *h = myr_arg(c);

	h->why = why;
}

static const struct myr_service listening = { .name = "client", .on_open = heard_open, .on_data = heard_data,
                                              .on_close = heard_close };

static void test_a_client_of_each_engine_hears_datagrams_and_an_end(void **state)
{
	static const char *const engines[] = { "io_uring", "epoll", "poll", "select" };
	const struct shape epoll = { "epoll", 1, MYR_THREADS };
	char endpoint[40];

	(void)state;
	serve_datagrams(&epoll, &styles[1], "udp:127.0.0.1:0");
	snprintf(endpoint, sizeof endpoint, "udp:127.0.0.1:%d", serving.port);
	for (int i = 0; i < 4; i++) {
		const struct myr_config config = { .engine = engines[i], .close_ms = 200 };
		struct heard h = { .why = 1 };
		struct myr_loop *l;
		struct myr_conn *c;

		if (!works(engines[i]))
			continue;
		assert_int_equal(myr_loop_new(&l, &config), 0);
		assert_int_equal(myr_connect(&c, l, &listening, endpoint, &h), 0);
		assert_int_equal(myr_loop_run(l), 0);
		assert_string_equal(h.text, "[first][][last]");
		assert_int_equal(h.why, 0);
		myr_loop_free(l);
	}
	stop_serving();
	served();
}

static void test_nobody_there_is_an_error_for_who_dialled(void **state)
{
	int fd = udp_from("127.0.0.1", 0);
	struct sockaddr_in a;
	socklen_t n = sizeof a;
	struct myr_conn *c;
	char endpoint[40], byte;

	(void)state;
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	close(fd);
	snprintf(endpoint, sizeof endpoint, "udp:127.0.0.1:%d", ntohs(a.sin_port));
	assert_int_equal(myr_dial(&c, endpoint, 1000), 0);
	assert_int_equal(myr_write(c, "x", 1), 1);
	assert_int_equal(myr_read(c, &byte, 1), -ECONNREFUSED);
	assert_int_equal(myr_error(c), -ECONNREFUSED);
	myr_close(c);
}

/* --- Relayed: a stream server's client is served by datagrams ------------------------------------------------ */

static void relay_handle(struct myr_conn *c)
{
	struct myr_conn *to;

	if (myr_dial(&to, unix_endpoint(""), 1000) == 0)
		myr_relay(c, to);
}

static void test_a_datagram_is_relayed_as_one(void **state)
{
	const struct shape epoll = { "epoll", 1, MYR_THREADS };
	const struct myr_service relay = { .name = "relay", .handle = relay_handle };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int behind = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), fd;
	struct sockaddr_un from;
	socklen_t n = sizeof from;
	char got[16];

	(void)state;
	memcpy(a.sun_path, unix_path(), strlen(unix_path()) + 1);
	assert_int_equal(bind(behind, (struct sockaddr *)&a, sizeof a), 0);
	serving.config.drain_ms = 50;           /* nobody ends it: it is cut */
	serve_datagrams(&epoll, &relay, "udp:127.0.0.1:0");
	fd = udp_to("127.0.0.1");
	ask(fd, "through", 7);
	assert_int_equal(recvfrom(behind, got, sizeof got, 0, (struct sockaddr *)&from, &n), 7);
	assert_memory_equal(got, "through", 7);
	assert_int_equal(sendto(behind, "and", 3, 0, (struct sockaddr *)&from, n), 3);
	assert_int_equal(sendto(behind, "back", 4, 0, (struct sockaddr *)&from, n), 4);
	hear_text(fd, "and");
	hear_text(fd, "back");
	close(fd);
	stop_serving();
	assert_int_equal(served()->run, 1);
	close(behind);
	unlink(unix_path());
}

static int remove_file(void **state)
{
	unlink(unix_path());
	return end_serving(state);
}

#define CASE(name) cmocka_unit_test_teardown(name, remove_file)

int main(void)
{
	unix_path();
	const struct CMUnitTest tests[] = {
		CASE(test_answers_keep_their_boundaries_everywhere),
		CASE(test_an_answer_comes_from_the_address_that_was_asked),
		CASE(test_answers_are_at_most_three_times_the_request),
		CASE(test_another_servers_port_is_not_answered),
		CASE(test_one_address_has_no_more_than_its_share_at_work),
		CASE(test_a_full_house_reads_on_later),
		CASE(test_a_unix_datagram_above_the_limit_is_dropped),
		CASE(test_the_longest_unix_datagram_comes_back),
		CASE(test_a_nameless_client_cannot_be_answered),
		CASE(test_what_a_full_socket_does_not_take_waits),
		CASE(test_who_never_reads_is_given_up_after_close_ms),
		CASE(test_a_socket_file_is_as_asked_and_goes_with_its_server),
		CASE(test_a_port_that_is_served_is_not_shared),
		CASE(test_the_simulation_says_that_it_has_no_datagrams),
		CASE(test_a_drain_lets_what_was_begun_be_answered),
		CASE(test_a_cut_ends_what_would_wait_on),
		CASE(test_a_dialled_endpoint_keeps_boundaries),
		CASE(test_a_client_of_each_engine_hears_datagrams_and_an_end),
		CASE(test_nobody_there_is_an_error_for_who_dialled),
		CASE(test_a_datagram_is_relayed_as_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
