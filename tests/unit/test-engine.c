/* engine_backup.c and engine_private.c: the bytes of the recovered, checkpointed source, or nothing and all
 * room given back. */
#include "app.h"

#include "snapshot/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* What a test makes an engine work with. */
struct bench {
        struct scratch *scratch;
        struct space space;
        struct cache wals;
        struct store_file file;
        struct engine_job job;
        unsigned patience; /* how often unwanted() says no */
        bool copy;         /* by engine_copy() */
        uint64_t frontier; /* as last told */
        bool retreated;    /* it never may */
        const char *why;
};

static bool unwanted(void *userdata) {
        struct bench *bench = userdata;

        return bench->patience-- == 0;
}

static void on_frontier(void *userdata, uint64_t frontier) {
        struct bench *bench = userdata;

        bench->retreated |= frontier < bench->frontier || frontier > bench->job.size;
        bench->frontier = frontier;
}

static void bench_init(struct bench *bench, struct scratch *scratch, const struct scratch *space,
                       uint64_t max) {
        *bench = (struct bench){ .scratch = scratch,
                                 .file = scratch_file(scratch, "db"),
                                 .patience = UINT32_MAX };
        need(space_init(&bench->space, space->path, max) == 0 && cache_init(&bench->wals) == 0);
        bench->job = (struct engine_job){ .file = &bench->file,
                                          .main_fd = scratch_open(scratch, "db", O_RDONLY),
                                          .space = &bench->space,
                                          .unwanted = unwanted,
                                          .userdata = bench,
                                          .on_frontier = on_frontier };
}

static void bench_deinit(struct bench *bench) {
        close(bench->job.main_fd);
        cache_deinit(&bench->wals);
        is(bench->space.used, 0, "all room is given back");
        space_deinit(&bench->space);
}

/* Makes room, puts page 1 in place and runs the engine for live sources: as its caller does. */
static int run_under(struct bench *bench, struct pin *pin, uint64_t size) {
        struct format_header header;
        uint8_t page[65536];
        int r;

        bench->job.size = size;
        r = space_file_init(&bench->job.out, bench->job.space, size);
        if (r < 0)
                return r;
        need(ftruncate(bench->job.out.fd, (off_t)size) == 0);
        need(vfs_source_first_page(&pin->vfs, page, FORMAT_HEADER_SIZE) == 0 &&
             format_header_parse(&header, page) == 0);
        need(bench->copy || (vfs_source_first_page(&pin->vfs, page, header.page_size) == 0 &&
                             base_pwrite(bench->job.out.fd, page, header.page_size, 0) == 0));
        bench->frontier = 0;
        r = bench->copy ? engine_copy(&bench->job, pin, header.page_size)
                        : engine_backup(&bench->job, pin, header.page_size);
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

/* Runs the engine for those that SQLite cannot read. */
static int run_private(struct bench *bench) {
        struct stat st = scratch_stat(bench->scratch, "db");
        struct version version;

        need(version_look(&version, &bench->file, bench->job.main_fd, &st, &bench->wals) == 0);
        return engine_private(&bench->job, &version, &bench->why);
}

/* Whether the result is the reference; closes it. */
static bool result_is(struct bench *bench, const struct bytes *want) {
        BYTES(got) = fd_read(bench->job.out.fd);
        bool equal = bench->job.size <= got.size;

        got.size = bench->job.size;
        equal = equal && bytes_equal(&got, want);
        space_file_deinit(&bench->job.out);
        return equal;
}

static void fill(struct app *app, const char *pragmas) {
        char text[1024];

        snprintf(text, sizeof(text),
                 "%s; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a); CREATE INDEX i ON t(a);"
                 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<500)"
                 "INSERT INTO t SELECT randomblob(i) FROM n;"
                 "PRAGMA user_version=17; PRAGMA application_id=99; DELETE FROM t WHERE rowid %% 3 = 0;"
                 "INSERT INTO t VALUES(randomblob(100000))",
                 pragmas);
        need(app_sql(app, text) == SQLITE_OK);
}

static const char *const kinds[] = {
        "PRAGMA page_size=512",
        "PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL",
        "PRAGMA page_size=65536; PRAGMA auto_vacuum=FULL",
        "PRAGMA encoding='UTF-16be'; PRAGMA journal_mode=PERSIST",
        "PRAGMA page_size=512; PRAGMA journal_mode=WAL",
        "PRAGMA page_size=1024; PRAGMA auto_vacuum=FULL; PRAGMA journal_mode=WAL",
        "PRAGMA page_size=4096; PRAGMA journal_mode=WAL",
        "PRAGMA page_size=65536; PRAGMA journal_mode=WAL",
};

static void test_backup(const char *pragmas, bool copy) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct bench bench;

        fill(&app, pragmas);
        bench_init(&bench, &scratch, &space, 0);
        {
                BYTES(want) = scratch_reference(&scratch, "db");
                uint64_t print = scratch_print(&scratch);

                bench.copy = copy;
                if (is(run_backup(&bench, want.size), 0, "%s, %s", copy ? "copy" : "backup", pragmas))
                        ok(result_is(&bench, &want), "is the checkpointed source, byte for byte");
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

        fill(&app, "PRAGMA journal_mode=WAL");
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
                ok(result_is(&bench, &want), "is the pinned version, byte for byte");
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

        fill(&app, "PRAGMA page_size=512; PRAGMA journal_mode=WAL");
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
                ok(result_is(&bench, &want), "is the checkpointed source, byte for byte");
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

        fill(&app,
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

        fill(&app, pragmas);
        leave(&app, &scratch, crash, drop_shm);
        bench_init(&bench, &scratch, &space, 0);
        {
                BYTES(want) = scratch_reference(&scratch, "db");
                uint64_t print = scratch_print(&scratch);

                if (is(run_private(&bench), 0, "private, %s, %s%s", pragmas, crash ? "crashed" : "closed",
                       drop_shm ? ", without -shm" : ""))
                        ok(result_is(&bench, &want), "is the checkpointed source, byte for byte");
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

        fill(&app, pragmas);
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
                        ok(result_is(&bench, &want), "is what SQLite recovers, byte for byte");
                ok(scratch_print(&scratch) == print, "the source is left as it is");
        }
        bench_deinit(&bench);
}

static void test_private_failures(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct bench bench;

        fill(&app,
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

        fill(&app, "PRAGMA journal_mode=WAL");
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

        fill(&app, "PRAGMA page_size=1024; PRAGMA journal_mode=WAL");
        leave(&app, &scratch, false, false);
        need(truncate(scratch_path(&scratch, "db"), scratch_stat(&scratch, "db").st_size - 2048) == 0);
        scratch_settle(&scratch, "db");
        bench_init(&bench, &scratch, &space, 0);
        is(run_private(&bench), -EIO, "a database cut short is an error, never a short copy");
        bench_deinit(&bench);
}

int main(void) {
        base_log_to(tap_log, BASE_LOG_DEBUG);
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                test_backup(kinds[i], false);
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
                test_backup(kinds[i], true);
        test_backup_of_pinned(false);
        test_backup_of_pinned(true);
        test_partly_checkpointed();
        test_backup_failures();
        for (size_t i = 4; i < ARRAY_SIZE(kinds); i++) {
                test_private(kinds[i], true, true);
                test_private(kinds[i], true, false);
                test_private(kinds[i], false, false);
        }
        test_hot("PRAGMA page_size=512");
        test_hot("PRAGMA journal_mode=PERSIST");
        test_hot("PRAGMA page_size=65536; PRAGMA auto_vacuum=FULL; PRAGMA journal_mode=TRUNCATE");
        test_private_failures();
        test_no_proof();
        test_truncated();
        return tap_done();
}
