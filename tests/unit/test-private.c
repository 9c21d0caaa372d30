/* private.c: of a source that SQLite cannot read without writing the bytes of the recovered,
 * checkpointed one, or nothing and all room given back. */
#include "bench.h"

#include "snapshot/private.h"

#include <errno.h>

/* As its caller does; the result is in *job. */
static int run_private(struct bench *bench, struct private_job *job) {
        int r;
        struct view *view = bench_look(bench, &r);

        if (!view)
                return r;
        *job = (struct private_job){ .view = view, .space = &bench->space, .wish = &bench->wish };
        r = private_make(job);
        view_free(view);
        return r;
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
        struct private_job job;
        struct bench bench;

        bench_fill(&app, pragmas);
        leave(&app, &scratch, crash, drop_shm);
        bench_init(&bench, &scratch, &space, 0);
        {
                BYTES(want) = scratch_reference(&scratch, "db");
                uint64_t print = scratch_print(&scratch);

                if (is(run_private(&bench, &job), 0, "private, %s, %s%s", pragmas, crash ? "crashed" : "closed",
                       drop_shm ? ", without -shm" : ""))
                        ok(bench_result_is(&job.out, job.size, &want), "is the checkpointed source, byte for byte");
                ok(scratch_print(&scratch) == print, "which is left as it is");
        }
        bench_deinit(&bench);
}

/* A transaction that had begun to write when its application died is undone in the copy, and only there. */
static void test_hot(const char *pragmas) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct private_job job;
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
                if (is(run_private(&bench, &job), 0, "private"))
                        ok(bench_result_is(&job.out, job.size, &want), "is what SQLite recovers, byte for byte");
                ok(scratch_print(&scratch) == print, "the source is left as it is");
        }
        bench_deinit(&bench);
}

static void test_private_failures(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct private_job job;
        struct bench bench;

        bench_fill(
                &app,
                "PRAGMA journal_mode=WAL; CREATE TABLE big(a); INSERT INTO big VALUES(zeroblob(40000000))");
        need(app_sql(&app, "PRAGMA wal_checkpoint; INSERT INTO big VALUES(zeroblob(40000000))") == SQLITE_OK);
        leave(&app, &scratch, true, true);
        bench_init(&bench, &scratch, &space, 0);
        for (unsigned patience = 0; patience < 4; patience++) {
                bench.patience = patience;
                is(run_private(&bench, &job), -EINTR, "a private copy that nobody wants any more, at its look %u",
                   patience);
                is(bench.space.used, 0, "holds no room");
        }
        bench_deinit(&bench);
        bench_init(&bench, &scratch, &space, 50000000);
        is(run_private(&bench, &job), -ENOSPC, "main fits, its WAL does not");
        bench_deinit(&bench);
        bench_init(&bench, &scratch, &space, 1000000);
        is(run_private(&bench, &job), -ENOSPC, "main does not fit");
        bench_deinit(&bench);
}

/* No proof, no copy; with a reason. */
static void test_no_proof(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct private_job job;
        struct bench bench;

        bench_fill(&app, "PRAGMA journal_mode=MEMORY");
        bench_init(&bench, &scratch, &space, 0);
        need(app_sql(&app, "PRAGMA cache_size=5; BEGIN; UPDATE t SET a=randomblob(700)") == SQLITE_OK);
        scratch_settle(&scratch, "db");
        is(run_private(&bench, &job), -EBUSY, "half a transaction, and no journal");
        ok(job.why, "with a reason: %s", job.why);
        bench_deinit(&bench);
}

/* An open transaction with a whole journal is undone in the copy, while its application goes on. */
static void test_open_transaction(const char *pragmas) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct private_job job;
        struct bench bench;

        bench_fill(&app, pragmas);
        bench_init(&bench, &scratch, &space, 0);
        {
                BYTES(want) = scratch_reference(&scratch, "db");

                need(app_sql(&app, "PRAGMA cache_size=5; BEGIN; UPDATE t SET a=randomblob(700)") == SQLITE_OK);
                if (is(run_private(&bench, &job), 0, "an open transaction that has written to main, %s", pragmas))
                        ok(bench_result_is(&job.out, job.size, &want), "is undone, byte for byte");
                is(job.proof, PROOF_JOURNAL, "the journal vouches for it");
                need(app_sql(&app, "COMMIT") == SQLITE_OK);
        }
        bench_deinit(&bench);
}

static void test_truncated(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct private_job job;
        struct bench bench;

        bench_fill(&app, "PRAGMA page_size=1024; PRAGMA journal_mode=WAL");
        leave(&app, &scratch, false, false);
        need(truncate(scratch_path(&scratch, "db"), scratch_stat(&scratch, "db").st_size - 2048) == 0);
        scratch_settle(&scratch, "db");
        bench_init(&bench, &scratch, &space, 0);
        is(run_private(&bench, &job), -EIO, "a database cut short is an error, never a short copy");
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
        test_open_transaction("PRAGMA journal_mode=DELETE");
        test_open_transaction("PRAGMA journal_mode=PERSIST; PRAGMA synchronous=OFF");
        test_truncated();
        return tap_done();
}
