/* SPDX-License-Identifier: MIT
 *
 * sqlite_file.c - a list in an SQLite database: its tables, its statements, its errors. */
#include "service/sqlite_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OURS 0x6d797269                 /* application_id: "myri" */

/* AUTOINCREMENT: an id is never used again, so ids order all there ever was. */
static const char *const schema =
	"CREATE TABLE list (id INTEGER PRIMARY KEY AUTOINCREMENT, item BLOB NOT NULL);"
	"CREATE TABLE total (one INTEGER PRIMARY KEY CHECK (one = 1), items INTEGER, bytes INTEGER, clears INTEGER);"
	"INSERT INTO total VALUES (1, 0, 0, 0);";

static const char *const text[SQL_COUNT] = {
	[SQL_BEGIN]       = "BEGIN",
	[SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
	[SQL_COMMIT]      = "COMMIT",
	[SQL_TOTAL]       = "SELECT items, bytes, clears, coalesce((SELECT max(id) FROM list), 0) FROM total",
	[SQL_SET_TOTAL]   = "UPDATE total SET items = ?, bytes = ?, clears = ?",
	[SQL_INSERT]      = "INSERT INTO list (item) VALUES (?)",
	[SQL_DELETE]      = "DELETE FROM list",
	[SQL_PAGE]        = "SELECT id, item FROM list WHERE id > ? AND id <= ? ORDER BY id",
};

/* --- Errors ---------------------------------------------------------------------------------------- */

static int errno_of(int code, int system)
{
	switch (code & 0xff) {
	case SQLITE_BUSY: case SQLITE_LOCKED:   return -EBUSY;
	case SQLITE_FULL:                       return -ENOSPC;
	case SQLITE_READONLY: case SQLITE_PERM: case SQLITE_AUTH: return -EACCES;
	case SQLITE_NOMEM:                      return -ENOMEM;
	case SQLITE_TOOBIG:                     return -EMSGSIZE;
	case SQLITE_CANTOPEN:                   return system > 0 ? -system : -ENOENT;
	default:                                return -EIO;
	}
}

static int failed(struct sqlite_file *f, struct store_why *why, const char *what)
{
	int code = sqlite3_extended_errcode(f->db), system = sqlite3_system_errno(f->db);
	int err = errno_of(code, system);
	bool locked = err == -EBUSY, telling = system > 0 && !locked;

	return store_because(why, err, "cannot %s: %s%s%s%s", what, sqlite3_errmsg(f->db), telling ? ": " : "",
	                     telling ? strerror(system) : "", locked ? " by another process, for 5 s" : "");
}

/* --- Opening ----------------------------------------------------------------------------------------- */

static int open_only(struct sqlite_file *f, const char *path, int more, struct store_why *why)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | more;
	int code;

	*f = (struct sqlite_file){ 0 };
	code = sqlite3_open_v2(path, &f->db, flags, NULL);
	if (f->db == NULL)
		return store_because(why, -ENOMEM, "cannot open: out of memory");
	sqlite3_busy_timeout(f->db, SQLITE_BUSY_MS);
	if (code == SQLITE_OK && sqlite3_exec(f->db, "PRAGMA synchronous = FULL", NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return failed(f, why, "open");
}

void sqlite_file_close(struct sqlite_file *f)
{
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(f->statement[i]);
	sqlite3_close(f->db);
	*f = (struct sqlite_file){ 0 };
}

/* One number or word that a query answers with; "" if none. */
static int ask(struct sqlite_file *f, const char *sql, char *dst, size_t size, struct store_why *why)
{
	sqlite3_stmt *s = NULL;
	int code = sqlite3_prepare_v2(f->db, sql, -1, &s, NULL), err = 0;

	*dst = '\0';
	if (code == SQLITE_OK)
		code = sqlite3_step(s);
	if (code == SQLITE_ROW && sqlite3_column_text(s, 0) != NULL)
		snprintf(dst, size, "%s", (const char *)sqlite3_column_text(s, 0));
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		err = failed(f, why, "read");
	sqlite3_finalize(s);
	return err;
}

static int is_ours(struct sqlite_file *f, struct store_why *why)
{
	char id[24];
	int err = ask(f, "PRAGMA application_id", id, sizeof id, why);

	if (err < 0)
		return err;
	return strtoll(id, NULL, 10) == OURS;
}

static int make_list(struct sqlite_file *f, struct store_why *why)
{
	char tables[24], mark[48];
	int err = ask(f, "SELECT count(*) FROM sqlite_master", tables, sizeof tables, why);

	if (err < 0)
		return err;
	if (strcmp(tables, "0") != 0)
		return store_because(why, -EEXIST, "this is the database of something else: give another file");
	snprintf(mark, sizeof mark, "PRAGMA application_id = %d", OURS);
	if (sqlite3_exec(f->db, schema, NULL, NULL, NULL) == SQLITE_OK &&
	    sqlite3_exec(f->db, mark, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return failed(f, why, "make the list");
}

/* Others may be doing the same at this moment: who is second finds it made. */
static int make_if_new(struct sqlite_file *f, struct store_why *why)
{
	int ours = is_ours(f, why);

	if (ours != 0)
		return ours < 0 ? ours : 0;
	if (sqlite3_exec(f->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
		return failed(f, why, "write");
	ours = is_ours(f, why);
	if (ours == 0)
		ours = make_list(f, why);
	if (ours >= 0 && sqlite3_exec(f->db, "COMMIT", NULL, NULL, NULL) != SQLITE_OK)
		ours = failed(f, why, "write");
	return ours < 0 ? ours : 0;
}

int sqlite_file_create(const char *path, struct store_why *why)
{
	struct sqlite_file f;
	char mode[24];
	int err = open_only(&f, path, SQLITE_OPEN_CREATE, why);

	if (err == 0)
		err = make_if_new(&f, why);
	if (err == 0)
		err = ask(&f, "PRAGMA journal_mode = WAL", mode, sizeof mode, why);
	if (err == 0 && strcmp(mode, "wal") != 0)
		err = store_because(why, -ENOTSUP, "no write-ahead log here (journal mode \"%s\"): is it on a network?", mode);
	sqlite_file_close(&f);
	return err;
}

static bool has_moved(struct sqlite_file *f)
{
	int moved = 0;

	return sqlite3_file_control(f->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved;
}

int sqlite_file_ready(struct sqlite_file *f, const char *path, struct store_why *why)
{
	int err;

	if (f->db != NULL && has_moved(f))
		sqlite_file_close(f);           /* what it holds is no longer found under its name */
	if (f->db != NULL)
		return 0;
	err = open_only(f, path, 0, why);
	for (int i = 0; i < SQL_COUNT && err == 0; i++)
		if (sqlite3_prepare_v3(f->db, text[i], -1, SQLITE_PREPARE_PERSISTENT, &f->statement[i], NULL) != SQLITE_OK)
			err = failed(f, why, "read");
	if (err < 0)
		sqlite_file_close(f);
	return err;
}

/* --- Statements --------------------------------------------------------------------------------------- */

int sqlite_file_run(struct sqlite_file *f, enum sqlite_statement i, struct store_why *why)
{
	int code = sqlite3_step(f->statement[i]), err = 0;

	if (code != SQLITE_DONE)
		err = failed(f, why, i == SQL_BEGIN ? "read" : "write");
	sqlite3_reset(f->statement[i]);
	return err;
}

int sqlite_file_total(struct sqlite_file *f, struct sqlite_total *t, struct store_why *why)
{
	sqlite3_stmt *s = f->statement[SQL_TOTAL];
	int code = sqlite3_step(s), err = 0;

	if (code == SQLITE_ROW)
		*t = (struct sqlite_total){ sqlite3_column_int64(s, 0), sqlite3_column_int64(s, 1),
		                            sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3) };
	else if (code == SQLITE_DONE)
		err = store_because(why, -EIO, "cannot read: the table total is empty");
	else
		err = failed(f, why, "read");
	sqlite3_reset(s);
	return err;
}

int sqlite_file_set_total(struct sqlite_file *f, const struct sqlite_total *t, struct store_why *why)
{
	sqlite3_stmt *s = f->statement[SQL_SET_TOTAL];

	sqlite3_bind_int64(s, 1, t->items);
	sqlite3_bind_int64(s, 2, t->bytes);
	sqlite3_bind_int64(s, 3, t->clears);
	return sqlite_file_run(f, SQL_SET_TOTAL, why);
}

int sqlite_file_insert(struct sqlite_file *f, const void *item, size_t n, struct store_why *why)
{
	sqlite3_stmt *s = f->statement[SQL_INSERT];
	int err;

	sqlite3_bind_blob(s, 1, n > 0 ? item : "", (int)n, SQLITE_STATIC);
	err = sqlite_file_run(f, SQL_INSERT, why);
	sqlite3_clear_bindings(s);
	return err;
}

int sqlite_file_page(struct sqlite_file *f, int64_t *after, int64_t last, struct store_piece *p, struct store_why *why)
{
	sqlite3_stmt *s = f->statement[SQL_PAGE];
	int code, err = 0;

	sqlite3_bind_int64(s, 1, *after);
	sqlite3_bind_int64(s, 2, last);
	while ((code = sqlite3_step(s)) == SQLITE_ROW) {
		size_t n = (size_t)sqlite3_column_bytes(s, 1);

		if (n > STORE_ITEM_MAX)
			err = store_because(why, -EMSGSIZE, "item %lld has %zu bytes, and %u is the most",
			                    sqlite3_column_int64(s, 0), n, STORE_ITEM_MAX);
		if (err < 0 || !store_piece_add(p, sqlite3_column_blob(s, 1), n))
			break;
		*after = sqlite3_column_int64(s, 0);
	}
	if (code != SQLITE_ROW && code != SQLITE_DONE)
		err = failed(f, why, "read");
	sqlite3_reset(s);
	return err;
}
