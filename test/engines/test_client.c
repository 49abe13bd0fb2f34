/* SPDX-License-Identifier: MIT
 *
 * test_client.c - clients from main(): myr_dial() in straight-line code, myr_connect() in loops, and
 * myr_relay() between two of them.  The server is a thread of the test over plain sockets. */
#include "unit/unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "myriad.h"
#include "support/clock.h"
#include "support/leaks.h"
#include "support/pattern.h"

#define PATIENCE_MS 8000
#define CROWD 200

static const char *const engines[] = { "epoll", "poll", "select", "io_uring" };

static struct census before;

static int set_up(void **state)
{
	(void)state;
	census_take(&before);
	return 0;
}

static int tear_down(void **state)
{
	char leaks[400];

	(void)state;
	census_compare(&before, leaks, sizeof leaks, PATIENCE_MS);
	if (leaks[0] != '\0')
		print_message("%s\n", leaks);
	return leaks[0] != '\0';
}

/* --- The other side ----------------------------------------------------------------------------- */

struct house {
	int fd;
	char address[128];
	unsigned guests;                /* so many are taken, one after the other */
	void (*receive)(int fd, void *arg);
	void *arg;
	pthread_t thread;
};

static void house_open(struct house *h, const char *endpoint)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof a;

	memset(h, 0, sizeof *h);
	h->fd = myr_listen(endpoint);
	assert_true(h->fd >= 0);
	assert_int_equal(getsockname(h->fd, (struct sockaddr *)&a, &n), 0);
	if (a.ss_family == AF_INET)
		snprintf(h->address, sizeof h->address, "tcp:127.0.0.1:%d", ntohs(((struct sockaddr_in *)&a)->sin_port));
	else
		snprintf(h->address, sizeof h->address, "%s", endpoint);
}

/* The next guest, in this thread; the descriptor blocks, but not for ever. */
static int house_take(const struct house *h)
{
	const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	struct pollfd p = { .fd = h->fd, .events = POLLIN };
	int fd = poll(&p, 1, PATIENCE_MS) == 1 ? accept4(h->fd, NULL, NULL, SOCK_CLOEXEC) : -1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	return fd;
}

static void *house_keep(void *arg)
{
	const struct house *h = arg;

	for (unsigned i = 0; i < h->guests; i++) {
		int fd = house_take(h);

		if (fd < 0)
			break;
		h->receive(fd, h->arg);
		close(fd);
	}
	return NULL;
}

static void house_serve(struct house *h, unsigned guests, void (*receive)(int, void *), void *arg)
{
	h->guests = guests;
	h->receive = receive;
	h->arg = arg;
	assert_int_equal(pthread_create(&h->thread, NULL, house_keep, h), 0);
}

static void house_close(struct house *h)
{
	if (h->guests > 0)
		pthread_join(h->thread, NULL);
	close(h->fd);
}

static void send_all(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t k = send(fd, at, n, MSG_NOSIGNAL);

		if (k <= 0)
			return;
		at += k;
		n -= (size_t)k;
	}
}

static void echo(int fd, void *arg)
{
	char piece[8192];
	ssize_t n;

	(void)arg;
	while ((n = read(fd, piece, sizeof piece)) > 0)
		send_all(fd, piece, (size_t)n);
}

static void say(int fd, void *arg)
{
	char end;

	send_all(fd, arg, strlen(arg));
	shutdown(fd, SHUT_WR);
	while (read(fd, &end, 1) > 0)
		;
}

static void count(int fd, void *arg)
{
	uint8_t piece[8192];
	size_t *got = arg;
	ssize_t n;

	while ((n = read(fd, piece, sizeof piece)) > 0) {
		if (pattern_match(piece, *got, (size_t)n) != (size_t)n)
			return;
		*got += (size_t)n;
	}
}

struct interview {
	size_t to_say, heard;
	bool as_it_was, ended;
};

/* Says it all, ends its half, and listens to what comes back. */
static void interview(int fd, void *arg)
{
	struct interview *v = arg;
	uint8_t *bytes = malloc(v->to_say);
	ssize_t n;

	pattern_fill(bytes, 0, v->to_say);
	send_all(fd, bytes, v->to_say);
	shutdown(fd, SHUT_WR);
	v->as_it_was = true;
	while ((n = read(fd, bytes, v->to_say)) > 0) {
		v->as_it_was = v->as_it_was && pattern_match(bytes, v->heard, (size_t)n) == (size_t)n;
		v->heard += (size_t)n;
	}
	v->ended = n == 0;
	free(bytes);
}

static void wait_for_the_end(int fd, void *arg)
{
	char c;

	(void)arg;
	while (read(fd, &c, 1) > 0)
		;
}

/* --- Blocking clients ------------------------------------------------------------------------------- */

static void test_a_dialogue(void **state)
{
	struct myr_conn *c;
	struct house h;
	char text[64];

	(void)state;
	house_open(&h, "tcp:127.0.0.1:0");
	house_serve(&h, 1, echo, NULL);
	assert_int_equal(myr_dial(&c, h.address, PATIENCE_MS), 0);
	assert_string_equal(myr_peer(c), h.address + 4);
	assert_null(myr_server_of(c));
	assert_int_equal(myr_write(c, "hello, ", 7), 7);
	assert_int_equal(myr_printf(c, "%s!", "world"), 6);
	assert_int_equal(myr_readn(c, text, 13), 13);
	assert_memory_equal(text, "hello, world!", 13);
	assert_int_equal(myr_write(c, "more", 4), 4);
	assert_int_equal(myr_write_eof(c), 0);
	for (size_t got = 0; got < 4; ) {
		ssize_t n = myr_read(c, text, sizeof text);

		assert_in_range(n, 1, 4 - got);
		got += (size_t)n;
	}
	assert_int_equal(myr_read(c, text, sizeof text), MYR_EOF);
	assert_int_equal(myr_read(c, text, sizeof text), MYR_EOF);
	assert_int_equal(myr_error(c), 0);
	myr_close(c);
	house_close(&h);
}

static void test_frames_and_bytes_from_one_stream(void **state)
{
	struct myr_conn *c;
	struct house h;
	char text[8];

	(void)state;
	house_open(&h, "tcp:127.0.0.1:0");
	house_serve(&h, 1, say, "one\r\n\ntoo long a line\n5:hello,0:,rawlast");
	assert_int_equal(myr_dial(&c, h.address, PATIENCE_MS), 0);
	assert_int_equal(myr_recv(c, text, sizeof text), -EINVAL);      /* no framing yet */
	myr_set_framing(c, &myr_lines);
	assert_int_equal(myr_recv(c, text, sizeof text), 3);
	assert_string_equal(text, "one");
	assert_int_equal(myr_recv(c, text, sizeof text), 0);
	assert_string_equal(text, "");
	assert_int_equal(myr_recv(c, text, sizeof text), -EMSGSIZE);
	assert_int_equal(myr_readn(c, text, 8), 8);
	assert_memory_equal(text, "too long", 8);
	assert_int_equal(myr_recv(c, text, sizeof text), 7);
	assert_string_equal(text, " a line");
	myr_set_framing(c, &myr_netstrings);
	assert_int_equal(myr_recv(c, text, sizeof text), 5);
	assert_string_equal(text, "hello");
	assert_int_equal(myr_recv(c, text, sizeof text), 0);
	myr_set_framing(c, NULL);
	assert_int_equal(myr_readn(c, text, 3), 3);
	assert_memory_equal(text, "raw", 3);
	assert_int_equal(myr_readn(c, text, 5), -EPROTO);               /* it ends inside */
	myr_close(c);
	house_close(&h);
}

static void test_an_end_inside_a_frame(void **state)
{
	struct myr_conn *c;
	struct house h;
	char text[8];

	(void)state;
	house_open(&h, "tcp:127.0.0.1:0");
	house_serve(&h, 1, say, "5:he");
	assert_int_equal(myr_dial(&c, h.address, PATIENCE_MS), 0);
	myr_set_framing(c, &myr_netstrings);
	assert_int_equal(myr_recv(c, text, sizeof text), MYR_EFRAME);
	assert_int_equal(myr_error(c), MYR_EFRAME);
	assert_int_equal(myr_write(c, "x", 1), MYR_EFRAME);             /* it sticks */
	myr_close(c);
	house_close(&h);
}

static void test_a_wait_that_expires_leaves_the_connection_as_it_was(void **state)
{
	struct myr_conn *c;
	struct house h;
	int64_t began;
	char text[8];

	(void)state;
	house_open(&h, "tcp:127.0.0.1:0");
	house_serve(&h, 1, echo, NULL);
	assert_int_equal(myr_dial(&c, h.address, PATIENCE_MS), 0);
	myr_set_timeout(c, 20);
	began = test_now();
	assert_int_equal(myr_read(c, text, sizeof text), -ETIMEDOUT);
	assert_true(test_now() - began >= 19);
	assert_int_equal(myr_sleep(c, 5), 0);
	assert_int_equal(myr_write(c, "ab", 2), 2);
	assert_int_equal(myr_flush(c), 0);
	while (myr_readn(c, text, 3) != -ETIMEDOUT)     /* two are there, and stay there */
		;
	myr_set_timeout(c, PATIENCE_MS);
	assert_int_equal(myr_write(c, "c", 1), 1);
	assert_int_equal(myr_readn(c, text, 3), 3);
	assert_memory_equal(text, "abc", 3);
	assert_int_equal(myr_error(c), 0);
	myr_close(c);
	house_close(&h);
}

static void test_nobody_listens(void **state)
{
	struct myr_conn *c = (struct myr_conn *)state;
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof a;
	char address[64];

	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	snprintf(address, sizeof address, "tcp:127.0.0.1:%d", ntohs(a.sin_port));
	assert_int_equal(myr_dial(&c, address, PATIENCE_MS), -ECONNREFUSED);
	assert_null(c);
	assert_non_null(strstr(myr_reason(), address));
	assert_non_null(strstr(myr_reason(), "refused"));
	assert_int_equal(myr_dial(&c, "unix:/nonexistent/socket", PATIENCE_MS), -ENOENT);
	assert_null(c);
	assert_non_null(strstr(myr_reason(), "/nonexistent/socket"));
	close(fd);
}

static void test_names_that_mean_nothing(void **state)
{
	struct myr_conn *c;
	struct myr_loop *l;

	(void)state;
	assert_int_equal(myr_loop_new(&l, NULL), 0);
	for (int i = 0; i < 2; i++) {
		const char *bad = i == 0 ? "tcp:no-such-host.invalid:80" : "tcp:127.0.0.1:99999";
		const char *word = i == 0 ? "no-such-host.invalid" : "99999";

		assert_true(myr_dial(&c, bad, PATIENCE_MS) < 0);
		assert_null(c);
		assert_non_null(strstr(myr_reason(), word));
		assert_true(myr_connect(&c, l, NULL, bad, NULL) < 0);
		assert_null(c);
		assert_non_null(strstr(myr_reason(), word));
	}
	assert_int_equal(myr_loop_run(l), 0);
	myr_loop_free(l);
}

/* A queue that is full does not answer: the dialling gives up by itself. */
static void test_dialling_takes_no_longer_than_it_may(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), err = 0;
	struct myr_conn *c[8] = { NULL };
	socklen_t n = sizeof a;
	char address[64];
	unsigned made = 0;

	(void)state;
	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(listen(fd, 0), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	snprintf(address, sizeof address, "tcp:127.0.0.1:%d", ntohs(a.sin_port));
	while (made < 8 && (err = myr_dial(&c[made], address, 50)) == 0)
		made++;
	assert_int_equal(err, -ETIMEDOUT);
	assert_null(c[made]);
	assert_non_null(strstr(myr_reason(), address));
	while (made > 0)
		myr_abort(c[--made]);
	close(fd);
}

static void test_closing_waits_for_the_output(void **state)
{
	const size_t n = (size_t)4 << 20;
	uint8_t *bytes = malloc(n);
	struct myr_conn *c;
	struct house h;
	size_t got = 0;

	(void)state;
	pattern_fill(bytes, 0, n);
	house_open(&h, "tcp:127.0.0.1:0");
	house_serve(&h, 1, count, &got);
	assert_int_equal(myr_dial(&c, h.address, PATIENCE_MS), 0);
	assert_int_equal(myr_write(c, bytes, n), (ssize_t)n);
	free(bytes);
	myr_close(c);
	house_close(&h);
	assert_int_equal(got, n);
}

static void test_two_at_a_time(void **state)
{
	struct pollfd p = { .events = POLLIN };
	struct myr_conn *a, *b;
	char text[8] = "";
	struct house h;
	int there[2];

	(void)state;
	house_open(&h, "tcp:127.0.0.1:0");
	assert_int_equal(myr_dial(&a, h.address, PATIENCE_MS), 0);
	assert_int_equal(myr_dial(&b, h.address, PATIENCE_MS), 0);
	there[0] = house_take(&h);
	there[1] = house_take(&h);
	assert_true(myr_number(a) != myr_number(b));
	assert_int_equal(write(there[1], "to b", 4), 4);
	assert_int_equal(write(there[0], "to a", 4), 4);
	assert_int_equal(myr_readn(a, text, 4), 4);
	assert_string_equal(text, "to a");
	assert_int_equal(myr_readn(b, text, 4), 4);
	assert_string_equal(text, "to b");
	assert_int_equal(myr_write(a, "from a", 6), 6);
	myr_close(a);
	/* The other one is still there; the end of this one has gone out all the same. */
	assert_int_equal(read(there[0], text, 8), 6);
	p.fd = there[0];
	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
	assert_int_equal(read(there[0], text, 8), 0);
	close(there[0]);
	assert_int_equal(write(there[1], "on", 2), 2);
	assert_int_equal(myr_readn(b, text, 2), 2);
	myr_abort(b);
	assert_int_equal(read(there[1], text, 8), -1);
	assert_int_equal(errno, ECONNRESET);
	close(there[1]);
	house_close(&h);
}

static void dial_inside(struct myr_loop *l, void *arg)
{
	struct myr_conn *c;

	(void)l;
	*(int *)arg = myr_dial(&c, "tcp:127.0.0.1:1", 1000);
}

static void test_no_dialling_in_a_callback(void **state)
{
	struct myr_loop *l;
	int err = 0;

	(void)state;
	assert_int_equal(myr_loop_new(&l, NULL), 0);
	assert_int_equal(myr_after(l, 0, dial_inside, &err), 0);
	assert_int_equal(myr_loop_run(l), 0);
	assert_int_equal(err, -EDEADLK);
	assert_non_null(strstr(myr_reason(), "myr_dial"));
	myr_loop_free(l);
}

static void test_unix_endpoints(void **state)
{
	char folder[] = "/tmp/myriad-client-XXXXXX", endpoint[2][100];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(endpoint[0], sizeof endpoint[0], "unix:%s/socket", folder);
	snprintf(endpoint[1], sizeof endpoint[1], "unix:@%s", folder);
	for (int i = 0; i < 2; i++) {
		struct myr_conn *c;
		struct house h;
		char text[8];

		house_open(&h, endpoint[i]);
		house_serve(&h, 1, echo, NULL);
		assert_int_equal(myr_dial(&c, endpoint[i], PATIENCE_MS), 0);
		assert_string_equal(myr_peer(c), "unix");
		assert_int_equal(myr_peer_port(c), 0);
		assert_int_equal(myr_write(c, "hello", 5), 5);
		assert_int_equal(myr_readn(c, text, 5), 5);
		assert_memory_equal(text, "hello", 5);
		myr_close(c);
		house_close(&h);
	}
	assert_int_equal(unlink(endpoint[0] + 5), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* --- Clients in a loop --------------------------------------------------------------------------------- */

struct member {                         /* state of a connection */
	size_t said, heard;
	unsigned opened;
};

#define EACH 20000

static unsigned closed_well, opened, closed_why[3];
static int last_why;

static void member_says(struct myr_conn *c)
{
	struct member *m = myr_state(c);
	uint8_t piece[4096];

	while (m->said < EACH && !myr_full(c)) {
		size_t n = EACH - m->said < sizeof piece ? EACH - m->said : sizeof piece;

		pattern_fill(piece, m->said, n);
		assert_int_equal(myr_write(c, piece, n), (ssize_t)n);
		m->said += n;
	}
}

static void member_opens(struct myr_conn *c)
{
	struct member *m = myr_state(c);

	assert_int_equal(m->opened++, 0);
	assert_ptr_equal(myr_arg(c), &opened);
	opened++;
	member_says(c);
}

static size_t member_hears(struct myr_conn *c, const void *p, size_t n)
{
	struct member *m = myr_state(c);

	assert_int_equal(pattern_match(p, m->heard, n), n);
	m->heard += n;
	if (m->heard == EACH)
		myr_close(c);
	return n;
}

static void member_closes(struct myr_conn *c, int why)
{
	const struct member *m = myr_state(c);

	last_why = why;
	closed_well += why == 0 && m->heard == EACH && m->opened == 1;
	closed_why[why == 0 ? 0 : why == MYR_EOF ? 1 : 2]++;
}

static const struct myr_service member = {
	.name = "member", .state = sizeof(struct member), .on_open = member_opens, .on_data = member_hears,
	.on_room = member_says, .on_close = member_closes,
};

/* All guests at once, in one thread: what comes goes back. */
static void *echo_many(void *arg)
{
	struct house *h = arg;
	struct pollfd p[CROWD + 1] = { { .fd = h->fd, .events = POLLIN } };
	unsigned n = 0, gone = 0;

	while (gone < h->guests && poll(p, n + 1, PATIENCE_MS) > 0) {
		for (unsigned i = 1; i <= n; i++) {
			char piece[8192];
			ssize_t k;

			if (p[i].fd < 0 || p[i].revents == 0)
				continue;
			k = recv(p[i].fd, piece, sizeof piece, 0);
			if (k > 0) {
				send_all(p[i].fd, piece, (size_t)k);
				continue;
			}
			close(p[i].fd);
			p[i].fd = -1;
			gone++;
		}
		if (p[0].revents != 0 && n < h->guests)
			p[++n] = (struct pollfd){ .fd = house_take(h), .events = POLLIN };
		if (n == h->guests)
			p[0].fd = -1;
	}
	for (unsigned i = 1; i <= n; i++)
		if (p[i].fd >= 0)
			close(p[i].fd);
	return NULL;
}

/* False: not here, and why has been printed. */
static bool loop_new(struct myr_loop **l, const char *engine)
{
	const struct myr_config config = { .engine = engine };
	int err = myr_loop_new(l, &config);

	if (err < 0 && strcmp(engine, "io_uring") == 0) {
		print_message("no io_uring here: %s\n", myr_reason());
		return false;
	}
	assert_int_equal(err, 0);
	return true;
}

static void test_two_hundred_clients_on_one_loop(void **state)
{
	struct myr_loop *l;
	struct house h;

	if (!loop_new(&l, *state))
		skip();
	opened = closed_well = 0;
	house_open(&h, "tcp:127.0.0.1:0");
	h.guests = CROWD;
	assert_int_equal(pthread_create(&h.thread, NULL, echo_many, &h), 0);
	for (int i = 0; i < CROWD; i++) {
		struct myr_conn *c;

		assert_int_equal(myr_connect(&c, l, &member, h.address, &opened), 0);
		assert_ptr_equal(myr_loop_of(c), l);
		assert_null(myr_server_of(c));
		assert_int_equal(((struct member *)myr_state(c))->opened, 0);
	}
	assert_int_equal(opened, 0);            /* no function calls back before it returns */
	assert_int_equal(myr_loop_run(l), 0);
	assert_int_equal(opened, CROWD);
	assert_int_equal(closed_well, CROWD);
	myr_loop_free(l);
	house_close(&h);
}

/* --- An echo that waits for its answers to be taken ------------------------------------------------------ */

#define LONG_TALK (4u << 20)

static void talker_says(struct myr_conn *c)
{
	struct member *m = myr_state(c);
	uint8_t piece[4096];

	while (m->said < LONG_TALK && !myr_full(c)) {
		pattern_fill(piece, m->said, sizeof piece);
		assert_int_equal(myr_write(c, piece, sizeof piece), sizeof piece);
		m->said += sizeof piece;
	}
}

static size_t talker_hears(struct myr_conn *c, const void *p, size_t n)
{
	struct member *m = myr_state(c);

	assert_int_equal(pattern_match(p, m->heard, n), n);
	m->heard += n;
	if (m->heard == LONG_TALK)
		myr_close(c);
	return n;
}

static void talker_closes(struct myr_conn *c, int why)
{
	last_why = why;
	opened = (unsigned)((struct member *)myr_state(c))->heard;
}

static const struct myr_service talker = {
	.name = "talker", .state = sizeof(struct member), .on_open = talker_says, .on_data = talker_hears,
	.on_room = talker_says, .on_close = talker_closes,
};

static void echo_little_by_little(int fd, void *arg)
{
	const int little = 4096;
	char piece[8192];
	ssize_t n;

	(void)arg;
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
	while ((n = recv(fd, piece, sizeof piece, 0)) > 0)
		send_all(fd, piece, (size_t)n);
}

/* Whoever asks and does not listen meanwhile waits for ever for a server that does not ask before it is heard. */
static void test_a_full_client_goes_on_reading(void **state)
{
	const struct myr_config config = { .engine = *state, .idle_ms = PATIENCE_MS / 2, .close_ms = 100 };
	struct myr_loop *l;
	struct myr_conn *c;
	struct house h;

	if (!loop_new(&l, *state))
		skip();
	myr_loop_free(l);
	assert_int_equal(myr_loop_new(&l, &config), 0);
	house_open(&h, "tcp:127.0.0.1:0");
	house_serve(&h, 1, echo_little_by_little, NULL);
	opened = 0;
	assert_int_equal(myr_connect(&c, l, &talker, h.address, NULL), 0);
	assert_int_equal(myr_loop_run(l), 0);
	assert_int_equal(opened, LONG_TALK);
	assert_int_equal(last_why, 0);
	myr_loop_free(l);
	house_close(&h);
}

static void test_a_refusal_is_told_to_on_close(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof a;
	struct myr_conn *c;
	struct myr_loop *l;
	char address[64];

	if (!loop_new(&l, *state)) {
		close(fd);
		skip();
	}
	opened = 0;
	memset(closed_why, 0, sizeof closed_why);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	snprintf(address, sizeof address, "tcp:127.0.0.1:%d", ntohs(a.sin_port));
	assert_int_equal(myr_connect(&c, l, &member, address, &opened), 0);
	assert_int_equal(myr_write(c, "queued", 6), 6);
	assert_int_equal(closed_why[2], 0);
	assert_int_equal(myr_loop_run(l), 0);
	assert_int_equal(opened, 0);
	assert_int_equal(closed_why[2], 1);
	assert_int_equal(last_why, -ECONNREFUSED);
	myr_loop_free(l);
	close(fd);
}

static struct myr_conn *left, *right;

static void join(struct myr_loop *l, void *arg)
{
	(void)l;
	(void)arg;
	assert_int_equal(myr_relay(left, left), -EINVAL);
	assert_int_equal(myr_relay(left, right), 0);
	assert_int_equal(myr_relay(left, right), -EINVAL);
}

/* Between two of them without a service, what the one says the other hears, and the ends as well.
 * Joined at once, or when bytes and an end have come already. */
static void test_a_relay_between_two_plain_connections(void **state)
{
	struct house from, to;
	struct myr_loop *l;

	if (!loop_new(&l, *state))
		skip();
	for (int late = 0; late <= 1; late++) {
		struct interview v = { .to_say = 100000 };

		house_open(&from, "tcp:127.0.0.1:0");
		house_open(&to, "tcp:127.0.0.1:0");
		house_serve(&from, 1, interview, &v);
		house_serve(&to, 1, echo, NULL);
		assert_int_equal(myr_connect(&left, l, NULL, from.address, NULL), 0);
		assert_int_equal(myr_connect(&right, l, NULL, to.address, NULL), 0);
		if (late)
			assert_int_equal(myr_after(l, 20, join, NULL), 0);
		else
			join(l, NULL);
		assert_int_equal(myr_loop_run(l), 0);
		house_close(&from);
		house_close(&to);
		assert_int_equal(v.heard, v.to_say);
		assert_true(v.as_it_was && v.ended);
	}
	myr_loop_free(l);
}

static void test_a_relay_whose_other_side_is_refused(void **state)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof a;
	struct myr_loop *l;
	struct house h;
	char address[64];

	if (!loop_new(&l, *state)) {
		close(fd);
		skip();
	}
	assert_int_equal(bind(fd, (struct sockaddr *)&a, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	snprintf(address, sizeof address, "tcp:127.0.0.1:%d", ntohs(a.sin_port));
	house_open(&h, "tcp:127.0.0.1:0");
	house_serve(&h, 1, wait_for_the_end, NULL);
	assert_int_equal(myr_connect(&left, l, NULL, h.address, NULL), 0);
	assert_int_equal(myr_connect(&right, l, NULL, address, NULL), 0);
	assert_int_equal(myr_relay(left, right), 0);
	assert_int_equal(myr_loop_run(l), 0);           /* both have gone: nothing is left to wait for */
	myr_loop_free(l);
	house_close(&h);
	close(fd);
}

static void test_freeing_a_loop_aborts_its_clients(void **state)
{
	struct myr_conn *c;
	struct myr_loop *l;
	struct house h;
	int there;
	char text[8];

	if (!loop_new(&l, *state))
		skip();
	opened = 0;
	memset(closed_why, 0, sizeof closed_why);
	house_open(&h, "tcp:127.0.0.1:0");
	assert_int_equal(myr_connect(&c, l, &member, h.address, &opened), 0);
	there = house_take(&h);
	assert_true(there >= 0);
	myr_loop_free(l);
	assert_int_equal(closed_why[0] + closed_why[1] + closed_why[2], 1);
	while (read(there, text, sizeof text) > 0)
		;
	close(there);
	house_close(&h);
}

/* A blocking service on a dialled connection: a handler of its own. */
static void ask(struct myr_conn *c)
{
	char text[8] = "";

	assert_int_equal(myr_write(c, "hello", 5), 5);
	assert_int_equal(myr_readn(c, text, 5), 5);
	assert_string_equal(text, "hello");
	opened++;
}

static const struct myr_service asking = { .name = "asking", .handle = ask };

static void test_blocking_handlers_of_clients(void **state)
{
	struct myr_loop *l;
	struct house h;

	if (!loop_new(&l, *state))
		skip();
	opened = 0;
	house_open(&h, "tcp:127.0.0.1:0");
	h.guests = 20;
	assert_int_equal(pthread_create(&h.thread, NULL, echo_many, &h), 0);
	for (int i = 0; i < 20; i++) {
		struct myr_conn *c;

		assert_int_equal(myr_connect(&c, l, &asking, h.address, NULL), 0);
	}
	assert_int_equal(myr_loop_run(l), 0);
	assert_int_equal(opened, 20);
	myr_loop_free(l);
	house_close(&h);
}

/* A sanitizer starts a thread of its own with our first one: it is no leak of any test. */
static void *pass_by(void *arg)
{
	return arg;
}

static void warm_up(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, pass_by, NULL) == 0)
		pthread_join(thread, NULL);
}

#define CASE(name) { #name, name, set_up, tear_down, NULL }

static const struct CMUnitTest blocking[] = {
	CASE(test_a_dialogue),
	CASE(test_frames_and_bytes_from_one_stream),
	CASE(test_an_end_inside_a_frame),
	CASE(test_a_wait_that_expires_leaves_the_connection_as_it_was),
	CASE(test_nobody_listens),
	CASE(test_names_that_mean_nothing),
	CASE(test_dialling_takes_no_longer_than_it_may),
	CASE(test_closing_waits_for_the_output),
	CASE(test_two_at_a_time),
	CASE(test_no_dialling_in_a_callback),
	CASE(test_unix_endpoints),
};

static const struct CMUnitTest in_loops[] = {
	CASE(test_two_hundred_clients_on_one_loop),
	CASE(test_a_full_client_goes_on_reading),
	CASE(test_a_refusal_is_told_to_on_close),
	CASE(test_a_relay_between_two_plain_connections),
	CASE(test_a_relay_whose_other_side_is_refused),
	CASE(test_freeing_a_loop_aborts_its_clients),
	CASE(test_blocking_handlers_of_clients),
};

#define BLOCKING (sizeof blocking / sizeof *blocking)
#define IN_LOOPS (sizeof in_loops / sizeof *in_loops)
#define ENGINES  (sizeof engines / sizeof *engines)

int main(void)
{
	static struct CMUnitTest tests[BLOCKING + ENGINES * IN_LOOPS];
	static char titles[ENGINES * IN_LOOPS][100], names[ENGINES][16];
	size_t n = BLOCKING;

	memcpy(tests, blocking, sizeof blocking);
	for (size_t i = 0; i < ENGINES; i++) {
		snprintf(names[i], sizeof names[i], "%s", engines[i]);
		for (size_t k = 0; k < IN_LOOPS; k++, n++) {
			tests[n] = in_loops[k];
			tests[n].name = titles[n - BLOCKING];
			tests[n].initial_state = names[i];
			snprintf(titles[n - BLOCKING], sizeof titles[0], "%s: %s", engines[i], in_loops[k].name);
		}
	}
	warm_up();
	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
