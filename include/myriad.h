/* SPDX-License-Identifier: MIT
 *
 * myriad.h - TCP servers with many clients: one handler, many engines.
 *
 * Errors     Functions return 0 or a count, or a negative error: -errno or one of MYR_E... below.
 *            What breaks the stream sticks: every later call on that connection returns it again,
 *            so a handler may write several times and look once.  MYR_EOF, MYR_STOP, the expiry
 *            of a wait (-ETIMEDOUT from myr_set_timeout) and misuse (-EINVAL, -EDEADLK, -EMSGSIZE)
 *            do not stick: after them the connection still works.  A limit always sticks.
 * Ownership  Callbacks borrow, blocking calls copy.  Bytes given to a callback are valid until it
 *            returns and are not terminated; bytes given to myr_write() are yours again when it
 *            returns.  A myr_conn is the library's: its pointer is good until on_close or finish
 *            has returned.  Structs passed in are copied; strings, framings and functions they
 *            point to must outlive the server or loop.
 * Threads    A connection is used only in the thread that runs its handler.  Functions marked
 *            [any] may be called from any thread, those marked [sig] also from signal handlers.
 *            Under "thread" and with several workers handlers of DIFFERENT connections run at the
 *            same time; under "fork" and MYR_PROCESSES they do not even share memory.  What is
 *            right everywhere: state (one connection), shared + myr_lock, myr_tell.
 * Order      No function calls your callbacks before it returns, except those that run or wait:
 *            myr_server_run, myr_loop_run, myr_test_..., and the waiting calls of blocking handlers.
 * Zero       An all-zero struct is a good one: 0 means the default, and every default is finite.
 *            MYR_NONE (an int) or SIZE_MAX (a size) means no limit.  In a FUNCTION's ms argument,
 *            0 means at once and MYR_NONE for ever.
 * Growth     Fields are only ever appended.  The size you were compiled with travels with the
 *            call (the inline functions), not in the struct: nothing to set, nothing to forget.
 *            A field that is set and that an older library lacks gives -E2BIG.               */
#ifndef MYRIAD_H
#define MYRIAD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#if defined __GNUC__
#define MYR_API          __attribute__((visibility("default")))
#define MYR_PRINTF(f, a) __attribute__((format(printf, f, a)))
#else
#define MYR_API
#define MYR_PRINTF(f, a)
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct myr_conn;                   /* one connection.  On udp: and unixgram: endpoints, one datagram: it arrives once
                                      and whole, even if empty, at on_frame (else on_data) or myr_recv(), whatever
                                      the framing; then MYR_EOF; each myr_send() or myr_write() is one answer */
struct myr_loop;                   /* what a worker turns; a client program makes its own */
struct myr_server;
struct myr_selector;
struct myr_test;
struct myr_framing;
typedef uint64_t myr_id;           /* names a connection for ever; never reused; never 0 */

#define MYR_NONE    (-1)           /* no limit; for ever */
#define MYR_EOF     (-4095)        /* the peer has finished sending; writing still works */
#define MYR_STOP    (-4094)        /* the server drains: say good-bye and return.  Told once, where a blocking
                                      handler would wait with nothing buffered; ignored, it may go on until drain_ms */
#define MYR_EFRAME  (-4092)        /* the peer broke the framing, or its frame is above frame_max; what was written
                                      before still leaves */
#define MYR_EAMPLIFY (-4090)       /* a datagram's answers are larger than it allows: see myr_server_add() */

MYR_API const char *myr_strerror(int err);     /* [any] "connection reset by peer"; static */
MYR_API const char *myr_reason(void);          /* the last failure in this thread of a call without a
                                                  connection, in full: "cannot listen on tcp::80: ..." */

/* --- Services: what to do with a connection ---------------------------------------- */

/* Fill in the blocking half or the callback half (any of it); both or neither is -EINVAL. */
struct myr_service {
	const char *name, *about;      /* for logs, `myriad serve NAME`, `myriad services` */
	size_t      state;             /* bytes of zeroed memory per connection: myr_state() */
	size_t      shared;            /* bytes of zeroed memory for all its connections, in every
	                                  thread, worker and process: myr_shared(), myr_lock() */
	const struct myr_framing *framing;             /* NULL: a plain stream of bytes */
	size_t      frame_max;         /* longest frame; 0: 64 KiB */
	const char *full;              /* said to a connection above conns_max, which is then closed;
	                                  NULL: it waits in the backlog.  Never sent for a datagram */

	/* Blocking.  handle() runs as if it had a thread to itself. */
	int  (*setup) (struct myr_conn *);     /* nonzero refuses: what it wrote is sent, then close */
	void (*handle)(struct myr_conn *);     /* when it returns, as myr_close() */
	void (*finish)(struct myr_conn *);     /* runs, once, whenever setup returned 0 */

	/* Callbacks.  Each returns promptly and never waits. */
	void   (*on_open) (struct myr_conn *); /* connected; myr_close() here refuses */
	size_t (*on_data) (struct myr_conn *, const void *, size_t);   /* NULL: thrown away.  Returns the bytes used; the rest
	                      is offered again when more has come, after myr_resume(), when
	                      output is no longer full, and after myr_set_framing(NULL) */
	void   (*on_frame)(struct myr_conn *, const void *, size_t);   /* while a framing is set */
	void   (*on_room) (struct myr_conn *); /* output was full (myr_full) and is no longer */
	void   (*on_eof)  (struct myr_conn *); /* the peer has finished; NULL: myr_close() */
	void   (*on_close)(struct myr_conn *, int why);   /* last, once for each connection you have had a
	                      pointer to, also if it never opened.  why: 0 we closed and all was sent,
	                      MYR_EOF the peer was first, MYR_STOP the drain, else the sticky error */

	/* Either half.  These run between the handler's waits, never inside a write, and never wait. */
	void (*on_tick)(struct myr_conn *);    /* myr_tick() */
	void (*on_tell)(struct myr_conn *, const void *, size_t);      /* myr_tell(); NULL: sent to the peer
	                      (one frame if a framing is set) */
	void (*on_stop)(struct myr_conn *);    /* callback half: the server drains; close when done.  NULL:
	                      closed once nothing is buffered, queued or offloaded */

	/* Once in each worker, around all connections; arg as given to myr_server_add(). */
	int  (*start)(struct myr_loop *, void *arg);      /* negative: the server does not start */
	void (*stop) (struct myr_loop *, void *arg);
};

/* --- Connections: both halves ------------------------------------------------------ */

/* Queue all n bytes, or none: returns n, or an error.  In a blocking handler they wait while output is full;
 * in a callback they never wait, and fail for good (-ENOBUFS) if out_max was already queued. */
MYR_API ssize_t myr_write (struct myr_conn *, const void *, size_t n);
MYR_API ssize_t myr_send  (struct myr_conn *, const void *, size_t n);      /* one frame; one datagram */
MYR_API ssize_t myr_printf(struct myr_conn *, const char *, ...) MYR_PRINTF(2, 3);
/* Queue n bytes of a regular file, from offset on, raw.  Takes fd over and closes it, also on error; -EINVAL: no such
 * bytes.  Output is full while a file is queued, so a blocking handler's next write waits; a callback may queue 64.
 * If the file has become shorter when its turn comes: -EIO, sticky, and a reset; never a short body in silence. */
MYR_API int  myr_sendfile(struct myr_conn *, int fd, uint64_t offset, uint64_t n);
MYR_API int  myr_full (const struct myr_conn *);   /* 1: above out_high; on_room is certain to follow */
/* Output leaves when the handler waits or returns, or now: blocking, waits until the kernel has it all. */
MYR_API int  myr_flush(struct myr_conn *);
MYR_API int  myr_write_eof(struct myr_conn *);     /* after what is queued, end our half; still reads */
MYR_API void myr_close(struct myr_conn *);         /* after what is queued; input is thrown away */
MYR_API void myr_abort(struct myr_conn *);         /* now, with a reset */
MYR_API void myr_pause (struct myr_conn *);        /* deliver no input, not even buffered frames ... */
MYR_API void myr_resume(struct myr_conn *);        /* ... until this; goes on after the callback */
MYR_API void myr_tick(struct myr_conn *, int ms);  /* on_tick once, after ms; again replaces; MYR_NONE: not */
MYR_API void myr_set_framing(struct myr_conn *, const struct myr_framing *);   /* from the next byte; NULL: bytes */

/* Join two connections of one handler or loop: bytes either way, with backpressure and half-close, until both have
 * ended; then both are closed.  Blocking: returns then, 0 or the first error.  In a callback: returns at
 * once, no more on_data, on_frame or on_eof.  If one fails or cannot connect, the other is aborted. */
MYR_API int  myr_relay(struct myr_conn *, struct myr_conn *);

MYR_API void *myr_state (struct myr_conn *);       /* NULL if the service asked for none */
MYR_API void *myr_arg   (struct myr_conn *);       /* as given; in a forked process, its copy */
MYR_API void *myr_shared(struct myr_conn *);       /* one block for each myr_server_add() */
/* Guard the shared block, briefly: with the lock held writes queue as in a callback, and any other wait is -EDEADLK.
 * -EOWNERDEAD: you have the lock, and whoever had it died in the middle: repair the block. */
MYR_API int   myr_lock  (struct myr_conn *);
MYR_API void  myr_unlock(struct myr_conn *);

/* Run work(arg) in a pool of threads (of this process).  done(c, result, arg) follows exactly once, before on_close
 * or finish, even if the connection is lost meanwhile (see myr_error): arg may point into the state.  On a dialled
 * connection: before the finish of the handler that dialled.  Result -ECANCELED: the work never ran, because of the
 * cut at drain_ms; work that runs is waited for, a second after the cut at most (see myr_server_run).  Blocking
 * handlers may pass done = NULL: waits, whatever happens meanwhile, and returns the result.  -EAGAIN: 1,024 wait
 * already. */
MYR_API int  myr_offload(struct myr_conn *, int (*work)(void *arg), void *arg,
                         void (*done)(struct myr_conn *, int result, void *arg));

MYR_API int         myr_error(const struct myr_conn *);       /* the sticky error, or 0; MYR_EOF is none */
MYR_API const char *myr_peer (const struct myr_conn *);       /* "192.0.2.1:4711", "[::1]:4711", "unix" */
MYR_API const char *myr_peer_host(const struct myr_conn *);   /* "192.0.2.1"; strings live as long as it does */
MYR_API int         myr_peer_port(const struct myr_conn *);   /* 4711; 0 if there is none */
MYR_API unsigned long myr_number(const struct myr_conn *);    /* 1, 2, 3 ... as this worker accepted or dialled */
MYR_API myr_id      myr_conn_id(const struct myr_conn *);
/* Seconds since 1970 (time(2)); in a simulation of its clock, which begins with the year 2000. */
MYR_API int64_t     myr_time(const struct myr_conn *);
MYR_API struct myr_loop   *myr_loop_of  (struct myr_conn *);  /* good as long as the connection is */
MYR_API struct myr_server *myr_server_of(struct myr_conn *);  /* NULL in a client */
/* One line in the server's log, with the connection's number; unprintable bytes are escaped.  c may be NULL. */
MYR_API void myr_log(const struct myr_conn *c, int level, const char *, ...) MYR_PRINTF(3, 4);   /* [any]; levels: syslog(3) */

/* --- Connections: only in blocking handlers and on dialled connections ----------------- */

/* (In a callback: -EDEADLK.)  Frames and bytes come from the same stream and may be mixed. */
MYR_API ssize_t myr_read (struct myr_conn *, void *, size_t);   /* 1..size bytes, or MYR_EOF, MYR_STOP, error */
MYR_API ssize_t myr_readn(struct myr_conn *, void *, size_t n); /* n, or an error; MYR_EOF before the first byte,
                                                                   -EPROTO inside; never MYR_STOP */
/* One frame and a '\0' after it, so below size.  Returns its length (0: an empty frame); -EMSGSIZE: it is longer
 * and still there.  MYR_STOP comes only between frames; EOF inside a frame is MYR_EFRAME; no framing: -EINVAL. */
MYR_API ssize_t myr_recv (struct myr_conn *, void *, size_t);
MYR_API int     myr_sleep(struct myr_conn *, int ms);           /* 0, or at once what ended the connection */
MYR_API void    myr_set_timeout(struct myr_conn *, int ms);     /* of each wait from now on; then -ETIMEDOUT */

/* Connect, as a client, from main() or a blocking handler.  A name is looked up first, however long that takes; it
 * holds up nobody else, and ms begin then.  The caller owns the connection and gives it back with myr_close(), which
 * here waits for the output, or myr_abort(); the end of the handler does it too.
 * (A dialled datagram endpoint: each write sends one, each that comes is an arrival of its own.  After
 * myr_write_eof() MYR_EOF follows when nothing has come for close_ms.) */
MYR_API int  myr_dial(struct myr_conn **, const char *endpoint, int ms);

/* --- Servers ------------------------------------------------------------------------- */

enum myr_workers { MYR_THREADS, MYR_PROCESSES };
#define MYR_PER_CPU (~0u)

struct myr_config {
	const char *engine;            /* a name from myr_engines(); NULL: the best here; "sim:SEED" */
	unsigned    workers;           /* 0: one; MYR_PER_CPU: one for each processor we may use */
	enum myr_workers workers_are;  /* "fork" has processes whatever is said here */
	void      (*log)(int level, const char *line, void *log_arg);  /* [any]; NULL: stderr */
	void       *log_arg;
	/* Limits: each finite by default (in brackets).  Per connection unless said otherwise. */
	unsigned    conns_max;         /* all workers together [what the descriptors allow, at most 65,536] */
	unsigned    conns_per_peer;    /* per address; per /64 for IPv6 [three quarters of conns_max] */
	unsigned    accept_rate;       /* new connections a second [50,000] */
	size_t      in_max;            /* unused input; a callback that leaves this much ends: -EMSGSIZE [256 KiB] */
	size_t      out_high, out_low; /* full above, room below; a full connection reads no more, unless it
	                                  is one of myr_connect() [256 KiB, 64 KiB] */
	size_t      out_max;           /* see myr_write() [16 MiB] */
	int         open_ms;           /* until the first byte has come or has been taken [30 s] */
	int         frame_ms;          /* from a frame's first byte to its last [30 s] */
	int         idle_ms;           /* without a byte either way [5 min] */
	int         close_ms;          /* for the peer to take the last output, and to end [5 s] */
	int         drain_ms;          /* for all, from stop to the cut [30 s] */
	size_t      stack;             /* of a blocking handler on an event engine [256 KiB of addresses] */
	const char *const *values;     /* "name=value" for myr_app_value(); NULL at the end */
	const char *const *inherited;  /* what myr_server_bequest() wrote: these sockets are taken in place of new
	                                  ones by the endpoints they were for; NULL at the end */
};

/* For main(): serve until SIGINT or SIGTERM, say what went wrong, return an exit status.  Restores handlers. */
MYR_API int  myr_serve_sized(const struct myr_service *, size_t, const char *endpoint, const char *engine);
static inline int myr_serve(const struct myr_service *s, const char *endpoint, const char *engine)
{ return myr_serve_sized(s, sizeof *s, endpoint, engine); }

MYR_API int  myr_server_new_sized(struct myr_server **, const struct myr_config *, size_t);
static inline int myr_server_new(struct myr_server **s, const struct myr_config *c)   /* c NULL: all zero */
{ return myr_server_new_sized(s, c, sizeof *c); }

/* Bind and listen now.  Returns the listener's number, 0, 1, ..., or an error.  A client may connect from here on.
 * Endpoints: PORT (this machine only), :PORT (all addresses), HOST:PORT, [::1]:PORT, the same after "tcp:" or "udp:",
 * "unix:PATH", "unixgram:PATH", "fd:N".  After commas: backlog=N; mode=0660 of a unix path.
 * Datagrams: one above frame_max, in_max or 64 KiB is dropped.  Whose name is on one may not have sent it.  So that
 * nobody is flooded in another's name, its answers together come to at most 3 times what came, each counted with the
 * header (28 bytes; 48 over IPv6), else MYR_EAMPLIFY, sticky; "udp:...,amplify=N" allows N times.  So that two servers
 * do not answer each other for ever, what comes from a port below 1024, or from one that this server listens on, is
 * ignored; ",from=any" serves it, too.  What a full socket does not take waits as any output, at most close_ms after
 * the handler's end. */
MYR_API int  myr_server_add_sized(struct myr_server *, const struct myr_service *, size_t, const char *endpoint, void *arg);
static inline int myr_server_add(struct myr_server *v, const struct myr_service *s, const char *endpoint, void *arg)
{ return myr_server_add_sized(v, s, sizeof *s, endpoint, arg); }

MYR_API const char *myr_server_address(struct myr_server *, int listener);  /* "tcp:127.0.0.1:40123": the real port */
/* Until stopped: the number of connections cut at drain_ms, or an error.  A handler, or work it has given away, that has
 * not ended a second after the cut is left behind, with its connection: what it uses must stay.  A single worker runs
 * in this thread, so a handler there that neither waits nor returns keeps it from ever returning. */
MYR_API int  myr_server_run (struct myr_server *);
MYR_API void myr_server_stop(struct myr_server *);  /* [any] [sig] drain; a second call cuts */
MYR_API void myr_server_free(struct myr_server *);  /* after run; NULL is fine */
/* To be replaced by another process without refusing anybody.  It inherits the sockets: "tcp::7000=5,6", the endpoint
 * and the descriptors, for its myr_config.inherited; the length, or -ENOENT (no such listener), -ENAMETOOLONG. */
MYR_API int  myr_server_bequest(struct myr_server *, int listener, char *dst, size_t size);
/* When it serves: leave the sockets to it, serve those who are here to their own end, then return from run.  Who is
 * still here after drain_ms is told to stop, and cut after as long again.  [any] [sig] */
MYR_API void myr_server_hand_over(struct myr_server *);
MYR_API const char *const *myr_engines(void);       /* those that work here, best first; NULL at the end */

/* Bytes (at most 64 KiB, copied) for a connection in any worker or process: its on_tell() gets them.  In order from one
 * sender to one receiver; at most once.  -ENOTCONN: gone; -EAGAIN: its mailbox is full.  0 is no promise of arrival. */
MYR_API int  myr_tell(struct myr_server *, myr_id to, const void *, size_t);                              /* [any] */
/* For all open connections of a service (the pointer that was added; NULL: of all), the sender's too. */
MYR_API int  myr_tell_all(struct myr_server *, const struct myr_service *, const void *, size_t);         /* [any] */

struct myr_stats { uint64_t conns_open, accepted, refused, cut, bytes_in, bytes_out, workers; };   /* all workers */
MYR_API int  myr_server_stats_sized(struct myr_server *, struct myr_stats *, size_t);                     /* [any] */
static inline int myr_server_stats(struct myr_server *s, struct myr_stats *out)
{ return myr_server_stats_sized(s, out, sizeof *out); }

/* --- Loops: clients with many connections, descriptors, timers ---------------------------- */

/* Workers have a loop (start, myr_loop_of); a client program makes one.  Used in the thread that runs it. */
MYR_API int  myr_loop_new_sized(struct myr_loop **, const struct myr_config *, size_t);
static inline int myr_loop_new(struct myr_loop **l, const struct myr_config *c) { return myr_loop_new_sized(l, c, sizeof *c); }
MYR_API int  myr_loop_run (struct myr_loop *);      /* until stopped, or nothing is left to wait for */
MYR_API void myr_loop_stop(struct myr_loop *);      /* [any] [sig] a worker's: as myr_server_stop() */
MYR_API void myr_loop_free(struct myr_loop *);      /* aborts what is left */

/* Start connecting.  *c is there at once (state zeroed, writes are queued); then on_open, or on_close with the reason.
 * A name is looked up before it returns, which can hold the loop up: give an address if that matters.  Service NULL: for
 * myr_relay() only.  arg is what myr_arg() returns. */
MYR_API int  myr_connect_sized(struct myr_conn **c, struct myr_loop *, const struct myr_service *, size_t,
                               const char *endpoint, void *arg);
static inline int myr_connect(struct myr_conn **c, struct myr_loop *l, const struct myr_service *s,
                              const char *endpoint, void *arg)
{ return myr_connect_sized(c, l, s, sizeof *s, endpoint, arg); }

/* Say what should hold; saying it again replaces.  fn may call either for itself. */
MYR_API int  myr_watch(struct myr_loop *, int fd, unsigned events,      /* 0: forget fd; before closing it */
                       void (*fn)(struct myr_loop *, int fd, unsigned events, void *arg), void *arg);
MYR_API int  myr_after(struct myr_loop *, int ms,                       /* once; same fn and arg replace; MYR_NONE: forget */
                       void (*fn)(struct myr_loop *, void *arg), void *arg);
MYR_API int  myr_post (struct myr_loop *, void (*fn)(struct myr_loop *, void *arg), void *arg);  /* [any] soon, there */

/* --- Selectors: the bare mechanism --------------------------------------------------------- */

enum { MYR_READ = 1, MYR_WRITE = 2 };      /* an error or hang-up shows as every event asked for */
struct myr_event { int fd; unsigned events; void *data; };
MYR_API int  myr_selector_new (struct myr_selector **, const char *name);   /* "select" "poll" "epoll"; NULL: best */
MYR_API int  myr_selector_set (struct myr_selector *, int fd, unsigned events, void *data);   /* 0: forget, then close */
MYR_API int  myr_selector_wait(struct myr_selector *, struct myr_event *, int max, int ms);   /* count; 0: time is up; -EINTR */
MYR_API void myr_selector_free(struct myr_selector *);
MYR_API int  myr_listen(const char *endpoint);      /* a listening descriptor (datagrams: a bound one),
	                                                 non-blocking, close-on-exec: yours */

/* --- Framing: pure functions over bytes ------------------------------------------------------ */

struct myr_bytes { const uint8_t *p; size_t n; };
struct myr_wrap  { uint8_t head[24], tail[8]; size_t head_n, tail_n; };    /* head_n SIZE_MAX: n is more than fits */

struct myr_framing {               /* frozen: never grows */
	const char *name;
	/* Look for one frame at the start of in, whose first `seen` bytes it was shown before.  Returns the bytes it
	 * takes up, 0 if it is not all there, or an error, also as soon as it is announced longer than max. */
	ssize_t (*split)(struct myr_bytes in, size_t seen, size_t max, struct myr_bytes *frame);
	void    (*wrap) (size_t n, struct myr_wrap *);      /* what goes round a payload of n bytes */
};
extern MYR_API const struct myr_framing
	myr_lines, myr_crlf,           /* both read LF and CRLF; they write LF, CRLF */
	myr_netstrings, myr_counted,   /* "5:hello,"  "5 hello" */
	myr_prefix8, myr_prefix16, myr_prefix32,    /* big-endian length before */
	myr_fixed;                     /* frame_max bytes each */

/* --- Testing a service without sockets: simulated peer, virtual clock --------------------------- */

MYR_API int  myr_test_new_sized(struct myr_test **, const struct myr_service *, size_t, void *arg);
static inline int myr_test_new(struct myr_test **t, const struct myr_service *s, void *arg)
{ return myr_test_new_sized(t, s, sizeof *s, arg); }
/* Each runs the service until it waits.  Returns 1 while the connection is open, 0 after a clean end, or on_close's why. */
MYR_API int  myr_test_feed(struct myr_test *, const void *, size_t);    /* one arrival */
MYR_API int  myr_test_end (struct myr_test *, int why);                 /* MYR_EOF, MYR_STOP, -ECONNRESET ... */
MYR_API int  myr_test_pass(struct myr_test *, int ms);                  /* time */
/* What the peer has got since the last call; valid until the next; terminated. */
MYR_API const char *myr_test_sent(struct myr_test *, size_t *n);
MYR_API void myr_test_free(struct myr_test *);

/* --- Applications: shared objects for `myriad run` ------------------------------------------------- */

struct myr_app_option { const char *name, *value, *about; };            /* value: the default, never NULL */

struct myr_app {
	size_t size, service_size;     /* set by MYR_APP */
	const char *name, *about;
	const struct myr_service *service;
	const char *endpoint;          /* where, unless the command line says */
	const struct myr_app_option *options;                   /* `-O name=value`; ends with a NULL name */
	int  (*build)(struct myr_server *, void **arg);         /* shared objects, more services; may be NULL.  Before
	                                  service is added, with this arg; negative: nothing is served */
};

/* In build(), and as long as the server lives: what was asked for, else the default.  NULL: no such option. */
MYR_API const char *myr_app_value(struct myr_server *, const char *option);

#ifdef __cplusplus
#define MYR_APP(...) extern "C" { extern MYR_API const struct myr_app myr_app; \
	const struct myr_app myr_app = { sizeof(struct myr_app), sizeof(struct myr_service), __VA_ARGS__ }; }
}
#else
#define MYR_APP(...) extern MYR_API const struct myr_app myr_app; \
	const struct myr_app myr_app = { sizeof(struct myr_app), sizeof(struct myr_service), __VA_ARGS__ }
#endif

#endif
