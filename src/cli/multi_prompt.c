/* SPDX-License-Identifier: MIT
 *
 * multi_prompt.c - many connections by hand: "1> HELLO" speaks to one, "@all HELLO" to all, "#2 close"
 * ends one.  A pipe may be typed, too. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "cli/multi.h"
#include "cli/say.h"
#include "cli/text.h"

static const char help[] =
	"TEXT          to the connection in the prompt\n"
	"@2 TEXT       to connection 2          @all TEXT   to all of them\n"
	"#2            from now on to 2         #2 close    end it       #all close\n"
	"#list         how they are             #help       this         Ctrl-D   end all\n";

static void prompt_status(struct multi *u)
{
	char line[2 * TEXT_NUMBER + 40], open[TEXT_NUMBER], failed[TEXT_NUMBER];

	if (u->quiet)
		return;
	snprintf(line, sizeof line, "[*] %s open, %s failed\n", text_number(open, u->crowd.open),
	         text_number(failed, u->crowd.tally.failed));
	multi_put(u, line);
}

/* --- Commands ------------------------------------------------------------------------------------- */

/* "all" is 0; the member's number, or -1 after it has been said. */
static long prompt_number(struct multi *u, const char *word, size_t n, const char **rest)
{
	char line[100], *end;
	long id;

	*rest = word + n + strspn(word + n, " ");
	if (n == 3 && strncmp(word, "all", 3) == 0)
		return 0;
	id = strtol(word, &end, 10);
	if (end == word + n && n > 0 && id >= 1 && (unsigned long)id <= u->crowd.n)
		return id;
	snprintf(line, sizeof line, "[?] no such connection; there are 1 to %u, and all   (#help shows more)\n", u->crowd.n);
	multi_put(u, line);
	return -1;
}

static bool prompt_say_to(struct multi *u, unsigned id, const char *text)
{
	struct member *m = &u->crowd.members[id - 1];
	size_t n = strlen(text), end = strlen(u->eol);
	char *line;
	bool said;

	if (!m->conn)
		return false;
	line = malloc(n + end);
	if (!line)
		return false;
	memcpy(line, text, n);
	memcpy(line + n, u->eol, end);
	said = crowd_say(m, line, n + end);
	free(line);
	return said;
}

static void prompt_say(struct multi *u, long id, const char *text)
{
	char line[64];

	if (id > 0 && !prompt_say_to(u, (unsigned)id, text)) {
		snprintf(line, sizeof line, "[%ld] is closed\n", id);
		multi_put(u, line);
	}
	for (unsigned i = 1; id == 0 && i <= u->crowd.n; i++)
		prompt_say_to(u, i, text);
}

static void prompt_close(struct multi *u, long id)
{
	for (unsigned i = 1; i <= u->crowd.n; i++)
		if ((id == 0 || i == (unsigned)id) && u->crowd.members[i - 1].conn)
			myr_close(u->crowd.members[i - 1].conn);
}

static void prompt_at(struct multi *u, long id)
{
	char prompt[32];

	if (id <= 0)
		return;
	u->at = (unsigned)id;
	snprintf(prompt, sizeof prompt, "%ld> ", id);
	typed_prompt(&u->typed, prompt);
}

static void prompt_list(struct multi *u)
{
	char line[160];

	for (unsigned i = 0; i < u->crowd.n; i++) {
		const struct member *m = &u->crowd.members[i];

		snprintf(line, sizeof line, "[%u] %s, %llu bytes received\n", m->id,
		         m->conn ? "open" : m->open ? "closed" : "failed", (unsigned long long)m->got);
		multi_put(u, line);
	}
	prompt_status(u);
}

static void prompt_command(struct multi *u, const char *text)
{
	const char *rest;
	long id;

	if (strcmp(text, "help") == 0) {
		multi_put(u, help);
	} else if (strcmp(text, "list") == 0) {
		prompt_list(u);
	} else {
		id = prompt_number(u, text, strcspn(text, " "), &rest);
		if (id < 0)
			return;
		if (strcmp(rest, "close") == 0)
			prompt_close(u, id);
		else if (*rest == '\0' && id > 0)
			prompt_at(u, id);
		else
			multi_put(u, "[?] after # there is a number, and perhaps \"close\"   (#help shows more)\n");
	}
}

/* --- Lines ------------------------------------------------------------------------------------------ */

/* The end of the input: whoever still answers may; those that do not end are cut when their time is over. */
static void prompt_cut(struct myr_loop *l, void *arg)
{
	struct multi *u = arg;

	(void)l;
	for (unsigned i = 0; i < u->crowd.n; i++)
		if (u->crowd.members[i].conn) {
			u->crowd.members[i].why = -ETIMEDOUT;
			myr_abort(u->crowd.members[i].conn);
		}
}

static void prompt_end(struct multi *u)
{
	for (unsigned i = 0; i < u->crowd.n; i++)
		if (u->crowd.members[i].conn)
			myr_write_eof(u->crowd.members[i].conn);
	if (u->crowd.timeout_ms >= 0 && u->crowd.open > 0)
		myr_after(u->crowd.loop, u->crowd.timeout_ms, prompt_cut, u);
}

static void prompt_line(void *arg, char *text, size_t n)
{
	struct multi *u = arg;
	const char *rest;
	long id;

	(void)n;
	if (!text) {
		prompt_end(u);
	} else if (text[0] == '#') {
		prompt_command(u, text + 1);
	} else if (text[0] == '@') {
		id = prompt_number(u, text + 1, strcspn(text + 1, " "), &rest);
		if (id >= 0)
			prompt_say(u, id, rest);
	} else {
		prompt_say(u, (long)u->at, text);
	}
}

/* --- What is shown -------------------------------------------------------------------------------- */

static void prompt_heard(struct member *m, const void *p, size_t n)
{
	multi_show_text(m->crowd->arg, m->id, p, n, tally_ms(m->asked));
}

static void prompt_ended(struct member *m, int why)
{
	struct multi *u = m->crowd->arg;
	char line[160];

	if (why < 0 && why != MYR_EOF)
		snprintf(line, sizeof line, "[%u] %s: %s\n", m->id, m->open ? "lost" : "no connection",
		         m->open || why != -ETIMEDOUT ? myr_strerror(why) : "none in time");
	else
		snprintf(line, sizeof line, "[%u] closed\n", m->id);
	if (why < 0 || !u->quiet)
		multi_put(u, line);
	if (u->typed.open) {
		prompt_status(u);
		if (u->crowd.open == 0)
			typed_close(&u->typed); /* nobody is left to talk to */
	}
	if (u->crowd.open == 0 && u->crowd.settled == u->crowd.n)
		myr_after(m->crowd->loop, MYR_NONE, prompt_cut, u);
}

static void prompt_begin(struct crowd *c)
{
	struct multi *u = c->arg;
	int err;

	prompt_status(u);
	if (c->open == 0)
		return;
	u->typed = (struct typed){ .command = MULTI, .loop = c->loop, .line = prompt_line, .arg = u };
	for (u->at = 1; !c->members[u->at - 1].conn; )
		u->at++;
	prompt_at(u, u->at);
	err = typed_open(&u->typed);
	if (err < 0) {
		say_error(MULTI, "cannot wait for standard input: %s", myr_strerror(err));
		prompt_end(u);
	}
}

const struct crowd_show multi_show_prompt = { .heard = prompt_heard, .ended = prompt_ended, .settled = prompt_begin };
