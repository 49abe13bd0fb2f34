/* SPDX-License-Identifier: MIT
 *
 * matrix.h - the conformance matrix: what every engine, in both handler styles, promises alike.
 *
 * A scenario is a script of what clients do; what they say and hear is a transcript, and that has to
 * read the same whatever serves them.  Where the model itself forbids it (one at a time, one process)
 * the exception has a transcript of its own: nothing is skipped.
 *
 * A topic is a file with services, each in both styles, and scenarios.  Most scenarios talk to one
 * server that hosts all services; those that need other limits or stop it start one of their own. */
#ifndef MATRIX_H
#define MATRIX_H

#include <stdbool.h>

#include "myriad.h"
#include "support/server.h"
#include "support/talk.h"

enum style { BLOCKING, CALLBACK };

struct run {                            /* one cell of the matrix */
	const char *engine;
	enum style  style;
	unsigned    workers;
	bool        processes;          /* workers are processes */
};

struct hosting {
	const char *name;
	const struct myr_service *in[2];        /* by style */
};

enum {                                  /* exceptions that follow from the model */
	IN_TURN  = 1,                   /* fewer are served at a time than the scenario has clients */
	PARTED   = 2,                   /* a crash costs one connection, or one worker: not the server */
	REPLACED = 4                    /* workers are processes, and replaced */
};

struct script;

struct scenario {
	const char *name;
	void      (*play)(struct script *);
	const char *text;               /* the transcript everywhere ... */
	struct {
		unsigned    where;
		const char *text;
	} except[2];                    /* ... but there, the first that holds */
	unsigned    at_once;            /* clients that must be served at the same time */
};

struct topic {
	const struct hosting  *hostings;
	unsigned n_hostings;
	const struct scenario *scenarios;
	unsigned n_scenarios;
};

extern const struct topic topic_stream, topic_framing, topic_flow, topic_many, topic_relay, topic_limits,
                          topic_stop, topic_faults;

/* --- For scripts --------------------------------------------------------------------------------- */

struct script {
	const struct run *run;
	const struct scenario *scenario;
	struct talk talk;
	struct server own;
	const char *own_names[SERVER_SITES];
	unsigned n_own;
	bool has_own;
	unsigned model;                 /* the exceptions that hold */
	bool in_turn;                   /* IN_TURN is one of them */
};

#define SOON_MS 40                      /* what has not come by then is waiting for something */

struct place {
	const char *service, *endpoint;         /* endpoint NULL: any port of 127.0.0.1 */
};

/* From here on clients meet a server of their own, with these services and limits. */
void serve      (struct script *, const struct myr_config *, const char *service);
void serve_at   (struct script *, const struct myr_config *, const struct place *, unsigned n,
                 unsigned fds_max);
void serve_ends (struct script *);      /* how it ended, with which status and leaks: in the transcript */
void serve_stop (struct script *);      /* stop it (again) */

void wait_for_log(struct script *, const char *text);    /* until that server has said so */

const char    *where(struct script *, const char *service);
struct client *meet (struct script *, const char *name, const char *service);
/* For clients beyond the first: under IN_TURN they hear nothing yet. */
void hear_if_served(struct script *, struct client *);
/* Ask until the answer is this one; the transcript has only that. */
void ask_until(struct script *, const char *service, const char *question, const char *answer);

#endif
