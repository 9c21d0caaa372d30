/* vfs_source.c: a source connection reads and never writes; frozen, it knows exactly which version it reads.
 */
#include "app.h"

#include "snapshot/vfs_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* A source connection. */
struct reader {
        struct vfs_source vfs;
        struct store_file file;
        sqlite3 *db;
        int main_fd;
};

static int reader_open(struct reader *reader, const struct scratch *scratch, int flags) {
        reader->file = scratch_file(scratch, "db");
        reader->main_fd = scratch_open(scratch, "db", O_RDONLY);
        need(vfs_source_init(&reader->vfs, &reader->file, reader->main_fd) == 0);
        return vfs_connect(&reader->vfs.vfs, flags, &reader->db);
}

static int reader_pin(struct reader *reader) {
        int code = sqlite3_exec(reader->db, "BEGIN; SELECT 1 FROM sqlite_schema", NULL, NULL, NULL);

        if (code == SQLITE_OK)
                vfs_source_freeze(&reader->vfs);
        else
                sqlite3_exec(reader->db, "ROLLBACK", NULL, NULL, NULL);
        return code;
}

static void reader_close(struct reader *reader) {
        need(sqlite3_close(reader->db) == SQLITE_OK);
        vfs_source_deinit(&reader->vfs);
        close(reader->main_fd);
}

static void make(struct app *app, const char *mode, unsigned rows) {
        char text[512];

        snprintf(text, sizeof(text),
                 "PRAGMA page_size=512; PRAGMA journal_mode=%s; PRAGMA wal_autocheckpoint=0; CREATE TABLE "
                 "t(a);"
                 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%u)"
                 "INSERT INTO t SELECT randomblob(300) FROM n",
                 mode, rows);
        need(app_sql(app, text) == SQLITE_OK);
}

static void test_never_writes(const char *mode, int flags) {
        static const char *const attempts[] = {
                "INSERT INTO t VALUES(1)",
                "CREATE TABLE u(a)",
                "PRAGMA user_version=5",
                "VACUUM",
                "DROP TABLE t",
        };
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        struct reader reader;
        unsigned n_done = 0;
        uint64_t print;

        make(&app, mode, 100);
        print = scratch_print(&scratch);
        need(reader_open(&reader, &scratch, flags) == SQLITE_OK);
        is(db_int(reader.db, "SELECT count(*) FROM t"), 100, "a source in %s mode is read (flags %d)", mode,
           flags);
        for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
                n_done += sqlite3_exec(reader.db, attempts[i], NULL, NULL, NULL) == SQLITE_OK;
                sqlite3_exec(reader.db, "ROLLBACK", NULL, NULL, NULL);
        }
        is(n_done, 0, "no statement that writes succeeds");
        sqlite3_exec(reader.db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL);
        sqlite3_exec(reader.db, "PRAGMA journal_mode=DELETE; PRAGMA journal_mode=WAL", NULL, NULL, NULL);
        is(db_int(reader.db, "SELECT count(*) FROM t"), 100, "it still reads");
        reader_close(&reader);
        ok(scratch_print(&scratch) == print, "no name, byte or attribute of the source has changed");
        is(app_sql(&app, "INSERT INTO t VALUES(1)"), SQLITE_OK, "and the application may write at once");
}

static bool header_is(struct reader *reader, const struct bytes *want) {
        uint8_t header[FORMAT_HEADER_SIZE];

        return vfs_source_first_page(&reader->vfs, header, sizeof(header)) == 0 &&
               memcmp(header, want->data, sizeof(header)) == 0;
}

/* Has SQLite's barrier, at which the WAL-index is read anew, happen now. */
static void pass_barrier(struct reader *reader) {
        sqlite3_file *file = NULL;

        need(sqlite3_file_control(reader->db, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK && file);
        file->pMethods->xShmBarrier(file);
}

/* The pinned version is that of the pin, however many commits come after it. */
static void test_frozen(unsigned rows) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        uint8_t raw[FORMAT_INDEX_HEADER_SIZE], later_raw[FORMAT_INDEX_HEADER_SIZE];
        struct format_index index, later;
        struct reader reader;
        int64_t pages;

        make(&app, "WAL", rows);
        need(app_sql(&app, "CREATE TABLE another(a)") == SQLITE_OK);
        pages = app_int(&app, "PRAGMA page_count");
        BYTES(want) = scratch_reference(&scratch, "db");
        need(reader_open(&reader, &scratch, SQLITE_OPEN_READONLY) == SQLITE_OK &&
             reader_pin(&reader) == SQLITE_OK);
        is(vfs_source_index(&reader.vfs, &index, raw), 1, "a version pinned through a WAL of %u rows", rows);
        is(index.page_count, pages, "has the page count of its last commit");
        ok(header_is(&reader, &want), "and its page 1");
        for (unsigned i = 0; i < 50; i++)
                need(app_sql(&app, "INSERT INTO t SELECT randomblob(400) FROM t LIMIT 20; CREATE TABLE u(a);"
                                   "DROP TABLE u") == SQLITE_OK);
        need(app_sql(&app, "PRAGMA wal_checkpoint(TRUNCATE)") == SQLITE_OK);
        pass_barrier(&reader);
        is(vfs_source_index(&reader.vfs, &later, later_raw), 1, "many commits and a checkpoint later");
        ok(memcmp(raw, later_raw, sizeof(raw)) == 0, "the WAL-index is still that of the pin");
        ok(header_is(&reader, &want), "so is page 1");
        is(db_int(reader.db, "SELECT count(*) FROM t"), rows, "and what is read");
        reader_close(&reader);
        BYTES(now) = scratch_reference(&scratch, "db");
        need(reader_open(&reader, &scratch, SQLITE_OPEN_READONLY) == SQLITE_OK &&
             reader_pin(&reader) == SQLITE_OK);
        ok(header_is(&reader, &now) && !header_is(&reader, &want), "a new pin has the new page 1");
        need(vfs_source_index(&reader.vfs, &later, later_raw) == 1);
        ok(memcmp(raw, later_raw, sizeof(raw)) != 0, "and another WAL-index");
        reader_close(&reader);
}

/*
 * A connection that reads twice sees the newer version the second time, whatever it knows of the WAL-index
 * from the first: SQLite reads the schema in a transaction of its own before the one that is pinned.
 */
static void test_again(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        struct reader reader;
        unsigned n_wrong = 0;

        make(&app, "WAL", 10000);
        need(reader_open(&reader, &scratch, SQLITE_OPEN_READONLY) == SQLITE_OK);
        for (unsigned i = 0; i < 20; i++) {
                n_wrong += db_int(reader.db, "SELECT count(*) FROM t") !=
                           app_int(&app, "SELECT count(*) FROM t");
                n_wrong += db_int(reader.db, "PRAGMA page_count") != app_int(&app, "PRAGMA page_count");
                need(app_sql(&app,
                             "INSERT INTO t SELECT randomblob(300) FROM t LIMIT 100; DELETE FROM t WHERE "
                             "rowid % 50 = abs(random()) % 50; VACUUM") == SQLITE_OK);
                if (i == 10)
                        need(app_sql(&app, "PRAGMA wal_checkpoint(RESTART)") == SQLITE_OK);
        }
        is(n_wrong, 0, "each transaction of a connection reads what is committed when it begins");
        reader_close(&reader);
}

/* ---- beside a writer that commits without pause ---- */

static struct {
        struct app *app;
        const sqlite3_io_methods *system;
        unsigned locks, pauses;
} storm;

/* A commit between the header that SQLite has read and the read lock, a few times over. */
static int storm_lock(sqlite3_file *file, int offset, int n, int flags) {
        if ((flags & SQLITE_SHM_LOCK) && ++storm.locks <= 20)
                need(app_sql(storm.app, "INSERT INTO t VALUES(1)") == SQLITE_OK);
        return storm.system->xShmLock(file, offset, n, flags);
}

static int (*storm_system_sleep)(sqlite3_vfs *vfs, int microseconds);

/* And one in each pause, as there always is. */
static int storm_sleep(sqlite3_vfs *vfs, int microseconds) {
        storm.pauses++;
        need(app_sql(storm.app, "INSERT INTO t VALUES(1)") == SQLITE_OK);
        return storm_system_sleep(vfs, microseconds);
}

/* S2: a read begins once there was room for it between two commits, not only when the writer rests. */
static void test_storm(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        sqlite3_io_methods methods;
        sqlite3_file *file = NULL;
        struct reader reader;

        make(&app, "WAL", 100);
        need(reader_open(&reader, &scratch, SQLITE_OPEN_READONLY) == SQLITE_OK);
        need(db_int(reader.db, "SELECT count(*) FROM t") == 100);
        need(sqlite3_file_control(reader.db, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK && file);
        storm.app = &app;
        storm.system = file->pMethods;
        methods = *file->pMethods;
        methods.xShmLock = storm_lock;
        file->pMethods = &methods;
        storm_system_sleep = reader.vfs.vfs.base.xSleep;
        reader.vfs.vfs.base.xSleep = storm_sleep;
        is(reader_pin(&reader), SQLITE_OK, "a read begins beside a writer that commits in each pause");
        ok(storm.locks == 21 && storm.pauses > 0 && storm.pauses < 21,
           "as soon as no commit comes between the header and the lock: %u tries, %u pauses", storm.locks,
           storm.pauses);
        is(db_int(reader.db, "SELECT count(*) FROM t"), 120 + storm.pauses, "and sees all that is committed");
        file->pMethods = storm.system;
        reader_close(&reader);
}

/* A WAL that is in the main file to the last frame is read past: read lock 0. */
static void test_backfilled(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        uint8_t raw[FORMAT_INDEX_HEADER_SIZE];
        struct format_index index;
        struct reader reader;

        make(&app, "WAL", 50);
        need(app_sql(&app, "PRAGMA wal_checkpoint(FULL)") == SQLITE_OK);
        BYTES(want) = scratch_reference(&scratch, "db");
        need(reader_open(&reader, &scratch, SQLITE_OPEN_READONLY) == SQLITE_OK &&
             reader_pin(&reader) == SQLITE_OK);
        ok(header_is(&reader, &want), "page 1 of a version that is all in the main file");
        is(vfs_source_index(&reader.vfs, &index, raw), 1, "though there is a WAL");
        need(app_sql(&app, "CREATE TABLE u(a); INSERT INTO u SELECT * FROM t; PRAGMA wal_checkpoint(FULL)") ==
             SQLITE_OK);
        ok(header_is(&reader, &want), "and still when the WAL has started anew over it");
        is(db_int(reader.db, "SELECT count(*) FROM sqlite_schema"), 1, "(which it did)");
        reader_close(&reader);
}

static void test_rollback(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        uint8_t raw[FORMAT_INDEX_HEADER_SIZE];
        struct format_index index;
        struct reader reader;

        make(&app, "DELETE", 50);
        BYTES(want) = scratch_read(&scratch, "db");
        need(reader_open(&reader, &scratch, SQLITE_OPEN_READONLY) == SQLITE_OK &&
             reader_pin(&reader) == SQLITE_OK);
        is(vfs_source_index(&reader.vfs, &index, raw), 0, "no WAL-index in rollback mode");
        ok(header_is(&reader, &want), "page 1 is the main file's");
        is(app_sql(&app, "INSERT INTO t VALUES(1)"), SQLITE_BUSY, "a pin is SHARED: nobody commits");
        reader_close(&reader);
        is(app_sql(&app, "INSERT INTO t VALUES(1)"), SQLITE_OK, "until it is gone");
        need(app_sql(&app, "BEGIN EXCLUSIVE") == SQLITE_OK);
        need(reader_open(&reader, &scratch, SQLITE_OPEN_READONLY) == SQLITE_OK);
        is(vfs_source_share(&reader.vfs, 0), -EBUSY, "SHARED is not to be had beside EXCLUSIVE");
        is(reader_pin(&reader), SQLITE_BUSY, "nor is a transaction");
        need(app_sql(&app, "COMMIT") == SQLITE_OK);
        is(vfs_source_share(&reader.vfs, 0), 0, "it is afterwards");
        is(reader_pin(&reader), SQLITE_OK, "as is a transaction under it");
        is(app_sql(&app, "INSERT INTO t VALUES(1)"), SQLITE_BUSY, "(held)");
        reader_close(&reader);
        is(app_sql(&app, "INSERT INTO t VALUES(1)"), SQLITE_OK, "(given up)");
}

/* A -shm that nobody keeps alive must not be believed, and none must be made. */
static void test_dead(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        struct reader reader;
        uint64_t print;

        make(&app, "WAL", 50);
        app_kill(&app);
        print = scratch_print(&scratch);
        need(reader_open(&reader, &scratch, SQLITE_OPEN_READONLY) == SQLITE_OK);
        is(base_sqlite_error(reader_pin(&reader)), -EAGAIN, "the -shm of a crashed application is not used");
        reader_close(&reader);
        need(unlinkat(scratch.dirfd, "db-shm", 0) == 0);
        print = scratch_print(&scratch);
        need(reader_open(&reader, &scratch, SQLITE_OPEN_READONLY) == SQLITE_OK);
        is(base_sqlite_error(reader_pin(&reader)), -EAGAIN, "without one there is no reading");
        reader_close(&reader);
        ok(scratch_print(&scratch) == print, "and none is made");
}

/* Somebody who cuts a live -shm short must not take us down (and has no say in what is served). */
static void test_cut_index(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        _cleanup_(base_closep) int shm = -1;
        struct reader reader;

        make(&app, "WAL", 50);
        need(reader_open(&reader, &scratch, SQLITE_OPEN_READONLY) == SQLITE_OK &&
             reader_pin(&reader) == SQLITE_OK);
        shm = scratch_open(&scratch, "db-shm", O_RDWR);
        need(ftruncate(shm, 100) == 0);
        is(db_int(reader.db, "SELECT count(*) FROM t"), 50,
           "a -shm cut short under a pin changes nothing for it");
        reader_close(&reader);
        need(reader_open(&reader, &scratch, SQLITE_OPEN_READONLY) == SQLITE_OK);
        ok(reader_pin(&reader) != SQLITE_OK, "nobody pins through it any more");
        reader_close(&reader);
        app_kill(&app);
}

int main(void) {
        base_log_to(tap_log, BASE_LOG_DEBUG);
        test_never_writes("DELETE", SQLITE_OPEN_READONLY);
        test_never_writes("DELETE", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
        test_never_writes("WAL", SQLITE_OPEN_READONLY);
        test_never_writes("WAL", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
        test_frozen(100);
        test_frozen(10000);
        test_again();
        test_storm();
        test_backfilled();
        test_rollback();
        test_dead();
        test_cut_index();
        return tap_done();
}
