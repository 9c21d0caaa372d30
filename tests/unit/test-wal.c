/* wal.c: what a WAL holds is what SQLite's recovery finds in it. */
#include "app.h"

#include "snapshot/format.h"
#include "snapshot/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* What wal_scan() says of some bytes. */
static int scan_bytes(const struct scratch *scratch, const uint8_t *data, size_t size,
                      struct wal_summary *summary) {
        _cleanup_(base_closep) int fd = -1;

        scratch_write(scratch, "scanned", data, size);
        fd = scratch_open(scratch, "scanned", O_RDONLY);
        return wal_scan(fd, summary, NULL, NULL);
}

static struct wal_summary scan(const struct scratch *scratch, const char *name) {
        _cleanup_(base_closep) int fd = scratch_open(scratch, name, O_RDONLY);
        struct wal_summary summary = { .page_size = 1 };

        need(wal_scan(fd, &summary, NULL, NULL) == 0);
        return summary;
}

/* The page count that SQLite finds in a copy. */
static int64_t recovered(const struct scratch *scratch, const char *name) {
        SCRATCH(aside);

        scratch_copy_database(scratch, name, &aside, "db");
        return sql_int(scratch_path(&aside, "db"), "PRAGMA page_count");
}

static void test_sizes(void) {
        for (unsigned page_size = 512; page_size <= 65536; page_size *= 2) {
                SCRATCH(scratch);
                APP(app, scratch_path(&scratch, "db"));
                char text[512];

                snprintf(text, sizeof(text),
                         "PRAGMA page_size=%u; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE "
                         "TABLE t(a);"
                         "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<40)"
                         "INSERT INTO t SELECT zeroblob(%u) FROM n",
                         page_size, page_size);
                need(app_sql(&app, text) == SQLITE_OK);
                is(scan(&scratch, "db-wal").page_count, app_int(&app, "PRAGMA page_count"),
                   "the page count in a WAL of pages of %u", page_size);
                is(scan(&scratch, "db-wal").page_size, page_size, "and their size");
        }
}

static void test_no_wal(void) {
        SCRATCH(scratch);
        uint8_t zeros[4096] = { 0 };
        struct wal_summary summary;

        for (size_t size = 0; size <= 64; size += 31) {
                is(scan_bytes(&scratch, zeros, size, &summary), 0, "%zu bytes of zeros are no error", size);
                is(summary.page_count, 0, "and hold no commit");
        }
        memset(zeros, 'x', sizeof(zeros));
        ok(scan_bytes(&scratch, zeros, sizeof(zeros), &summary) == 0 && summary.page_count == 0,
           "nor does a file that is something else");
        is(wal_scan(-1, &summary, NULL, NULL), -EBADF, "a descriptor that is none is an error");
}

/* A WAL of a few commits, cut at each byte of its last frames. */
static void test_truncated(void) {
        enum { PAGE = 512, FRAME = FORMAT_WAL_FRAME_HEADER_SIZE + PAGE };
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        unsigned n_wrong = 0, n_other = 0;
        size_t from;

        need(app_sql(&app, "PRAGMA page_size=512; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;"
                           "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(300)); INSERT INTO t "
                           "VALUES(zeroblob(2000));"
                           "INSERT INTO t VALUES(zeroblob(5000)); INSERT INTO t VALUES(zeroblob(700))") ==
             SQLITE_OK);
        BYTES(wal) = scratch_read(&scratch, "db-wal");
        from = wal.size - (size_t)6 * FRAME;
        for (size_t size = from; size <= wal.size; size++) {
                struct wal_summary summary;
                uint32_t want = 0;

                for (size_t at = FORMAT_WAL_HEADER_SIZE; at + FRAME <= size; at += FRAME)
                        if (format_be32(wal.data + at + 4) > 0)
                                want = format_be32(wal.data + at + 4);
                need(scan_bytes(&scratch, wal.data, size, &summary) == 0);
                n_wrong += summary.page_count != want;
                if (size % 97 == 0 || size == wal.size) {
                        scratch_copy_database(&scratch, "db", &scratch, "cut");
                        scratch_write(&scratch, "cut-wal", wal.data, size);
                        n_other += recovered(&scratch, "cut") != summary.page_count;
                }
        }
        is(n_wrong, 0, "cut at each of %zu bytes, a WAL holds the commits whose frames are whole",
           wal.size - from);
        is(n_other, 0, "and SQLite finds the same");
}

/* After a reset the WAL starts anew over its old frames, which must not count. */
static void test_stale_frames(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        struct stat before;
        int64_t pages;

        need(app_sql(&app, "PRAGMA page_size=1024; PRAGMA journal_mode=WAL; PRAGMA auto_vacuum=FULL; CREATE "
                           "TABLE t(a);"
                           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<100)"
                           "INSERT INTO t SELECT zeroblob(900) FROM n; DELETE FROM t WHERE rowid > 10;") ==
             SQLITE_OK);
        before = scratch_stat(&scratch, "db-wal");
        need(app_sql(&app, "PRAGMA wal_checkpoint(RESTART); INSERT INTO t VALUES(zeroblob(5000))") ==
             SQLITE_OK);
        is(scratch_stat(&scratch, "db-wal").st_size, before.st_size, "a WAL that starts anew keeps its size");
        pages = app_int(&app, "PRAGMA page_count");
        is(scan(&scratch, "db-wal").page_count, pages, "frames of its past do not count");
        app_kill(&app);
        is(scan(&scratch, "db-wal").page_count, pages, "nor after a crash");
        is(recovered(&scratch, "db"), pages, "and SQLite finds the same");
}

/* A transaction that spilled into the WAL and was never committed. */
static void test_uncommitted(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        off_t before;
        int64_t pages;

        need(app_sql(&app, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a);"
                           "INSERT INTO t VALUES(1)") == SQLITE_OK);
        pages = app_int(&app, "PRAGMA page_count");
        before = scratch_stat(&scratch, "db-wal").st_size;
        need(app_sql(&app, "PRAGMA cache_size=5; BEGIN;"
                           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<1000)"
                           "INSERT INTO t SELECT zeroblob(900) FROM n") == SQLITE_OK);
        ok(scratch_stat(&scratch, "db-wal").st_size > before, "a large transaction spills into the WAL");
        is(scan(&scratch, "db-wal").page_count, pages, "and does not count before it commits");
        need(app_sql(&app, "COMMIT") == SQLITE_OK);
        is(scan(&scratch, "db-wal").page_count, app_int(&app, "PRAGMA page_count"), "and does after");
}

int main(void) {
        test_no_wal();
        test_sizes();
        test_truncated();
        test_stale_frames();
        test_uncommitted();
        return tap_done();
}
