/* SPDX-License-Identifier: MIT
 *
 * test_shared.c - the shared block is one block everywhere, and its lock survives its holders. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "conn/shared.h"

static void test_zeroed_aligned_and_writable_to_the_end(void **state)
{
	static const size_t sizes[] = { 0, 1, 63, 4096, 1000000 };

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct shared *s = shared_new(sizes[i]);
		unsigned char *p;

		assert_non_null(s);
		p = shared_bytes(s);
		assert_int_equal((uintptr_t)p % 64, 0);
		for (size_t k = 0; k < sizes[i]; k++)
			assert_int_equal(p[k], 0);
		memset(p, 0xff, sizes[i]);
		assert_int_equal(shared_lock(s), 0);
		shared_unlock(s);
		shared_free(s);
	}
	shared_free(NULL);
}

static void *no_mmap(void *a, size_t n, int p, int f, int fd, off_t o)
{
	(void)a, (void)n, (void)p, (void)f, (void)fd, (void)o;
	errno = ENOMEM;
	return MAP_FAILED;
}

static void test_out_of_memory(void **state)
{
	(void)state;
	assert_null(shared_new(SIZE_MAX));
	assert_null(shared_new(SIZE_MAX - 4096));
	sys_table.mmap = no_mmap;
	assert_null(shared_new(1));
	sys_table.mmap = sys_direct.mmap;
}

static void test_locking_twice_is_an_error_and_no_hang(void **state)
{
	struct shared *s = shared_new(8);

	(void)state;
	assert_int_equal(shared_lock(s), 0);
	assert_int_equal(shared_lock(s), -EDEADLK);
	shared_unlock(s);
	assert_int_equal(shared_lock(s), 0);
	shared_unlock(s);
	shared_free(s);
}

/* Count to n, with the lock around each step. */
static void *count(void *arg)
{
	struct shared *s = arg;
	volatile long *sum = shared_bytes(s);

	for (int i = 0; i < 20000; i++) {
		if (shared_lock(s) != 0)
			return "lock";
		*sum = *sum + 1;
		shared_unlock(s);
	}
	return NULL;
}

static int wait_status(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_threads_and_processes_exclude_each_other(void **state)
{
	struct shared *s = shared_new(sizeof(long));
	pid_t pids[2];
	pthread_t t;
	void *wrong;

	(void)state;
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			_exit(count(s) != NULL);
	}
	assert_int_equal(pthread_create(&t, NULL, count, s), 0);
	assert_null(count(s));
	pthread_join(t, &wrong);
	assert_null(wrong);
	assert_int_equal(wait_status(pids[0]), 0);
	assert_int_equal(wait_status(pids[1]), 0);
	assert_int_equal(*(long *)shared_bytes(s), 80000);
	shared_free(s);
}

static pid_t fork_holder(struct shared *s, int sig)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (shared_lock(s) != 0)
			_exit(9);
		strcpy(shared_bytes(s), "half do");
		if (sig != 0)
			kill(getpid(), sig);
		_exit(0);
	}
	return pid;
}

static void test_a_holder_that_dies_leaves_the_lock_to_the_next(void **state)
{
	static const int ends[] = { 0, SIGKILL };
	struct shared *s = shared_new(64);

	(void)state;
	for (int i = 0; i < 4; i++) {
		int sig = ends[i % 2], status = wait_status(fork_holder(s, sig));

		assert_true(sig == 0 ? WIFEXITED(status) && WEXITSTATUS(status) == 0
		                     : WIFSIGNALED(status) && WTERMSIG(status) == sig);
		assert_int_equal(shared_lock(s), -EOWNERDEAD);
		assert_string_equal(shared_bytes(s), "half do");        /* what there is to repair */
		assert_int_equal(shared_lock(s), -EDEADLK);             /* it is ours */
		shared_unlock(s);
		assert_int_equal(shared_lock(s), 0);                    /* told once */
		shared_unlock(s);
	}
	shared_free(s);
}

/* One who is waiting when the holder dies gets the lock, too. */
static void test_a_waiter_is_woken_by_the_holders_death(void **state)
{
	struct shared *s = shared_new(64);
	int gate[2], held[2];
	char byte;
	pid_t holder, waiter;

	(void)state;
	assert_int_equal(pipe(gate), 0);
	assert_int_equal(pipe(held), 0);
	holder = fork();
	if (holder == 0) {
		close(gate[1]);
		if (shared_lock(s) != 0 || write(held[1], "x", 1) != 1)
			_exit(9);
		if (read(gate[0], &byte, 1) != 1)
			_exit(8);
		_exit(0);
	}
	assert_int_equal(read(held[0], &byte, 1), 1);
	waiter = fork();
	if (waiter == 0) {
		if (write(held[1], "y", 1) != 1)
			_exit(9);
		_exit(shared_lock(s) == -EOWNERDEAD ? 7 : 1);
	}
	assert_int_equal(read(held[0], &byte, 1), 1);
	assert_int_equal(write(gate[1], "z", 1), 1);
	assert_int_equal(wait_status(holder), 0);
	assert_int_equal(WEXITSTATUS(wait_status(waiter)), 7);
	assert_int_equal(shared_lock(s), -EOWNERDEAD);          /* the waiter died with it, too */
	shared_unlock(s);
	for (int i = 0; i < 2; i++) {
		close(gate[i]);
		close(held[i]);
	}
	shared_free(s);
}

/* A fork while a thread of ours holds the lock: the child waits for it like anybody else. */
static void test_a_child_does_not_inherit_the_lock(void **state)
{
	struct shared *s = shared_new(64);
	int ready[2];
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(shared_lock(s), 0);
	pid = fork();
	if (pid == 0) {
		if (write(ready[1], "x", 1) != 1 || shared_lock(s) != 0)
			_exit(1);
		if (strcmp(shared_bytes(s), "done") != 0)
			_exit(2);
		shared_unlock(s);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	strcpy(shared_bytes(s), "done");
	shared_unlock(s);
	assert_int_equal(wait_status(pid), 0);
	close(ready[0]);
	close(ready[1]);
	shared_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zeroed_aligned_and_writable_to_the_end),
		cmocka_unit_test(test_out_of_memory),
		cmocka_unit_test(test_locking_twice_is_an_error_and_no_hang),
		cmocka_unit_test(test_threads_and_processes_exclude_each_other),
		cmocka_unit_test(test_a_holder_that_dies_leaves_the_lock_to_the_next),
		cmocka_unit_test(test_a_waiter_is_woken_by_the_holders_death),
		cmocka_unit_test(test_a_child_does_not_inherit_the_lock),
	};

	return cmocka_run_group_tests_name("shared", tests, NULL, NULL);
}
