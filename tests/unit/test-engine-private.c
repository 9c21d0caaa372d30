/* engine_private.c: of a source that SQLite cannot read without writing the bytes of the recovered,
 * checkpointed one, or nothing and all room given back. */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>

/* Runs the engine for those that SQLite cannot read. */
static int run_private(struct bench *bench) {
        struct stat st = scratch_stat(bench->scratch, "db");
        struct version version;

        need(version_look(&version, &bench->file, bench->job.main_fd, &st, &bench->wals) == 0);
        return engine_private(&bench->job, &version, &bench->why);
}

/* Leaves the database as a crash or a close does. */
static void leave(struct app *app, const struct scratch *scratch, bool crash, bool drop_shm) {
        if (crash)
                app_kill(app);
        else
                app_deinit(app);
        if (!crash)
                *app = app_new(scratch_path(scratch, "db"));
        if (drop_shm && scratch_has(scratch, "db-shm"))
                need(unlinkat(scratch->dirfd, "db-shm", 0) == 0);
        scratch_settle(scratch, "db");
}

static void test_private(const char *pragmas, bool crash, bool drop_shm) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct bench bench;

        bench_fill(&app, pragmas);
        leave(&app, &scratch, crash, drop_shm);
        bench_init(&bench, &scratch, &space, 0);
        {
                BYTES(want) = scratch_reference(&scratch, "db");
                uint64_t print = scratch_print(&scratch);

                if (is(run_private(&bench), 0, "private, %s, %s%s", pragmas, crash ? "crashed" : "closed",
                       drop_shm ? ", without -shm" : ""))
                        ok(bench_result_is(&bench, &want), "is the checkpointed source, byte for byte");
                ok(scratch_print(&scratch) == print, "which is left as it is");
        }
        bench_deinit(&bench);
}

/* A transaction that had begun to write when its application died is undone in the copy, and only there. */
static void test_hot(const char *pragmas) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct bench bench;
        int64_t sum;

        bench_fill(&app, pragmas);
        sum = app_int(&app, "SELECT sum(length(a)) FROM t");
        need(app_sql(&app, "PRAGMA cache_size=5; BEGIN; UPDATE t SET a=randomblob(700)") == SQLITE_OK);
        leave(&app, &scratch, true, false);
        bench_init(&bench, &scratch, &space, 0);
        {
                BYTES(want) = scratch_reference(&scratch, "db");
                uint64_t print = scratch_print(&scratch);

                ok(bytes_are_whole(&want, "SELECT sum(length(a)) FROM t", sum),
                   "a crash in a transaction, %s", pragmas);
                if (is(run_private(&bench), 0, "private"))
                        ok(bench_result_is(&bench, &want), "is what SQLite recovers, byte for byte");
                ok(scratch_print(&scratch) == print, "the source is left as it is");
        }
        bench_deinit(&bench);
}

static void test_private_failures(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct bench bench;

        bench_fill(
                &app,
                "PRAGMA journal_mode=WAL; CREATE TABLE big(a); INSERT INTO big VALUES(zeroblob(40000000))");
        need(app_sql(&app, "PRAGMA wal_checkpoint; INSERT INTO big VALUES(zeroblob(40000000))") == SQLITE_OK);
        leave(&app, &scratch, true, true);
        bench_init(&bench, &scratch, &space, 0);
        for (unsigned patience = 0; patience < 4; patience++) {
                bench.patience = patience;
                is(run_private(&bench), -EINTR, "a private copy that nobody wants any more, at its look %u",
                   patience);
                is(bench.space.used, 0, "holds no room");
        }
        bench_deinit(&bench);
        bench_init(&bench, &scratch, &space, 50000000);
        is(run_private(&bench), -ENOSPC, "main fits, its WAL does not");
        bench_deinit(&bench);
        bench_init(&bench, &scratch, &space, 1000000);
        is(run_private(&bench), -ENOSPC, "main does not fit");
        bench_deinit(&bench);
}

/* No proof, no copy. */
static void test_no_proof(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct version version;
        struct bench bench;
        struct stat st;

        bench_fill(&app, "PRAGMA journal_mode=WAL");
        leave(&app, &scratch, false, false);
        bench_init(&bench, &scratch, &space, 0);
        st = scratch_stat(&scratch, "db");
        need(version_look(&version, &bench.file, bench.job.main_fd, &st, &bench.wals) == 0);
        need(app_sql(&app, "INSERT INTO t VALUES(1)") == SQLITE_OK);
        is(engine_private(&bench.job, &version, &bench.why), -EBUSY,
           "a WAL that came since the look: come again");
        ok(bench.why, "with a reason: %s", bench.why);
        app_deinit(&app);
        app = app_new(scratch_path(&scratch, "db"));
        need(linkat(scratch.dirfd, "db", space.dirfd, "alias", 0) == 0);
        {
                struct app other = app_new(scratch_path(&space, "alias"));

                need(app_sql(&other, "INSERT INTO t VALUES(2)") == SQLITE_OK);
                need(scratch_has(&space, "alias-wal") && !scratch_has(&scratch, "db-wal"));
                scratch_settle(&scratch, "db");
                is(run_private(&bench), -EBUSY,
                   "open under another hard link, whose WAL lies beside that one: no copy");
                app_deinit(&other);
        }
        bench_deinit(&bench);
}

static void test_truncated(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct bench bench;

        bench_fill(&app, "PRAGMA page_size=1024; PRAGMA journal_mode=WAL");
        leave(&app, &scratch, false, false);
        need(truncate(scratch_path(&scratch, "db"), scratch_stat(&scratch, "db").st_size - 2048) == 0);
        scratch_settle(&scratch, "db");
        bench_init(&bench, &scratch, &space, 0);
        is(run_private(&bench), -EIO, "a database cut short is an error, never a short copy");
        bench_deinit(&bench);
}

int main(void) {
        base_log_to(tap_log, BASE_LOG_DEBUG);
        for (size_t i = BENCH_WAL_KINDS; i < BENCH_KINDS; i++) {
                test_private(bench_kinds[i], true, true);
                test_private(bench_kinds[i], true, false);
                test_private(bench_kinds[i], false, false);
        }
        test_hot("PRAGMA page_size=512");
        test_hot("PRAGMA journal_mode=PERSIST");
        test_hot("PRAGMA page_size=65536; PRAGMA auto_vacuum=FULL; PRAGMA journal_mode=TRUNCATE");
        test_private_failures();
        test_no_proof();
        test_truncated();
        return tap_done();
}
