/* SPDX-License-Identifier: MIT
 *
 * matrix_stream.c - one client and its stream: bytes, ends, order, what a connection knows. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engines/matrix.h"

#define LINE 512

/* --- echo ------------------------------------------------------------------------------------- */

static void echo_handle(struct myr_conn *c)
{
	char buf[4096];
	ssize_t n;

	while ((n = myr_read(c, buf, sizeof buf)) > 0)
		myr_write(c, buf, (size_t)n);
}

static size_t echo_data(struct myr_conn *c, const void *p, size_t n)
{
	myr_write(c, p, n);
	return n;
}

static const struct myr_service
	echo_blocking = { .name = "echo", .handle = echo_handle },
	echo_callback = { .name = "echo", .on_data = echo_data };

/* --- shout: each line in capitals ------------------------------------------------------------- */

static void shout(struct myr_conn *c, const char *p, size_t n)
{
	char line[LINE];

	for (size_t i = 0; i < n; i++)
		line[i] = (char)toupper((unsigned char)p[i]);
	myr_send(c, line, n);
}

static void shout_handle(struct myr_conn *c)
{
	char line[LINE];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0)
		shout(c, line, (size_t)n);
}

static void shout_frame(struct myr_conn *c, const void *p, size_t n)
{
	shout(c, p, n);
}

static const struct myr_service
	shout_blocking = { .name = "shout", .framing = &myr_lines, .frame_max = LINE - 1,
	                   .handle = shout_handle },
	shout_callback = { .name = "shout", .framing = &myr_lines, .frame_max = LINE - 1,
	                   .on_frame = shout_frame };

/* --- count: how many bytes, when they have all come ------------------------------------------- */

static void count_handle(struct myr_conn *c)
{
	size_t total = 0;
	char buf[1000];
	ssize_t n;

	while ((n = myr_read(c, buf, sizeof buf)) > 0)
		total += (size_t)n;
	if (n == MYR_EOF)
		myr_printf(c, "%zu bytes\n", total);
}

static size_t count_data(struct myr_conn *c, const void *p, size_t n)
{
	size_t *total = myr_state(c);

	(void)p;
	*total += n;
	return n;
}

static void count_eof(struct myr_conn *c)
{
	const size_t *total = myr_state(c);

	myr_printf(c, "%zu bytes\n", *total);
	myr_close(c);
}

static const struct myr_service
	count_blocking = { .name = "count", .handle = count_handle },
	count_callback = { .name = "count", .state = sizeof(size_t), .on_data = count_data,
	                   .on_eof = count_eof };

/* --- once: one line, one answer, good-bye ----------------------------------------------------- */

static void once_handle(struct myr_conn *c)
{
	char line[LINE];

	if (myr_recv(c, line, sizeof line) >= 0)
		myr_printf(c, "you said %s\n", line);
}

static void once_frame(struct myr_conn *c, const void *p, size_t n)
{
	myr_printf(c, "you said %.*s\n", (int)n, (const char *)p);
	myr_close(c);
}

static const struct myr_service
	once_blocking = { .name = "once", .framing = &myr_lines, .handle = once_handle },
	once_callback = { .name = "once", .framing = &myr_lines, .on_frame = once_frame };

/* --- greet: the server speaks first ----------------------------------------------------------- */

static void greet_handle(struct myr_conn *c)
{
	char line[LINE];

	myr_printf(c, "who are you?\n");
	if (myr_recv(c, line, sizeof line) >= 0)
		myr_printf(c, "hello, %s\n", line);
}

static void greet_open(struct myr_conn *c)
{
	myr_printf(c, "who are you?\n");
}

static void greet_frame(struct myr_conn *c, const void *p, size_t n)
{
	myr_printf(c, "hello, %.*s\n", (int)n, (const char *)p);
	myr_close(c);
}

static const struct myr_service
	greet_blocking = { .name = "greet", .framing = &myr_lines, .handle = greet_handle },
	greet_callback = { .name = "greet", .framing = &myr_lines, .on_open = greet_open,
	                   .on_frame = greet_frame };

/* --- closed: refuses everybody ---------------------------------------------------------------- */

static int closed_setup(struct myr_conn *c)
{
	myr_printf(c, "we are closed\n");
	return 1;
}

static void closed_handle(struct myr_conn *c)
{
	myr_printf(c, "never said\n");
}

static void closed_open(struct myr_conn *c)
{
	myr_printf(c, "we are closed\n");
	myr_close(c);
}

static size_t closed_data(struct myr_conn *c, const void *p, size_t n)
{
	(void)p;
	myr_printf(c, "never said\n");
	return n;
}

static const struct myr_service
	closed_blocking = { .name = "closed", .setup = closed_setup, .handle = closed_handle,
	                    .finish = closed_handle },
	closed_callback = { .name = "closed", .on_open = closed_open, .on_data = closed_data };

/* --- adieu: ends its own half first, and still listens ---------------------------------------- */

struct adieu {                          /* shared: how long the last words of the last client were */
	size_t last_words;
};

static void adieu_note(struct myr_conn *c, size_t n)
{
	struct adieu *a = myr_shared(c);

	myr_lock(c);
	a->last_words = n;
	myr_unlock(c);
}

/* 1: that was it; 0: the client goes on. */
static int adieu_line(struct myr_conn *c, const char *line)
{
	struct adieu *a = myr_shared(c);

	if (strcmp(line, "last words?") == 0) {
		myr_lock(c);
		myr_printf(c, "%zu\n", a->last_words);
		myr_unlock(c);
		return 0;
	}
	myr_printf(c, "you go on\n");
	myr_write_eof(c);
	myr_set_framing(c, NULL);
	return 1;
}

static void adieu_handle(struct myr_conn *c)
{
	char buf[LINE];
	size_t total = 0;
	ssize_t n;

	do
		if (myr_recv(c, buf, sizeof buf) < 0)
			return;
	while (!adieu_line(c, buf));
	while ((n = myr_read(c, buf, sizeof buf)) > 0)
		total += (size_t)n;
	if (n == MYR_EOF)
		adieu_note(c, total);
}

static void adieu_frame(struct myr_conn *c, const void *p, size_t n)
{
	char line[LINE];

	snprintf(line, sizeof line, "%.*s", (int)n, (const char *)p);
	adieu_line(c, line);
}

static void adieu_eof(struct myr_conn *c)
{
	const size_t *total = myr_state(c);

	if (*total > 0)
		adieu_note(c, *total);
	myr_close(c);
}

static const struct myr_service
	adieu_blocking = { .name = "adieu", .shared = sizeof(struct adieu), .framing = &myr_lines,
	                   .handle = adieu_handle },
	adieu_callback = { .name = "adieu", .shared = sizeof(struct adieu), .framing = &myr_lines,
	                   .state = sizeof(size_t), .on_frame = adieu_frame, .on_data = count_data,
	                   .on_eof = adieu_eof };

/* --- slam: a reset instead of an answer ------------------------------------------------------- */

static void slam_handle(struct myr_conn *c)
{
	char line[LINE];

	if (myr_recv(c, line, sizeof line) >= 0) {
		myr_printf(c, "never sent\n");
		myr_abort(c);
	}
}

static void slam_frame(struct myr_conn *c, const void *p, size_t n)
{
	(void)p;
	(void)n;
	myr_printf(c, "never sent\n");
	myr_abort(c);
}

static const struct myr_service
	slam_blocking = { .name = "slam", .framing = &myr_lines, .handle = slam_handle },
	slam_callback = { .name = "slam", .framing = &myr_lines, .on_frame = slam_frame };

/* --- private: state of one connection --------------------------------------------------------- */

struct private {
	unsigned char zero[100];
	unsigned n;
};

static void private_line(struct myr_conn *c)
{
	struct private *s = myr_state(c);

	for (size_t i = 0; s->n == 0 && i < sizeof s->zero; i++)
		if (s->zero[i] != 0)
			myr_printf(c, "byte %zu is not zero\n", i);
	memset(s->zero, 0xa5, sizeof s->zero);
	myr_printf(c, "%u\n", ++s->n);
}

static void private_handle(struct myr_conn *c)
{
	char line[LINE];

	while (myr_recv(c, line, sizeof line) >= 0)
		private_line(c);
}

static void private_frame(struct myr_conn *c, const void *p, size_t n)
{
	(void)p;
	(void)n;
	private_line(c);
}

static const struct myr_service
	private_blocking = { .name = "private", .state = sizeof(struct private), .framing = &myr_lines,
	                     .handle = private_handle },
	private_callback = { .name = "private", .state = sizeof(struct private), .framing = &myr_lines,
	                     .on_frame = private_frame };

/* --- peer: whom am I talking to? -------------------------------------------------------------- */

static void peer_line(struct myr_conn *c)
{
	myr_printf(c, "%s\n%s %d\n", myr_peer(c), myr_peer_host(c), myr_peer_port(c));
}

static void peer_handle(struct myr_conn *c)
{
	char line[LINE];

	while (myr_recv(c, line, sizeof line) >= 0)
		peer_line(c);
}

static void peer_frame(struct myr_conn *c, const void *p, size_t n)
{
	(void)p;
	(void)n;
	peer_line(c);
}

static const struct myr_service
	peer_blocking = { .name = "peer", .framing = &myr_lines, .handle = peer_handle },
	peer_callback = { .name = "peer", .framing = &myr_lines, .on_frame = peer_frame };

/* --- raw: lines, and now and then bytes: "raw 5" and five of them ----------------------------- */

static size_t raw_length(const char *p, size_t n)
{
	char line[LINE];

	snprintf(line, sizeof line, "%.*s", (int)n, p);
	return strncmp(line, "raw ", 4) == 0 ? strtoul(line + 4, NULL, 10) : 0;
}

static void raw_handle(struct myr_conn *c)
{
	char line[LINE], raw[LINE];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0) {
		size_t k = raw_length(line, (size_t)n);

		if (k == 0) {
			shout(c, line, (size_t)n);
			continue;
		}
		if (myr_readn(c, raw, k) < 0)
			return;
		myr_write(c, raw, k);
	}
}

static void raw_frame(struct myr_conn *c, const void *p, size_t n)
{
	size_t *left = myr_state(c);

	*left = raw_length(p, n);
	if (*left > 0)
		myr_set_framing(c, NULL);
	else
		shout(c, p, n);
}

static size_t raw_data(struct myr_conn *c, const void *p, size_t n)
{
	size_t *left = myr_state(c);

	if (n > *left)
		n = *left;
	myr_write(c, p, n);
	*left -= n;
	if (*left == 0)
		myr_set_framing(c, &myr_lines);
	return n;
}

static const struct myr_service
	raw_blocking = { .name = "raw", .framing = &myr_lines, .handle = raw_handle },
	raw_callback = { .name = "raw", .framing = &myr_lines, .state = sizeof(size_t), .on_frame = raw_frame,
	                 .on_data = raw_data };

static const struct hosting hostings[] = {
	{ "echo",    { &echo_blocking,    &echo_callback } },
	{ "shout",   { &shout_blocking,   &shout_callback } },
	{ "count",   { &count_blocking,   &count_callback } },
	{ "once",    { &once_blocking,    &once_callback } },
	{ "greet",   { &greet_blocking,   &greet_callback } },
	{ "closed",  { &closed_blocking,  &closed_callback } },
	{ "adieu",   { &adieu_blocking,   &adieu_callback } },
	{ "slam",    { &slam_blocking,    &slam_callback } },
	{ "private", { &private_blocking, &private_callback } },
	{ "peer",    { &peer_blocking,    &peer_callback } },
	{ "raw",     { &raw_blocking,     &raw_callback } },
};

/* --- Scenarios -------------------------------------------------------------------------------- */

static void one_line(struct script *s)
{
	struct client *c = meet(s, "", "echo");

	say(c, "hello\n");
	hear_line(c);
	say_eof(c);
	hear_end(c);
}

static void byte_by_byte(struct script *s)
{
	struct client *c = meet(s, "", "echo");

	for (const char *p = "hey\n"; *p != '\0'; p++) {
		say_bytes(c, p, 1);
		hear_bytes(c, 1);
	}
}

static void every_value(struct script *s)
{
	struct client *c = meet(s, "", "echo");
	uint8_t all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	say_exactly(c, all, sizeof all);
	hear_exactly(c, all, sizeof all);
	say_eof(c);
	hear_end(c);
}

static void a_mebibyte(struct script *s)
{
	struct client *c = meet(s, "", "echo");

	exchange(c, 1 << 20);
	say_eof(c);
	hear_end(c);
}

static void ten_requests(struct script *s)
{
	struct client *c = meet(s, "", "shout");

	say(c, "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
	for (int i = 0; i < 10; i++)
		hear_line(c);
}

static void half_close(struct script *s)
{
	struct client *c = meet(s, "", "count");

	say(c, "hello\n");
	say_pattern(c, 100000);
	say_eof(c);
	hear_end(c);
}

static void server_closes_first(struct script *s)
{
	struct client *c = meet(s, "", "once");

	say(c, "first\nsecond\n");
	say_pattern(c, 200000);
	hear_end(c);
}

static void reset_in_midstream(struct script *s)
{
	struct client *a = meet(s, "A", "echo"), *b;

	say_pattern(a, 50000);
	hear_pattern(a, 1000);
	b = meet(s, "B", "echo");
	hang_up_rudely(a);
	say(b, "still here?\n");
	hear_line(b);
}

static void vanishes(struct script *s)
{
	struct client *a = meet(s, "A", "echo"), *b = meet(s, "B", "echo"), *c;

	hang_up(a);
	hang_up_rudely(b);
	c = meet(s, "C", "echo");
	say(c, "hello\n");
	hear_line(c);
}

static void speaks_first(struct script *s)
{
	struct client *c = meet(s, "", "greet");

	hear_line(c);
	say(c, "Ada\n");
	hear_end(c);
}

static void refuses(struct script *s)
{
	struct client *c = meet(s, "", "closed");

	say(c, "please\n");
	hear_end(c);
}

static void server_half_closes(struct script *s)
{
	struct client *c = meet(s, "", "adieu");

	say(c, "hello\n");
	hear_end(c);
	say_pattern(c, 70000);
	say_eof(c);
	ask_until(s, "adieu", "last words?\n", "70000");
}

static void aborts(struct script *s)
{
	struct client *c = meet(s, "", "slam");

	say(c, "hello\n");
	hear_end(c);
}

static void private_state(struct script *s)
{
	struct client *a = meet(s, "A", "private"), *b;

	say(a, "x\ny\n");
	hear_line(a);
	hear_line(a);
	b = meet(s, "B", "private");
	say(b, "x\n");
	hear_if_served(s, b);
	say(a, "z\n");
	hear_line(a);
	hang_up(a);
	say(b, "y\n");
	if (s->in_turn)
		hear_line(b);
	hear_line(b);
}

static void peer_address(struct script *s)
{
	struct client *c = client_dial(&s->talk, "", where(s, "peer"),
	                               &(struct client_opts){ .from = "127.0.0.3", .quiet = true });
	char mine[100], parts[100];
	bool same;

	client_own_address(c, mine, sizeof mine);
	say(c, "?\n");
	same = strcmp(hear_line(c), mine) == 0;
	note(&s->talk, "%s", same ? "that is me" : c->line);
	snprintf(parts, sizeof parts, "127.0.0.3 %s", strchr(mine, ':') + 1);
	same = strcmp(hear_line(c), parts) == 0;
	note(&s->talk, "%s", same ? "in parts, too" : c->line);
}

static void changes_framing(struct script *s)
{
	static const char text[] = "one\nraw 5\na\nb\nctwo\nraw 3\nxyzthree\n";
	struct client *c = meet(s, "", "raw");

	say(c, text);
	say_eof(c);
	hear_end(c);
	c = meet(s, "", "raw");
	say_slowly(c, text, sizeof text - 1);
	say_eof(c);
	hear_end(c);
}

#define RAW_TALK "> one\n> raw 5\n> a\n> b\n> ctwo\n> raw 3\n> xyzthree\n> EOF\n" \
                 "< ONE\n< a\n< b\n< cTWO\n< xyzTHREE\n< EOF\n"

static const struct scenario scenarios[] = {
	{ "echo of one line", one_line, .text = "> hello\n< hello\n> EOF\n< EOF\n" },
	{ "echo byte by byte", byte_by_byte,
	  .text = "> \"h\"\n< \"h\"\n> \"e\"\n< \"e\"\n> \"y\"\n< \"y\"\n> \n< \n" },
	{ "every value of a byte", every_value,
	  .text = "> 256 bytes\n< the same 256 bytes\n"
	          "> EOF\n< EOF\n" },
	{ "a mebibyte, pipelined while reading", a_mebibyte,
	  .text = "= 1048576 bytes, both ways\n"
	          "> EOF\n< EOF\n" },
	{ "ten requests in one segment", ten_requests,
	  .text = "> a\n> b\n> c\n> d\n> e\n> f\n> g\n> h\n> i\n> j\n< A\n< B\n< C\n< D\n< E\n"
	          "< F\n< G\n< H\n< I\n< J\n" },
	{ "half-close, and the answer still comes", half_close,
	  .text = "> hello\n> 100000 bytes\n> EOF\n< 100006 bytes\n< EOF\n" },
	{ "the server closes first, with input unread", server_closes_first,
	  .text = "> first\n> second\n> 200000 bytes\n< you said first\n< EOF\n" },
	{ "a reset in mid-stream hurts nobody else", reset_in_midstream,
	  .text = "A> 50000 bytes\nA< 1000 bytes\nA> RESET\nB> still here?\nB< still here?\n" },
	{ "clients that vanish without a byte", vanishes,
	  .text = "A> hangs up\nB> RESET\n"
	          "C> hello\nC< hello\n" },
	{ "the server speaks first", speaks_first,
	  .text = "< who are you?\n> Ada\n< hello, Ada\n"
	          "< EOF\n" },
	{ "refused with a message", refuses, .text = "> please\n< we are closed\n< EOF\n" },
	{ "the server ends its half and still reads", server_half_closes,
	  .text = "> hello\n< you go on\n< EOF\n> 70000 bytes\n> EOF\nlast words?: 70000\n" },
	{ "an abort is a reset", aborts, .text = "> hello\n< RESET\n" },
	{ "state is zeroed and private", private_state,
	  .text = "A> x\nA> y\nA< 1\nA< 2\nB> x\nB< 1\nA> z\nA< 3\nA> hangs up\nB> y\nB< 2\n",
	  .except = { { IN_TURN, "A> x\nA> y\nA< 1\nA< 2\nB> x\nB< nothing\nA> z\nA< 3\n"
	                         "A> hangs up\nB> y\nB< 1\nB< 2\n" } },
	  .at_once = 2 },
	{ "the peer's address is the client's own", peer_address,
	  .text = "that is me\n"
	          "in parts, too\n" },
	{ "framing changes in mid-stream", changes_framing, .text = RAW_TALK RAW_TALK },
};

const struct topic topic_stream = {
	hostings, sizeof hostings / sizeof hostings[0], scenarios, sizeof scenarios / sizeof scenarios[0],
};
