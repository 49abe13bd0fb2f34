/* SPDX-License-Identifier: MIT
 *
 * redis_talk.h - one connection to a Redis server: a command, its reply (redis.io/docs/reference/protocol-spec).
 *
 * hiredis takes replies apart; the connection is a dialled one, so only the handler that asks waits.  A reply is
 * a status, a number, or an array of strings that are told as they come; anything else, anything
 * longer than it may be, and silence for REDIS_REPLY_MS, is an error after which the connection must go. */
#ifndef SERVICE_REDIS_TALK_H
#define SERVICE_REDIS_TALK_H

#include "service/store_ops.h"

#define REDIS_DIAL_MS  5000
#define REDIS_REPLY_MS 5000             /* without a byte of the reply */
#define REDIS_PART_MAX (2 * STORE_ITEM_MAX)     /* bytes that are no whole part of a reply yet */

enum redis_type { REDIS_NOTHING, REDIS_STATUS, REDIS_NUMBER, REDIS_ITEMS };

struct redis_word { const void *p; size_t n; };

struct redis_reply {
	enum redis_type wanted;
	long long number;               /* of items, for REDIS_ITEMS */
	char text[200];                 /* of a status or an error */
	store_each *each;               /* for REDIS_ITEMS */
	void *arg;
	bool usable;                    /* out: the connection may be asked again */
	bool sent;                      /* out: the server may have got the command */
	enum redis_type got;
	bool refused;                   /* an error reply */
	int ended;                      /* what each() ended with */
};

/* 0 or an error, with why.  r->wanted, each and arg are set by the caller. */
int redis_ask(struct myr_conn *, const struct redis_word *, unsigned n, struct redis_reply *r, struct store_why *);
/* Nothing has come from it, its end neither, since the last reply. */
bool redis_is_quiet(struct myr_conn *);

#endif
