/* SPDX-License-Identifier: MIT
 *
 * typed.c - standard input in lines, watched by a loop. */
#include "cli/typed.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/edit.h"
#include "cli/say.h"

static struct typed *typed_editing;     /* neither libedit's handler nor a signal's has an argument */
static struct sigaction typed_before[3];
static const int typed_signals[3] = { SIGINT, SIGTERM, SIGHUP };
volatile sig_atomic_t typed_interrupted;

bool typed_can_edit(void)
{
	const char *term = getenv("TERM");

	return edit_built() && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
}

/* --- Plain ------------------------------------------------------------------------------------------ */

static void typed_show(struct typed *t)
{
	if (!t->open || !t->screen)
		return;
	if (t->edits)
		edit_show(t->prompt);
	else
		fputs(t->prompt, stdout);
	fflush(stdout);
	t->shown = true;
}

static void typed_over(struct typed *t)
{
	if (!t->open)
		return;
	typed_close(t);
	t->line(t->arg, NULL, 0);
}

/* The lines that are complete; what is left moves to the front. */
static void typed_split(struct typed *t)
{
	char *from = t->text, *end, *next;

	while (t->open && !t->paused && (end = memchr(from, '\n', t->n - (size_t)(from - t->text)))) {
		next = end + 1;
		if (end > from && end[-1] == '\r')
			end--;
		*end = '\0';
		t->shown = false;
		t->line(t->arg, from, (size_t)(end - from));
		from = next;
		typed_show(t);
	}
	if (!t->open)
		return;
	t->n -= (size_t)(from - t->text);
	memmove(t->text, from, t->n);
}

static void typed_readable(struct myr_loop *l, int fd, unsigned events, void *arg)
{
	struct typed *t = arg;
	ssize_t n = read(fd, t->text + t->n, TYPED_MAX - t->n);

	(void)l;
	(void)events;
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0)
		say_error(t->command, "cannot read standard input: %s", myr_strerror(-errno));
	t->failed = n < 0;
	if (n > 0) {
		t->n += (size_t)n;
		typed_split(t);
		if (!t->open || t->paused || t->n < TYPED_MAX)
			return;
		say_error(t->command, "a line of standard input is longer than %d bytes", TYPED_MAX - 1);
		t->failed = true;
	} else if (t->n > 0) {
		t->text[t->n++] = '\n';         /* the last line may lack its end; there is room: n < TYPED_MAX */
		typed_split(t);
	}
	typed_over(t);
}

/* --- Edited ------------------------------------------------------------------------------------------ */

/* While libedit has the terminal a signal must not end us: the terminal would stay as it is. */
static void typed_signal(int number)
{
	typed_interrupted = number;
	myr_loop_stop(typed_editing->loop);
}

static void typed_catch(void)
{
	const struct sigaction caught = { .sa_handler = typed_signal };

	for (int i = 0; i < 3; i++)
		sigaction(typed_signals[i], &caught, &typed_before[i]);
}

static void typed_let_go(void)
{
	for (int i = 0; i < 3; i++)
		sigaction(typed_signals[i], &typed_before[i], NULL);
}

static void typed_edited(char *text)
{
	struct typed *t = typed_editing;

	t->shown = false;
	if (!text) {
		fputc('\n', stdout);
		typed_over(t);
		return;
	}
	t->line(t->arg, text, strlen(text));
	free(text);
	t->shown = true;                /* libedit shows it when its handler is installed again */
}

static void typed_key(struct myr_loop *l, int fd, unsigned events, void *arg)
{
	(void)l;
	(void)fd;
	(void)events;
	(void)arg;
	edit_key();
}

/* --- Both ------------------------------------------------------------------------------------------- */

int typed_open(struct typed *t)
{
	int err;

	t->edits = typed_can_edit();
	t->screen = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
	t->text = t->edits ? NULL : malloc(TYPED_MAX);
	t->n = 0;
	t->paused = t->failed = false;
	if (!t->edits && !t->text)
		return -ENOMEM;
	err = myr_watch(t->loop, STDIN_FILENO, MYR_READ, t->edits ? typed_key : typed_readable, t);
	if (err < 0) {
		free(t->text);
		return err;
	}
	t->open = true;
	typed_editing = t;
	if (t->edits) {
		typed_catch();
		edit_open(t->prompt, typed_edited);
	} else {
		typed_show(t);
	}
	t->shown = t->screen;
	return 0;
}

void typed_pause(struct typed *t)
{
	if (!t->open || t->edits)
		return;
	t->paused = true;
	myr_watch(t->loop, STDIN_FILENO, 0, NULL, NULL);
}

void typed_resume(struct typed *t)
{
	int err;

	if (!t->open || !t->paused)
		return;
	t->paused = false;
	typed_split(t);
	if (!t->open || t->paused)
		return;
	err = myr_watch(t->loop, STDIN_FILENO, MYR_READ, typed_readable, t);
	if (err < 0) {
		say_error(t->command, "cannot wait for standard input: %s", myr_strerror(err));
		t->failed = true;
		typed_over(t);
	}
}

void typed_prompt(struct typed *t, const char *prompt)
{
	snprintf(t->prompt, sizeof t->prompt, "%s", prompt);
	if (t->edits && t->open)
		edit_set_prompt(t->prompt);
}

void typed_print(struct typed *t, const char *text)
{
	const bool shown = t->shown;

	if (shown)
		fputs("\r\033[K", stdout);
	t->shown = false;
	fputs(text, stdout);
	if (shown)
		typed_show(t);
	fflush(stdout);
}

void typed_close(struct typed *t)
{
	if (!t->open)
		return;
	t->open = false;
	if (t->shown)
		fputs("\r\033[K", stdout);
	t->shown = false;
	fflush(stdout);
	myr_watch(t->loop, STDIN_FILENO, 0, NULL, NULL);
	if (t->edits) {
		edit_close();
		typed_let_go();
	}
}

void typed_free(struct typed *t)
{
	typed_close(t);
	free(t->text);
	t->text = NULL;
}
