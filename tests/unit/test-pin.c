/* pin.c: one version is held, or the errno says which way to go. */
#include "app.h"

#include "snapshot/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Pins "db" and says how that went; a pin is held until it is given to pin_free(). */
static int pin_it(const struct scratch *scratch, int main_fd, struct pin **pin) {
        struct store_file file = scratch_file(scratch, "db");

        *pin = NULL;
        return pin_new(pin, &file, main_fd, 0);
}

/* The same, for a look. */
static int try_it(const struct scratch *scratch) {
        _cleanup_(base_closep) int fd = scratch_open(scratch, "db", O_RDONLY);
        struct pin *pin;
        int r = pin_it(scratch, fd, &pin);

        pin_free(pin);
        return r;
}

static void make(struct app *app, const char *mode) {
        char text[512];

        snprintf(text, sizeof(text),
                 "PRAGMA journal_mode=%s; CREATE TABLE t(a);"
                 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<200)"
                 "INSERT INTO t SELECT randomblob(900) FROM n",
                 mode);
        need(app_sql(app, text) == SQLITE_OK);
}

static void test_holds(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        _cleanup_(base_closep) int fd = -1;
        struct pin *pin, *later;

        make(&app, "WAL");
        fd = scratch_open(&scratch, "db", O_RDONLY);
        is(pin_it(&scratch, fd, &pin), 0, "a live WAL database is pinned");
        for (unsigned i = 0; i < 20; i++)
                need(app_sql(&app, "UPDATE t SET a=randomblob(100); DELETE FROM t WHERE rowid % 10 = 1;"
                                   "PRAGMA wal_checkpoint(TRUNCATE)") == SQLITE_OK);
        is(db_int(pin->db, "SELECT sum(length(a)) FROM t"), 200 * 900,
           "twenty commits and checkpoints change nothing in it");
        is(db_int(pin->db, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1,
           "and it is whole");
        need(pin_it(&scratch, fd, &later) == 0);
        ok(db_int(later->db, "SELECT sum(length(a)) FROM t") < 200 * 900, "a later pin sees them");
        is(db_int(pin->db, "SELECT sum(length(a)) FROM t"), 200 * 900, "beside the first");
        pin_free(pin);
        pin_free(later);
        ok(!pin_free(NULL), "no pin is no error");
        need(app_sql(&app, "PRAGMA wal_checkpoint(TRUNCATE)") == SQLITE_OK && app.text[0] == '0');
        ok(true, "without pins the WAL can be reset");
}

static void test_rollback(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        _cleanup_(base_closep) int fd = -1;
        struct pin *pin;

        make(&app, "DELETE");
        fd = scratch_open(&scratch, "db", O_RDONLY);
        is(pin_it(&scratch, fd, &pin), 0, "a rollback database is pinned");
        is(app_sql(&app, "DELETE FROM t"), SQLITE_BUSY, "so that nobody commits");
        close(scratch_open(&scratch, "db", O_RDWR));
        is(app_sql(&app, "DELETE FROM t"), SQLITE_BUSY, "whatever is closed beside it");
        is(db_int(pin->db, "SELECT count(*) FROM t"), 200, "it reads what is committed");
        pin_free(pin);
        is(app_sql(&app, "DELETE FROM t"), SQLITE_OK, "and ends");
        need(app_sql(&app, "BEGIN IMMEDIATE; INSERT INTO t VALUES(1)") == SQLITE_OK);
        is(pin_it(&scratch, fd, &pin), 0, "a writer that has not begun to commit is no obstacle");
        is(db_int(pin->db, "SELECT count(*) FROM t"), 0, "and what it wrote is not seen");
        pin_free(pin);
}

static void *commit_later(void *userdata) {
        app_sql(userdata, "COMMIT");
        return NULL;
}

static void test_busy(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        struct store_file file = scratch_file(&scratch, "db");
        _cleanup_(base_closep) int fd = -1;
        struct pin *pin = NULL;
        pthread_t thread;

        make(&app, "DELETE");
        need(app_sql(&app, "BEGIN EXCLUSIVE; DELETE FROM t") == SQLITE_OK);
        is(try_it(&scratch), -EBUSY, "beside EXCLUSIVE: -EBUSY");
        fd = scratch_open(&scratch, "db", O_RDONLY);
        need(pthread_create(&thread, NULL, commit_later, &app) == 0);
        is(pin_new(&pin, &file, fd, 60000000000), 0, "with patience, when it is given up");
        is(pin ? db_int(pin->db, "SELECT count(*) FROM t") : -1, 0, "and then what was committed is seen");
        pthread_join(thread, NULL);
        pin_free(pin);
        need(app_sql(&app,
                     "PRAGMA journal_mode=WAL; PRAGMA locking_mode=EXCLUSIVE; INSERT INTO t VALUES(1)") ==
             SQLITE_OK);
        is(try_it(&scratch), -EBUSY, "beside a WAL database in exclusive locking mode: -EBUSY");
}

static void test_private(void) {
        SCRATCH(scratch);
        uint64_t print;

        {
                APP(app, scratch_path(&scratch, "db"));
                make(&app, "WAL");
        }
        need(!scratch_has(&scratch, "db-wal"));
        print = scratch_print(&scratch);
        is(try_it(&scratch), -EAGAIN, "an idle WAL database without side files: -EAGAIN");
        ok(scratch_print(&scratch) == print, "and none are left beside it");
        {
                APP(app, scratch_path(&scratch, "db"));
                need(app_sql(&app, "DELETE FROM t WHERE rowid > 100") == SQLITE_OK);
                app_kill(&app);
        }
        print = scratch_print(&scratch);
        is(try_it(&scratch), -EAGAIN, "the WAL of a crashed application: -EAGAIN");
        ok(scratch_print(&scratch) == print, "and it is left as it is");
}

static void test_hot_journal(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        uint64_t print;

        make(&app, "DELETE");
        need(app_sql(&app, "PRAGMA cache_size=5; BEGIN; UPDATE t SET a=randomblob(900)") == SQLITE_OK);
        is(try_it(&scratch), -EBUSY, "a transaction that has begun to write: -EBUSY");
        app_kill(&app);
        need(scratch_has(&scratch, "db-journal"));
        print = scratch_print(&scratch);
        is(try_it(&scratch), -EAGAIN, "the hot journal of a crashed one: -EAGAIN");
        ok(scratch_print(&scratch) == print, "and it is not rolled back");
}

static void test_broken(void) {
        SCRATCH(scratch);
        uint8_t byte = 9;

        need(sql(scratch_path(&scratch, "db"), "PRAGMA page_size=1024; CREATE TABLE t(a);"
                                               "INSERT INTO t VALUES(zeroblob(50000))") == SQLITE_OK);
        BYTES(whole) = scratch_read(&scratch, "db");
        scratch_write(&scratch, "db", whole.data, whole.size - 1024);
        is(try_it(&scratch), -EIO, "a database cut short: -EIO");
        scratch_write(&scratch, "db", whole.data, whole.size);
        {
                _cleanup_(base_closep) int fd = scratch_open(&scratch, "db", O_RDWR);

                need(base_pwrite(fd, &byte, 1, 21) == 0);
        }
        is(try_it(&scratch), -ESTALE, "what is no database to SQLite: -ESTALE");
        scratch_write(&scratch, "db", whole.data, whole.size);
        is(try_it(&scratch), 0, "and whole again it is pinned");
}

int main(void) {
        base_log_to(tap_log, BASE_LOG_DEBUG);
        test_holds();
        test_rollback();
        test_busy();
        test_private();
        test_hot_journal();
        test_broken();
        return tap_done();
}
