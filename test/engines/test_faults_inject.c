/* SPDX-License-Identifier: MIT
 *
 * test_faults_inject.c - system calls that count themselves, and one of which fails.
 *
 * A fault is one that the kernel could have made: a close that fails has closed all the same, a short
 * send has sent that much, a child that is not there any more has been reaped by somebody. */
#include "engines/test_faults.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SEND_ROOM 8192

struct fault_board *fault_board;

void fault_board_map(void)
{
	fault_board = mmap(NULL, sizeof *fault_board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (fault_board == MAP_FAILED)
		abort();
}

/* --- Which calls fail, and how ------------------------------------------------------------------- */

#define ERRORS_MAX 14

static const int errors[FAULT_CALLS][ERRORS_MAX] = {
	[CALL_socket] = { EMFILE, ENFILE, ENOBUFS, ENOMEM },
	[CALL_bind] = { EADDRINUSE, EACCES, ENOMEM },
	[CALL_listen] = { EADDRINUSE },
	[CALL_accept4] = { EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EPROTO, EINTR, EAGAIN, EPERM },
	[CALL_shutdown] = { ENOTCONN },
	[CALL_setsockopt] = { ENOBUFS, EINVAL },
	[CALL_getsockopt] = { ENOBUFS, EINVAL },
	[CALL_getsockname] = { ENOBUFS, EINVAL },
	[CALL_recv] = { ECONNRESET, ETIMEDOUT, ENOMEM, EINTR, EAGAIN, SHORT_1 },
	[CALL_send] = { EPIPE, ECONNRESET, ENOBUFS, ENOMEM, EINTR, EAGAIN, SHORT_1, SHORT_2, SHORT_3 },
	[CALL_sendmsg] = { EPIPE, ECONNRESET, ENOBUFS, ENOMEM, EINTR, EAGAIN, SHORT_1, SHORT_2, SHORT_3 },
	[CALL_recvmmsg] = { ECONNREFUSED, ENOBUFS, ENOMEM, EINTR, EAGAIN },
	[DGRAM_SENDMSG] = { ECONNREFUSED, EPERM, EINVAL, ENOBUFS, ENOMEM, EINTR, EAGAIN },
	[CALL_read] = { EINTR, EAGAIN },
	[CALL_write] = { EINTR, EAGAIN },
	[CALL_pread] = { EIO, ENOMEM, EINTR, SHORT_1, SHORT_2, SHORT_3 },
	[CALL_fstat] = { EIO, ENOMEM },
	[CALL_sendfile] = { EPIPE, ECONNRESET, EIO, ENOMEM, EINVAL, EINTR, EAGAIN, SHORT_1, SHORT_2, SHORT_3 },
	[CALL_close] = { EINTR, EIO },
	[CALL_socketpair] = { EMFILE, ENFILE, ENOMEM },
	[CALL_eventfd] = { EMFILE, ENFILE, ENOMEM },
	[CALL_select] = { EINTR, ENOMEM },
	[CALL_poll] = { EINTR, ENOMEM },
	[CALL_epoll_create1] = { EMFILE, ENFILE, ENOMEM },
	[CALL_epoll_ctl] = { ENOMEM, ENOSPC },
	[CALL_epoll_wait] = { EINTR, ENOMEM },
	[CALL_fork] = { EAGAIN, ENOMEM },
	[CALL_waitid] = { EINTR, ECHILD },
	[CALL_pthread_create] = { EAGAIN },
	[CALL_mmap] = { ENOMEM },
	[CALL_malloc] = { ENOMEM },
	[CALL_calloc] = { ENOMEM },
	[CALL_realloc] = { ENOMEM },
	[CALL_pidfd] = { EMFILE, ENOMEM },
	[RING_ACCEPT] = { EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED, EINTR, EAGAIN, ECANCELED },
	[RING_RECV] = { ECONNRESET, ETIMEDOUT, ENOBUFS, ENOMEM, EINTR, ECANCELED, SHORT_1, ONE_SHOT },
	[RING_SEND] = { EPIPE, ECONNRESET, ENOMEM, EINTR, SHORT_1, SHORT_2, SHORT_3 },
	[RING_SENDMSG] = { EPIPE, ECONNRESET, ENOMEM, EINTR },
	[RING_POLL] = { ENOMEM, EINTR, ECANCELED },
	[RING_INSTALL] = { EMFILE, ENFILE, ENOMEM },
};

#define FAULT_NAME(ret, name, params, args) [CALL_##name] = #name,
static const char *const call_names[FAULT_CALLS] = {
	SYS_CALLS(FAULT_NAME)
	[CALL_pidfd] = "pidfd", [DGRAM_SENDMSG] = "dgram_sendmsg", [RING_ACCEPT] = "ring_accept", [RING_RECV] = "ring_recv", [RING_SEND] = "ring_send",
	[RING_SENDMSG] = "ring_sendmsg", [RING_POLL] = "ring_poll", [RING_INSTALL] = "ring_install",
};

#define NAMED(e) { e, #e }
static const struct {
	int value;
	const char *name;
} error_names[] = {
	NAMED(EACCES), NAMED(EADDRINUSE), NAMED(EAGAIN), NAMED(ECANCELED), NAMED(ECHILD),
	NAMED(ECONNABORTED), NAMED(ECONNREFUSED), NAMED(ECONNRESET), NAMED(EINTR), NAMED(EINVAL), NAMED(EIO), NAMED(EMFILE),
	NAMED(ENFILE), NAMED(ENOBUFS), NAMED(ENOMEM), NAMED(ENOSPC), NAMED(ENOTCONN), NAMED(EPERM),
	NAMED(EPIPE), NAMED(EPROTO), NAMED(ETIMEDOUT), NAMED(SHORT_1), NAMED(SHORT_2), NAMED(SHORT_3), NAMED(ONE_SHOT),
};

#define N_NAMES (sizeof error_names / sizeof error_names[0])

const int *fault_errors(enum fault_call call)
{
	return errors[call];
}

const char *fault_call_name(enum fault_call call)
{
	return call_names[call];
}

const char *fault_error_name(int error)
{
	for (size_t i = 0; i < N_NAMES; i++)
		if (error_names[i].value == error)
			return error_names[i].name;
	return "?";
}

bool fault_parse(struct fault *f, const char *call, const char *number, const char *error)
{
	unsigned c = 0;
	size_t e = 0;

	while (c < FAULT_CALLS && strcmp(call_names[c], call) != 0)
		c++;
	while (e < N_NAMES && strcmp(error_names[e].name, error) != 0)
		e++;
	f->number = (unsigned)strtoul(number, NULL, 10);
	if (c == FAULT_CALLS || e == N_NAMES || f->number == 0)
		return false;
	f->call = (enum fault_call)c;
	f->error = error_names[e].value;
	return true;
}

/* --- The calls ----------------------------------------------------------------------------------- */

/* Counts this call.  Returns how it is to fail, or 0. */
static int due(enum fault_call call)
{
	const struct fault *plan = &fault_board->plan;
	unsigned n = atomic_fetch_add(&fault_board->made[call], 1) + 1;

	if (n != plan->number || call != plan->call)
		return 0;
	atomic_store(&fault_board->injected, true);
	return plan->error;
}

/* Those that fail with -1 and without effect: most. */
#define FAULT_PLAIN(ret, name, params, args)                                    \
	static ret plain_##name params                                          \
	{                                                                       \
		int error = due(CALL_##name);                                   \
		if (error == 0)                                                 \
			return sys_direct.name args;                            \
		errno = error;                                                  \
		return (ret)(intptr_t)-1;                                       \
	}
SYS_CALLS(FAULT_PLAIN)

/* Accepted sockets inherit this: large replies leave in pieces. */
static int fault_listen(int fd, int backlog)
{
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){ SEND_ROOM }, sizeof(int));
	return plain_listen(fd, backlog);
}

static int fault_pidfd(pid_t pid, unsigned flags)
{
	int error = due(CALL_pidfd);

	errno = error;
	return error != 0 ? -1 : sys_direct.pidfd(pid, flags);
}

static void *fault_malloc(size_t n)
{
	int error = due(CALL_malloc);

	errno = error;
	return error != 0 ? NULL : sys_direct.malloc(n);
}

static void *fault_calloc(size_t n, size_t m)
{
	int error = due(CALL_calloc);

	errno = error;
	return error != 0 ? NULL : sys_direct.calloc(n, m);
}

static void *fault_realloc(void *p, size_t n)
{
	int error = due(CALL_realloc);

	errno = error;
	return error != 0 ? NULL : sys_direct.realloc(p, n);
}

static int fault_pthread_create(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
	int error = due(CALL_pthread_create);

	return error != 0 ? error : sys_direct.pthread_create(t, a, fn, arg);
}

static int fault_close(int fd)
{
	int error = due(CALL_close), result = sys_direct.close(fd);

	if (error == 0)
		return result;
	errno = error;
	return -1;
}

/* What is too full to be added to is readable: the write is as good as done. */
static ssize_t fault_write(int fd, const void *p, size_t n)
{
	int error = due(CALL_write);

	if (error == 0)
		return sys_direct.write(fd, p, n);
	if (error == EAGAIN && sys_direct.write(fd, p, n) < 0)
		return -1;
	errno = error;
	return -1;
}

static int fault_waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	int error = due(CALL_waitid);

	if (error == 0)
		return sys_direct.waitid(type, id, info, options);
	if (error == ECHILD)
		sys_direct.waitid(type, id, &(siginfo_t){ .si_pid = 0 }, options & ~WNOHANG);
	errno = error;
	return -1;
}

/* Taking something out needs no memory. */
static int fault_epoll_ctl(int ep, int op, int fd, struct epoll_event *e)
{
	return op == EPOLL_CTL_DEL ? sys_direct.epoll_ctl(ep, op, fd, e) : plain_epoll_ctl(ep, op, fd, e);
}

static bool is_of_type(int fd, int which)
{
	int type = 0;
	socklen_t n = sizeof type;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == which;
}

/* Messages between our processes go whole or not at all, and do not get lost while both live. */
static int due_on(enum fault_call call, int fd)
{
	int error = due(call);

	if (error == 0 || is_of_type(fd, SOCK_STREAM) || error == EINTR || error == EAGAIN || error == ENOBUFS)
		return error;
	atomic_store(&fault_board->injected, false);
	return 0;
}

/* How much of n may go: all of it, or less. */
static size_t cut_short(int error, size_t n)
{
	size_t most = (size_t)-error;

	if (error >= 0)
		return n;
	if (most >= n) {
		atomic_store(&fault_board->injected, false);
		return n;
	}
	return most;
}

static ssize_t fault_recv(int fd, void *p, size_t n, int flags)
{
	int error = due_on(CALL_recv, fd);

	if (error <= 0)
		return sys_direct.recv(fd, p, cut_short(error, n), flags);
	errno = error;
	return -1;
}

static ssize_t fault_send(int fd, const void *p, size_t n, int flags)
{
	int error = due_on(CALL_send, fd);

	if (error <= 0)
		return sys_direct.send(fd, p, cut_short(error, n), flags);
	errno = error;
	return -1;
}

static ssize_t fault_sendmsg(int fd, const struct msghdr *m, int flags)
{
	int error = is_of_type(fd, SOCK_DGRAM) ? due(DGRAM_SENDMSG) : due_on(CALL_sendmsg, fd);
	struct iovec piece;
	struct msghdr less = *m;

	if (error > 0) {
		errno = error;
		return -1;
	}
	if (error == 0)
		return sys_direct.sendmsg(fd, m, flags);
	piece = m->msg_iov[0];
	piece.iov_len = cut_short(error, piece.iov_len);
	less.msg_iov = &piece;
	less.msg_iovlen = 1;
	return sys_direct.sendmsg(fd, &less, flags);
}

static ssize_t fault_pread(int fd, void *p, size_t n, off_t at)
{
	int error = due(CALL_pread);

	if (error <= 0)
		return sys_direct.pread(fd, p, cut_short(error, n), at);
	errno = error;
	return -1;
}

/* With EPIPE comes the signal, and no flag of this call keeps it back. */
static ssize_t fault_sendfile(int to, int fd, off_t *at, size_t n)
{
	int error = due(CALL_sendfile);

	if (error <= 0)
		return sys_direct.sendfile(to, fd, at, cut_short(error, n));
	if (error == EPIPE)
		pthread_kill(pthread_self(), SIGPIPE);
	errno = error;
	return -1;
}

/* --- Rings --------------------------------------------------------------------------------------- */

#ifdef MYR_HAVE_URING
#include <liburing.h>

#define OP_INSTALL 54                   /* these two are newer than some headers */
#define NOP_INJECT 1u

static void ring_fail(struct io_uring_sqe *sqe, int error)
{
	uint64_t whose = sqe->user_data;

	memset(sqe, 0, sizeof *sqe);
	sqe->opcode = IORING_OP_NOP;
	sqe->rw_flags = NOP_INJECT;
	sqe->len = (unsigned)-error;
	sqe->user_data = whose;
}

static void ring_shorten(struct io_uring_sqe *sqe, unsigned most)
{
	if (sqe->opcode == IORING_OP_RECV)
		sqe->ioprio &= (uint16_t)~IORING_RECV_MULTISHOT;
	else if (sqe->len <= most)
		atomic_store(&fault_board->injected, false);
	else
		sqe->len = most;
	if (sqe->opcode == IORING_OP_RECV && most > 0)
		sqe->len = most;
}

static void fault_ring(struct io_uring_sqe *sqe)
{
	static const struct {
		unsigned char op;
		enum fault_call call;
	} ops[] = {
		{ IORING_OP_ACCEPT, RING_ACCEPT }, { IORING_OP_RECV, RING_RECV }, { IORING_OP_SEND, RING_SEND },
		{ IORING_OP_SENDMSG, RING_SENDMSG }, { IORING_OP_POLL_ADD, RING_POLL },
		{ OP_INSTALL, RING_INSTALL },
	};
	int error = 0;

	for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
		if (ops[i].op == sqe->opcode)
			error = due(ops[i].call);
	if (error > 0)
		ring_fail(sqe, error);
	else if (error < 0)
		ring_shorten(sqe, error == ONE_SHOT ? 0 : (unsigned)-error);
}

bool fault_rings(void)
{
	struct io_uring ring;
	struct io_uring_cqe *cqe;
	bool can = false;

	if (io_uring_queue_init(2, &ring, 0) < 0)
		return false;
	ring_fail(io_uring_get_sqe(&ring), EMFILE);
	if (io_uring_submit_and_wait(&ring, 1) == 1 && io_uring_peek_cqe(&ring, &cqe) == 0)
		can = cqe->res == -EMFILE;
	io_uring_queue_exit(&ring);
	return can;
}

#else

static void fault_ring(struct io_uring_sqe *sqe)
{
	(void)sqe;
}

bool fault_rings(void)
{
	return false;
}

#endif

/* --- In and out ---------------------------------------------------------------------------------- */

void fault_install(void)
{
#define FAULT_ENTRY(ret, name, params, args) .name = plain_##name,
	sys_table = (struct sys_table){ SYS_CALLS(FAULT_ENTRY) .pidfd = fault_pidfd };
	sys_table.listen = fault_listen;
	sys_table.malloc = fault_malloc;
	sys_table.calloc = fault_calloc;
	sys_table.realloc = fault_realloc;
	sys_table.pthread_create = fault_pthread_create;
	sys_table.close = fault_close;
	sys_table.write = fault_write;
	sys_table.waitid = fault_waitid;
	sys_table.epoll_ctl = fault_epoll_ctl;
	sys_table.recv = fault_recv;
	sys_table.send = fault_send;
	sys_table.sendmsg = fault_sendmsg;
	sys_table.pread = fault_pread;
	sys_table.sendfile = fault_sendfile;
	sys_ring_hook = fault_ring;
}

void fault_remove(void)
{
	sys_table = sys_direct;
	sys_ring_hook = NULL;
}
