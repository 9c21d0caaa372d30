/* live.c: a pinned version read where it lies is the version, from any byte to any other; and reading.c: so
 * is what a snapshot gives before it has a copy, while that is made, and afterwards. */
#include "bench.h"
#include "opens.h"

#include "snapshot/live.h"

#include <string.h>

/* Reads at random; how many times anything but the bytes wanted came. */
static unsigned n_wrong_reads(const struct live *live, const struct bytes *want, unsigned n) {
        _cleanup_(base_freep) uint8_t *buffer = malloc(want->size);
        unsigned n_wrong = 0;

        need(buffer);
        for (unsigned i = 0; i < n; i++) {
                size_t offset = (size_t)rand() % want->size;
                size_t most = i % 3 == 0 ? want->size : 5000, size = 1 + (size_t)rand() % most;

                if (size > want->size - offset)
                        size = want->size - offset;
                memset(buffer, 0x5a, size);
                n_wrong += live_read(live, buffer, size, offset) != (ssize_t)size ||
                           memcmp(buffer, want->data + offset, size) != 0;
        }
        return n_wrong;
}

static void test_kind(const char *pragmas, bool wal) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct engine_copy copy;
        struct format_header header;
        struct pin *pin = NULL;
        struct bench bench;
        uint8_t page[FORMAT_HEADER_SIZE];

        bench_fill(&app, pragmas);
        bench_init(&bench, &scratch, &space, 0);
        {
                BYTES(want) = scratch_reference(&scratch, "db");
                struct live live = { .job = &bench.job, .copy = &copy };

                bench.job.size = want.size;
                need(pin_new(&pin, &bench.file, bench.job.main_fd, 0) == 0);
                need(vfs_source_first_page(&pin->vfs, page, sizeof(page)) == 0 &&
                     format_header_parse(&header, page) == 0);
                need(engine_copy_init(&copy, &bench.job, pin, header.page_size, false) == 0);
                is(n_wrong_reads(&live, &want, 300), 0, "%s: reads at random are of the version", pragmas);
                if (wal) {
                        need(app_sql(&app, "UPDATE t SET a=randomblob(90); DELETE FROM t WHERE rowid < 300;"
                                           "VACUUM; PRAGMA wal_checkpoint") == SQLITE_OK);
                        app_loop(&app, "INSERT INTO t SELECT randomblob(5000) FROM t LIMIT 20;"
                                       "DELETE FROM t LIMIT 20; PRAGMA wal_checkpoint");
                        app_wait_rounds(&app, 3);
                        is(n_wrong_reads(&live, &want, 300), 0, "and beside commits and checkpoints");
                }
                space_file_deinit(&bench.job.out);
                engine_copy_deinit(&copy);
                need(app_sql(&app, "SELECT 1") == SQLITE_OK);
                pin_free(pin);
        }
        bench_deinit(&bench);
}

/* A main file that was cut off behind our back is an error, not zeros. */
static void test_cut_off(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct engine_copy copy;
        struct pin *pin = NULL;
        struct bench bench;
        uint8_t byte;

        bench_fill(&app, "PRAGMA page_size=4096");
        bench_init(&bench, &scratch, &space, 0);
        {
                struct live live = { .job = &bench.job, .copy = &copy };

                bench.job.size = (uint64_t)scratch_stat(&scratch, "db").st_size;
                need(pin_new(&pin, &bench.file, bench.job.main_fd, 0) == 0);
                need(engine_copy_init(&copy, &bench.job, pin, 4096, false) == 0);
                need(truncate(scratch_path(&scratch, "db"), 4096) == 0);
                ok(live_read(&live, &byte, 1, 8192) < 0, "what was cut off in rollback mode is an error");
                space_file_deinit(&bench.job.out);
                engine_copy_deinit(&copy);
                pin_free(pin);
        }
        bench_deinit(&bench);
}

/* Before, while and after: always the same bytes. Who lets go in time is not copied for. */
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

                        ok(bytes_equal(&late, &want), "and still the version when the pin has gone");
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
        test_cut_off();
        test_snapshot();
        return tap_done();
}
