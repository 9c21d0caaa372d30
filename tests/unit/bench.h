/* What a test makes a view and its copies of: a source, a snapshot directory, a wish that may be given up. */
#pragma once

#include "app.h"

#include "snapshot/copy.h"

struct bench {
        struct scratch *scratch;
        struct space space;
        struct cache wals;
        struct store_file file;
        struct copy_wish wish;
        unsigned patience; /* how often unwanted() says no */
};

/* The source is "db" in scratch; snapshots go to space, of at most max bytes, 0 for any number. */
void bench_init(struct bench *bench, struct scratch *scratch, const struct scratch *space, uint64_t max);
/* Claims that all room was given back. */
void bench_deinit(struct bench *bench);
/* A view of the source, looked at but not held; NULL with *r set. */
struct view *bench_look(struct bench *bench, int *r);
/* A view that is held; NULL with *r set. Its times are old enough first. */
struct view *bench_hold(struct bench *bench, int *r);
/* Whether the first size bytes of the file are the reference; gives it back. */
bool bench_result_is(struct space_file *file, uint64_t size, const struct bytes *want);

/* Has the application make a database with something of everything, beginning with these pragmas. */
void bench_fill(struct app *app, const char *pragmas);
/* The pragmas of so many kinds of databases, those in WAL mode from BENCH_WAL_KINDS on. */
enum { BENCH_KINDS = 8, BENCH_WAL_KINDS = 4 };
extern const char *const bench_kinds[BENCH_KINDS];
