/* SPDX-License-Identifier: MIT
 *
 * test_sendfile.c - files between other output, under every engine and in both styles: all of it in its
 * place, however slowly it is read, and never a short one that looks whole. */
#include "base/sys.h"
#include "serving.h"

static const struct shape shapes[] = {
	{ "io_uring", 1, MYR_THREADS }, { "epoll", 1, MYR_THREADS }, { "epoll", 3, MYR_PROCESSES },
	{ "poll", 1, MYR_THREADS },     { "select", 1, MYR_THREADS }, { "thread", 1, MYR_THREADS },
	{ "fork", 1, MYR_THREADS },     { "iterative", 1, MYR_THREADS },
};

#define SHAPES (sizeof shapes / sizeof shapes[0])
#define LARGE ((uint64_t)100 << 20)
#define MANY 80

enum { FULL_TOLD, ROOM_TOLD, RESULT, CLOSED };   /* counters */

/* --- A file whose every byte says where it is ------------------------------------------------------- */

static char path[] = "/tmp/myriad-sendfile-XXXXXX";

static uint8_t byte_at(uint64_t i)
{
	return (uint8_t)(i ^ (i >> 8) * 31 ^ (i >> 16) * 7);
}

static void write_file(uint64_t size)
{
	static uint8_t block[1 << 16];
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	for (uint64_t at = 0, n; at < size; at += n) {
		n = size - at < sizeof block ? size - at : sizeof block;
		for (uint64_t i = 0; i < n; i++)
			block[i] = byte_at(at + i);
		assert_int_equal(write(fd, block, n), n);
	}
	close(fd);
}

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : -1;
}

static int drop_file(void **state)
{
	(void)state;
	return unlink(path);
}

/* --- The service: "OFFSET N" gets "N:", the bytes, ";" ------------------------------------------------ */

static int file_get(struct myr_conn *c, unsigned long long offset, unsigned long long n)
{
	int err;

	myr_printf(c, "%llu:", n);
	err = myr_sendfile(c, open(path, O_RDONLY | O_CLOEXEC), offset, n);
	if (err == 0 && n > 0 && myr_full(c))
		atomic_fetch_add(&serving.shared->counters[FULL_TOLD], 1);
	if (err < 0) {
		atomic_store(&serving.shared->counters[RESULT], err);
		myr_abort(c);
		return err;
	}
	return myr_write(c, ";", 1) < 0 ? -1 : 0;
}

/* One that the service would rather do without than end. */
static int file_try(struct myr_conn *c, unsigned long long offset, unsigned long long n)
{
	int err = myr_sendfile(c, open(path, O_RDONLY | O_CLOEXEC), offset, n);

	return myr_printf(c, "%s: %d;", err < 0 ? "refused" : "taken", err) < 0 ? -1 : 0;
}

static int file_answer(struct myr_conn *c, const char *line)
{
	unsigned long long offset, n;

	if (strcmp(line, "gone") == 0) {        /* it becomes shorter while we have promised it all */
		if (truncate(path, 1000) < 0)
			return -1;
		return 0;
	}
	if (sscanf(line, "many %llu", &n) == 1) {
		while (n-- > 0)
			if (file_get(c, n, 1) < 0)
				return -1;
		return 0;
	}
	if (sscanf(line, "try %llu %llu", &offset, &n) == 2)
		return file_try(c, offset, n);
	if (sscanf(line, "%llu %llu", &offset, &n) != 2)
		return -1;
	return file_get(c, offset, n);
}

static void file_frame(struct myr_conn *c, const void *p, size_t n)
{
	char line[64];

	snprintf(line, sizeof line, "%.*s", (int)n, (const char *)p);
	file_answer(c, line);
}

static void file_room(struct myr_conn *c)
{
	(void)c;
	atomic_fetch_add(&serving.shared->counters[ROOM_TOLD], 1);
}

static void file_close(struct myr_conn *c, int why)
{
	(void)c;
	atomic_store(&serving.shared->counters[RESULT], why);
	atomic_fetch_add(&serving.shared->counters[CLOSED], 1);
}

static void file_handle(struct myr_conn *c)
{
	char line[64];

	while (myr_recv(c, line, sizeof line) >= 0)
		if (file_answer(c, line) < 0)
			return;
}

static void file_finish(struct myr_conn *c)
{
	file_close(c, myr_error(c));
}

static const struct myr_service services[] = {
	{ .name = "files", .framing = &myr_lines, .handle = file_handle, .finish = file_finish },
	{ .name = "files", .framing = &myr_lines, .on_frame = file_frame, .on_room = file_room, .on_close = file_close },
};

/* --- The client's side ---------------------------------------------------------------------------------- */

/* The file's bytes from offset on, read `piece` at a time. */
static void expect_bytes(int fd, uint64_t offset, uint64_t n, size_t piece)
{
	static uint8_t buf[1 << 17];

	for (uint64_t got = 0; got < n;) {
		size_t want = n - got < piece ? (size_t)(n - got) : piece;
		ssize_t k = receive(fd, buf, want);

		if (k <= 0)
			fail_msg("the end after %llu of %llu bytes", (unsigned long long)got, (unsigned long long)n);
		for (ssize_t i = 0; i < k; i++, got++)
			if (buf[i] != byte_at(offset + got))
				fail_msg("wrong byte %llu", (unsigned long long)(offset + got));
	}
}

static void get(int fd, uint64_t offset, uint64_t n, size_t piece)
{
	char text[64];

	snprintf(text, sizeof text, "%llu %llu\n", (unsigned long long)offset, (unsigned long long)n);
	say(fd, text);
	snprintf(text, sizeof text, "%llu:", (unsigned long long)n);
	expect(fd, text);
	expect_bytes(fd, offset, n, piece);
	expect(fd, ";");
}

static void end(int fd)
{
	shutdown(fd, SHUT_WR);
	expect_end(fd);
	stop_serving();
	assert_int_equal(served()->run, 0);
}

/* --- Scenarios -------------------------------------------------------------------------------------------- */

static void sizes(const struct shape *shape, const struct myr_service *service)
{
	static const uint64_t n[] = { 0, 1, 2, 4095, 4096, 65535, 65536, 65537, 262144, 262145, 1000000 };
	int fd;

	serve(shape, service);
	fd = dial();
	for (size_t i = 0; i < sizeof n / sizeof n[0]; i++) {
		get(fd, 0, n[i], 1 << 16);
		get(fd, 12345, n[i], 1 << 16);
	}
	assert_int_equal(counter(FULL_TOLD), 2 * (sizeof n / sizeof n[0] - 1));
	end(fd);
}

static void test_each_size_from_each_offset(void **state)
{
	(void)state;
	write_file(1100000);
	in_both_styles(shapes, SHAPES, services, sizes);
}

/* Asked for at once: each in its place, though all wait for the first. */
static void in_a_row(const struct shape *shape, const struct myr_service *service)
{
	char text[32];
	int fd;

	serve(shape, service);
	fd = dial();
	for (unsigned i = 0; i < 20; i++) {
		snprintf(text, sizeof text, "%u %u\n", i * 1000, i * 5000);
		say(fd, text);
	}
	shutdown(fd, SHUT_WR);                  /* what is queued leaves even so */
	for (unsigned i = 0; i < 20; i++) {
		snprintf(text, sizeof text, "%u:", i * 5000);
		expect(fd, text);
		expect_bytes(fd, i * 1000, i * 5000, 1000);
		expect(fd, ";");
	}
	end(fd);
}

static void test_files_and_bytes_keep_their_order(void **state)
{
	(void)state;
	write_file(200000);
	in_both_styles(shapes, SHAPES, services, in_a_row);
}

static void large(const struct shape *shape, const struct myr_service *service)
{
	int fd;

	if (service != &services[(shape - shapes) & 1])
		return;                         /* one of the styles: it is 100 MB */
	serve(shape, service);
	fd = dial();
	get(fd, 0, LARGE, 1 << 17);
	end(fd);
}

static void test_100_megabytes(void **state)
{
	(void)state;
	write_file(LARGE);
	in_both_styles(shapes, SHAPES, services, large);
}

/* More than the kernel holds for one connection, in small bites: sends fall short all the time. */
static void slowly(const struct shape *shape, const struct myr_service *service)
{
	int fd;

	serve(shape, service);
	fd = dial();
	get(fd, 1, 12000000, 5000);
	end(fd);
}

static void test_a_slow_reader_gets_all(void **state)
{
	(void)state;
	write_file(12000001);
	in_both_styles(shapes, SHAPES, services, slowly);
}

/* The client reads nothing until the file has been cut: what it gets then is not the whole, and says so. */
static void shorter(const struct shape *shape, const struct myr_service *service)
{
	static char rest[1 << 16];
	uint64_t got = 0;
	ssize_t n;
	int fd;

	write_file(LARGE / 4);
	serve(shape, service);
	fd = dial();
	say(fd, "0 20000000\n");
	expect(fd, "20000000:");
	assert_int_equal(truncate(path, 1000), 0);
	while ((n = receive(fd, rest, sizeof rest)) > 0)
		got += (uint64_t)n;
	assert_int_equal(n, -1);
	assert_int_equal(errno, ECONNRESET);
	assert_true(got < 20000000);
	close(fd);
	await_counter(CLOSED, 1);
	assert_int_equal(counter(RESULT), -EIO);
	await_log("cannot send the rest of a file");
	stop_serving();
	assert_int_equal(served()->run, 0);
}

static void test_a_file_that_becomes_shorter_is_a_reset(void **state)
{
	(void)state;
	in_both_styles(shapes, SHAPES, services, shorter);
}

static void client_leaves(const struct shape *shape, const struct myr_service *service)
{
	int fd;

	serve(shape, service);
	fd = dial();
	say(fd, "0 20000000\n0 20000000\n");
	expect(fd, "20000000:");
	close(fd);                              /* with bytes unread: a reset */
	await_counter(CLOSED, 1);
	stop_serving();
	assert_int_equal(served()->run, 0);     /* nothing is left over, and nothing got SIGPIPE */
}

static void test_a_client_that_leaves_takes_its_files_along(void **state)
{
	(void)state;
	write_file(LARGE / 4);
	in_both_styles(shapes, SHAPES, services, client_leaves);
}

/* A blocking handler waits for each; a callback is stopped at 64 that wait. */
static void too_many(const struct shape *shape, const struct myr_service *service)
{
	int fd;

	serve(shape, service);
	fd = dial();
	say(fd, "many 80\n");
	if (service->handle != NULL) {
		for (unsigned i = MANY; i-- > 0;) {
			expect(fd, "1:");
			expect_bytes(fd, i, 1, 1);
			expect(fd, ";");
		}
		end(fd);
		return;
	}
	expect_gone(fd);
	await_counter(CLOSED, 1);
	assert_int_equal(counter(RESULT), -ENOBUFS);
	stop_serving();
	assert_int_equal(served()->run, 0);
}

static void test_more_files_than_may_wait(void **state)
{
	(void)state;
	write_file(1000);
	in_both_styles(shapes, SHAPES, services, too_many);
}

/* --- System calls that fail ------------------------------------------------------------------------------- */

static int injected_errno;
static atomic_int inject_left;

static bool inject(void)
{
	if (atomic_load(&inject_left) <= 0 || atomic_fetch_sub(&inject_left, 1) <= 0)
		return false;
	errno = injected_errno;
	return true;
}

static ssize_t failing_sendfile(int to, int fd, off_t *at, size_t n)
{
	return inject() ? -1 : sys_direct.sendfile(to, fd, at, n > 5000 ? 5000 : n);
}

static ssize_t failing_pread(int fd, void *p, size_t n, off_t at)
{
	return n > 0 && inject() ? -1 : sys_direct.pread(fd, p, n > 5000 ? 5000 : n, at);
}

static void break_calls(void)
{
	atomic_store(&inject_left, 3);
	sys_table.sendfile = failing_sendfile;
	sys_table.pread = failing_pread;
}

/* EINTR and, from the socket, EAGAIN pass.  Anything else about the file ends this connection, with a reset. */
static void fails_with(const struct shape *shape, const struct myr_service *service, int error)
{
	int fd;

	injected_errno = error;
	serving.before = break_calls;
	serve(shape, service);
	fd = dial();
	if (error == EINTR || error == EAGAIN) {
		get(fd, 0, 30000, 1 << 16);
		end(fd);
		return;
	}
	say(fd, "0 30000\n");
	expect_gone(fd);
	await_counter(CLOSED, 1);
	assert_int_equal(counter(RESULT), -error);
	stop_serving();
	assert_int_equal(served()->run, 0);
}

static void through_failures(const struct shape *shape, const struct myr_service *service)
{
	fails_with(shape, service, EINTR);
	fails_with(shape, service, EIO);
	fails_with(shape, service, ENOMEM);
	if (strcmp(shape->engine, "io_uring") != 0)     /* which never asks the socket that way */
		fails_with(shape, service, EAGAIN);
}

static void test_failing_calls_end_one_connection_or_none(void **state)
{
	(void)state;
	write_file(100000);
	in_both_styles(shapes, SHAPES, services, through_failures);
}

static int failing_fstat(int fd, struct stat *st)
{
	return inject() ? -1 : sys_direct.fstat(fd, st);
}

static void break_fstat(void)
{
	atomic_store(&inject_left, 1);
	sys_table.fstat = failing_fstat;
}

/* Nothing was queued, the connection goes on, and (served() looks) the descriptor is closed. */
static void refused(const struct shape *shape, const struct myr_service *service, int error)
{
	char text[32];
	int fd;

	injected_errno = error;
	serving.before = break_fstat;
	serve(shape, service);
	fd = dial();
	say(fd, "try 3 70000\n");
	snprintf(text, sizeof text, "refused: %d;", -error);
	expect(fd, text);
	get(fd, 3, 70000, 1 << 16);
	end(fd);
}

static void refused_with_each(const struct shape *shape, const struct myr_service *service)
{
	refused(shape, service, EIO);
	refused(shape, service, ENOMEM);
	refused(shape, service, EOVERFLOW);
}

static void test_a_failing_fstat_refuses_the_file_and_nothing_else(void **state)
{
	(void)state;
	write_file(100000);
	in_both_styles(shapes, SHAPES, services, refused_with_each);
}

static ssize_t never_sendfile(int to, int fd, off_t *at, size_t n)
{
	(void)to, (void)fd, (void)at, (void)n;
	errno = EINVAL;
	return -1;
}

static void without_sendfile(void)
{
	sys_table.sendfile = never_sendfile;
}

static void copied(const struct shape *shape, const struct myr_service *service)
{
	int fd;

	serving.before = without_sendfile;
	serve(shape, service);
	fd = dial();
	get(fd, 3, 500000, 1 << 16);
	end(fd);
}

static void test_where_the_kernel_cannot_send_it_is_read(void **state)
{
	(void)state;
	write_file(600000);
	in_both_styles(shapes, SHAPES, services, copied);
}

/* --- Misuse, without sockets -------------------------------------------------------------------------------- */

static int misused[6];
static bool all_closed;

static int checked(struct myr_conn *c, int fd, uint64_t offset, uint64_t n)
{
	int err = myr_sendfile(c, fd, offset, n);

	if (fd >= 0 && fcntl(fd, F_GETFD) >= 0)
		all_closed = false;
	return err;
}

static size_t misuse_data(struct myr_conn *c, const void *p, size_t n)
{
	int ends[2];

	(void)p;
	assert_int_equal(pipe(ends), 0);
	all_closed = true;
	misused[0] = checked(c, -1, 0, 1);
	misused[1] = checked(c, ends[0], 0, 1);
	misused[2] = checked(c, open(path, O_WRONLY), 0, 1);
	misused[3] = checked(c, open(path, O_RDONLY), 1000, 1);
	misused[4] = checked(c, open(path, O_RDONLY), 1, UINT64_MAX);
	close(ends[1]);
	myr_sendfile(c, open(path, O_RDONLY), 0, 1000);         /* it still works, and is sent before the end */
	myr_close(c);
	misused[5] = checked(c, open(path, O_RDONLY), 0, 1);
	return n;
}

static void test_misuse_is_refused_and_the_descriptor_closed(void **state)
{
	const struct myr_service service = { .on_data = misuse_data };
	const int expected[] = { -EBADF, -EINVAL, -EBADF, -EINVAL, -EINVAL, -EPIPE };
	struct myr_test *t;
	const char *sent;
	size_t n;

	(void)state;
	write_file(1000);
	assert_int_equal(myr_test_new(&t, &service, NULL), 0);
	myr_test_feed(t, "x", 1);
	assert_memory_equal(misused, expected, sizeof expected);
	assert_true(all_closed);
	sent = myr_test_sent(t, &n);
	assert_int_equal(n, 1000);
	for (size_t i = 0; i < n; i++)
		assert_int_equal((uint8_t)sent[i], byte_at(i));
	myr_test_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_each_size_from_each_offset, end_serving),
		cmocka_unit_test_teardown(test_files_and_bytes_keep_their_order, end_serving),
		cmocka_unit_test_teardown(test_100_megabytes, end_serving),
		cmocka_unit_test_teardown(test_a_slow_reader_gets_all, end_serving),
		cmocka_unit_test_teardown(test_a_file_that_becomes_shorter_is_a_reset, end_serving),
		cmocka_unit_test_teardown(test_a_client_that_leaves_takes_its_files_along, end_serving),
		cmocka_unit_test_teardown(test_more_files_than_may_wait, end_serving),
		cmocka_unit_test_teardown(test_failing_calls_end_one_connection_or_none, end_serving),
		cmocka_unit_test_teardown(test_a_failing_fstat_refuses_the_file_and_nothing_else, end_serving),
		cmocka_unit_test_teardown(test_where_the_kernel_cannot_send_it_is_read, end_serving),
		cmocka_unit_test(test_misuse_is_refused_and_the_descriptor_closed),
	};

	return cmocka_run_group_tests(tests, make_file, drop_file);
}
