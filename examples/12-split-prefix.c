/* SPDX-License-Identifier: MIT
 *
 * The split length prefix: "10 1234567890" may arrive as "1", "0 12", "34567890", or any other way.
 *
 *	12-split-prefix [ENDPOINT [ENGINE]]
 *
 * Without arguments it is fed one message in two pieces, cut at every place, and byte by byte; each time the same
 * must come out.  on_data() returns how many bytes it used: while the prefix is not whole it uses none and sees it
 * again, longer.  So nothing needs to be kept but what is really state: how much payload is left. */
#include <myriad.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

struct count {
	int      known;                /* not "left is not 0": a length may be 0 */
	uint64_t left;
};

enum { DIGITS_MAX = 10 };              /* a prefix without end is an attack */

/* Returns the prefix's bytes, 0 if it is not whole yet, or -1 if it is none. */
static int prefix(const char *p, size_t n, uint64_t *length)
{
	*length = 0;
	for (size_t i = 0; i < n && i <= DIGITS_MAX; i++) {
		if (p[i] == ' ' && i > 0)
			return (int)i + 1;
		if (p[i] < '0' || p[i] > '9' || (i > 0 && p[0] == '0'))
			return -1;
		*length = *length * 10 + (p[i] - '0');
	}
	return n > DIGITS_MAX ? -1 : 0;
}

static size_t data(struct myr_conn *c, const void *p, size_t n)
{
	struct count *s = myr_state(c);
	size_t used = 0;

	if (!s->known) {
		int head = prefix(p, n, &s->left);

		if (head < 0) {
			myr_log(c, LOG_NOTICE, "no length: %.*s", n < 32 ? (int)n : 32, (const char *)p);
			myr_abort(c);
			return n;
		}
		if (head == 0)
			return 0;
		s->known = 1;
		used = head;
	}
	if (n - used > s->left)
		n = used + s->left;            /* what follows is not ours to echo */
	myr_write(c, (const char *)p + used, n - used);
	s->left -= n - used;
	if (s->left == 0)
		myr_close(c);
	return n;
}

static const struct myr_service service = { .name = "count", .state = sizeof(struct count), .on_data = data };

/* Feed the message in pieces of `first` and then `step` bytes; 1 if what came back is right. */
static int right(const char *message, size_t first, size_t step, const char *wanted)
{
	size_t n = strlen(message), got = 0;
	struct myr_test *t;
	int same, open = 1;

	if (myr_test_new(&t, &service, NULL) < 0)
		return 0;
	for (size_t at = 0, piece = first; at < n && open == 1; at += piece, piece = step) {
		if (piece > n - at)
			piece = n - at;
		open = myr_test_feed(t, message + at, piece);
	}
	same = strcmp(myr_test_sent(t, &got), wanted) == 0 && myr_test_end(t, MYR_EOF) == 0;
	myr_test_free(t);
	return same;
}

int main(int argc, char **argv)
{
	static const char message[] = "10 1234567890", wanted[] = "1234567890";
	size_t n = sizeof message - 1, good = 0;

	if (argc > 1)
		return myr_serve(&service, argv[1], argc > 2 ? argv[2] : NULL);
	for (size_t cut = 1; cut < n; cut++)
		good += right(message, cut, n, wanted);
	printf("cut in two: %zu of %zu ways give the payload\n", good, n - 1);
	printf("byte by byte: %s\n", right(message, 1, 1, wanted) ? "the payload" : "wrong");
	printf("more than announced: %s\n", right("2 hello", n, n, "he") ? "only what was announced" : "wrong");
	printf("nothing announced: %s\n", right("0 ", n, n, "") ? "closed at once" : "wrong");
	return good == n - 1 ? 0 : 1;
}
