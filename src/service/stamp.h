/* SPDX-License-Identifier: MIT
 *
 * stamp.h - what the stamp service and its editions share. */
#ifndef SERVICE_STAMP_H
#define SERVICE_STAMP_H

#include <myriad.h>

extern int stamp_delay;                 /* ms; set in build() */

/* "Resposta eco => b'...' as Sat Jul 22 18:43:57 2017" and `end`; n at most 4096.  As myr_write(). */
ssize_t stamp_answer(struct myr_conn *, const void *data, size_t n, const char *end);

#endif
