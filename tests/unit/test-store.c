/* store.c, opening.c, snapshot.c: one version is made once, each open is answered once, and no commit is
 * missed. */
#include "app.h"
#include "opens.h"

#include "snapshot/registry.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static void make(struct app *app, const char *mode, unsigned rows) {
        char text[512];

        snprintf(text, sizeof(text),
                 "PRAGMA journal_mode=%s; CREATE TABLE t(a);"
                 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%u)"
                 "INSERT INTO t SELECT randomblob(900) FROM n",
                 mode, rows);
        need(app_sql(app, text) == SQLITE_OK);
}

static bool snapshot_counts(struct snapshot *snapshot, const char *query, int64_t want) {
        BYTES(bytes) = snapshot_bytes(snapshot);

        return bytes_are_whole(&bytes, query, want);
}

/* Leaves the application in a transaction that has begun to write into the main file: nothing can be told of
 * it. */
static void write_some(struct app *app) {
        need(app_sql(app, "PRAGMA cache_size=5; PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE;"
                          "INSERT INTO t VALUES(1);"
                          "UPDATE t SET a=randomblob(900)") == SQLITE_OK);
}

/* Returns when whoever copies has let go, too: room is given back with the last reference, not only the
 * reader's. */
static bool all_given_back(struct store *store) {
        const struct timespec pause = { .tv_nsec = 1000000 };
        uint64_t until = base_now_ns() + 20000000000, used;

        do {
                mutex_lock(&store->space.lock);
                used = store->space.used;
                mutex_unlock(&store->space.lock);
        } while (used > 0 && base_now_ns() < until && nanosleep(&pause, NULL) == 0);
        return used == 0;
}

/* ---- sharing
 * ------------------------------------------------------------------------------------------------------- */

static void test_share(const char *mode) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct store *store;
        struct snapshot *first, *second, *third;
        uint64_t print;

        make(&app, mode, 100);
        scratch_settle(&scratch, "db");
        if (scratch_has(&scratch, "db-wal"))
                scratch_settle(&scratch, "db-wal");
        store = store_in(&space, 20000, 0);
        print = scratch_print(&scratch);
        need(open_now(store, &scratch, "db", &first) == 0 && open_now(store, &scratch, "db", &second) == 0);
        ok(first == second, "two opens of one version share it, %s", mode);
        ok(scratch_print(&scratch) == print, "and leave the source as it is");
        while (app_sql(&app, "INSERT INTO t VALUES(1)") == SQLITE_BUSY)
                ; /* it is being copied, then its lock will go */
        ok(snapshot_completed(first), "what is kept open has its bytes to itself before long");
        need(open_now(store, &scratch, "db", &third) == 0);
        ok(first != third, "a commit between makes another");
        ok(snapshot_counts(third, "SELECT count(*) FROM t", 101), "which has it");
        ok(snapshot_counts(first, "SELECT count(*) FROM t", 100), "and the first has not");
        ok(snapshot_ref(first) == first, "a reference");
        snapshot_unref(first);
        ok(snapshot_counts(first, "SELECT count(*) FROM t", 100), "keeps it");
        snapshot_unref(first);
        snapshot_unref(second);
        snapshot_unref(third);
        ok(all_given_back(store), "the last one gone, all room is given back");
        ok(!store_free(store) && !store_free(NULL), "and the store goes");
}

/* Opens that come while one waits get their answer from the same copy, if it is begun after them. */
static void test_join(void) {
        enum { OPENS = 16 };
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct open_wait waits[OPENS];
        struct snapshot *snapshots[OPENS];
        struct store *store;
        unsigned n_wrong = 0;

        make(&app, "DELETE", 2000);
        write_some(&app);
        scratch_settle(&scratch, "db");
        store = store_in(&space, 60000, 3 << 20);
        for (unsigned i = 0; i < OPENS; i++)
                need(open_start(&waits[i], store, &scratch, "db") == 0);
        need(app_sql(&app, "ROLLBACK") == SQLITE_OK);
        for (unsigned i = 0; i < OPENS; i++)
                n_wrong += open_end(&waits[i], &snapshots[i]) != 0;
        is(n_wrong, 0, "%d opens wait for a lock, in room for one copy", OPENS);
        for (unsigned i = 0; i < OPENS && n_wrong == 0; i++)
                n_wrong += snapshots[0] != snapshots[i];
        is(n_wrong, 0, "and share that");
        ok(snapshots[0] && snapshot_counts(snapshots[0], "SELECT count(*) FROM t", 2000), "which is whole");
        for (unsigned i = 0; i < OPENS; i++)
                snapshot_unref(snapshots[i]);
        store_free(store);
}

/* ---- ends
 * ----------------------------------------------------------------------------------------------------------
 */

static void test_busy(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct snapshot *snapshot;
        struct store *store;
        uint64_t start;

        make(&app, "DELETE", 100);
        write_some(&app);
        store = store_in(&space, 300, 0);
        start = base_now_ns();
        is(open_now(store, &scratch, "db", &snapshot), -EBUSY, "a lock held past busy_timeout");
        ok(!snapshot && base_now_ns() - start >= 300000000, "is -EBUSY, not before it is over");
        ok(all_given_back(store), "without a trace");
        need(app_sql(&app, "COMMIT") == SQLITE_OK);
        is(open_now(store, &scratch, "db", &snapshot), 0, "afterwards it opens");
        snapshot_unref(snapshot);
        store_free(store);
}

static void test_cancel(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct open_wait kept, cancelled;
        struct snapshot *snapshot;
        struct store *store;

        make(&app, "DELETE", 100);
        write_some(&app);
        store = store_in(&space, 600000, 0);
        need(open_start(&kept, store, &scratch, "db") == 0 &&
             open_start(&cancelled, store, &scratch, "db") == 0);
        store_cancel(cancelled.ticket);
        store_cancel(cancelled.ticket);
        is(open_end(&cancelled, &snapshot), -EINTR, "a cancelled open is answered -EINTR");
        ok(!snapshot, "with nothing");
        need(app_sql(&app, "COMMIT") == SQLITE_OK);
        is(open_end(&kept, &snapshot), 0, "and the one beside it goes on");
        snapshot_unref(snapshot);
        store_free(store);
        is(cancelled.n_answers, 1, "once");
        is(kept.n_answers, 1, "as every other");
}

static void test_free(void) {
        enum { OPENS = 8 };
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct open_wait waits[OPENS];
        struct snapshot *snapshot;
        struct store *store;
        unsigned n_wrong = 0;

        make(&app, "DELETE", 100);
        write_some(&app);
        store = store_in(&space, 3600000, 0);
        for (unsigned i = 0; i < OPENS; i++) {
                need(open_start(&waits[i], store, &scratch, "db") == 0);
                store_ticket_unref(waits[i].ticket);
                waits[i].ticket = NULL;
        }
        store_free(store);
        for (unsigned i = 0; i < OPENS; i++)
                n_wrong += waits[i].n_answers != 1 || open_end(&waits[i], &snapshot) != -ECANCELED;
        is(n_wrong, 0, "the end of the store answers every open -ECANCELED, once, and waits for no lock");
}

static void test_refused(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        struct store *store = store_in(&space, 1000, 100000);
        struct snapshot *snapshot;

        is(open_now(store, &scratch, "none", &snapshot), -ESTALE, "what is not there is -ESTALE");
        scratch_write(&scratch, "text", "SQLite format 2 is long gone", 28);
        is(open_now(store, &scratch, "text", &snapshot), -ESTALE, "so is what is no database");
        need(symlinkat("text", scratch.dirfd, "symlink") == 0);
        is(open_now(store, &scratch, "symlink", &snapshot), -ESTALE, "and a symlink");
        need(sql(scratch_path(&scratch, "db"), "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(200000))") ==
             SQLITE_OK);
        is(open_now(store, &scratch, "db", &snapshot), -ENOSPC, "what does not fit is -ENOSPC");
        need(truncate(scratch_path(&scratch, "db"), 8192) == 0);
        is(open_now(store, &scratch, "db", &snapshot), -EIO, "what is cut short is -EIO");
        ok(all_given_back(store), "none of them holds room");
        store_free(store);
}

/* What there is to be seen of a few states, by content. */
static void test_classify(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        struct store *store = store_in(&space, 1000, 0);
        static const struct {
                const char *name;
                int want;
        } table[] = {
                { "rollback", STORE_DATABASE },
                { "rollback-wal", STORE_SIDE_GONE },
                { "rollback-journal", STORE_SIDE_GONE },
                { "wal.txt", STORE_DATABASE },
                { "wal.txt-wal", STORE_SIDE_EMPTY },
                { "wal.txt-shm", STORE_SIDE_EMPTY },
                { "wal.txt-journal", STORE_SIDE_GONE },
                { "text", STORE_ORDINARY },
                { "text-wal", STORE_ORDINARY },
                { "none-wal", STORE_ORDINARY },
                { "-wal", STORE_ORDINARY },
                { "odd", STORE_ORDINARY },
        };

        need(sql(scratch_path(&scratch, "rollback"), "CREATE TABLE t(a)") == SQLITE_OK);
        need(sql(scratch_path(&scratch, "wal.txt"), "PRAGMA journal_mode=WAL; CREATE TABLE t(a)") ==
             SQLITE_OK);
        scratch_write(&scratch, "text", "no database", 11);
        scratch_write(&scratch, "text-wal", "text", 4);
        scratch_write(&scratch, "odd", "SQLite format 3\0and no more", 27);
        for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
                struct store_file file = scratch_file(&scratch, table[i].name);
                struct stat st;
                bool there = fstatat(scratch.dirfd, table[i].name, &st, AT_SYMLINK_NOFOLLOW) == 0;

                is(store_classify(store, &file, there ? &st : NULL), table[i].want, "what %s is%s",
                   table[i].name, there ? "" : ", though not there");
        }
        ok(store_name_is_side("x-wal") && store_name_is_side("x-shm") && store_name_is_side("x-journal") &&
                   !store_name_is_side("-wal") && !store_name_is_side("wal") && !store_name_is_side("x-wal3"),
           "names that could be a side file's");
        store_free(store);
}

int main(void) {
        base_log_to(tap_log, BASE_LOG_DEBUG);
        test_share("WAL");
        test_share("DELETE");
        test_join();
        test_busy();
        test_cancel();
        test_free();
        test_refused();
        test_classify();
        return tap_done();
}
