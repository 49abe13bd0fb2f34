/* SPDX-License-Identifier: MIT
 *
 * talk.h - scripted clients over plain sockets, and the transcript of what they said and heard.
 *
 * Each act adds a line to the transcript: "> hello" was said, "< hello" heard, with the client's name
 * before it if it has one ("A> hello").  Bytes that do not end in a newline are quoted.  Every wait has
 * a deadline; what did not come in time is in the transcript, too. */
#ifndef TEST_TALK_H
#define TEST_TALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TALK_CLIENTS 256
#define TALK_PATIENCE_MS 8000

struct talk;

struct client {
	struct talk *talk;
	char     name[12];
	int      fd;                    /* -1: hung up */
	bool     quiet;                 /* not in the transcript */
	const char *ended;              /* "EOF" or "RESET"; NULL: not yet */
	uint8_t *in;
	size_t   in_n, in_room;
	uint64_t said, heard;           /* bytes of the pattern so far */
	char     line[512];             /* the last one heard */
};

struct talk {
	char  *text;
	size_t n, room;
	struct client *clients[TALK_CLIENTS];
	unsigned n_clients;
};

struct client_opts {
	const char *from;               /* the address to come from; NULL: any */
	int  receive_room;              /* SO_RCVBUF; 0: as it is */
	int  send_room;                 /* SO_SNDBUF */
	bool quiet;
};

void talk_begin(struct talk *);
void talk_end(struct talk *);           /* hangs up all clients */
void talk_hang_up_all(struct talk *);
void talk_go_home(struct talk *);       /* those who have heard the end hang up */
void note(struct talk *, const char *, ...) __attribute__((format(printf, 2, 3)));

struct client *client_dial(struct talk *, const char *name, const char *address, const struct client_opts *);
bool client_is_refused(const char *address);            /* nobody listens there */
/* The other side: a listening socket of our own, and whom it takes. */
int  talk_listen(char *address, size_t size);
struct client *client_accept(struct talk *, const char *name, int listening);
void client_own_address(const struct client *, char *dst, size_t size);        /* "127.0.0.1:4711" */

void say(struct client *, const char *text);
void say_bytes(struct client *, const void *, size_t n);
void say_slowly(struct client *, const void *, size_t n);      /* a segment for each byte */
void say_exactly(struct client *, const void *, size_t n);      /* told as a number */
void say_pattern(struct client *, size_t n);
void say_eof(struct client *);
void hang_up(struct client *);
void hang_up_rudely(struct client *);   /* with a reset */
/* The pattern, until nothing goes for so long: how many bytes that were, not told. */
size_t say_until_stuck(struct client *, size_t max, int ms);

const char *hear_line(struct client *);         /* without its newline; "" if none came */
void hear_bytes(struct client *, size_t n);
void hear_exactly(struct client *, const void *, size_t n);
void hear_pattern(struct client *, size_t n);
void hear_rest_of_pattern(struct client *);     /* to the end, in pieces, with small reads */
void hear_end(struct client *);             /* what there is, and how it ends */
void hear_cut(struct client *);             /* the same, but EOF and RESET are both "< END" */
void hear_nothing(struct client *, int ms);
void exchange(struct client *, size_t n);   /* says and hears n bytes of the pattern at the same time */
bool client_hears(struct client *, int ms);     /* has something, or its end, arrived?  Not told */

#endif
