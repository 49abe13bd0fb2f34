/* SPDX-License-Identifier: MIT
 *
 * error.h - the last failure in full (myr_reason) and its public codes.
 *
 * fail() records a sentence for the calling thread and returns the code, so that the place that
 * knows what failed, on what and why is the place that says it:
 *
 *	return fail(-errno, "cannot listen on %s: %s", text, strerror(errno)); */
#ifndef MYR_ERROR_H
#define MYR_ERROR_H

#include "myriad.h"

int fail(int err, const char *fmt, ...) MYR_PRINTF(2, 3);

#endif
