/* SPDX-License-Identifier: MIT
 *
 * keeper.c - a server that keeps a list in a store. */
#include "stores/keeper.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* --- The service -------------------------------------------------------------------------------------- */

struct seat { struct store_seat store; char line[STORE_ITEM_MAX + 2]; };

static int send_item(void *arg, const void *item, size_t n)
{
	ssize_t sent = myr_send(arg, item, n);

	return sent < 0 ? (int)sent : 0;
}

static void answer(struct myr_conn *c, const char *line, size_t n)
{
	struct store *s = myr_arg(c);
	int err = 0;

	if (n > 0 && line[0] == '+')
		err = store_append(s, c, line + 1, n - 1);
	else if (strcmp(line, "CLEAR") == 0)
		err = store_clear(s, c);
	else if (strcmp(line, "LIST") == 0 && (err = store_list(s, c, send_item, c)) == 0)
		myr_send(c, ".", 1);
	else if (strcmp(line, "PID") == 0)
		myr_printf(c, "%d\n", (int)getpid());
	if (err < 0)
		myr_printf(c, "error %d\n", err);
	else if (line[0] == '+' || line[0] == 'C')
		myr_send(c, "Ack", 3);
}

static void keep(struct myr_conn *c)
{
	struct seat *seat = myr_state(c);
	ssize_t n;

	while ((n = myr_recv(c, seat->line, sizeof seat->line)) >= 0)
		answer(c, seat->line, (size_t)n);
}

static int start(struct myr_loop *l, void *arg)
{
	return store_start(arg, l);
}

static void stop(struct myr_loop *l, void *arg)
{
	store_stop(arg, l);
}

static const struct myr_service service = {
	.name = "keeper", .state = sizeof(struct seat), .framing = &myr_lines, .frame_max = STORE_ITEM_MAX + 1,
	.handle = keep, .start = start, .stop = stop,
};

/* --- The server's process -------------------------------------------------------------------------------- */

static struct myr_server *server;

static void on_term(int sig)
{
	(void)sig;
	myr_server_stop(server);
}

static int child(struct keeper *k, int report)
{
	struct myr_config config = { .engine = k->engine, .workers = k->workers, .workers_are = k->are,
	                             .accept_rate = 1000000, .drain_ms = 20000 };
	struct store *store = NULL;
	int err, at;

	if (k->before != NULL)
		k->before();
	err = myr_server_new(&server, &config);
	if (err == 0)
		err = store_open(&store, server, k->store, &k->limits);
	at = err == 0 ? myr_server_add(server, &service, "tcp:127.0.0.1:0", store) : err;
	if (at >= 0) {
		signal(SIGTERM, on_term);
		dprintf(report, "%s\n", strrchr(myr_server_address(server, at), ':') + 1);
		close(report);
		err = myr_server_run(server);
		if (err < 0)
			fprintf(stderr, "run: %s\n", myr_reason());
	}
	myr_server_free(server);
	store_free(store);
	return at < 0 || err < 0;
}

/* What it reports: the port, or nothing. */
static void launch(struct keeper *k, int err_fd)
{
	char port[16] = "";
	int report[2];

	assert_int_equal(pipe(report), 0);
	fflush(NULL);
	k->pid = fork();
	assert_true(k->pid >= 0);
	if (k->pid == 0) {
		setpgid(0, 0);
		close(report[0]);
		if (err_fd >= 0)
			dup2(err_fd, 2);
		exit(child(k, report[1]));
	}
	setpgid(k->pid, k->pid);
	close(report[1]);
	k->ended = -1;
	k->port = read(report[0], port, sizeof port - 1) > 0 ? atoi(port) : 0;
	close(report[0]);
}

void keeper_start(struct keeper *k)
{
	launch(k, -1);
	assert_int_not_equal(k->port, 0);
}

bool keeper_refuses(struct keeper *k, char *said, size_t size)
{
	int talk[2];
	ssize_t n = 0, part;

	assert_int_equal(pipe(talk), 0);
	launch(k, talk[1]);
	close(talk[1]);
	if (k->port != 0) {
		keeper_kill(k);
		close(talk[0]);
		return false;
	}
	while ((size_t)n + 1 < size && (part = read(talk[0], said + n, size - 1 - (size_t)n)) > 0)
		n += part;
	said[n] = '\0';
	close(talk[0]);
	return keeper_wait(k) == 1;
}

void keeper_kill(struct keeper *k)
{
	if (k->pid <= 0)
		return;
	kill(-k->pid, SIGKILL);
	keeper_wait(k);
}

void keeper_drain(struct keeper *k)
{
	kill(k->pid, SIGTERM);
}

int keeper_wait(struct keeper *k)
{
	int status;

	assert_int_equal(waitpid(k->pid, &status, 0), k->pid);
	k->pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* --- One client -------------------------------------------------------------------------------------------- */

int keeper_dial(const struct keeper *k)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)k->port),
	                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) == 0)
		return fd;
	close(fd);
	return -errno;
}

void keeper_ask(const struct keeper *k, const char *request, char *reply, size_t size)
{
	const struct timeval patience = { .tv_sec = 20 };
	int fd = keeper_dial(k);
	size_t n = 0;

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
	assert_int_equal(send(fd, "\n", 1, MSG_NOSIGNAL), 1);
	while (n + 1 < size && recv(fd, reply + n, 1, 0) == 1 && reply[n] != '\n')
		n++;
	reply[n] = '\0';
	close(fd);
}
