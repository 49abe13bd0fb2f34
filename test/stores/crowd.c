/* SPDX-License-Identifier: MIT
 *
 * crowd.c - clients who add unique items, all at the same time, and hold the list against the answers. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "stores/keeper.h"

#define DEADLINE_S 100          /* for seconds of work: only a hang gets there */

struct member {
	int fd;                         /* -1: not connected */
	unsigned next, answered;        /* items sent; items known to be answered or in doubt */
	bool greeted;                   /* has been told who serves it */
	char in[4096], out[4096];
	size_t in_n, out_n;
};

static long now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static void answered(struct crowd *c, unsigned who, struct member *m, uint8_t what)
{
	unsigned total;

	c->item[who][m->answered++] = what;
	c->kept += what == ITEM_KEPT;
	c->refused += what == ITEM_REFUSED;
	c->in_doubt += what == ITEM_IN_DOUBT;
	total = c->kept + c->refused + c->in_doubt;
	if (c->happened < c->events && total >= (uint64_t)c->clients * c->each * (c->happened + 1) / (c->events + 1)) {
		c->happened++;
		c->event(c);
	}
}

static void heard_line(struct crowd *c, unsigned who, struct member *m, const char *line)
{
	if (!m->greeted) {
		m->greeted = true;
		c->who[who] = (pid_t)atol(line);
		return;
	}
	if (strcmp(line, "Ack") != 0 && strncmp(line, "error -", 7) != 0)
		fail_msg("client %u heard \"%s\"", who, line);
	if (m->answered >= m->next)
		fail_msg("client %u heard \"%s\", and had asked nothing", who, line);
	answered(c, who, m, strcmp(line, "Ack") == 0 ? ITEM_KEPT : ITEM_REFUSED);
}

static void lost(struct crowd *c, unsigned who, struct member *m)
{
	close(m->fd);
	m->fd = -1;
	for (unsigned i = 0; i < c->clients && c->who[who] != 0; i++)
		if (i != who && c->who[i] == c->who[who])
			c->who[i] = 0;          /* it may be gone: not to be killed again */
	c->who[who] = 0;
	while (m->answered < m->next)
		answered(c, who, m, ITEM_IN_DOUBT);
	if (c->give_up)
		m->next = m->answered = c->each;
}

static void connect_again(struct crowd *c, struct member *m)
{
	int fd = keeper_dial(c->keeper);

	if (fd < 0) {
		usleep(1000);                   /* the server is being replaced: try until it is there */
		return;
	}
	m->fd = fd;
	m->greeted = false;
	m->in_n = 0;
	m->out_n = (size_t)sprintf(m->out, "PID\n");
}

static void fill_window(struct crowd *c, unsigned who, struct member *m)
{
	while (m->next < c->each && m->next - m->answered < c->window && m->out_n + 32 < sizeof m->out) {
		m->out_n += (size_t)sprintf(m->out + m->out_n, "+%u %u\n", who, m->next);
		c->item[who][m->next++] = ITEM_SENT;
	}
}

static bool talk(struct crowd *c, unsigned who, struct member *m, short ready)
{
	char *line, *end;
	ssize_t n;

	if (ready & POLLOUT) {
		n = send(m->fd, m->out, m->out_n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno != EAGAIN)
			return false;
		m->out_n -= n > 0 ? (size_t)n : 0;
		memmove(m->out, m->out + (n > 0 ? n : 0), m->out_n);
	}
	if (!(ready & (POLLIN | POLLHUP | POLLERR)))
		return true;
	n = recv(m->fd, m->in + m->in_n, sizeof m->in - m->in_n, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		return false;
	m->in_n += n > 0 ? (size_t)n : 0;
	for (line = m->in; (end = memchr(line, '\n', m->in_n - (size_t)(line - m->in))) != NULL; line = end + 1) {
		*end = '\0';
		heard_line(c, who, m, line);
	}
	m->in_n -= (size_t)(line - m->in);
	memmove(m->in, line, m->in_n);
	return true;
}

/* Whoever has something left to say or to hear; returns how many. */
static unsigned gather(struct crowd *c, struct member *all, struct pollfd *polled)
{
	unsigned busy = 0;

	for (unsigned i = 0; i < c->clients; i++) {
		struct member *m = &all[i];

		polled[i].fd = -1;
		if (m->answered == c->each)
			continue;
		busy++;
		if (m->fd < 0)
			connect_again(c, m);
		if (m->fd < 0)
			continue;
		fill_window(c, i, m);
		polled[i] = (struct pollfd){ .fd = m->fd, .events = (short)(POLLIN | (m->out_n > 0 ? POLLOUT : 0)) };
	}
	return busy;
}

void crowd_run(struct crowd *c)
{
	struct member *all = calloc(c->clients, sizeof *all);
	struct pollfd polled[CROWD_MOST];
	long deadline = now_s() + DEADLINE_S;

	assert_in_range(c->clients, 1, CROWD_MOST);
	for (unsigned i = 0; i < c->clients; i++) {
		all[i].fd = -1;
		c->item[i] = calloc(c->each, 1);
	}
	while (gather(c, all, polled) > 0) {
		if (now_s() > deadline)
			fail_msg("not done in time: %u kept, %u refused, %u in doubt", c->kept, c->refused, c->in_doubt);
		poll(polled, c->clients, 100);
		for (unsigned i = 0; i < c->clients; i++)
			if (polled[i].fd >= 0 && polled[i].revents != 0 && !talk(c, i, &all[i], polled[i].revents))
				lost(c, i, &all[i]);
	}
	for (unsigned i = 0; i < c->clients; i++)
		if (all[i].fd >= 0)
			close(all[i].fd);
	free(all);
}

void crowd_free(struct crowd *c)
{
	for (unsigned i = 0; i < c->clients; i++)
		free(c->item[i]);
}

/* --- The list against the answers ------------------------------------------------------------------------ */

static void check_item(struct crowd *c, char *line, long *last)
{
	unsigned who, i;

	if (sscanf(line, "%u %u", &who, &i) != 2 || who >= c->clients || i >= c->each)
		fail_msg("\"%s\" is in the list, and nobody sent it", line);
	if ((long)i <= last[who])
		fail_msg("\"%s\" is in the list twice, or after \"%u %ld\"", line, who, last[who]);
	if (c->item[who][i] == ITEM_NEW)
		fail_msg("\"%s\" is in the list, and it was not sent", line);
	for (long k = last[who] + 1; k < (long)i; k++)
		if (c->item[who][k] == ITEM_KEPT)
			fail_msg("\"%u %ld\" was acknowledged, and is not in the list", who, k);
	last[who] = (long)i;
}

void crowd_check(struct crowd *c, const struct keeper *k)
{
	long last[CROWD_MOST];
	char line[64];
	FILE *f = NULL;
	unsigned n = 0;
	int fd = keeper_dial(k);

	assert_true(fd >= 0);
	for (unsigned i = 0; i < c->clients; i++)
		last[i] = -1;
	assert_int_equal(send(fd, "LIST\n", 5, MSG_NOSIGNAL), 5);
	f = fdopen(fd, "r");
	while (fgets(line, sizeof line, f) != NULL && strcmp(line, ".\n") != 0) {
		line[strcspn(line, "\n")] = '\0';
		check_item(c, line, last);
		n++;
	}
	assert_string_equal(line, ".\n");
	fclose(f);
	for (unsigned i = 0; i < c->clients; i++)
		for (long j = last[i] + 1; j < (long)c->each; j++)
			if (c->item[i][j] == ITEM_KEPT)
				fail_msg("\"%u %ld\" was acknowledged, and is not in the list", i, j);
	assert_in_range(n, c->kept, c->kept + c->refused + c->in_doubt);
	print_message("             %u kept, %u refused, %u in doubt, %u in the list\n", c->kept, c->refused,
	              c->in_doubt, n);
}
