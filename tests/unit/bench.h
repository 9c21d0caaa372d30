/* What a test makes an engine work with: a source, a snapshot directory, a job that may be given up. */
#pragma once

#include "app.h"

#include "snapshot/engine.h"

struct bench {
        struct scratch *scratch;
        struct space space;
        struct cache wals;
        struct store_file file;
        struct engine_job job;
        unsigned patience; /* how often unwanted() says no */
        bool copy;         /* by engine_copy() */
        uint64_t frontier; /* as last told */
        bool retreated;    /* it never may */
        const char *why;
};

/* The source is "db" in scratch; snapshots go to space, of at most max bytes, 0 for any number. */
void bench_init(struct bench *bench, struct scratch *scratch, const struct scratch *space, uint64_t max);
/* Claims that all room was given back. */
void bench_deinit(struct bench *bench);
/* Whether the result is the reference; closes it. */
bool bench_result_is(struct bench *bench, const struct bytes *want);

/* Has the application make a database with something of everything, beginning with these pragmas. */
void bench_fill(struct app *app, const char *pragmas);
/* The pragmas of so many kinds of databases, those in WAL mode from BENCH_WAL_KINDS on. */
enum { BENCH_KINDS = 8, BENCH_WAL_KINDS = 4 };
extern const char *const bench_kinds[BENCH_KINDS];
