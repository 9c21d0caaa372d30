/*
 * store.c under many threads: opens, cancels and the end of the store beside a writer that never rests. Each
 * open must hold what was committed before it and be one state; each is answered once. For ThreadSanitizer as
 * much as for itself.
 *
 * Each transaction of the writer adds one to all of its rows and to a counter it shares once it has
 * committed.
 */
#include "app.h"
#include "opens.h"

#include "snapshot/registry.h"

#include <errno.h>
#include <stdio.h>

enum { THREADS = 32, OPENS = 8, ROWS = 40 };

struct storm {
        const struct scratch *scratch;
        struct store *store;
        struct app *app;
        struct mutex lock; /* MUTEX_RANK_LEAF: the counts */
        unsigned n_opened, n_cancelled, n_busy, n_other, n_stale, n_torn, n_size, n_twice;
        bool cancel;
};

/* Reads a snapshot through SQLite: the lowest and the highest value of its rows. */
static void look_inside(struct storm *storm, struct snapshot *snapshot, const struct stat *st,
                        uint64_t least) {
        BYTES(bytes) = snapshot_bytes(snapshot);
        sqlite3 *db = NULL;
        int64_t low, high, whole;

        need(sqlite3_open(":memory:", &db) == SQLITE_OK);
        /* No WAL in memory: the header's two version bytes say rollback. */
        bytes.data[18] = bytes.data[19] = 1;
        need(sqlite3_deserialize(db, "main", bytes.data, (sqlite3_int64)bytes.size, (sqlite3_int64)bytes.size,
                                 SQLITE_DESERIALIZE_READONLY) == SQLITE_OK);
        low = db_int(db, "SELECT min(a) FROM t");
        high = db_int(db, "SELECT max(a) FROM t");
        whole = db_int(db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check");
        sqlite3_close(db);
        MUTEX_SCOPE(&storm->lock);
        storm->n_opened++;
        storm->n_torn += low != high || whole != 1;
        storm->n_stale += low < (int64_t)least;
        storm->n_size += (uint64_t)st->st_size != bytes.size;
}

static void one_open(struct storm *storm, bool cancel) {
        uint64_t least = atomic_load(storm->app->commits);
        struct snapshot *snapshot;
        struct open_wait wait;
        int r;

        need(open_start(&wait, storm->store, storm->scratch, "db") == 0);
        if (cancel)
                store_cancel(wait.ticket);
        r = open_end(&wait, &snapshot);
        if (r == 0) {
                look_inside(storm, snapshot, &wait.attr, least);
                snapshot_unref(snapshot);
        }
        MUTEX_SCOPE(&storm->lock);
        storm->n_cancelled += r == -EINTR;
        storm->n_busy += r == -EBUSY;
        storm->n_other += r != 0 && r != -EINTR && r != -EBUSY;
        storm->n_twice += wait.n_answers != 1;
}

static void *open_many(void *userdata) {
        struct storm *storm = userdata;

        for (unsigned i = 0; i < OPENS; i++)
                one_open(storm, storm->cancel && i % 2 == 0);
        return NULL;
}

static void test_storm(const char *mode, bool cancel) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct storm storm = {
                .scratch = &scratch, .app = &app, .lock = MUTEX_INIT(MUTEX_RANK_LEAF), .cancel = cancel
        };
        pthread_t threads[THREADS];
        char text[512];

        snprintf(text, sizeof(text),
                 "PRAGMA journal_mode=%s; PRAGMA synchronous=OFF; PRAGMA busy_timeout=60000; CREATE TABLE "
                 "t(a, b);"
                 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%d)"
                 "INSERT INTO t SELECT 0, randomblob(900) FROM n",
                 mode, ROWS);
        need(app_sql(&app, text) == SQLITE_OK);
        app_loop(&app, "UPDATE t SET a=a+1");
        app_wait_rounds(&app, 1);
        storm.store = store_in(&space, 120000, 0);
        for (size_t i = 0; i < THREADS; i++)
                need(pthread_create(&threads[i], NULL, open_many, &storm) == 0);
        for (size_t i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        need(app_sql(&app, "SELECT 1") == SQLITE_OK);
        tap_note("%s: %u opened, %u cancelled, %lu commits", mode, storm.n_opened, storm.n_cancelled,
                 atomic_load(app.commits));
        is(storm.n_opened + storm.n_cancelled, THREADS * OPENS,
           "%d threads, %d opens each, beside a writer in %s mode%s", THREADS, OPENS, mode,
           cancel ? ", half of them cancelled" : "");
        is(storm.n_busy, 0, "no open is refused");
        is(storm.n_other, 0, "none fails");
        is(storm.n_torn, 0, "none is of two states");
        is(storm.n_stale, 0, "none lacks what was committed before it");
        is(storm.n_size, 0, "each has the size its attributes say");
        is(storm.n_twice, 0, "each is answered once");
        store_free(storm.store);
}

/* Cancelled by one thread while another waits, at any moment of an open's life. */
struct duel {
        struct open_wait wait;
        struct store_ticket *ticket;
        uint64_t delay_ns;
};

static void *cancel_it(void *userdata) {
        struct duel *duel = userdata;
        const struct timespec pause = { .tv_nsec = (long)duel->delay_ns };

        nanosleep(&pause, NULL);
        store_cancel(duel->ticket);
        return NULL;
}

static void test_duels(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        struct store *store;
        unsigned n_opened = 0, n_cancelled = 0, n_wrong = 0;

        need(sql(scratch_path(&scratch, "db"),
                 "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(2000000))") == SQLITE_OK);
        store = store_in(&space, 60000, 0);
        for (unsigned i = 0; i < 200; i++) {
                struct duel duel = { .delay_ns = (uint64_t)i * 20000 };
                struct snapshot *snapshot;
                pthread_t thread;
                int r;

                need(open_start(&duel.wait, store, &scratch, "db") == 0);
                duel.ticket = duel.wait.ticket;
                duel.wait.ticket = NULL; /* given back below: the other thread still needs it */
                /* An open is answered so soon that the other thread may always come too late. */
                if (i % 8 == 0)
                        store_cancel(duel.ticket);
                /* Nor may it take so long that the other thread never does. */
                if (i % 8 == 1)
                        r = open_end(&duel.wait, &snapshot);
                need(pthread_create(&thread, NULL, cancel_it, &duel) == 0);
                if (i % 8 != 1)
                        r = open_end(&duel.wait, &snapshot);
                pthread_join(thread, NULL);
                store_ticket_unref(duel.ticket);
                snapshot_unref(snapshot);
                n_opened += r == 0;
                n_cancelled += r == -EINTR;
                n_wrong += duel.wait.n_answers != 1 || (r != 0 && r != -EINTR);
        }
        store_free(store);
        tap_note("%u opened, %u cancelled", n_opened, n_cancelled);
        is(n_wrong, 0, "an open that is cancelled at any moment is answered once, 0 or -EINTR");
        ok(n_cancelled > 0 && n_opened > 0, "both happen");
}

static void *open_in_vain(void *userdata) {
        struct storm *storm = userdata;

        for (unsigned i = 0; i < 10 * OPENS; i++)
                one_open(storm, false);
        return NULL;
}

/* Opens that fail hold on to nothing but each other: the last one takes the source away. */
static void test_failures(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct storm storm = { .scratch = &scratch, .app = &app, .lock = MUTEX_INIT(MUTEX_RANK_LEAF) };
        pthread_t threads[THREADS];

        need(app_sql(&app, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(50000))") == SQLITE_OK);
        need(truncate(scratch_path(&scratch, "db"), 8192) == 0);
        storm.store = store_in(&space, 60000, 0);
        for (size_t i = 0; i < THREADS; i++)
                need(pthread_create(&threads[i], NULL, open_in_vain, &storm) == 0);
        for (size_t i = 0; i < THREADS; i++)
                pthread_join(threads[i], NULL);
        is(storm.n_other, THREADS * OPENS * 10, "all opens of a database cut short fail");
        is(storm.n_twice, 0, "each is answered once");
        store_free(storm.store);
}

int main(void) {
        test_duels();
        test_failures();
        test_storm("WAL", false);
        test_storm("WAL", true);
        test_storm("DELETE", false);
        test_storm("TRUNCATE", true);
        return tap_done();
}
