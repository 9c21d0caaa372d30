/*
 * A directory for one test, and what is done to the files in it: bytes in and out, SQL through SQLite's own
 * VFS, and the reference that every engine is held against: the recovered and checkpointed copy that SQLite
 * itself makes.
 */
#pragma once

#include "snapshot/store.h"
#include "tap.h"

#include <sqlite3.h>
#include <sys/stat.h>

struct scratch {
        char path[128];
        int dirfd;
};

/* Made in $TMPDIR or /tmp; removed with all that is in it. */
struct scratch scratch_new(void);
void scratch_deinit(struct scratch *scratch);
#define SCRATCH(name) _cleanup_(scratch_deinit) struct scratch name = scratch_new()

/* dir/name, in one of a few static buffers. */
const char *scratch_path(const struct scratch *scratch, const char *name);
struct store_file scratch_file(const struct scratch *scratch, const char *name);
struct stat scratch_stat(const struct scratch *scratch, const char *name);
/* Names, attributes but access times, and bytes of all that is in it, and the directory's own times, as one
 * number. */
uint64_t scratch_print(const struct scratch *scratch);
/* Returns when the file is old enough for its times to prove something. */
void scratch_settle(const struct scratch *scratch, const char *name);

struct bytes {
        uint8_t *data;
        size_t size;
};

void bytes_deinit(struct bytes *bytes);
#define BYTES(name) _cleanup_(bytes_deinit) struct bytes name
bool bytes_equal(const struct bytes *a, const struct bytes *b);

bool scratch_has(const struct scratch *scratch, const char *name);
int scratch_open(const struct scratch *scratch, const char *name, int flags);
/* All of a file; {NULL, 0} when there is none. */
struct bytes scratch_read(const struct scratch *scratch, const char *name);
struct bytes fd_read(int fd);
void scratch_write(const struct scratch *scratch, const char *name, const void *data, size_t size);
/* name with its -wal and -journal where there are any; never the -shm. */
void scratch_copy_database(const struct scratch *from, const char *name, const struct scratch *to,
                           const char *to_name);
/* The bytes of a copy of name after SQLite has recovered and checkpointed it. Nobody may be writing. */
struct bytes scratch_reference(const struct scratch *scratch, const char *name);

/* Runs statements in a connection of their own; a SQLite code. */
int sql(const char *path, const char *statements);
/* The first column of the first row, -1 without one. */
int64_t sql_int(const char *path, const char *query);
int64_t db_int(sqlite3 *db, const char *query);
/* Whether the bytes are a database that is whole and gives this for the query. */
bool bytes_are_whole(const struct bytes *bytes, const char *query, int64_t want);
