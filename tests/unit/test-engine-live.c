/* engine_copy.c and engine_backup.c: of a live source the bytes of the pinned version, or nothing and all
 * room given back. */
#include "bench.h"

#include <errno.h>

/* Runs the engine for live sources: as its caller does. */
static int run_under(struct bench *bench, struct pin *pin, uint64_t size) {
        struct format_header header;
        struct engine_copy copy;
        uint8_t page[65536];
        int r;

        bench->job.size = size;
        bench->frontier = 0;
        need(vfs_source_first_page(&pin->vfs, page, FORMAT_HEADER_SIZE) == 0 &&
             format_header_parse(&header, page) == 0);
        if (bench->copy) {
                r = engine_copy_init(&copy, &bench->job, pin, header.page_size, false);
                if (r == 0)
                        r = engine_copy_run(&copy, &bench->job, 0);
                engine_copy_deinit(&copy);
        } else {
                need(space_file_init(&bench->job.out, bench->job.space, size) == 0);
                need(vfs_source_first_page(&pin->vfs, page, header.page_size) == 0 &&
                     base_pwrite(bench->job.out.fd, page, header.page_size, 0) == 0);
                r = engine_backup(&bench->job, pin, header.page_size);
        }
        if (r < 0)
                space_file_deinit(&bench->job.out);
        return r;
}

static int run_backup(struct bench *bench, uint64_t size) {
        struct pin *pin = NULL;
        int r;

        need(pin_new(&pin, &bench->file, bench->job.main_fd, 0) == 0);
        r = run_under(bench, pin, size);
        pin_free(pin);
        return r;
}

static void test_backup(const char *pragmas, bool copy) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct bench bench;

        bench_fill(&app, pragmas);
        bench_init(&bench, &scratch, &space, 0);
        {
                BYTES(want) = scratch_reference(&scratch, "db");
                uint64_t print = scratch_print(&scratch);

                bench.copy = copy;
                if (is(run_backup(&bench, want.size), 0, "%s, %s", copy ? "copy" : "backup", pragmas))
                        ok(bench_result_is(&bench, &want), "is the checkpointed source, byte for byte");
                ok(!bench.retreated, "what was said to be in place stayed so");
                ok(scratch_print(&scratch) == print, "the source is left as it is");
        }
        bench_deinit(&bench);
}

/* A pinned version is copied as it was, whatever is committed before and during the copy. */
static void test_backup_of_pinned(bool copy) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct bench bench;
        struct pin *pin = NULL;

        bench_fill(&app, "PRAGMA journal_mode=WAL");
        bench_init(&bench, &scratch, &space, 0);
        bench.copy = copy;
        {
                BYTES(want) = scratch_reference(&scratch, "db");

                need(pin_new(&pin, &bench.file, bench.job.main_fd, 0) == 0);
                need(app_sql(&app,
                             "DELETE FROM t WHERE rowid < 300; VACUUM; PRAGMA wal_checkpoint(TRUNCATE)") ==
                     SQLITE_OK);
                app_loop(&app,
                         "INSERT INTO t SELECT randomblob(5000) FROM t LIMIT 20; DELETE FROM t LIMIT 20;"
                         "PRAGMA wal_checkpoint");
                app_wait_rounds(&app, 3);
                is(run_under(&bench, pin, want.size), 0, "a %s beside a writer that never rests",
                   copy ? "copy" : "backup");
                ok(bench_result_is(&bench, &want), "is the pinned version, byte for byte");
                need(app_sql(&app, "SELECT 1") == SQLITE_OK);
                pin_free(pin);
        }
        bench_deinit(&bench);
}

/* Of a WAL that is in the main file up to some frame, because of a reader, the frames behind that are needed.
 */
static void test_partly_checkpointed(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        APP(reader, scratch_path(&scratch, "db"));
        struct format_index index;
        struct bench bench;
        BYTES(head) = { NULL, 0 };

        bench_fill(&app, "PRAGMA page_size=512; PRAGMA journal_mode=WAL");
        need(app_sql(&reader, "BEGIN; SELECT count(*) FROM t") == SQLITE_OK);
        need(app_sql(&app, "UPDATE t SET a=randomblob(200) WHERE rowid % 5 = 0; PRAGMA wal_checkpoint") ==
             SQLITE_OK);
        head = scratch_read(&scratch, "db-shm");
        need(format_index_parse(&index, head.data) == 0);
        ok(index.backfilled > 0 && index.backfilled < index.last_frame,
           "of %u frames %u are in the main file", index.last_frame, index.backfilled);
        bench_init(&bench, &scratch, &space, 0);
        bench.copy = true;
        {
                BYTES(want) = scratch_reference(&scratch, "db");
                struct vfs_source_page *pages = NULL;
                struct pin *pin = NULL;
                size_t n = 0, n_needless = 0;

                need(pin_new(&pin, &bench.file, bench.job.main_fd, 0) == 0);
                need(vfs_source_wal_pages(&pin->vfs, &pages, &n) == 0);
                for (size_t i = 0; i < n; i++)
                        n_needless += pages[i].frame <= index.backfilled;
                free(pages);
                ok(n > 0 && n_needless == 0, "only others are laid over: %zu pages", n);
                is(run_under(&bench, pin, want.size), 0, "a copy of it");
                ok(bench_result_is(&bench, &want), "is the checkpointed source, byte for byte");
                pin_free(pin);
        }
        bench_deinit(&bench);
}

static void test_backup_failures(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct bench bench;

        uint64_t size;

        bench_fill(
                &app,
                "PRAGMA journal_mode=WAL; CREATE TABLE big(a); INSERT INTO big VALUES(zeroblob(20000000))");
        size = (uint64_t)(app_int(&app, "PRAGMA page_count") * app_int(&app, "PRAGMA page_size"));
        bench_init(&bench, &scratch, &space, 0);
        bench.patience = 0;
        is(run_backup(&bench, size), -EINTR, "a backup that nobody wants any more, before it begins");
        bench.patience = 2;
        is(run_backup(&bench, size), -EINTR, "or in the middle");
        is(bench.space.used, 0, "holds no room");
        bench.patience = UINT32_MAX;
        bench_deinit(&bench);
        bench_init(&bench, &scratch, &space, 0);
        is(run_backup(&bench, size - 4096), -EIO, "a backup of another size than was announced is refused");
        bench_deinit(&bench);
}

int main(void) {
        base_log_to(tap_log, BASE_LOG_DEBUG);
        for (size_t i = 0; i < BENCH_KINDS; i++)
                test_backup(bench_kinds[i], false);
        for (size_t i = 0; i < BENCH_KINDS; i++)
                test_backup(bench_kinds[i], true);
        test_backup_of_pinned(false);
        test_backup_of_pinned(true);
        test_partly_checkpointed();
        test_backup_failures();
        return tap_done();
}
