/* SPDX-License-Identifier: MIT
 *
 * ring.c - io_uring rings and their provided buffers, over liburing. */
#include "io/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/feature.h"
#include "base/sys.h"
#include "io/ring_abi.h"
#include "io/sock.h"

#define SQ_ENTRIES 2048u
#define CQ_ENTRIES 16384u
#define BUFFER_GROUP 0

#define INC_BUFFERS 16u                 /* incremental: few large ones, each for many receives */
#define INC_SIZE 65536u
#define BUFFERS 1024u                   /* otherwise a receive takes a whole one */
#define BUFFER_SIZE 4096u

static int read_number(const char *path)
{
	char text[16] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd >= 0 ? sys_read(fd, text, sizeof text - 1) : -1;

	if (fd >= 0)
		sys_close(fd);
	return n > 0 ? atoi(text) : -1;
}

static int setup_failed(int err)
{
	int off = read_number("/proc/sys/kernel/io_uring_disabled");

	if (err == -ENOSYS)
		return fail(err, "io_uring_setup: %s; the kernel was built without it, or a seccomp filter hides it",
		            myr_strerror(err));
	if (err == -EPERM || err == -EACCES)
		return fail(err, "io_uring_setup: %s; %s", myr_strerror(err),
		            off > 0 ? "the setting kernel.io_uring_disabled forbids it"
		                    : "a container's seccomp filter forbids it");
	return fail(err, "io_uring_setup: %s", myr_strerror(err));
}

/* Completions are worked off in our own call, not by interrupting us: that is what makes io_uring
 * cheaper than epoll rather than dearer.  Older kernels get the next best. */
static int ring_setup(struct ring *r)
{
	static const unsigned flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_COOP_TASKRUN,
		IORING_SETUP_COOP_TASKRUN,
		0,
	};
	int err = -EINVAL;

	for (size_t i = feature_is_off("uring_defer") ? 1 : 0; i < sizeof flags / sizeof *flags && err == -EINVAL; i++) {
		struct io_uring_params p = { .flags = flags[i] | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
		                             .cq_entries = CQ_ENTRIES };

		err = io_uring_queue_init_params(SQ_ENTRIES, &r->uring, &p);
	}
	return err;
}

static void put_back(struct ring *r, unsigned id)
{
	io_uring_buf_ring_add(r->entries, r->mem + (size_t)id * r->buffer_size, r->buffer_size, (unsigned short)id,
	                      io_uring_buf_ring_mask(r->buffers), (int)r->returned++);
}

static void publish(struct ring *r)
{
	if (r->returned > 0)
		io_uring_buf_ring_advance(r->entries, (int)r->returned);
	r->returned = 0;
}

static int register_buffers(struct ring *r, unsigned n, bool incremental)
{
	struct io_uring_buf_reg reg = { .ring_entries = n, .bgid = BUFFER_GROUP,
	                                .pad = incremental ? RING_PBUF_INC : 0 };

	reg.ring_addr = (uint64_t)(uintptr_t)r->entries;
	return io_uring_register_buf_ring(&r->uring, &reg, 0);
}

static void *pages(size_t n)
{
	void *p = sys_mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static int buffers_open(struct ring *r)
{
	int err;

	r->entries = pages(BUFFERS * sizeof(struct io_uring_buf));
	if (r->entries == NULL)
		return -ENOMEM;
	r->incremental = !feature_is_off("uring_inc") && register_buffers(r, INC_BUFFERS, true) == 0;
	r->buffers = r->incremental ? INC_BUFFERS : BUFFERS;
	r->buffer_size = r->incremental ? INC_SIZE : BUFFER_SIZE;
	err = r->incremental ? 0 : register_buffers(r, BUFFERS, false);
	if (err < 0)
		return fail(err, "io_uring has no provided buffers here (Linux 5.19 has them): %s", myr_strerror(err));
	r->mem = pages((size_t)r->buffers * r->buffer_size);
	r->filled = sys_calloc(r->buffers, sizeof *r->filled);
	if (r->mem == NULL || r->filled == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < r->buffers; i++)
		put_back(r, i);
	publish(r);
	return 0;
}

static void buffers_close(struct ring *r)
{
	if (r->mem != NULL)
		munmap(r->mem, (size_t)r->buffers * r->buffer_size);
	if (r->entries != NULL)
		munmap(r->entries, BUFFERS * sizeof(struct io_uring_buf));
	free(r->filled);
}

static bool can_install(struct ring *r)
{
	struct io_uring_probe *p = io_uring_get_probe_ring(&r->uring);
	bool can = p != NULL && io_uring_opcode_supported(p, RING_OP_FIXED_FD_INSTALL);

	io_uring_free_probe(p);
	return can && !feature_is_off("uring_install");
}

/* A ring may be mapped where another thread's has just been.  liburing's own system calls hide that
 * order from race detectors; this counter shows it. */
static atomic_uint rings;

int ring_open(struct ring *r)
{
	int err;

	atomic_fetch_add(&rings, 1);
	memset(r, 0, sizeof *r);
	err = ring_setup(r);
	if (err < 0)
		return setup_failed(err);
	err = buffers_open(r);
	if (err < 0)
		goto fail_buffers;
	io_uring_register_ring_fd(&r->uring);           /* saves a look-up in each call; may be refused */
	r->direct = !feature_is_off("uring_direct") &&
	            io_uring_register_files_sparse(&r->uring, (unsigned)sock_fd_limit()) == 0;
	r->multishot = !feature_is_off("uring_multishot");
	r->install = can_install(r);
	return 0;
fail_buffers:
	io_uring_queue_exit(&r->uring);
	buffers_close(r);
	return err == -ENOMEM ? fail(err, "out of memory") : err;
}

void ring_close(struct ring *r)
{
	io_uring_queue_exit(&r->uring);
	buffers_close(r);
	atomic_fetch_sub(&rings, 1);
}

struct io_uring_sqe *ring_sqe(struct ring *r)
{
	struct io_uring_sqe *sqe;

	while ((sqe = io_uring_get_sqe(&r->uring)) == NULL)
		io_uring_submit_and_get_events(&r->uring);
	memset(sqe, 0, sizeof *sqe);
	return sqe;
}

void ring_queued(struct io_uring_sqe *sqe)
{
#ifdef MYR_SYS_TABLE
	if (sys_ring_hook != NULL)
		sys_ring_hook(sqe);
#else
	(void)sqe;
#endif
}

const uint8_t *ring_bytes(const struct ring *r, const struct io_uring_cqe *cqe)
{
	unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

	return r->mem + (size_t)id * r->buffer_size + r->filled[id];
}

void ring_give_back(struct ring *r, const struct io_uring_cqe *cqe)
{
	unsigned id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

	if (!(cqe->flags & IORING_CQE_F_BUFFER))
		return;
	if (cqe->flags & RING_CQE_F_BUF_MORE) {
		r->filled[id] += cqe->res > 0 ? (uint32_t)cqe->res : 0;
		return;
	}
	r->filled[id] = 0;
	put_back(r, id);
}

void ring_enter(struct ring *r, int timeout_ms)
{
	struct __kernel_timespec t = { timeout_ms / 1000, (long long)(timeout_ms % 1000) * 1000000 };
	struct io_uring_cqe *cqe;

	publish(r);
	/* Errors (interrupted, time is up, busy) mean the same: see what there is, and come again. */
	if (timeout_ms == 0)
		io_uring_submit_and_get_events(&r->uring);
	else if (timeout_ms < 0)
		io_uring_submit_and_wait(&r->uring, 1);
	else
		io_uring_submit_and_wait_timeout(&r->uring, &cqe, 1, &t, NULL);
}
