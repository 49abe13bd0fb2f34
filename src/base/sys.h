/* SPDX-License-Identifier: MIT
 *
 * sys.h - the system-call table: every call that can fail goes through sys_NAME().
 *
 * In the release build these are inline direct calls and cost nothing.  With MYR_SYS_TABLE they go
 * through a table of pointers, so that a test can make any call fail, fall short or be interrupted.
 * The contract of each is that of its man page: -1 and errno (pthread_*: the error itself).
 * Completions of io_uring are altered where they are asked for, in io/uring.c (sys_ring_hook). */
#ifndef MYR_SYS_H
#define MYR_SYS_H

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int sys_pidfd(pid_t pid, unsigned flags);                 /* pidfd_open(2), which libc 2.36 wraps only half */

#define SYS_CALLS(X)                                                                               \
	X(int, socket, (int d, int t, int p), (d, t, p))                                           \
	X(int, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))                  \
	X(int, listen, (int fd, int backlog), (fd, backlog))                                       \
	X(int, accept4, (int fd, struct sockaddr *a, socklen_t *n, int f), (fd, a, n, f))          \
	X(int, connect, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))               \
	X(int, shutdown, (int fd, int how), (fd, how))                                             \
	X(int, setsockopt, (int fd, int l, int o, const void *v, socklen_t n), (fd, l, o, v, n))   \
	X(int, getsockopt, (int fd, int l, int o, void *v, socklen_t *n), (fd, l, o, v, n))        \
	X(int, getsockname, (int fd, struct sockaddr *a, socklen_t *n), (fd, a, n))                \
	X(ssize_t, recv, (int fd, void *p, size_t n, int f), (fd, p, n, f))                        \
	X(ssize_t, send, (int fd, const void *p, size_t n, int f), (fd, p, n, f))                  \
	X(ssize_t, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f))                   \
	X(int, recvmmsg, (int fd, struct mmsghdr *m, unsigned n, int f, struct timespec *t), (fd, m, n, f, t)) \
	X(ssize_t, read, (int fd, void *p, size_t n), (fd, p, n))                                  \
	X(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n))                           \
	X(ssize_t, pread, (int fd, void *p, size_t n, off_t at), (fd, p, n, at))                   \
	X(int, fstat, (int fd, struct stat *st), (fd, st))                                         \
	X(ssize_t, sendfile, (int to, int fd, off_t *at, size_t n), (to, fd, at, n))               \
	X(int, close, (int fd), (fd))                                                              \
	X(int, socketpair, (int d, int t, int p, int sv[2]), (d, t, p, sv))                        \
	X(int, eventfd, (unsigned v, int f), (v, f))                                               \
	X(int, select, (int n, fd_set *r, fd_set *w, fd_set *e, struct timeval *t), (n, r, w, e, t)) \
	X(int, poll, (struct pollfd *p, nfds_t n, int ms), (p, n, ms))                             \
	X(int, epoll_create1, (int f), (f))                                                        \
	X(int, epoll_ctl, (int ep, int op, int fd, struct epoll_event *e), (ep, op, fd, e))        \
	X(int, epoll_wait, (int ep, struct epoll_event *e, int n, int ms), (ep, e, n, ms))         \
	X(int, clock_gettime, (clockid_t c, struct timespec *t), (c, t))                           \
	X(pid_t, fork, (void), ())                                                                 \
	X(int, waitid, (idtype_t t, id_t id, siginfo_t *i, int o), (t, id, i, o))                  \
	X(int, pthread_create, (pthread_t *t, const pthread_attr_t *a, void *(*f)(void *), void *p), (t, a, f, p)) \
	X(void *, mmap, (void *a, size_t n, int p, int f, int fd, off_t o), (a, n, p, f, fd, o))   \
	X(void *, malloc, (size_t n), (n))                                                         \
	X(void *, calloc, (size_t n, size_t m), (n, m))                                            \
	X(void *, realloc, (void *p, size_t n), (p, n))

#ifdef MYR_SYS_TABLE

#define SYS_POINTER(ret, name, params, args) ret (*name) params;
struct sys_table {
	SYS_CALLS(SYS_POINTER)
	int (*pidfd)(pid_t pid, unsigned flags);
};
extern struct sys_table sys_table;                        /* what tests replace */
extern const struct sys_table sys_direct;                 /* the real calls, to go on to */
/* Called on every submission entry just before the kernel sees it; may shorten or replace it. */
struct io_uring_sqe;
extern void (*sys_ring_hook)(struct io_uring_sqe *);

#define SYS_INLINE(ret, name, params, args) \
	static inline ret sys_##name params { return sys_table.name args; }
static inline int sys_pidfd_open(pid_t pid, unsigned flags) { return sys_table.pidfd(pid, flags); }

#else

#define SYS_INLINE(ret, name, params, args) \
	static inline ret sys_##name params { return name args; }
static inline int sys_pidfd_open(pid_t pid, unsigned flags) { return sys_pidfd(pid, flags); }

#endif

SYS_CALLS(SYS_INLINE)

#endif
