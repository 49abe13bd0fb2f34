/* SPDX-License-Identifier: MIT
 *
 * redis_talk.c - one connection to a Redis server: a command, its reply. */
#include "service/redis_talk.h"

#include <errno.h>
#include <hiredis/read.h>
#include <stdio.h>
#include <string.h>

/* --- Parts of a reply, from hiredis' reader ------------------------------------------------------------ */

static char a_part;                     /* what the reader is given for every part: nothing is kept */

static void *took(struct redis_reply *r, enum redis_type type, long long number)
{
	r->got = type;
	r->number = number;
	return &a_part;
}

/* NULL makes the reader stop. */
static void *take_string(const redisReadTask *t, char *p, size_t n)
{
	struct redis_reply *r = t->privdata;

	if (t->parent == NULL && t->type != REDIS_REPLY_STRING) {
		snprintf(r->text, sizeof r->text, "%.*s", n < sizeof r->text ? (int)n : (int)sizeof r->text - 1, p);
		r->refused = t->type == REDIS_REPLY_ERROR;
		return took(r, REDIS_STATUS, 0);
	}
	if (t->parent == NULL || t->type != REDIS_REPLY_STRING || r->each == NULL || n > STORE_ITEM_MAX)
		return NULL;
	r->ended = r->each(r->arg, p, n);
	return r->ended == 0 ? &a_part : NULL;
}

static void *take_array(const redisReadTask *t, int n)
{
	struct redis_reply *r = t->privdata;

	return t->parent == NULL && r->wanted == REDIS_ITEMS ? took(r, REDIS_ITEMS, n) : NULL;
}

static void *take_number(const redisReadTask *t, long long n)
{
	return t->parent == NULL ? took(t->privdata, REDIS_NUMBER, n) : NULL;
}

static void *take_nil(const redisReadTask *t)
{
	(void)t;
	return NULL;
}

static void let_go(void *part)
{
	(void)part;
}

static redisReplyObjectFunctions parts = {
	.createString = take_string, .createArray = take_array, .createInteger = take_number, .createNil = take_nil,
	.freeObject = let_go,
};

/* --- Commands --------------------------------------------------------------------------------------------- */

static int send_command(struct myr_conn *c, const struct redis_word *words, unsigned n)
{
	ssize_t err = myr_printf(c, "*%u\r\n", n);

	for (unsigned i = 0; i < n && err >= 0; i++) {
		err = myr_printf(c, "$%zu\r\n", words[i].n);
		if (err >= 0 && words[i].n > 0)
			err = myr_write(c, words[i].p, words[i].n);
		if (err >= 0)
			err = myr_write(c, "\r\n", 2);
	}
	return err < 0 ? (int)err : 0;
}

static int no_reply(const redisReader *reader, struct redis_reply *r, struct store_why *why)
{
	if (r->ended != 0)
		return r->ended;
	if (reader->err == REDIS_ERR_PROTOCOL)
		return store_because(why, -EPROTO, "the reply is not Redis': %s", reader->errstr);
	return store_because(why, -EPROTO, "the reply is none that the command has");
}

static int read_reply(struct myr_conn *c, redisReader *reader, struct redis_reply *r, struct store_why *why)
{
	char bytes[8192];
	void *whole = NULL;
	ssize_t n;

	while (whole == NULL) {
		n = myr_read(c, bytes, sizeof bytes);
		if (n == MYR_STOP)
			continue;               /* told once: what was asked is waited for */
		if (n == -ETIMEDOUT)
			return store_because(why, (int)n, "no reply for %d s", REDIS_REPLY_MS / 1000);
		if (n < 0)
			return store_because(why, n == MYR_EOF ? -ECONNRESET : (int)n, "the connection ended before the reply: %s",
			                     myr_strerror((int)n));
		if (redisReaderFeed(reader, bytes, (size_t)n) != REDIS_OK)
			return store_because(why, -ENOMEM, "out of memory for a reply");
		if (redisReaderGetReply(reader, &whole) != REDIS_OK)
			return no_reply(reader, r, why);
		if (whole == NULL && reader->len - reader->pos > REDIS_PART_MAX)
			return store_because(why, -EMSGSIZE, "a part of the reply is longer than %u bytes", STORE_ITEM_MAX);
	}
	if (reader->pos < reader->len)
		return store_because(why, -EPROTO, "there is more than one reply");
	return 0;
}

/* redis.io/docs/reference: what an error reply begins with. */
static int refusal(const struct redis_reply *r, struct store_why *why)
{
	static const struct { const char *word; int err; const char *hint; } known[] = {
		{ "NOAUTH ", -EACCES, " Give it: redis://:PASSWORD@HOST/KEY" }, { "WRONGPASS ", -EACCES, "" },
		{ "NOPERM ", -EACCES, "" }, { "OOM ", -ENOMEM, "" }, { "LOADING ", -EAGAIN, "" }, { "BUSY ", -EAGAIN, "" },
		{ "READONLY ", -EROFS, "" }, { "WRONGTYPE ", -EINVAL, " Give another key." },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strncmp(r->text, known[i].word, strlen(known[i].word)) == 0)
			return store_because(why, known[i].err, "%s%s", r->text, known[i].hint);
	return store_because(why, -EIO, "%s", r->text);
}

int redis_ask(struct myr_conn *c, const struct redis_word *words, unsigned n, struct redis_reply *r,
              struct store_why *why)
{
	redisReader *reader = redisReaderCreateWithFunctions(&parts);
	int err;

	if (reader == NULL)
		return store_because(why, -ENOMEM, "out of memory for a reply");
	redisReaderSetPrivdata(reader, r);
	myr_set_timeout(c, REDIS_REPLY_MS);
	err = send_command(c, words, n);
	if (err < 0) {
		store_because(why, err, "cannot send: %s", myr_strerror(err));
	} else {
		r->sent = true;
		err = read_reply(c, reader, r, why);
	}
	if (err == 0 && r->got != r->wanted && !r->refused)
		err = store_because(why, -EPROTO, "the reply is none that the command has");
	r->usable = err == 0;
	redisReaderFree(reader);
	return err == 0 && r->refused ? refusal(r, why) : err;
}

bool redis_is_quiet(struct myr_conn *c)
{
	char byte;
	ssize_t n;

	myr_set_timeout(c, 0);
	do {
		n = myr_error(c) == 0 ? myr_read(c, &byte, 1) : -EIO;
	} while (n == MYR_STOP);
	return n == -ETIMEDOUT;
}
