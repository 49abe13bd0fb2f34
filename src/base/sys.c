/* SPDX-License-Identifier: MIT
 *
 * sys.c - the one call libc lacks, and in test builds the table itself. */
#include "base/sys.h"

#include <sys/syscall.h>

int sys_pidfd(pid_t pid, unsigned flags)
{
	return (int)syscall(SYS_pidfd_open, pid, flags);
}

#ifdef MYR_SYS_TABLE

/* Wrappers, because a libc function may be a macro or an inline (fortify) that has no address. */
#define SYS_REAL(ret, name, params, args) \
	static ret real_##name params { return name args; }
SYS_CALLS(SYS_REAL)

#define SYS_ENTRY(ret, name, params, args) .name = real_##name,
const struct sys_table sys_direct = { SYS_CALLS(SYS_ENTRY) .pidfd = sys_pidfd };
struct sys_table sys_table = { SYS_CALLS(SYS_ENTRY) .pidfd = sys_pidfd };
void (*sys_ring_hook)(struct io_uring_sqe *);

#endif
