/* SPDX-License-Identifier: MIT
 *
 * test_faults_scene.c - a server in a process of its own, its clients, and what they may see.
 *
 * One call of the server fails.  Whatever that is, each client gets the right bytes, from the first on,
 * and then all of them or an end; and somebody who comes afterwards is served.  Sockets block here, with
 * a time-out: it running out is the server's fault. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "engines/test_faults.h"
#include "myriad.h"
#include "support/clock.h"
#include "support/leaks.h"
#include "support/pattern.h"

#define BIG (200u * 1024)
#define FILE_FROM 1000u
#define PATIENCE_MS 4000                /* more than anything the server may wait for */
#define DATAGRAM_MS 250                 /* for an answer, of which one may get lost */
#define DATAGRAM_TRIES 8
#define TELL_MS 300                     /* a tell may get lost; one that does not is faster */
#define LOG_LINES 25                    /* one fault, told once */

#if defined __SANITIZE_ADDRESS__
#define CPU_MS 10000
int __lsan_do_recoverable_leak_check(void);
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "abort_on_error=1";      /* so that it shows in whatever process it is */
}
#else
#define CPU_MS 1000
static int __lsan_do_recoverable_leak_check(void)
{
	return 0;
}
#endif

/* --- The service: a command a line --------------------------------------------------------------- */

static uint8_t big[BIG];
static int big_file = -1;               /* the same bytes */

/* The connection's state: its work in other threads.  None goes on until all of it has been asked for, so
 * that what is asked for second finds no thread idle. */
struct errand {
	sem_t go;
	int  out, sum;                  /* jobs that are not told yet, and what the others came to */
	bool refused;
};

static int work(void *arg)
{
	struct errand *e = arg;

	while (sem_wait(&e->go) < 0)
		;
	return 21;
}

static void answer(struct myr_conn *c, struct errand *e)
{
	myr_printf(c, "%s\n", e->refused ? "refused" : e->sum == 21 ? "21" : e->sum == 42 ? "42" : "wrong");
}

static void worked(struct myr_conn *c, int result, void *arg)
{
	struct errand *e = arg;

	e->sum += result;
	if (--e->out == 0)
		answer(c, e);
}

/* wait: as a blocking handler may, without being called back. */
static void offload(struct myr_conn *c, int jobs, bool wait)
{
	struct errand *e = myr_state(c);
	int result;

	sem_init(&e->go, 0, wait);
	e->out = e->sum = 0;
	e->refused = false;
	if (wait) {
		result = myr_offload(c, work, e, NULL);
		e->refused = result < 0;
		e->sum = result;
		answer(c, e);
		return;
	}
	for (int i = 0; i < jobs; i++) {
		result = myr_offload(c, work, e, worked);
		if (result < 0)
			e->refused = true;
		else
			e->out++;
	}
	if (e->out == 0)
		answer(c, e);
	for (int i = e->out; i > 0; i--)
		sem_post(&e->go);
}

/* Between bytes, and not all of the file. */
static void send_file(struct myr_conn *c)
{
	int err;

	myr_write(c, "file\n", 5);
	err = myr_sendfile(c, fcntl(big_file, F_DUPFD_CLOEXEC, 0), FILE_FROM, BIG - FILE_FROM);
	myr_printf(c, "%s\n", err < 0 ? "refused" : "whole");
}

/* False: that was the last one. */
static bool obey(struct myr_conn *c, const char *p, size_t n, bool blocks)
{
	char line[64];

	snprintf(line, sizeof line, "%.*s", (int)n, p);
	if (strcmp(line, "id") == 0) {
		myr_printf(c, "%" PRIu64 "\n", myr_conn_id(c));
	} else if (strncmp(line, "tell ", 5) == 0) {
		int err = myr_tell(myr_server_of(c), strtoull(line + 5, NULL, 10), "told", 4);

		myr_printf(c, "%s\n", err == 0 ? "sent" : "lost");
	} else if (strcmp(line, "big") == 0) {
		myr_write(c, big, sizeof big);
	} else if (strcmp(line, "file") == 0) {
		send_file(c);
	} else if (strcmp(line, "work") == 0) {
		offload(c, 1, blocks);
	} else if (strcmp(line, "works") == 0) {
		offload(c, 2, false);
	} else if (strcmp(line, "bye") == 0) {
		myr_printf(c, "bye\n");
		return false;
	} else {
		myr_send(c, p, n);
	}
	return true;
}

static void obey_handle(struct myr_conn *c)
{
	char line[64];
	ssize_t n;

	while ((n = myr_recv(c, line, sizeof line)) >= 0)
		if (!obey(c, line, (size_t)n, true))
			return;
}

static void obey_frame(struct myr_conn *c, const void *p, size_t n)
{
	if (!obey(c, p, n, false))
		myr_close(c);
}

static const struct myr_service blocking = { .name = "faults", .framing = &myr_lines, .state = sizeof(struct errand),
                                             .handle = obey_handle };
static const struct myr_service callback = { .name = "faults", .framing = &myr_lines, .state = sizeof(struct errand),
                                             .on_frame = obey_frame };

/* --- The server's process ------------------------------------------------------------------------ */

static int log_fd = -1;
static struct myr_server *running;

static void on_term(int sig)
{
	(void)sig;
	if (running != NULL)
		myr_server_stop(running);
}

static void write_log(int level, const char *line, void *arg)
{
	(void)level;
	(void)arg;
	dprintf(log_fd, "%s\n", line);
}

static int server_serve(const struct cell *cell, int started)
{
	const struct myr_config config = {
		.engine = cell->engine, .workers = cell->processes ? 2 : 1,
		.workers_are = cell->processes ? MYR_PROCESSES : MYR_THREADS, .log = write_log,
		.out_max = 2 * BIG, .open_ms = 2000, .idle_ms = 2500, .close_ms = 1000, .drain_ms = 1000,
	};
	struct myr_server *v;
	int err = myr_server_new(&v, &config);

	if (err < 0)
		return err;
	running = v;
	err = myr_server_add(v, cell->callback ? &callback : &blocking, "tcp:127.0.0.1:0", NULL);
	if (err < 0)
		return err;
	err = myr_server_add(v, cell->callback ? &callback : &blocking, "udp:127.0.0.1:0", NULL);
	if (err < 0)
		return err;
	snprintf(fault_board->datagrams, sizeof fault_board->datagrams, "%s", myr_server_address(v, 1));
	snprintf(fault_board->address, sizeof fault_board->address, "%s", myr_server_address(v, 0));
	if (write(started, "", 1) < 0)
		abort();
	return myr_server_run(v);
}

/* ThreadSanitizer has a thread of its own, from our first one on: it is there before the census. */
#if defined __SANITIZE_THREAD__
static void *do_nothing(void *arg)
{
	return arg;
}

static void settle_threads(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, do_nothing, NULL) != 0 || pthread_join(t, NULL) != 0)
		abort();
}
#else
static void settle_threads(void)
{
}
#endif

static _Noreturn void server_live(const struct cell *cell, int started)
{
	struct sigaction term = { .sa_handler = on_term };
	struct myr_server *v;
	struct census before;
	sigset_t none;

	setpgid(0, 0);
	sigaction(SIGTERM, &term, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	settle_threads();
	census_take(&before);
	fault_install();
	fault_board->result = server_serve(cell, started);
	if (fault_board->result < 0)
		snprintf(fault_board->reason, sizeof fault_board->reason, "%s", myr_reason());
	v = running;
	running = NULL;                 /* before it goes: SIGTERM may still come */
	myr_server_free(v);
	fault_remove();
	census_compare(&before, fault_board->leaks, sizeof fault_board->leaks, 1000);
	if (__lsan_do_recoverable_leak_check())
		strcat(fault_board->leaks, "leaked memory");
	_exit(0);
}

/* --- Clients ------------------------------------------------------------------------------------- */

struct scene {
	const struct cell *cell;
	struct verdict *verdict;
	bool served;                    /* somebody got something */
	unsigned refusals;              /* of a file or of work: the fault's, if it is one */
	pid_t pid;
};

struct guest {
	struct scene *scene;
	const char *name;
	int  fd;
	bool over;
};

static void __attribute__((format(printf, 2, 3))) problem(struct scene *s, const char *fmt, ...)
{
	char *text = s->verdict->problem;
	size_t at = strlen(text), room = sizeof s->verdict->problem - at;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text + at, room, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n + 3 < room)
		strcat(text, "; ");
}

/* It ended before its time: the fault's victim, unless it just hangs. */
static void guest_lost(struct guest *g)
{
	struct verdict *v = g->scene->verdict;
	size_t at = strlen(v->cut);

	if (errno == EAGAIN)
		problem(g->scene, "%s waits in vain", g->name);
	g->over = true;
	v->victims++;
	snprintf(v->cut + at, sizeof v->cut - at, "%s%s (%s)", at > 0 ? ", " : "", g->name,
	         errno == 0 ? "end" : strerror(errno));
}

/* With a time-out set, calls are not restarted when the kernel interrupts them. */
static int join(int fd, const struct sockaddr_in *a)
{
	int err;

	while ((err = connect(fd, (const struct sockaddr *)a, sizeof *a)) < 0 && (errno == EINTR || errno == EALREADY))
		;
	return err < 0 && errno != EISCONN ? -1 : 0;
}

static ssize_t hear_raw(int fd, void *dst, size_t n)
{
	ssize_t got;

	while ((got = recv(fd, dst, n, 0)) < 0 && errno == EINTR)
		;
	return got;
}

static struct guest meet(struct scene *s, const char *name, int receive_room)
{
	struct guest g = { .scene = s, .name = name };
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const struct timeval patience = { .tv_sec = PATIENCE_MS / 1000 };
	const char *colon = strrchr(fault_board->address, ':');

	a.sin_port = htons((uint16_t)(colon != NULL ? atoi(colon + 1) : 0));
	g.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (g.fd < 0)
		abort();
	setsockopt(g.fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	setsockopt(g.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	setsockopt(g.fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	if (receive_room > 0)
		setsockopt(g.fd, SOL_SOCKET, SO_RCVBUF, &receive_room, sizeof receive_room);
	if (join(g.fd, &a) < 0)
		guest_lost(&g);
	return g;
}

static void say(struct guest *g, const char *text)
{
	ssize_t n = 0;

	while (!g->over && (n = send(g->fd, text, strlen(text), MSG_NOSIGNAL)) < 0 && errno == EINTR)
		;
	if (n < 0)
		guest_lost(g);
}

/* One byte at least, or the end. */
static size_t hear_some(struct guest *g, void *dst, size_t n)
{
	ssize_t got = g->over ? 0 : hear_raw(g->fd, dst, n);

	if (got > 0) {
		g->scene->served = true;
		return (size_t)got;
	}
	if (got == 0)
		errno = 0;
	if (!g->over)
		guest_lost(g);
	return 0;
}

static bool hear_all(struct guest *g, char *dst, size_t n)
{
	for (size_t at = 0, k; at < n; at += k) {
		k = hear_some(g, dst + at, n - at);
		if (k == 0)
			return false;
	}
	return true;
}

static void hear_bytes(struct guest *g, const uint8_t *bytes, size_t n)
{
	uint8_t heard[4096];

	for (size_t at = 0, k; at < n; at += k) {
		k = hear_some(g, heard, n - at < sizeof heard ? n - at : sizeof heard);
		if (k == 0)
			return;
		if (memcmp(heard, bytes + at, k) == 0)
			continue;
		problem(g->scene, "%s gets wrong bytes in the %zu from byte %zu on", g->name, k, at);
		g->over = true;
		return;
	}
}

static void hear(struct guest *g, const char *text)
{
	hear_bytes(g, (const uint8_t *)text, strlen(text));
}

static void hear_line(struct guest *g, char *dst, size_t size)
{
	size_t n = 0;

	while (n + 1 < size && hear_some(g, dst + n, 1) == 1 && dst[n] != '\n')
		n++;
	dst[n] = '\0';
}

static void end_saying(struct guest *g)
{
	if (!g->over)
		shutdown(g->fd, SHUT_WR);
}

/* Nothing more, and soon; then go. */
static void hear_end(struct guest *g)
{
	char more;
	ssize_t n = g->over ? 0 : hear_raw(g->fd, &more, 1);

	if (n > 0)
		problem(g->scene, "%s gets more than there is", g->name);
	else if (n < 0)
		guest_lost(g);
	close(g->fd);
}

/* --- The scene ----------------------------------------------------------------------------------- */

static void tell(struct guest *from, struct guest *to, const char *id)
{
	struct pollfd p = { .fd = to->fd, .events = POLLIN };
	char line[80];

	snprintf(line, sizeof line, "tell %s\n", id);
	say(from, line);
	hear_line(from, line, sizeof line);
	if (!from->over && strcmp(line, "sent") != 0 && strcmp(line, "lost") != 0)
		problem(from->scene, "%s is told \"%s\"", from->name, line);
	if (strcmp(line, "sent") == 0 && !to->over)
		poll(&p, 1, TELL_MS);
}

/* The last it hears, and before it what it was told, if that has arrived. */
static void say_bye(struct guest *g)
{
	char line[80];

	say(g, "bye\n");
	hear_line(g, line, sizeof line);
	if (strcmp(line, "told") == 0)
		hear(g, "bye\n");
	else if (!g->over && strcmp(line, "bye") != 0)
		problem(g->scene, "%s is told \"%s\" for a good-bye", g->name, line);
	hear_end(g);
}

/* One datagram may get lost, as any may: who hears nothing asks again. */
static void play_datagrams(struct scene *s)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const char *colon = strrchr(fault_board->datagrams, ':');
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), answered = 0;
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char got[64];

	a.sin_port = htons((uint16_t)(colon != NULL ? atoi(colon + 1) : 0));
	if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof a) < 0)
		abort();
	for (int i = 0; i < 3; i++) {
		char text[16];
		int n = snprintf(text, sizeof text, "letter %d", i);

		for (int tries = 0; tries < DATAGRAM_TRIES && fault_board->result >= 0; tries++) {
			if (send(fd, text, (size_t)n, 0) != n && errno != ECONNREFUSED && errno != EINTR)
				abort();
			if (poll(&p, 1, DATAGRAM_MS) == 1) {
				n = (int)recv(fd, got, sizeof got, 0);
				if (n < 0)
					continue;
				answered++;
				if (n != (int)strlen(text) || memcmp(got, text, (size_t)n) != 0)
					problem(s, "a datagram is answered with %d other bytes", n);
				break;
			}
		}
		while (recv(fd, got, sizeof got, MSG_DONTWAIT) > 0)
			;               /* late, to an earlier try */
	}
	close(fd);
	if (answered == 3)
		s->served = true;
	else if (fault_board->result >= 0)
		problem(s, "%d of 3 datagrams are answered", answered);
}

static void play_slow(struct guest *slow)
{
	hear_bytes(slow, big, sizeof big);
	say(slow, "bye\n");
	hear(slow, "bye\n");
	hear_end(slow);
}

static void play_half(struct scene *s)
{
	struct guest g = meet(s, "the half-closing one", 0);

	say(&g, "one\ntwo\n");
	end_saying(&g);
	hear(&g, "one\ntwo\n");
	hear_end(&g);
}

/* "refused" is an answer, to one fault once: then it is asked for again. */
static bool is_refused(struct guest *g, const char *line)
{
	if (g->over || strcmp(line, "refused") != 0)
		return false;
	if (!fault_board->injected || ++g->scene->refusals > 1)
		problem(g->scene, "%s is refused", g->name);
	return g->scene->refusals == 1;
}

/* Each returns true if it was refused and is to be asked for again. */
static bool ask_file(struct guest *g)
{
	static const char refused[] = "refused\n";
	const size_t first = strlen(refused);
	char start[sizeof refused];

	say(g, "file\n");
	hear(g, "file\n");
	if (!hear_all(g, start, first))
		return false;
	if (memcmp(start, refused, first) == 0)         /* no file begins like this */
		return is_refused(g, "refused");
	if (memcmp(start, big + FILE_FROM, first) != 0)
		problem(g->scene, "%s gets another file", g->name);
	hear_bytes(g, big + FILE_FROM + first, BIG - FILE_FROM - first);
	hear(g, "whole\n");
	return false;
}

static bool ask_work(struct guest *g, const char *what, const char *result)
{
	char line[80];

	say(g, what);
	hear_line(g, line, sizeof line);
	if (!g->over && strcmp(line, result) != 0 && strcmp(line, "refused") != 0)
		problem(g->scene, "%s is told \"%s\" for its work", g->name, line);
	return is_refused(g, line);
}

static void play_file(struct scene *s)
{
	struct guest g = meet(s, "the one with a file", 4096);

	if (ask_file(&g))
		ask_file(&g);
	say(&g, "bye\n");
	hear(&g, "bye\n");
	hear_end(&g);
}

static void play_work(struct scene *s)
{
	struct guest g = meet(s, "the one with work", 0);

	if (ask_work(&g, "work\n", "21"))
		ask_work(&g, "work\n", "21");
	if (ask_work(&g, "works\n", "42"))
		ask_work(&g, "works\n", "42");
	say(&g, "bye\n");
	hear(&g, "bye\n");
	hear_end(&g);
}

static void play_teller(struct scene *s, struct guest *to, const char *id)
{
	struct guest g = meet(s, "the teller", 0);

	tell(&g, to, id);
	end_saying(&g);
	hear_end(&g);
}

static void play_all(struct scene *s)
{
	struct guest a = meet(s, "the first", 0), slow;
	char id[32];

	say(&a, "id\n");
	hear_line(&a, id, sizeof id);
	say(&a, "hello\n");
	hear(&a, "hello\n");
	if (s->cell->in_turn) {
		tell(&a, &a, id);
		say_bye(&a);
	}
	play_datagrams(s);
	slow = meet(s, "the slow one", 4096);
	say(&slow, "big\n");
	if (s->cell->in_turn)
		play_slow(&slow);
	play_half(s);
	play_file(s);
	play_work(s);
	if (s->cell->in_turn)
		return;
	play_slow(&slow);
	play_teller(s, &a, id);
	say_bye(&a);
}

/* Who comes after the fault.  It may be that this is the one it hits: then another. */
static void play_stop(struct scene *s)
{
	struct guest g;
	unsigned victims;

	for (int i = 0; i < 2; i++) {
		victims = s->verdict->victims;
		g = meet(s, i == 0 ? "the next" : "the next but one", 0);
		say(&g, "fresh\n");
		hear(&g, "fresh\n");
		if (!g.over)
			break;
		close(g.fd);
	}
	kill(s->pid, SIGTERM);
	if (!g.over)
		hear_end(&g);
	else if (victims < s->verdict->victims && fault_board->result >= 0)
		problem(s, "nobody is served any more");
}

/* --- Judging ------------------------------------------------------------------------------------- */

static void judge_log(struct scene *s)
{
	static const int bad[] = { SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL };
	char line[500], text[40];
	unsigned lines = 0;
	FILE *f;

	lseek(log_fd, 0, SEEK_SET);
	f = fdopen(dup(log_fd), "r");
	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		lines++;
		for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
			snprintf(text, sizeof text, "killed by signal %d ", bad[i]);
			if (strstr(line, text) != NULL)
				problem(s, "a child crashed: %.*s", (int)strcspn(line, "\n"), line);
		}
	}
	if (f != NULL)
		fclose(f);
	if (lines > LOG_LINES)
		problem(s, "%u lines in the log", lines);
}

static void judge_end(struct scene *s, int how, const struct rusage *used)
{
	long cpu = used->ru_utime.tv_sec * 1000 + used->ru_utime.tv_usec / 1000 + used->ru_stime.tv_sec * 1000 +
	           used->ru_stime.tv_usec / 1000;
	const struct fault_board *b = fault_board;

	if (WIFSIGNALED(how))
		problem(s, "the server crashed: signal %d", WTERMSIG(how));
	if (cpu > CPU_MS)
		problem(s, "it used %ld ms of CPU", cpu);
	if (b->leaks[0] != '\0')
		problem(s, "%s", b->leaks);
	if (b->result >= 0)
		return;
	s->verdict->refused = true;
	if (b->reason[0] == '\0')
		problem(s, "it failed (%s) without a reason", myr_strerror(b->result));
	if (s->served)
		problem(s, "it gave up while it served: %s", b->reason);
}

static void server_end(struct scene *s, int pidfd)
{
	struct pollfd p = { .fd = pidfd, .events = POLLIN };
	struct rusage used = { .ru_nivcsw = 0 };
	int how = 0;

	if (poll(&p, 1, PATIENCE_MS) != 1) {
		problem(s, "the server does not end");
		kill(-s->pid, SIGKILL);
		wait4(s->pid, &how, 0, &used);
		return;
	}
	wait4(s->pid, &how, 0, &used);
	judge_end(s, how, &used);
}

void scene_play(const struct cell *cell, const struct fault *fault, struct verdict *v)
{
	struct scene s = { .cell = cell, .verdict = v };
	int started[2], pidfd;
	char byte;

	memset(v, 0, sizeof *v);
	memset(fault_board, 0, sizeof *fault_board);
	fault_board->plan = *fault;
	pattern_fill(big, 0, sizeof big);
	if (big_file < 0) {
		big_file = memfd_create("big", MFD_CLOEXEC);
		if (big_file < 0 || write(big_file, big, sizeof big) != (ssize_t)sizeof big)
			abort();
	}
	if (log_fd < 0)
		log_fd = memfd_create("log", MFD_CLOEXEC);
	if (log_fd < 0 || ftruncate(log_fd, 0) < 0 || lseek(log_fd, 0, SEEK_SET) < 0 || pipe2(started, O_CLOEXEC) < 0)
		abort();
	fflush(NULL);
	s.pid = fork();
	if (s.pid == 0)
		server_live(cell, started[1]);
	close(started[1]);
	pidfd = (int)syscall(SYS_pidfd_open, s.pid, 0);
	if (pidfd < 0)
		abort();
	if (read(started[0], &byte, 1) == 1) {
		play_all(&s);
		play_stop(&s);
	}
	server_end(&s, pidfd);
	judge_log(&s);
	close(started[0]);
	close(pidfd);
}

void scene_show_log(void)
{
	char line[500];
	FILE *f;

	lseek(log_fd, 0, SEEK_SET);
	f = fdopen(dup(log_fd), "r");
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		printf("# log: %s", line);
	if (f != NULL)
		fclose(f);
}
