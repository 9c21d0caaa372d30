/*
 * What the torture programs share: the record of commits that the writer keeps and the reader judges by, and the
 * shape of the database that both know.
 *
 * The database holds one sequence number in three tables that lie far apart in the file, a log with the last
 * TORTURE_LOG_KEPT numbers, accounts whose balances always add up to the same sum, and bulk rows that make the file
 * as big as wanted. Every transaction touches all of them, so that a copy of two states, or of half of one, shows.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <sqlite3.h>

#define TORTURE_ACCOUNTS 400
#define TORTURE_BALANCE 1000
#define TORTURE_LOG_KEPT 50
#define TORTURE_MAGIC UINT64_C(0x6c697465736e6170)

/*
 * A file that all processes map. A commit is one number: begun is the highest whose COMMIT may have started, acked
 * the highest whose COMMIT has returned. A reader takes acked before it opens and begun after.
 */
struct torture_record {
        uint64_t magic;
        _Atomic uint64_t begun;
        _Atomic uint64_t acked;
        _Atomic uint64_t commits;
        _Atomic uint64_t busy;            /* SQLITE_BUSY that reached a writer's transaction */
        _Atomic uint64_t waits;           /* calls of the busy handler */
        _Atomic uint64_t checkpoints;     /* asked for, of any kind */
        _Atomic uint64_t checkpoint_busy; /* of these, those that a reader or writer cut short: not an error */
        _Atomic uint64_t failures;        /* any other error of a writer */
        _Atomic uint64_t running;         /* writers that have committed at least once */
        _Atomic uint64_t finished;        /* writers that have done all they were asked for */
        _Atomic uint64_t longest_wait_ns; /* the slowest BEGIN to COMMIT */
        _Atomic uint32_t stop;
        _Atomic uint32_t wal; /* the journal mode of the moment is WAL */
};

struct torture_record *torture_record_map(const char *path, bool create);

/* A small seeded generator (splitmix64), so that a run can be repeated from its seed. */
uint64_t torture_random(uint64_t *state);
static inline uint64_t torture_below(uint64_t *state, uint64_t bound) {
        return bound ? torture_random(state) % bound : 0;
}

uint64_t torture_now_ns(void);
/* Raises *value to at least n. */
void torture_raise(_Atomic uint64_t *value, uint64_t n);
/* Parses a number with an optional suffix K, M or G; exits with a message when it is none. */
uint64_t torture_number(const char *text);
/* Prints the message with the program's name and exits with 2: a fault of the test, not of what it tests. */
_Noreturn void torture_die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void torture_exec(sqlite3 *db, const char *format, ...) __attribute__((format(printf, 2, 3)));
