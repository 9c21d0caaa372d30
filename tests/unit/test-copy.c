/* copy.c: of a view the bytes of its version, or nothing and all room given back. */
#include "bench.h"

#include <errno.h>

/* Copies as the caller of copy_run() does. */
static int run(struct bench *bench, const struct view *view, struct space_file *out) {
        struct copy copy;
        int r = copy_init(&copy, view, &bench->space, false);

        if (r < 0)
                return r;
        r = copy_run(&copy, &bench->wish, 0);
        if (r == 0) {
                *out = copy.out;
                copy.out = (struct space_file)SPACE_FILE_NULL;
        }
        copy_deinit(&copy);
        return r;
}

static void test_kind(const char *pragmas, bool doubtful) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct space_file out;
        struct bench bench;
        struct view *view;
        int r;

        bench_fill(&app, pragmas);
        bench_init(&bench, &scratch, &space, 0);
        {
                BYTES(want) = scratch_reference(&scratch, "db");
                uint64_t print = scratch_print(&scratch);

                view = bench_hold(&bench, &r);
                need(view);
                view->doubtful = doubtful;
                if (is(run(&bench, view, &out), 0, "%s%s", pragmas, doubtful ? ", read twice" : ""))
                        ok(bench_result_is(&out, view->size, &want), "is the checkpointed source, byte for byte");
                ok(scratch_print(&scratch) == print, "the source is left as it is");
                view_free(view);
        }
        bench_deinit(&bench);
}

/* A held version is copied as it was, whatever is committed before and during the copy. */
static void test_beside_a_writer(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct space_file out;
        struct bench bench;
        struct view *view;
        int r;

        bench_fill(&app, "PRAGMA journal_mode=WAL");
        bench_init(&bench, &scratch, &space, 0);
        {
                BYTES(want) = scratch_reference(&scratch, "db");

                view = bench_hold(&bench, &r);
                need(view);
                need(app_sql(&app,
                             "DELETE FROM t WHERE rowid < 300; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)") ==
                     SQLITE_OK);
                app_loop(&app,
                         "INSERT INTO t SELECT randomblob(5000) FROM t LIMIT 20; DELETE FROM t LIMIT 20;"
                         "PRAGMA wal_checkpoint");
                app_wait_rounds(&app, 3);
                is(run(&bench, view, &out), 0, "a copy beside a writer that never rests");
                ok(bench_result_is(&out, view->size, &want), "is the version that was held, byte for byte");
                need(app_sql(&app, "SELECT 1") == SQLITE_OK);
                view_free(view);
        }
        bench_deinit(&bench);
}

/* Of a WAL that is in the main file up to some frame, because of a reader, the frames behind that are needed. */
static void test_partly_checkpointed(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        APP(reader, scratch_path(&scratch, "db"));
        struct format_index index;
        struct space_file out;
        struct bench bench;
        struct view *view;
        int r;

        bench_fill(&app, "PRAGMA page_size=512; PRAGMA journal_mode=WAL");
        need(app_sql(&reader, "BEGIN; SELECT count(*) FROM t") == SQLITE_OK);
        need(app_sql(&app, "UPDATE t SET a=randomblob(200) WHERE rowid % 5 = 0; PRAGMA wal_checkpoint") ==
             SQLITE_OK);
        BYTES(head) = scratch_read(&scratch, "db-shm");
        need(format_index_parse(&index, head.data) == 0);
        ok(index.backfilled > 0 && index.backfilled < index.last_frame,
           "of %u frames %u are in the main file", index.last_frame, index.backfilled);
        bench_init(&bench, &scratch, &space, 0);
        {
                BYTES(want) = scratch_reference(&scratch, "db");
                size_t n_needless = 0;

                view = bench_hold(&bench, &r);
                need(view);
                for (size_t i = 0; i < view->n_pages; i++)
                        n_needless += view->pages[i].frame <= index.backfilled;
                ok(view->n_pages > 0 && n_needless == 0, "only others are laid over: %zu pages", view->n_pages);
                is(run(&bench, view, &out), 0, "a copy of it");
                ok(bench_result_is(&out, view->size, &want), "is the checkpointed source, byte for byte");
                view_free(view);
        }
        bench_deinit(&bench);
}

static void test_failures(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct space_file out;
        struct bench bench;
        struct view *view;
        int r;

        bench_fill(&app, "PRAGMA journal_mode=WAL; CREATE TABLE big(a); INSERT INTO big VALUES(zeroblob(20000000));"
                         "PRAGMA wal_checkpoint");
        bench_init(&bench, &scratch, &space, 0);
        view = bench_hold(&bench, &r);
        need(view);
        bench.patience = 0;
        is(run(&bench, view, &out), -EINTR, "a copy that nobody wants any more, before it begins");
        bench.patience = 2;
        is(run(&bench, view, &out), -EINTR, "or in the middle");
        is(bench.space.used, 0, "holds no room");
        bench.patience = UINT32_MAX;
        view_free(view);
        bench_deinit(&bench);
        bench_init(&bench, &scratch, &space, 1000000);
        view = bench_hold(&bench, &r);
        need(view);
        is(run(&bench, view, &out), -ENOSPC, "one that does not fit");
        view_free(view);
        bench_deinit(&bench);
}

/* A file of 8 KiB that says 1 GiB takes the room of what there is. */
static void test_sparse(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        struct space_file out = SPACE_FILE_NULL;
        struct bench bench;
        struct view *view;
        struct stat st;
        int r;

        need(sql(scratch_path(&scratch, "db"), "CREATE TABLE t(a); INSERT INTO t VALUES(1)") == SQLITE_OK);
        need(truncate(scratch_path(&scratch, "db"), (off_t)1 << 30) == 0);
        {
                _cleanup_(base_closep) int fd = scratch_open(&scratch, "db", 1 /* O_WRONLY */);
                uint8_t pages[4] = { 0, 4, 0, 0 };

                need(base_pwrite(fd, pages, sizeof(pages), 28) == 0);
        }
        bench_init(&bench, &scratch, &space, 0);
        view = bench_hold(&bench, &r);
        need(view);
        is(view->size, INT64_C(1) << 30, "a file with a hole of a GiB");
        is(run(&bench, view, &out), 0, "is copied");
        need(fstat(out.fd, &st) == 0);
        is(st.st_size, INT64_C(1) << 30, "in its size");
        ok(st.st_blocks * 512 < 1 << 20 && bench.space.used < 1 << 20, "for the room of what it holds");
        space_file_deinit(&out);
        view_free(view);
        bench_deinit(&bench);
}

int main(void) {
        base_log_to(tap_log, BASE_LOG_DEBUG);
        for (size_t i = 0; i < BENCH_KINDS; i++)
                test_kind(bench_kinds[i], false);
        test_kind(bench_kinds[0], true);
        test_beside_a_writer();
        test_partly_checkpointed();
        test_failures();
        test_sparse();
        return tap_done();
}
