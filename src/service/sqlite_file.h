/* SPDX-License-Identifier: MIT
 *
 * sqlite_file.h - a list in an SQLite database: one handle, used by one thread at a time.
 *
 * A handle is opened after the last fork and never carried over one (sqlite.org/howtocorrupt.html, 2.6).
 * Every commit is on the disk when it returns: WAL with synchronous=FULL. */
#ifndef SERVICE_SQLITE_FILE_H
#define SERVICE_SQLITE_FILE_H

#include <sqlite3.h>
#include <stdint.h>

#include "service/store_ops.h"

#define SQLITE_BUSY_MS 5000             /* how long to wait for another process's write */

enum sqlite_statement { SQL_BEGIN, SQL_BEGIN_WRITE, SQL_COMMIT, SQL_TOTAL, SQL_SET_TOTAL, SQL_INSERT, SQL_DELETE,
	SQL_PAGE, SQL_COUNT };

struct sqlite_file {
	sqlite3 *db;                    /* NULL: closed */
	sqlite3_stmt *statement[SQL_COUNT];
};

struct sqlite_total { int64_t items, bytes, clears, last; };    /* last: the highest id there is */

/* Open it and make the list in it if it is new.  What is not ours is refused. */
int  sqlite_file_create(const char *path, struct store_why *);
/* Open it if it is closed.  A file that is no longer where it was is opened anew, if there is one. */
int  sqlite_file_ready(struct sqlite_file *, const char *path, struct store_why *);
void sqlite_file_close(struct sqlite_file *);

/* 0 or an error; closing takes back a transaction that was begun and not committed. */
int  sqlite_file_run(struct sqlite_file *, enum sqlite_statement, struct store_why *);
int  sqlite_file_total(struct sqlite_file *, struct sqlite_total *, struct store_why *);
int  sqlite_file_set_total(struct sqlite_file *, const struct sqlite_total *, struct store_why *);
int  sqlite_file_insert(struct sqlite_file *, const void *item, size_t n, struct store_why *);
/* Items with ids above *after and up to last, as many as the piece takes; *after becomes the last one's. */
int  sqlite_file_page(struct sqlite_file *, int64_t *after, int64_t last, struct store_piece *, struct store_why *);

#endif
