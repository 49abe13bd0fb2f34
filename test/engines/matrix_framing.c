/* SPDX-License-Identifier: MIT
 *
 * matrix_framing.c - where messages end: each framing, however it is cut; what breaks it. */
#include <stdio.h>
#include <string.h>

#include "engines/matrix.h"

#define SHORT 1000
#define LONG  60000
#define FIXED 4

/* --- frames: each frame back; and for what reason the last connection broke ------------------- */

struct frames {                         /* shared */
	int last_error;
};

static void frames_answer(struct myr_conn *c, const void *p, size_t n)
{
	const struct frames *f = myr_shared(c);
	const char *why;

	if (n != 4 || memcmp(p, "why?", 4) != 0) {
		myr_send(c, p, n);
		return;
	}
	myr_lock(c);
	why = f->last_error == 0 ? "nothing" : myr_strerror(f->last_error);
	myr_unlock(c);
	myr_send(c, why, strlen(why));
}

static void frames_ended(struct myr_conn *c, int why)
{
	struct frames *f = myr_shared(c);

	if (why == 0 || why == MYR_EOF || why == MYR_STOP)
		return;
	myr_lock(c);
	f->last_error = why;
	myr_unlock(c);
}

static void frames_handle(struct myr_conn *c)
{
	char frame[LONG + 1];
	ssize_t n;

	while ((n = myr_recv(c, frame, sizeof frame)) >= 0)
		frames_answer(c, frame, (size_t)n);
	frames_ended(c, (int)n);
}

#define BY_CALLS(f, max) { .name = #f, .framing = &myr_##f, .frame_max = (max), .shared = sizeof(struct frames), \
	.on_frame = frames_answer, .on_close = frames_ended }
#define BY_WAITS(f, max) { .name = #f, .framing = &myr_##f, .frame_max = (max), .shared = sizeof(struct frames), \
	.handle = frames_handle }

static const struct myr_service
	blocking[] = {
		BY_WAITS(lines, SHORT), BY_WAITS(crlf, SHORT), BY_WAITS(netstrings, SHORT),
		BY_WAITS(counted, SHORT), BY_WAITS(prefix8, 0), BY_WAITS(prefix16, SHORT),
		BY_WAITS(prefix32, LONG), BY_WAITS(fixed, FIXED),
	},
	callback[] = {
		BY_CALLS(lines, SHORT), BY_CALLS(crlf, SHORT), BY_CALLS(netstrings, SHORT),
		BY_CALLS(counted, SHORT), BY_CALLS(prefix8, 0), BY_CALLS(prefix16, SHORT),
		BY_CALLS(prefix32, LONG), BY_CALLS(fixed, FIXED),
	};

static const struct hosting hostings[] = {
	{ "lines",      { &blocking[0], &callback[0] } },
	{ "crlf",       { &blocking[1], &callback[1] } },
	{ "netstrings", { &blocking[2], &callback[2] } },
	{ "counted",    { &blocking[3], &callback[3] } },
	{ "prefix8",    { &blocking[4], &callback[4] } },
	{ "prefix16",   { &blocking[5], &callback[5] } },
	{ "prefix32",   { &blocking[6], &callback[6] } },
	{ "fixed",      { &blocking[7], &callback[7] } },
};

/* --- Scenarios -------------------------------------------------------------------------------- */

/* In one segment, in a segment for each byte, and in two segments at every place. */
static void frames(struct script *s, const char *service, const void *p, size_t n)
{
	struct client *c = meet(s, "", service);
	const char *bytes = p;

	say_bytes(c, p, n);
	say_eof(c);
	hear_end(c);
	c = meet(s, "", service);
	say_slowly(c, p, n);
	say_eof(c);
	hear_end(c);
	c = meet(s, "", service);
	c->quiet = true;
	for (size_t cut = 1; cut < n; cut++) {
		say_bytes(c, bytes, cut);
		say_bytes(c, bytes + cut, n - cut);
	}
	say_eof(c);
	hear_end(c);
	note(&s->talk, "%s", strcmp(c->ended, "EOF") == 0 ? "cut in two" : c->ended);
}

#define BYTES(text) (text), sizeof(text) - 1

static void lines(struct script *s)
{
	frames(s, "lines", BYTES("one\n\ntwo\r\nth\rree\n\r\n"));
}

static void crlf(struct script *s)
{
	frames(s, "crlf", BYTES("one\r\n\r\ntwo\nth\rree\r\n"));
}

static void netstrings(struct script *s)
{
	frames(s, "netstrings", BYTES("5:hello,0:,3:a,b,1:\n,"));
}

static void counted(struct script *s)
{
	frames(s, "counted", BYTES("5 hello0 3 a b1 5"));
}

static void prefix8(struct script *s)
{
	frames(s, "prefix8", BYTES("\5hello\0\1\1\3bye"));
}

static void prefix16(struct script *s)
{
	frames(s, "prefix16", BYTES("\0\5hello\0\0\0\1\1\0\3bye"));
}

static void prefix32(struct script *s)
{
	frames(s, "prefix32", BYTES("\0\0\0\5hello\0\0\0\0\0\0\0\1\1"));
}

static void fixed(struct script *s)
{
	frames(s, "fixed", BYTES("onlyfourthis"));
}

static void long_frame(struct script *s)
{
	static const uint8_t head[4] = { 0, 0, LONG >> 8, LONG & 255 };
	struct client *c = meet(s, "", "prefix32");

	for (int i = 0; i < 3; i++) {
		say_bytes(c, head, sizeof head);
		say_pattern(c, LONG);
		hear_bytes(c, sizeof head);
		hear_pattern(c, LONG);
	}
}

static void is_cut(struct script *s, const char *service, const void *p, size_t n)
{
	struct client *c = meet(s, service, service);

	say_bytes(c, p, n);
	hear_cut(c);
}

static void oversize(struct script *s)
{
	struct client *a = NULL, *c;
	char line[SHORT + 2];

	if (!s->in_turn)
		a = meet(s, "A", "echo");
	memset(line, 'x', sizeof line);
	c = meet(s, "lines", "lines");
	say_exactly(c, line, sizeof line);
	hear_cut(c);
	is_cut(s, "netstrings", BYTES("1001:"));
	is_cut(s, "counted", BYTES("99999999999999999999"));
	is_cut(s, "prefix16", BYTES("\3\351"));
	is_cut(s, "prefix32", BYTES("\377\377\377\377"));
	if (s->in_turn)
		a = meet(s, "A", "echo");
	say(a, "still here\n");
	hear_line(a);
	hang_up(a);
	ask_until(s, "lines", "why?\n", myr_strerror(MYR_EFRAME));
}

static void broken(struct script *s)
{
	struct client *c = meet(s, "netstrings", "netstrings");

	say(c, "2:ok,");
	hear_bytes(c, 5);
	say(c, "2:hey,");
	hear_cut(c);
	is_cut(s, "netstrings", BYTES("hello"));
	is_cut(s, "netstrings", BYTES("05:hello,"));
	is_cut(s, "counted", BYTES("-1 x"));
	is_cut(s, "counted", BYTES("\n"));
}

/* All in one arrival: the answers to what was whole leave before the end. */
static void good_before_broken(struct script *s)
{
	struct client *c = meet(s, "netstrings", "netstrings");

	say(c, "1:a,1:b,x");
	hear_bytes(c, 8);
	hear_cut(c);
	c = meet(s, "lines", "lines");
	say(c, "one\ntwo\nhalf");
	say_eof(c);
	hear_line(c);
	hear_line(c);
	hear_cut(c);
}

static void eof_inside(struct script *s)
{
	struct client *c = meet(s, "lines", "lines");

	say(c, "whole\n");
	hear_line(c);
	say_bytes(c, "half", 4);
	say_eof(c);
	hear_cut(c);
	c = meet(s, "prefix16", "prefix16");
	say_bytes(c, "\0\5hel", 5);
	say_eof(c);
	hear_cut(c);
	ask_until(s, "lines", "why?\n", myr_strerror(MYR_EFRAME));
}

#define NETSTRINGS "> 5:hello,0:,3:a,b,1:\n> \",\"\n> EOF\n< 5:hello,0:,3:a,b,1:\n< \",\"\n< EOF\n"
#define TWICE(text) text text "cut in two\n"

static const struct scenario scenarios[] = {
	{ "framing: lines", lines,
	  .text = TWICE("> one\n> \n> two\\r\n> th\\rree\n> \\r\n> EOF\n< one\n< \n< two\n"
	                "< th\\rree\n< \n< EOF\n") },
	{ "framing: crlf", crlf,
	  .text = TWICE("> one\\r\n> \\r\n> two\n> th\\rree\\r\n> EOF\n< one\\r\n< \\r\n< two\\r\n"
	                "< th\\rree\\r\n< EOF\n") },
	{ "framing: netstrings", netstrings, .text = TWICE(NETSTRINGS) },
	{ "framing: counted", counted,
	  .text = TWICE("> \"5 hello0 3 a b1 5\"\n> EOF\n"
	                "< \"5 hello0 3 a b1 5\"\n< EOF\n") },
	{ "framing: prefix8", prefix8,
	  .text = TWICE("> \"\\x05hello\\x00\\x01\\x01\\x03bye\"\n> EOF\n"
	                "< \"\\x05hello\\x00\\x01\\x01\\x03bye\"\n< EOF\n") },
	{ "framing: prefix16", prefix16,
	  .text = TWICE("> \"\\x00\\x05hello\\x00\\x00\\x00\\x01\\x01\\x00\\x03bye\"\n> EOF\n"
	                "< \"\\x00\\x05hello\\x00\\x00\\x00\\x01\\x01\\x00\\x03bye\"\n< EOF\n") },
	{ "framing: prefix32", prefix32,
	  .text = TWICE("> \"\\x00\\x00\\x00\\x05hello\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01\\x01\"\n"
	                "> EOF\n"
	                "< \"\\x00\\x00\\x00\\x05hello\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x01\\x01\"\n"
	                "< EOF\n") },
	{ "framing: fixed", fixed,
	  .text = TWICE("> \"onlyfourthis\"\n> EOF\n< \"onlyfourthis\"\n"
	                "< EOF\n") },
	{ "frames of 60000 bytes", long_frame,
	  .text = "> \"\\x00\\x00\\xea`\"\n> 60000 bytes\n< \"\\x00\\x00\\xea`\"\n< 60000 bytes\n"
	          "> \"\\x00\\x00\\xea`\"\n> 60000 bytes\n< \"\\x00\\x00\\xea`\"\n< 60000 bytes\n"
	          "> \"\\x00\\x00\\xea`\"\n> 60000 bytes\n< \"\\x00\\x00\\xea`\"\n< 60000 bytes\n" },
	{ "a frame too long ends only its connection", oversize,
	  .text = "lines> 1002 bytes\nlines< END\nnetstrings> \"1001:\"\nnetstrings< END\n"
	          "counted> \"99999999999999999999\"\ncounted< END\nprefix16> \"\\x03\\xe9\"\n"
	          "prefix16< END\nprefix32> \"\\xff\\xff\\xff\\xff\"\nprefix32< END\n"
	          "A> still here\nA< still here\nA> hangs up\nwhy?: broken or too long frame\n",
	  .at_once = 2 },
	{ "broken framing ends its connection", broken,
	  .text = "netstrings> \"2:ok,\"\nnetstrings< \"2:ok,\"\nnetstrings> \"2:hey,\"\n"
	          "netstrings< END\nnetstrings> \"hello\"\nnetstrings< END\n"
	          "netstrings> \"05:hello,\"\nnetstrings< END\ncounted> \"-1 x\"\ncounted< END\n"
	          "counted> \ncounted< END\n" },
	{ "EOF inside a frame is no frame", eof_inside,
	  .text = "lines> whole\nlines< whole\nlines> \"half\"\nlines> EOF\nlines< END\n"
	          "prefix16> \"\\x00\\x05hel\"\nprefix16> EOF\nprefix16< END\n"
	          "why?: broken or too long frame\n" },
	{ "good frames before a broken one", good_before_broken, .text = "netstrings> \"1:a,1:b,x\"\nnetstrings< \"1:a,1:b,\"\n"
	          "netstrings< END\nlines> one\nlines> two\nlines> \"half\"\nlines> EOF\nlines< one\nlines< two\nlines< END\n" },
};

const struct topic topic_framing = {
	hostings, sizeof hostings / sizeof hostings[0], scenarios, sizeof scenarios / sizeof scenarios[0],
};
