/* SPDX-License-Identifier: MIT
 *
 * list.c - lines are kept in a list that all clients share; LIST shows it, CLEAR empties it.
 *
 * The tutorial's list server (S3), made sound: a line is one request, however it arrives; one connection
 * takes any number of them; "Ack" means that the item is kept, and what is not kept is answered with a line
 * that begins with "Error: ".  Commands are exact, so "list" is an item. */
#include "service/list.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "service/repr.h"
#include "service/services.h"
#include "service/utf8.h"
#include "service/value.h"

#define ITEM_MAX 4096
#define LINE_MAX_BYTES (64u << 10)      /* so long lines are still answered; longer ones end the connection */

static bool one;

static const struct myr_app_option options[] = {
	{ "store", "mem", "where list keeps its items" },
	{ "items-max", "1000000", "most items of the list" },
	{ "bytes-max", "16M", "most bytes of all items together" },
	{ "one", "no", "list takes one request a connection, as the tutorial's does" },
	{ .name = NULL }
};

static int build(struct myr_server *v, void **arg)
{
	const char *what = myr_app_value(v, "store");
	struct store *store;
	uint64_t items, bytes;
	int err;

	if ((err = value_switch(v, "one", &one)) < 0 || (err = value_number(v, "items-max", 1, UINT64_MAX, &items)) < 0 ||
	    (err = value_number(v, "bytes-max", 1, UINT64_MAX, &bytes)) < 0)
		return err;
	err = store_open(&store, v, what, &(struct store_limits){ .items = items, .bytes = bytes });
	if (err == 0)
		*arg = store;
	return err;
}

int list_start(struct myr_loop *l, void *arg)
{
	return store_start(arg, l);
}

void list_stop(struct myr_loop *l, void *arg)
{
	store_stop(arg, l);
}

struct store *list_store(struct myr_conn *c)
{
	return myr_arg(c);
}

/* --- The list to the peer --------------------------------------------------------------------------- */

static int send_item(void *arg, const void *item, size_t n)
{
	struct list *k = arg;
	char *text = malloc(REPR_STR_MAX(n));
	ssize_t err = -ENOMEM;

	if (text) {
		size_t len = repr_str(text, REPR_STR_MAX(n), item, n);

		if (!k->begun || (err = myr_write(k->conn, ", ", 2)) > 0)
			err = myr_write(k->conn, text, len);
		k->begun = true;
	}
	free(text);
	return err < 0 ? (int)err : 0;
}

int list_send(struct myr_conn *c)
{
	struct list *k = myr_state(c);
	ssize_t err;

	k->conn = c;
	k->begun = false;
	if ((err = myr_write(c, "[", 1)) < 0 || (err = store_list(list_store(c), c, send_item, k)) < 0 ||
	    (err = myr_write(c, "]", 1)) < 0)
		return (int)err;
	return 0;
}

/* --- Requests ---------------------------------------------------------------------------------------- */

static void refuse(struct myr_conn *c, int err)
{
	if (err == -EDQUOT)
		myr_printf(c, "Error: not kept: the list is full\n");
	else
		myr_printf(c, "Error: not kept: %s\n", myr_strerror(err));
}

static void append(struct myr_conn *c, const char *item, size_t n)
{
	struct utf8_error wrong = utf8_check(item, n);
	int err;

	if (n == 0)
		myr_printf(c, "Error: an empty line is no item\n");
	else if (wrong.reason)
		myr_printf(c, "Error: not UTF-8 at byte %zu: %s\n", wrong.start, wrong.reason);
	else if ((err = store_append(list_store(c), c, item, n)) < 0)
		refuse(c, err);
	else
		myr_printf(c, "Ack\n");
}

static bool is(const char *line, size_t n, const char *command)
{
	return n == strlen(command) && memcmp(line, command, n) == 0;
}

static void answer(struct myr_conn *c, const char *line, size_t n)
{
	int err;

	if (is(line, n, "LIST")) {
		err = list_send(c);
		if (err == 0) {
			myr_printf(c, "\n");
			return;
		}
		/* A part of the list must not pass for the whole. */
		myr_log(c, LOG_NOTICE, "the list broke off: %s", myr_strerror(err));
		myr_abort(c);
	} else if (is(line, n, "CLEAR")) {
		err = store_clear(list_store(c), c);
		if (err < 0)
			myr_printf(c, "Error: not cleared: %s\n", myr_strerror(err));
		else
			myr_printf(c, "Lista apagada\n");
	} else {
		append(c, line, n);
	}
}

static void handle(struct myr_conn *c)
{
	char line[ITEM_MAX + 1];
	ssize_t n;

	do {
		n = myr_recv(c, line, sizeof line);
		if (n == -EMSGSIZE)
			myr_printf(c, "Error: not kept: longer than %d bytes\n", ITEM_MAX);
		else if (n >= 0)
			answer(c, line, (size_t)n);
	} while (n >= 0 && !one && myr_error(c) == 0);
}

const struct myr_service service_list = {
	.name = "list", .about = "lines kept in a list for all clients; LIST shows it, CLEAR empties it",
	.state = sizeof(struct list), .framing = &myr_lines, .frame_max = LINE_MAX_BYTES,
	.handle = handle, .start = list_start, .stop = list_stop,
};

const struct myr_app app_list = {
	.size = sizeof(struct myr_app), .service_size = sizeof(struct myr_service),
	.service = &service_list, .options = options, .build = build,
};
