/* SPDX-License-Identifier: MIT
 *
 * shared.c - a service's shared block: one mapping that holds the lock and then the bytes.
 *
 * The lock checks for errors, so locking twice is -EDEADLK and not a hang.  A dead holder's lock is
 * declared consistent at once: what the block holds is for the new holder to repair, and nobody
 * after it can be told ENOTRECOVERABLE. */
#include "conn/shared.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>

#include "base/sys.h"

struct shared {
	pthread_mutex_t lock;
	size_t          mapped;
	_Alignas(64) unsigned char bytes[];
};

static int lock_init(pthread_mutex_t *m)
{
	pthread_mutexattr_t a;
	int err = pthread_mutexattr_init(&a);

	if (err != 0)
		return err;
	err = pthread_mutexattr_settype(&a, PTHREAD_MUTEX_ERRORCHECK);
	if (err == 0)
		err = pthread_mutexattr_setpshared(&a, PTHREAD_PROCESS_SHARED);
	if (err == 0)
		err = pthread_mutexattr_setrobust(&a, PTHREAD_MUTEX_ROBUST);
	if (err == 0)
		err = pthread_mutex_init(m, &a);
	pthread_mutexattr_destroy(&a);
	return err;
}

struct shared *shared_new(size_t size)
{
	struct shared *s;
	void *map;

	if (size > SIZE_MAX - sizeof *s)
		return NULL;
	size += sizeof *s;
	map = sys_mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return NULL;
	s = map;
	if (lock_init(&s->lock) != 0) {
		munmap(map, size);
		return NULL;
	}
	s->mapped = size;
	return s;
}

/* The lock is not destroyed: another process may still be using it through its own mapping. */
void shared_free(struct shared *s)
{
	if (s != NULL)
		munmap(s, s->mapped);
}

void *shared_bytes(struct shared *s)
{
	return s->bytes;
}

int shared_lock(struct shared *s)
{
	int err = pthread_mutex_lock(&s->lock);

	if (err == EOWNERDEAD && pthread_mutex_consistent(&s->lock) != 0)
		assert(!"a robust lock whose holder died can be made consistent");
	return -err;
}

void shared_unlock(struct shared *s)
{
	int err = pthread_mutex_unlock(&s->lock);

	assert(err == 0);               /* else the caller does not hold it */
	(void)err;
}
