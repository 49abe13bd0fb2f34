/* SPDX-License-Identifier: MIT
 *
 * exact_list.c - S3-P5, Servidor.py: one request a connection, whatever its first recv(1024) gives.
 *
 * Who sends nothing appends '', "LIST\n" is an item, and bytes that are no text get no answer. */
#include <string.h>

#include "service/exact.h"
#include "service/list.h"
#include "service/screen.h"
#include "service/services.h"
#include "service/utf8.h"

struct shown {
	struct screen screen;
	size_t n;
};

static int show_item(void *arg, const void *item, size_t n)
{
	struct shown *shown = arg;

	if (shown->n++ > 0)
		screen_add(&shown->screen, ", ");
	screen_str(&shown->screen, item, n);
	return 0;
}

static void show_list(struct myr_conn *c)
{
	struct shown shown = { .n = 0 };

	screen_add(&shown.screen, "lista= [");
	store_list(list_store(c), c, show_item, &shown);
	screen_add(&shown.screen, "]\n");
	screen_show(&shown.screen);
}

/* print(sys.exc_info()) */
static void show_exception(struct myr_conn *c, const char *data, size_t n, const struct utf8_error *e)
{
	struct screen s = { .text = NULL };

	screen_add(&s, "(<class 'UnicodeDecodeError'>, UnicodeDecodeError('utf-8', ");
	screen_bytes(&s, data, n);
	screen_add(&s, ", %zu, %zu, '%s'), <traceback object at %p>)\n", e->start, e->end, e->reason, (void *)c);
	screen_show(&s);
}

static int request(struct myr_conn *c, const char *text, size_t n)
{
	int err;

	if (n == 4 && memcmp(text, "LIST", 4) == 0)
		return list_send(c);
	if (n == 5 && memcmp(text, "CLEAR", 5) == 0) {
		err = store_clear(list_store(c), c);
		if (err == 0)
			myr_printf(c, "Lista apagada");
		return err;
	}
	err = store_append(list_store(c), c, text, n);
	if (err == 0)
		myr_printf(c, "Ack");
	return err;
}

static void s3_p5_handle(struct myr_conn *c)
{
	char text[EXACT_RECV];
	ssize_t got = myr_read(c, text, sizeof text);
	size_t n = got > 0 ? (size_t)got : 0;
	struct utf8_error wrong = utf8_check(text, n);

	if (got < 0 && got != MYR_EOF)
		return;
	if (wrong.reason)
		show_exception(c, text, n, &wrong);
	else if (request(c, text, n) == 0)
		show_list(c);
}

static const struct myr_service s3_p5 = {
	.name = "list", .about = "S3-P5: Servidor.py, the list server", .state = sizeof(struct list),
	.handle = s3_p5_handle, .start = list_start, .stop = list_stop,
};

const struct edition editions_list[] = {
	{ .id = "S3-P5", .service = &s3_p5, .endpoints = { "127.0.0.1:9999" }, .engine = "iterative" },
	{ .id = NULL }
};
