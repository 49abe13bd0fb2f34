/* SPDX-License-Identifier: MIT
 *
 * test_faults.h - the single-fault sweep: one system call of a server fails, once; what becomes of it?
 *
 * test_faults_inject.c makes the call fail, test_faults_scene.c plays a scene with a server whose call
 * fails and judges what its clients saw, test_faults.c goes through all calls, numbers and errors.
 *
 * What several processes look at (the server may fork) is in struct fault_board, in shared memory. */
#ifndef TEST_FAULTS_H
#define TEST_FAULTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/sys.h"

#define FAULT_CALL(ret, name, params, args) CALL_##name,
enum fault_call {
	SYS_CALLS(FAULT_CALL)
	CALL_pidfd,
	DGRAM_SENDMSG,                  /* sendmsg on a datagram socket */
	RING_ACCEPT, RING_RECV, RING_SEND, RING_SENDMSG, RING_POLL, RING_INSTALL,
	FAULT_CALLS
};

enum {                                  /* faults that are no errno: negative */
	SHORT_1 = -1, SHORT_2 = -2, SHORT_3 = -3,       /* so many bytes go, no more */
	ONE_SHOT = -4                                   /* a multishot request is none */
};

struct fault {
	enum fault_call call;
	unsigned number;                /* of the call, from 1; 0: no fault */
	int      error;
};

struct fault_board {
	struct fault plan;
	atomic_uint  made[FAULT_CALLS];         /* calls so far */
	atomic_bool  injected;
	/* The server's own report. */
	char address[128], datagrams[128];
	int  result;                            /* of new, add or run, the first that failed */
	char reason[300];
	char leaks[600];
};

extern struct fault_board *fault_board;

void fault_board_map(void);
void fault_install(void);               /* in the server's process: from here on calls are counted, and one fails */
void fault_remove(void);

const int  *fault_errors(enum fault_call);      /* all that it can fail with; 0 ends */
const char *fault_call_name(enum fault_call);
const char *fault_error_name(int error);
bool fault_parse(struct fault *, const char *call, const char *number, const char *error);
bool fault_rings(void);                 /* can completions of io_uring be made to fail here? */

/* --- Scenes -------------------------------------------------------------------------------------- */

struct cell {                           /* what serves */
	const char *engine;
	bool callback;
	bool in_turn;                   /* one client at a time */
	bool processes;                 /* two workers that are processes */
};

struct verdict {
	char problem[800];              /* "" if it survived */
	unsigned victims;               /* clients that were not served to the end ... */
	char cut[200];          /* ... and who they are */
	bool refused;                   /* it said that it could not start */
};

void scene_play(const struct cell *, const struct fault *, struct verdict *);
void scene_show_log(void);              /* of the last one, on stdout as TAP comments */

#endif
