/* SPDX-License-Identifier: MIT
 *
 * shared.h - one block of memory for all connections of a service, in every thread, worker and
 * process, and its lock.  Made (mmap, MAP_SHARED) before the first fork; the lock is a process-
 * shared robust mutex, so a holder that dies leaves -EOWNERDEAD to the next, not a hang. */
#ifndef MYR_SHARED_H
#define MYR_SHARED_H

#include <stddef.h>

struct shared;

struct shared *shared_new(size_t size);         /* zeroed; NULL: out of memory */
void  shared_free(struct shared *);
void *shared_bytes(struct shared *);
int   shared_lock(struct shared *);             /* 0, -EOWNERDEAD (locked all the same), -EDEADLK */
void  shared_unlock(struct shared *);

#endif
