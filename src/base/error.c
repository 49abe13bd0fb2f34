/* SPDX-License-Identifier: MIT
 *
 * error.c - texts of error codes, and the last failure of each thread.
 *
 * errno texts are libc's without translation and in lower case, as they stand in the middle of a
 * sentence; they are made once and never change, so the pointers stay good. */
#include "base/error.h"

#include <ctype.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERROR_TEXTS(X)                                                                             \
	X(MYR_EOF,    "end of stream")                                                             \
	X(MYR_STOP,   "the server is stopping")                                                    \
	X(MYR_EFRAME, "broken or too long frame")                                                  \
	X(MYR_EAMPLIFY, "the answers are larger than the request allows")

#define ERRNO_MAX 133                   /* EHWPOISON, the last one of Linux */
#define ERRNO_TEXT 64

static char errno_texts[ERRNO_MAX + 1][ERRNO_TEXT];
static _Thread_local char reason[512];

int fail(int err, const char *fmt, ...)
{
	char text[sizeof reason];       /* the arguments may be in `reason` */
	int saved = errno;
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	memcpy(reason, text, strlen(text) + 1);
	errno = saved;
	return err;
}

const char *myr_reason(void)
{
	return reason;
}

static const char *errno_describe(int e)
{
#if defined __GLIBC__ && __GLIBC_PREREQ(2, 32)
	return strerrordesc_np(e);
#else
	const char *text = strerror(e);

	return strncmp(text, "Unknown", 7) == 0 || strncmp(text, "No error", 8) == 0 ? NULL : text;
#endif
}

static void errno_fill(void)
{
	for (int e = 1; e <= ERRNO_MAX; e++) {
		const char *text = errno_describe(e);
		char *dst = errno_texts[e];

		if (text == NULL)
			continue;
		snprintf(dst, ERRNO_TEXT, "%s", text);
		if (islower((unsigned char)dst[1]))     /* "I/O error", "RFS specific error" stay */
			dst[0] = (char)tolower((unsigned char)dst[0]);
	}
}

const char *myr_strerror(int err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	static _Thread_local char other[24];
	unsigned e = err < 0 ? -(unsigned)err : (unsigned)err;

	switch (err) {
#define ERROR_CASE(code, text) case code: return text;
	ERROR_TEXTS(ERROR_CASE)
	case 0: return "success";
	}
	pthread_once(&once, errno_fill);
	if (e <= ERRNO_MAX && errno_texts[e][0] != '\0')
		return errno_texts[e];
	snprintf(other, sizeof other, "error %d", err);
	return other;
}
