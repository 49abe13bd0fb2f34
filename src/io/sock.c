/* SPDX-License-Identifier: MIT
 *
 * sock.c - sockets: make, bind, listen, connect, options.
 *
 * Options that connections need (no delay, keep-alive) are set on the listening socket: accepted
 * ones inherit them, on every engine, without a call for each. */
#include "io/sock.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/sys.h"
#include "io/dgram.h"
#include "myriad.h"

static int sock_set(int fd, int level, int option, int value)
{
	return sys_setsockopt(fd, level, option, &value, sizeof value) < 0 ? -errno : 0;
}

static int sock_type(const struct endpoint *e)
{
	return endpoint_is_datagram(e) ? SOCK_DGRAM : SOCK_STREAM;
}

/* A peer that vanished without a word is noticed after about two minutes.  Urgent data is read where it is: else its
 * last byte would be lost, and what comes after it come late (RFC 6093, 6).  Best effort. */
static void sock_tune(int fd)
{
	sock_set(fd, SOL_SOCKET, SO_OOBINLINE, 1);
	sock_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	sock_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	sock_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
	sock_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
	sock_set(fd, IPPROTO_TCP, TCP_KEEPCNT, 6);
}

static const char *endpoint_text(const struct endpoint *e, char *dst, size_t size)
{
	endpoint_format(e, dst, size);
	return dst;
}

static int listen_failed(int err, const struct endpoint *e)
{
	char text[300];

	endpoint_text(e, text, sizeof text);
	return fail(err, "cannot listen on %s: %s", text, myr_strerror(err));
}

static int sock_name(int fd, const struct endpoint *e, struct sock_name *name)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof a;
	struct addr at;
	char text[ADDR_TEXT];
	bool datagrams = endpoint_is_datagram(e);

	memset(name, 0, sizeof *name);
	if (sys_getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		return -errno;
	name->family = a.ss_family;
	if (a.ss_family == AF_UNIX) {
		const struct sockaddr_un *u = (const struct sockaddr_un *)&a;
		const char *kind = datagrams ? "unixgram" : "unix";
		size_t len = n > offsetof(struct sockaddr_un, sun_path) ? n - offsetof(struct sockaddr_un, sun_path) : 0;

		if (len > 0 && u->sun_path[0] == '\0')
			snprintf(name->text, sizeof name->text, "%s:@%.*s", kind, (int)len - 1, u->sun_path + 1);
		else
			snprintf(name->text, sizeof name->text, "%s:%.*s", kind, (int)len, u->sun_path);
		return 0;
	}
	addr_from_sockaddr(&at, (struct sockaddr *)&a, n);
	name->port = at.port;
	if (e->kind != ENDPOINT_FD && e->host[0] == '\0')
		snprintf(text, sizeof text, ":%u", at.port);
	else
		addr_format(&at, text, sizeof text);
	snprintf(name->text, sizeof name->text, "%s:%s", datagrams ? "udp" : "tcp", text);
	return 0;
}

/* Bind without sharing first: only that tells whether another live server is there. */
static int bind_alone(const struct sockaddr *a, socklen_t n, int type)
{
	int err = 0, fd = sys_socket(a->sa_family, type | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (type == SOCK_STREAM)
		sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (a->sa_family == AF_INET6)
		sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
	if (sys_bind(fd, a, n) < 0)
		err = -errno;
	sys_close(fd);
	return err;
}

/* Not SO_REUSEADDR for datagrams: with it anybody could take the port from under a server. */
static int listen_inet(const struct sockaddr *a, socklen_t n, int type, bool shared, bool any, int backlog)
{
	int err, fd = sys_socket(a->sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (type == SOCK_STREAM && (err = sock_set(fd, SOL_SOCKET, SO_REUSEADDR, 1)) < 0)
		goto fail_fd;
	if (a->sa_family == AF_INET6 && (err = sock_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, !any)) < 0)
		goto fail_fd;
	if (shared && ((err = bind_alone(a, n, type)) < 0 ||
	               (err = sock_set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) < 0))
		goto fail_fd;
	if (type == SOCK_STREAM)
		sock_tune(fd);
	else
		dgram_tune(fd, a->sa_family);
	if (sys_bind(fd, a, n) < 0 || (type == SOCK_STREAM && sys_listen(fd, backlog) < 0)) {
		err = -errno;
		goto fail_fd;
	}
	return fd;
fail_fd:
	sys_close(fd);
	return err;
}

static int listen_any(const struct endpoint *e, bool shared, int backlog)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(e->port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(e->port) };
	int fd = listen_inet((struct sockaddr *)&six, sizeof six, sock_type(e), shared, true, backlog);

	if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)        /* a system without IPv6 */
		fd = listen_inet((struct sockaddr *)&four, sizeof four, sock_type(e), shared, true, backlog);
	return fd;
}

bool sock_has_name(const struct endpoint *e)
{
	struct in6_addr any;

	return (e->kind == ENDPOINT_TCP || e->kind == ENDPOINT_UDP) && inet_pton(AF_INET, e->host, &any) != 1 &&
	       inet_pton(AF_INET6, e->host, &any) != 1;
}

/* No host: as a client that means this machine. */
int sock_look_up(const struct endpoint *e, struct addrinfo **list)
{
	const struct addrinfo hints = { .ai_socktype = sock_type(e), .ai_flags = AI_NUMERICSERV };
	const char *host = e->host[0] != '\0' ? e->host : "localhost";
	char port[8];
	int err;

	snprintf(port, sizeof port, "%u", e->port);
	err = getaddrinfo(host, port, &hints, list);
	if (err == 0)
		return 0;
	if (err == EAI_SYSTEM)
		return fail(-errno, "cannot find host \"%s\": %s", host, myr_strerror(-errno));
	return fail(err == EAI_MEMORY ? -ENOMEM : -EHOSTUNREACH, "cannot find host \"%s\": %s", host,
	            gai_strerror(err));
}

void sock_forget_names(struct addrinfo *list)
{
	if (list != NULL)
		freeaddrinfo(list);
}

/* What "localhost" means to most clients. */
static const struct addrinfo *four_first(const struct addrinfo *list)
{
	for (const struct addrinfo *a = list; a != NULL; a = a->ai_next)
		if (a->ai_family == AF_INET)
			return a;
	return list;
}

static int listen_host(const struct endpoint *e, bool shared, int backlog)
{
	struct addrinfo *list;
	const struct addrinfo *a;
	int err, fd = -EADDRNOTAVAIL;

	err = sock_look_up(e, &list);
	if (err < 0)
		return err;
	a = four_first(list);
	fd = listen_inet(a->ai_addr, a->ai_addrlen, sock_type(e), shared, false, backlog);
	freeaddrinfo(list);
	return fd < 0 ? listen_failed(fd, e) : fd;
}

static socklen_t unix_address(const struct endpoint *e, struct sockaddr_un *u)
{
	size_t n = strlen(e->path);

	memset(u, 0, sizeof *u);
	u->sun_family = AF_UNIX;
	memcpy(u->sun_path, e->path, n);
	if (e->path[0] == '@')
		u->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + (e->path[0] != '@'));
}

/* Is the file at the path a socket at which nobody listens any more? */
static int unix_is_stale(const struct sockaddr_un *u, socklen_t n, int type)
{
	struct stat st;
	int fd, err = 0;

	if (u->sun_path[0] == '\0' || lstat(u->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return 0;
	fd = sys_socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return 0;
	if (sys_connect(fd, (const struct sockaddr *)u, n) < 0)
		err = errno;
	sys_close(fd);
	return err == ECONNREFUSED;
}

/* What the umask took away.  Who can write the folder may have put anything in the socket's place by now, a link
 * or another name of somebody's socket: only what can be ours alone is changed. */
static int unix_widen(const char *path, unsigned mode)
{
	char held[32];
	struct stat st;
	int err = 0, fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	snprintf(held, sizeof held, "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) < 0)
		err = -errno;
	else if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1)
		err = -ESTALE;
	else if ((st.st_mode & 0777) != mode && chmod(held, mode) < 0)
		err = -errno;
	sys_close(fd);
	return err;
}

static int listen_unix(const struct endpoint *e, int backlog)
{
	struct sockaddr_un u;
	socklen_t n = unix_address(e, &u);
	int err, fd = sys_socket(AF_UNIX, sock_type(e) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return listen_failed(-errno, e);
	if (e->mode != 0 && fchmod(fd, e->mode) < 0)    /* before bind: never wider than asked, not for a moment */
		goto fail_errno;
	if (sys_bind(fd, (struct sockaddr *)&u, n) < 0) {
		err = -errno;
		if (err != -EADDRINUSE || !unix_is_stale(&u, n, sock_type(e)))
			goto fail_fd;
		if (unlink(u.sun_path) < 0 || sys_bind(fd, (struct sockaddr *)&u, n) < 0)
			goto fail_errno;
	}
	if (e->mode != 0 && u.sun_path[0] != '\0' && (err = unix_widen(u.sun_path, e->mode)) < 0)
		goto fail_fd;
	if (!endpoint_is_datagram(e) && sys_listen(fd, backlog) < 0)
		goto fail_errno;
	return fd;
fail_errno:
	err = -errno;
fail_fd:
	sys_close(fd);
	if (err == -ESTALE)
		return fail(err, "cannot listen on %s:%s: somebody has put another file in the socket's place: use a folder that "
		            "nobody else can write", endpoint_is_datagram(e) ? "unixgram" : "unix", e->path);
	return listen_failed(err, e);
}

/* A descriptor that somebody else has opened, for this endpoint. */
static int listen_inherited(const struct endpoint *e, int fd)
{
	int listening = 0, type = 0, wanted = sock_type(e);
	socklen_t n = sizeof listening;

	if (sys_getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &n) < 0)
		return listen_failed(-errno, e);
	n = sizeof type;
	if (sys_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) < 0 || type != wanted || listening != (type == SOCK_STREAM))
		return fail(-EINVAL, "cannot listen on fd:%d: it is not a %s socket", fd,
		            wanted == SOCK_STREAM ? "listening stream" : "datagram");
	if (type == SOCK_STREAM)
		sock_tune(fd);
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return listen_failed(-errno, e);
	return fd;
}

int sock_adopt(const struct endpoint *e, int fd, struct sock_name *name)
{
	int err = listen_inherited(e, fd);

	if (err >= 0)
		err = sock_name(fd, e, name);
	return err < 0 ? err : 0;
}

int sock_listen(const struct endpoint *e, bool shared, struct sock_name *name)
{
	int err, fd, backlog = e->backlog > 0 ? e->backlog : SOCK_BACKLOG;

	switch (e->kind) {
	case ENDPOINT_UNIX:
	case ENDPOINT_UNIXGRAM:
		fd = listen_unix(e, backlog);
		break;
	case ENDPOINT_FD:
		fd = listen_inherited(e, e->fd);
		break;
	default:
		if (e->host[0] != '\0') {
			fd = listen_host(e, shared, backlog);
			break;
		}
		fd = listen_any(e, shared, backlog);
		if (fd < 0)
			fd = listen_failed(fd, e);
	}
	if (fd < 0)
		return fd;
	err = sock_name(fd, e, name);
	if (err == 0)
		return fd;
	sock_forget(e, fd);
	if (e->kind != ENDPOINT_FD)
		sys_close(fd);
	return listen_failed(err, e);
}

int sock_listen_again(int fd)
{
	struct sockaddr_storage a;
	socklen_t n = sizeof a, len = sizeof(int);
	int err, again, type = SOCK_STREAM;

	if (sys_getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		return fail(-errno, "cannot share a listening address: %s", myr_strerror(-errno));
	if (sys_getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return fail(-errno, "cannot share a listening address: %s", myr_strerror(-errno));
	again = sys_socket(a.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (again < 0)
		return fail(-errno, "cannot open a socket: %s", myr_strerror(-errno));
	if (type == SOCK_STREAM)
		sock_set(again, SOL_SOCKET, SO_REUSEADDR, 1);
	sock_set(again, SOL_SOCKET, SO_REUSEPORT, 1);
	if (a.ss_family == AF_INET6) {
		int only = 0;

		len = sizeof only;
		sys_getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &len);
		sock_set(again, IPPROTO_IPV6, IPV6_V6ONLY, only);
	}
	if (type == SOCK_STREAM)
		sock_tune(again);
	else
		dgram_tune(again, a.ss_family);
	if (sys_bind(again, (struct sockaddr *)&a, n) == 0 &&
	    (type != SOCK_STREAM || sys_listen(again, SOCK_BACKLOG) == 0))
		return again;
	err = -errno;
	sys_close(again);
	return fail(err, "cannot share a listening address: %s", myr_strerror(err));
}

void sock_forget(const struct endpoint *e, int fd)
{
	struct sockaddr_un u;
	struct sockaddr_storage bound;
	socklen_t n = sizeof bound;

	if ((e->kind != ENDPOINT_UNIX && e->kind != ENDPOINT_UNIXGRAM) || e->path[0] == '@' ||
	    sys_getsockname(fd, (struct sockaddr *)&bound, &n) < 0)
		return;
	/* Somebody may have replaced the file.  Ours still answers: our own socket is listening. */
	n = unix_address(e, &u);
	if (memcmp(&bound, &u, offsetof(struct sockaddr_un, sun_path) + strlen(u.sun_path) + 1) == 0)
		unlink(u.sun_path);
}

int myr_listen(const char *text)
{
	struct endpoint e;
	struct sock_name name;
	char why[200];

	if (endpoint_parse(&e, text, why, sizeof why) < 0)
		return fail(-EINVAL, "%s", why);
	return sock_listen(&e, false, &name);
}

/* --- Dialling --------------------------------------------------------------------------------- */

static int dial_failed(int err, const struct endpoint *e)
{
	char text[300];

	endpoint_text(e, text, sizeof text);
	return fail(err, "cannot connect to %s: %s", text, myr_strerror(err));
}

/* A refusal by this very machine is known at once: try the next address of the name then. */
static int refused_already(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int err = 0;
	socklen_t n = sizeof err;

	if (sys_poll(&p, 1, 0) <= 0 || sys_getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) < 0)
		return 0;
	return err;
}

/* A unix socket that asks must have a name of its own to be answered: the kernel gives it one (unix(7)). */
static int dial_name(int fd, const struct sockaddr *a, int type)
{
	const struct sockaddr_un any = { .sun_family = AF_UNIX };

	if (a->sa_family != AF_UNIX || type == SOCK_STREAM)
		return 0;
	return sys_bind(fd, (const struct sockaddr *)&any, offsetof(struct sockaddr_un, sun_path));
}

static int dial_address(const struct sockaddr *a, socklen_t n, int type, bool last, bool *done)
{
	int err, fd = sys_socket(a->sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (a->sa_family != AF_UNIX && type == SOCK_STREAM)
		sock_tune(fd);
	if (dial_name(fd, a, type) == 0 && sys_connect(fd, a, n) == 0) {
		*done = true;
		return fd;
	}
	err = errno;
	if ((err == EINPROGRESS || err == EINTR) && (last || (err = refused_already(fd)) == 0)) {
		*done = false;
		return fd;
	}
	sys_close(fd);
	return -err;
}

/* Nobody answers a connect with datagrams: the first address it is. */
static int dial_datagrams(const struct addrinfo *list, struct addr *peer, bool *done)
{
	const struct addrinfo *a = four_first(list);

	addr_from_sockaddr(peer, a->ai_addr, a->ai_addrlen);
	return dial_address(a->ai_addr, a->ai_addrlen, SOCK_DGRAM, true, done);
}

static int dial_host(const struct endpoint *e, const struct addrinfo *list, struct addr *peer, bool *done)
{
	int fd = -EADDRNOTAVAIL;

	if (e->kind == ENDPOINT_UDP)
		return dial_datagrams(list, peer, done);
	for (const struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next) {
		addr_from_sockaddr(peer, a->ai_addr, a->ai_addrlen);
		fd = dial_address(a->ai_addr, a->ai_addrlen, SOCK_STREAM, a->ai_next == NULL, done);
	}
	return fd;
}

int sock_dial(const struct endpoint *e, const struct addrinfo *names, struct addr *peer, bool *done)
{
	struct addrinfo *mine = NULL;
	struct sockaddr_un u;
	socklen_t n;
	int err, fd;

	memset(peer, 0, sizeof *peer);
	switch (e->kind) {
	case ENDPOINT_FD:
		return fail(-EINVAL, "cannot connect to fd:%d: it is an endpoint to listen on", e->fd);
	case ENDPOINT_UNIX:
	case ENDPOINT_UNIXGRAM:
		n = unix_address(e, &u);
		peer->family = AF_UNIX;
		fd = dial_address((struct sockaddr *)&u, n, sock_type(e), true, done);
		break;
	default:
		if (e->port == 0)
			return fail(-EINVAL, "cannot connect to port 0: port 0 is nobody's, it means any free one to listen on");
		if (names == NULL && (err = sock_look_up(e, &mine)) < 0)
			return err;
		fd = dial_host(e, names != NULL ? names : mine, peer, done);
		sock_forget_names(mine);
	}
	return fd < 0 ? dial_failed(fd, e) : fd;
}

/* --- Descriptors ------------------------------------------------------------------------------ */

int sock_fd_limit(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) < 0)
		return 1024;
	return r.rlim_cur > 1 << 30 ? 1 << 30 : (int)r.rlim_cur;
}

int sock_fd_count(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	if (d == NULL)
		return 16;              /* no /proc: a guess that is safe for a small program */
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 3;                   /* ".", ".." and the folder's own */
}
