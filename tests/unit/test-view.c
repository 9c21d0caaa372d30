/*
 * view.c: a version read where it lies is that version, from any byte to any other, or the read fails: whatever a writer does whose locks
 * are not seen, played here by writes behind SQLite's back.
 */
#include "bench.h"
#include "opens.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Reads at random; how many times anything but the bytes wanted came. */
static unsigned n_wrong_reads(const struct view *view, const struct bytes *want, unsigned n) {
        _cleanup_(base_freep) uint8_t *buffer = malloc(want->size);
        unsigned n_wrong = 0;

        need(buffer);
        for (unsigned i = 0; i < n; i++) {
                size_t offset = (size_t)rand() % want->size;
                size_t most = i % 3 == 0 ? want->size : 5000, size = 1 + (size_t)rand() % most;

                if (size > want->size - offset)
                        size = want->size - offset;
                memset(buffer, 0x5a, size);
                n_wrong += view_read(view, buffer, size, offset) != (ssize_t)size ||
                           memcmp(buffer, want->data + offset, size) != 0;
        }
        return n_wrong;
}

static void test_kind(const char *pragmas, bool wal) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct bench bench;
        struct view *view;
        int r;

        bench_fill(&app, pragmas);
        bench_init(&bench, &scratch, &space, 0);
        {
                BYTES(want) = scratch_reference(&scratch, "db");

                view = bench_hold(&bench, &r);
                need(view && view->size == want.size);
                is(n_wrong_reads(view, &want, 300), 0, "%s: reads at random are of the version", pragmas);
                if (wal) {
                        need(app_sql(&app, "UPDATE t SET a=randomblob(90); DELETE FROM t WHERE rowid < 300;"
                                           "VACUUM; PRAGMA wal_checkpoint") == SQLITE_OK);
                        app_loop(&app, "INSERT INTO t SELECT randomblob(5000) FROM t LIMIT 20;"
                                       "DELETE FROM t LIMIT 20; PRAGMA wal_checkpoint");
                        app_wait_rounds(&app, 3);
                        is(n_wrong_reads(view, &want, 300), 0, "and beside commits and checkpoints");
                        need(app_sql(&app, "SELECT 1") == SQLITE_OK);
                }
                view_free(view);
        }
        bench_deinit(&bench);
}

/* The same of a WAL that a crash left, and of a database that is closed. */
static void test_still(const char *pragmas, bool crash) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct bench bench;
        struct view *view;
        int r;

        bench_fill(&app, pragmas);
        if (crash)
                app_kill(&app);
        else
                app_deinit(&app);
        app = app_new(scratch_path(&scratch, "db"));
        bench_init(&bench, &scratch, &space, 0);
        {
                BYTES(want) = scratch_reference(&scratch, "db");
                uint64_t print = scratch_print(&scratch);

                view = bench_hold(&bench, &r);
                need(view && view->size == want.size);
                is(n_wrong_reads(view, &want, 100), 0, "%s, %s: the recovered state, without a copy", pragmas,
                   crash ? "crashed" : "closed");
                ok(scratch_print(&scratch) == print, "the source is left as it is");
                ok(!view_meet_visitor(view), "nobody has come");
                need(app_sql(&app, "UPDATE t SET a=randomblob(50) WHERE rowid < 20") == SQLITE_OK);
                is(n_wrong_reads(view, &want, 100), 0, "still, when an application has come and committed");
                ok(view_meet_visitor(view), "which is seen");
                need(app_sql(&app, "PRAGMA wal_checkpoint") == SQLITE_OK);
                is(n_wrong_reads(view, &want, 100), 0, "and whose checkpoint is kept away from the main file");
                view_free(view);
                need(app_sql(&app, "PRAGMA wal_checkpoint(TRUNCATE)") == SQLITE_OK);
                is(app.text[0], '0', "until the view is gone");
        }
        bench_deinit(&bench);
}

/* What somebody does to the source behind its locks, and whether the view may stand. */
struct meddling {
        const char *what, *pragmas;
        void (*do_it)(struct scratch *scratch, const struct view *view);
        bool stands, closed;
};

static void put(const struct scratch *scratch, const char *name, uint64_t at, const void *bytes, size_t size) {
        _cleanup_(base_closep) int fd = scratch_open(scratch, name, O_WRONLY);

        need(base_pwrite(fd, bytes, size, at) == 0);
}

static void write_main(struct scratch *scratch, const struct view *view) {
        put(scratch, "db", view->size - 7, "meddled", 7);
}

static void cut_main(struct scratch *scratch, const struct view *view) {
        need(truncate(scratch_path(scratch, "db"), 4096) == 0);
}

static void touch_mode(struct scratch *scratch, const struct view *view) {
        need(fchmodat(scratch->dirfd, "db", 0640, 0) == 0);
}

static void attempt_beyond(struct scratch *scratch, const struct view *view) {
        uint32_t beyond = view->pin->index.last_frame + 1;

        put(scratch, "db-shm", 128, &beyond, sizeof(beyond));
}

static void attempt_all(struct scratch *scratch, const struct view *view) {
        uint32_t all = view->pin->index.last_frame;

        put(scratch, "db-shm", 128, &all, sizeof(all));
}

static void restart(struct scratch *scratch, const struct view *view) {
        put(scratch, "db-shm", 32, "saltsalt", 8);
        put(scratch, "db-shm", 48 + 32, "saltsalt", 8);
}

static void restart_half(struct scratch *scratch, const struct view *view) {
        put(scratch, "db-shm", 48 + 32, "saltsalt", 8);
}

static void cut_index(struct scratch *scratch, const struct view *view) {
        need(truncate(scratch_path(scratch, "db-shm"), 3) == 0);
}

static void remake_index(struct scratch *scratch, const struct view *view) {
        /* As recovery leaves it before it has set the counters. */
        put(scratch, "db-shm", 96, (uint8_t[40]){ 0 }, 40);
}

static void replace_wal(struct scratch *scratch, const struct view *view) {
        BYTES(wal) = scratch_read(scratch, "db-wal");

        need(unlinkat(scratch->dirfd, "db-wal", 0) == 0);
        scratch_write(scratch, "db-wal", wal.data, wal.size);
}

static void salt_wal(struct scratch *scratch, const struct view *view) {
        put(scratch, "db-wal", 16, "saltsalt", 8);
}

#define WAL "PRAGMA journal_mode=WAL"
static const struct meddling meddlings[] = {
        { "rollback mode: a page is written", "PRAGMA page_size=4096", write_main, false, false },
        { "rollback mode: the file is cut off", "PRAGMA page_size=4096", cut_main, false, false },
        { "rollback mode: its mode is changed", "PRAGMA page_size=4096", touch_mode, true, false },
        { "WAL: a checkpoint goes further", WAL, attempt_beyond, false, false },
        { "WAL: a checkpoint goes as far as the version", WAL, attempt_all, true, false },
        { "WAL: it starts anew", WAL, restart, false, false },
        { "WAL: it is about to start anew", WAL, restart_half, false, false },
        { "WAL: the index is cut off", WAL, cut_index, false, false },
        { "WAL: the index is made anew", WAL, remake_index, false, false },
        { "WAL: it is unlinked and made anew", WAL, replace_wal, false, false },
        { "WAL: another file is copied over the main file", WAL, write_main, false, false },
        { "left WAL: a page of the main file is written", WAL, write_main, false, true },
        { "left WAL: it starts anew", WAL, salt_wal, false, true },
        { "left WAL: it is unlinked and made anew", WAL, replace_wal, false, true },
};

static void test_meddling(const struct meddling *meddling) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct bench bench;
        struct view *view;
        uint8_t bytes[4096];
        int r;

        bench_fill(&app, meddling->pragmas);
        if (meddling->closed) {
                app_kill(&app);
                app = app_new(scratch_path(&scratch, "db"));
        }
        bench_init(&bench, &scratch, &space, 0);
        view = bench_hold(&bench, &r);
        need(view);
        is(view_read(view, bytes, sizeof(bytes), 0), sizeof(bytes), "%s: read before", meddling->what);
        meddling->do_it(&scratch, view);
        is(view_read(view, bytes, sizeof(bytes), 0), meddling->stands ? (int)sizeof(bytes) : -ESTALE, "%s: %s",
           meddling->what, meddling->stands ? "stands" : "an error, not a byte");
        view_free(view);
        bench_deinit(&bench);
        app_kill(&app);
}

/* Before, while and after: always the same bytes. */
static void test_snapshot(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct store *store = store_in(&space, 20000, 0);
        struct snapshot *snapshot;
        struct stat st;

        need(app_sql(&app, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a);"
                           "INSERT INTO t VALUES(randomblob(3000000))") == SQLITE_OK);
        {
                BYTES(want) = scratch_reference(&scratch, "db");

                need(open_now(store, &scratch, "db", &snapshot) == 0);
                {
                        BYTES(early) = snapshot_bytes(snapshot);

                        ok(bytes_equal(&early, &want), "read before there is a copy, it is the version");
                }
                need(app_sql(&app, "UPDATE t SET a=randomblob(2000000); PRAGMA wal_checkpoint") == SQLITE_OK);
                ok(snapshot_completed(snapshot), "kept open, it is copied");
                need(app_sql(&app, "PRAGMA busy_timeout=60000; PRAGMA wal_checkpoint(TRUNCATE)") ==
                     SQLITE_OK);
                {
                        BYTES(late) = snapshot_bytes(snapshot);

                        ok(bytes_equal(&late, &want), "and still the version when the view has gone");
                }
                need(fstat(snapshot_fd(snapshot), &st) == 0);
                is(st.st_size, (int64_t)want.size, "in a file of that size");
                snapshot_unref(snapshot);
        }
        store_free(store);
}

int main(void) {
        base_log_to(tap_log, BASE_LOG_DEBUG);
        srand(1);
        for (unsigned i = 0; i < BENCH_KINDS; i++)
                test_kind(bench_kinds[i], i >= BENCH_WAL_KINDS);
        for (unsigned i = BENCH_WAL_KINDS; i < BENCH_KINDS; i++) {
                test_still(bench_kinds[i], false);
                test_still(bench_kinds[i], true);
        }
        for (unsigned i = 0; i < ARRAY_SIZE(meddlings); i++)
                test_meddling(&meddlings[i]);
        test_snapshot();
        return tap_done();
}
