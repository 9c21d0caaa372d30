/*
 * The states that files are taken from: each database goes through a life, and what it has on disk is kept at
 * each moment of it, in the middle of transactions as well. What a crash leaves is what is there at that
 * moment.
 *
 * Invariant: all that is random comes from the seed, SQLite's own salts and nonces too.
 */
#include "differential.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FAMILIES = 10, MOST_STATES = 400 };

const char *const role_names[N_ROLES] = { "db", "db-wal", "db-journal", "db-shm" };

/* ---- what a life is made of ---------------------------------------------------------------------- */

struct life {
        struct pool *pool;
        struct dice *dice;
        struct scratch scratch;
        sqlite3 *db;
        unsigned family, page_size;
};

static void take(struct life *life, const char *name) {
        struct state *state = &life->pool->states[life->pool->n++];

        need(life->pool->n <= MOST_STATES);
        *state = (struct state){ .name = name, .family = life->family };
        for (int i = 0; i < N_ROLES; i++)
                state->files[i] = scratch_read(&life->scratch, role_names[i]);
}

static _printf_(2, 3) void run(struct life *life, const char *format, ...) {
        char statements[512];
        va_list args;

        va_start(args, format);
        vsnprintf(statements, sizeof(statements), format, args);
        va_end(args);
        if (sqlite3_exec(life->db, statements, NULL, NULL, NULL) != SQLITE_OK) {
                tap_note("%s: %s", statements, sqlite3_errmsg(life->db));
                tap_bail(__FILE__, __LINE__, "a state cannot be made");
        }
}

static void insert(struct life *life, unsigned n) {
        run(life,
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%u)"
            "INSERT INTO t(a, b) SELECT random(), randomblob(%u) FROM n",
            life->page_size > 8192 ? n / 4 + 2 : n, life->page_size * 3 / 4);
}

static void update(struct life *life, unsigned each) {
        run(life, "UPDATE t SET a=random(), b=randomblob(%u) WHERE id%%%u=0", life->page_size * 2 / 3, each);
}

/* A connection whose cache is so small that transactions spill. */
static void connect(struct life *life, const char *locking) {
        static const char *const syncs[] = { "OFF", "NORMAL", "FULL" };

        need(sqlite3_open(scratch_path(&life->scratch, "db"), &life->db) == SQLITE_OK);
        run(life, "PRAGMA page_size=%u; PRAGMA synchronous=%s; PRAGMA locking_mode=%s", life->page_size,
            syncs[dice_roll(life->dice, 3)], locking);
}

static void disconnect(struct life *life) {
        need(sqlite3_close(life->db) == SQLITE_OK);
        life->db = NULL;
}

static void choose_format(struct life *life) {
        int reserved = dice_chance(life->dice, 20) ? 32 : 0;

        if (reserved > 0)
                sqlite3_file_control(life->db, "main", SQLITE_FCNTL_RESERVE_BYTES, &reserved);
        run(life, "PRAGMA auto_vacuum=%d; PRAGMA encoding='%s'", (int)dice_roll(life->dice, 3),
            dice_chance(life->dice, 15) ? "UTF-16le" : "UTF-8");
}

static void create(struct life *life) {
        run(life,
            "PRAGMA cache_size=4; CREATE TABLE t(id INTEGER PRIMARY KEY, a, b); CREATE INDEX i ON t(a)");
        insert(life, 30);
}

/* ---- lives --------------------------------------------------------------------------------------- */

static void live_in_rollback(struct life *life, const char *mode) {
        connect(life, "NORMAL");
        choose_format(life);
        run(life, "PRAGMA journal_mode=%s; BEGIN", mode);
        create(life);
        take(life, "birth");
        run(life, "COMMIT");
        take(life, "committed");
        run(life, "BEGIN");
        update(life, 2);
        take(life, "mid-spilled");
        run(life, "COMMIT; BEGIN");
        insert(life, 25);
        take(life, "mid-grown");
        run(life, "COMMIT");
        take(life, "grown");
        run(life, "PRAGMA cache_size=2000; BEGIN");
        update(life, 9);
        take(life, "mid-in-cache");
        run(life, "COMMIT; PRAGMA cache_size=4; BEGIN; DELETE FROM t WHERE id>20; PRAGMA incremental_vacuum");
        take(life, "mid-shrunk");
        run(life, "COMMIT");
        take(life, "emptied");
        run(life, "VACUUM");
        take(life, "vacuumed");
        disconnect(life);
        connect(life, "EXCLUSIVE");
        run(life, "PRAGMA cache_size=4; PRAGMA journal_mode=%s", mode);
        update(life, 3);
        take(life, "exclusive");
        run(life, "BEGIN");
        update(life, 2);
        take(life, "exclusive-mid");
        run(life, "COMMIT");
        disconnect(life);
        connect(life, "NORMAL");
        run(life, "PRAGMA journal_mode=WAL");
        update(life, 4);
        take(life, "turned-to-wal");
        disconnect(life);
        take(life, "turned-to-wal-closed");
}

/* A reader holds the checkpoint up half-way. */
static void checkpoint_in_part(struct life *life) {
        sqlite3 *reader;

        need(sqlite3_open(scratch_path(&life->scratch, "db"), &reader) == SQLITE_OK);
        need(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM t", NULL, NULL, NULL) == SQLITE_OK);
        update(life, 3);
        run(life, "PRAGMA wal_checkpoint(PASSIVE)");
        take(life, "checkpointed-in-part");
        insert(life, 10);
        take(life, "checkpointed-in-part-grown");
        need(sqlite3_close(reader) == SQLITE_OK);
}

static void live_in_wal(struct life *life) {
        connect(life, "NORMAL");
        choose_format(life);
        run(life, "PRAGMA journal_mode=WAL");
        take(life, "wal-fresh");
        create(life);
        take(life, "wal-all-in-wal");
        run(life, "PRAGMA wal_checkpoint");
        take(life, "wal-checkpointed");
        update(life, 5);
        take(life, "wal-restarted");
        insert(life, 20);
        take(life, "wal-grown");
        checkpoint_in_part(life);
        run(life, "BEGIN");
        update(life, 1);
        take(life, "wal-mid-spilled");
        run(life, "ROLLBACK");
        update(life, 7);
        take(life, "wal-after-rollback");
        run(life, "DELETE FROM t WHERE id>20; PRAGMA incremental_vacuum");
        take(life, "wal-shrunk");
        run(life, "VACUUM");
        take(life, "wal-vacuumed");
        run(life, "PRAGMA wal_checkpoint(TRUNCATE)");
        take(life, "wal-truncated");
        update(life, 2);
        take(life, "wal-again");
        disconnect(life);
        take(life, "wal-closed");
        connect(life, "EXCLUSIVE");
        update(life, 4);
        take(life, "wal-exclusive");
        disconnect(life);
        connect(life, "NORMAL");
        run(life, "PRAGMA journal_mode=DELETE; PRAGMA cache_size=4; BEGIN");
        update(life, 2);
        take(life, "wal-left-mid");
        run(life, "COMMIT");
        disconnect(life);
        take(life, "wal-left");
}

/* Files that no life goes through. */
static void add_oddities(struct life *life) {
        static const char *const names[] = { "zero-bytes",       "text", "random", "magic-alone",
                                             "magic-and-random", "zeros" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                static const size_t sizes[] = { 0, 300, 20480, 16, 20480, 8192 };
                struct bytes bytes = { .data = calloc(1, sizes[i] + 1), .size = sizes[i] };

                need(bytes.data);
                for (size_t at = 0; at < bytes.size && i < 5; at++)
                        bytes.data[at] = i == 1 ? 'x' : (uint8_t)dice_roll(life->dice, 256);
                if (i == 3 || i == 4)
                        memcpy(bytes.data, "SQLite format 3", 16);
                life->pool->states[life->pool->n++] =
                        (struct state){ .name = names[i], .family = life->family, .files[ROLE_MAIN] = bytes };
        }
}

/* ---- the pool ------------------------------------------------------------------------------------ */

static void add_family(struct pool *pool, struct dice *dice, unsigned family) {
        static const char *const modes[] = { "DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF" };
        static const unsigned page_sizes[] = { 512, 1024, 1024, 4096, 4096, 4096, 8192, 65536 };
        struct life life = { .pool = pool,
                             .dice = dice,
                             .family = family,
                             .scratch = scratch_new(),
                             .page_size = page_sizes[dice_roll(dice, ARRAY_SIZE(page_sizes))] };
        size_t first = pool->n;
        unsigned chance;

        if (family == 0)
                add_oddities(&life);
        else if (family % 2 == 0)
                live_in_wal(&life);
        else
                live_in_rollback(&life, modes[family < 6 ? family / 2 : dice_roll(dice, ARRAY_SIZE(modes))]);
        chance = (unsigned)dice_roll(dice, 100);
        for (size_t i = first; i < pool->n && family > 0 && chance < 20; i++)
                state_encrypt(&pool->states[i], life.page_size, chance < 12);
        scratch_deinit(&life.scratch);
}

void pool_init(struct pool *pool, uint64_t seed, uint64_t number) {
        struct dice dice = dice_new(seed, number);

        *pool = (struct pool){ .states = calloc(MOST_STATES, sizeof(*pool->states)) };
        need(pool->states);
        sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)dice_roll(&dice, 1 << 30) + 1, (sqlite3 *)NULL);
        for (unsigned i = 0; i < FAMILIES; i++)
                add_family(pool, &dice, i);
        sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 0, (sqlite3 *)NULL);
}

void pool_deinit(struct pool *pool) {
        for (size_t i = 0; i < pool->n; i++)
                for (int role = 0; role < N_ROLES; role++)
                        bytes_deinit(&pool->states[i].files[role]);
        free(pool->states);
}
