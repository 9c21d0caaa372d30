/* version.c: what lstat says before an open is what the open gives, in each state a source can be in. */
#include "app.h"
#include "opens.h"

#include "snapshot/cache.h"
#include "snapshot/version.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define ROWS(n) "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<" #n ")"

/* One state: brought about by statements, then an end. */
struct state {
        const char *name;
        const char *statements;
        unsigned chunk;
        bool crash, close, drop_shm, drop_wal;
        bool locked;      /* opened only after the application has rolled back */
        const char *todo; /* why lstat is known to be wrong */
};

static const struct state states[] = {
        { .name = "rollback, idle, closed",
          .statements = "CREATE TABLE t(a); INSERT INTO t VALUES(1)",
          .close = true },
        { .name = "rollback, idle, open", .statements = "CREATE TABLE t(a); INSERT INTO t VALUES(1)" },
        { .name = "rollback, read by the application",
          .statements = "CREATE TABLE t(a); BEGIN; SELECT * FROM t" },
        { .name = "rollback, a transaction under way that has grown the file",
          .statements = "PRAGMA cache_size=5; CREATE TABLE t(a); BEGIN;" ROWS(
                  500) "INSERT INTO t SELECT zeroblob(900) FROM n",
          .locked = true },
        { .name = "rollback, a transaction under way that has written nothing yet",
          .statements = "CREATE TABLE t(a); INSERT INTO t VALUES(1); BEGIN; INSERT INTO t "
                        "VALUES(zeroblob(20000))" },
        { .name = "rollback, persistent journal, idle",
          .statements = "PRAGMA journal_mode=PERSIST; CREATE TABLE t(a);" ROWS(
                  50) "INSERT INTO t SELECT zeroblob(900) FROM n; DELETE FROM t; VACUUM" },
        { .name = "rollback, truncated journal, idle",
          .statements = "PRAGMA journal_mode=TRUNCATE; CREATE TABLE t(a); INSERT INTO t VALUES(1)" },
        { .name = "rollback, chunks reserved",
          .chunk = 1 << 20,
          .statements = "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(5000))" },
        { .name = "rollback, chunks reserved, transaction under way",
          .chunk = 1 << 18,
          .locked = true,
          .statements =
                  "PRAGMA cache_size=5; CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(5000)); BEGIN;" ROWS(
                          500) "INSERT INTO t SELECT zeroblob(900) FROM n" },
        { .name = "WAL, live",
          .statements = "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1)" },
        { .name = "WAL, live, not yet written to",
          .statements = "PRAGMA journal_mode=WAL; CREATE TABLE t(a);"
                        "PRAGMA wal_checkpoint(TRUNCATE)" },
        { .name = "WAL, live, shrunk",
          .statements = "PRAGMA journal_mode=WAL; CREATE TABLE t(a);" ROWS(
                  50) "INSERT INTO t SELECT zeroblob(900) FROM n;"
                      "PRAGMA wal_checkpoint; DELETE FROM t; VACUUM" },
        { .name = "WAL, live, grown by a transaction that has not committed",
          .statements = "PRAGMA journal_mode=WAL; PRAGMA cache_size=5; CREATE TABLE t(a); INSERT INTO t "
                        "VALUES(1); BEGIN;" ROWS(500) "INSERT INTO t SELECT zeroblob(900) FROM n" },
        { .name = "WAL, live, chunks reserved",
          .chunk = 1 << 20,
          .statements = "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1);"
                        "PRAGMA wal_checkpoint; INSERT INTO t VALUES(zeroblob(9000))" },
        { .name = "WAL, live, chunks reserved, checkpointed whole",
          .chunk = 1 << 20,
          .statements = "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1);"
                        "PRAGMA wal_checkpoint(TRUNCATE)" },
        { .name = "WAL, crashed",
          .crash = true,
          .statements = "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(30000))" },
        { .name = "WAL, crashed, without -shm",
          .crash = true,
          .drop_shm = true,
          .statements = "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(30000))" },
        { .name = "WAL, crashed in a transaction",
          .crash = true,
          .statements = "PRAGMA journal_mode=WAL; PRAGMA cache_size=5; CREATE TABLE t(a); INSERT INTO t "
                        "VALUES(1); BEGIN;" ROWS(500) "INSERT INTO t SELECT zeroblob(900) FROM n" },
        { .name = "WAL, crashed, its side files lost",
          .crash = true,
          .drop_shm = true,
          .drop_wal = true,
          .statements = "PRAGMA journal_mode=WAL; CREATE TABLE t(a); PRAGMA wal_checkpoint(TRUNCATE);"
                        "INSERT INTO t VALUES(zeroblob(30000))" },
        { .name = "WAL, crashed, chunks reserved",
          .crash = true,
          .chunk = 1 << 20,
          .statements = "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(30000))" },
        { .name = "WAL, closed",
          .close = true,
          .statements = "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(30000))" },
        { .name = "WAL, closed, chunks reserved",
          .close = true,
          .chunk = 1 << 20,
          .statements = "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(30000))" },
};

/* All but the access time, which reads of this program move. */
static bool same_attr(const struct stat *a, const struct stat *b) {
        return base_timespec_compare(a->st_mtim, b->st_mtim) == 0 &&
               base_timespec_compare(a->st_ctim, b->st_ctim) == 0 && a->st_ino == b->st_ino &&
               a->st_dev == b->st_dev && a->st_size == b->st_size && a->st_mode == b->st_mode &&
               a->st_blocks == b->st_blocks && a->st_nlink == b->st_nlink;
}

static void compare_with_open(const struct state *state, const struct scratch *scratch, struct app *app) {
        SCRATCH(space);
        struct store *store = store_in(&space, 20000, 0);
        struct snapshot *snapshot = NULL;
        struct stat before, opened, after;

        before = attr_of(store, scratch, "db");
        if (state->locked)
                need(app_sql(app, "ROLLBACK") == SQLITE_OK);
        if (ok(open_shown(store, scratch, "db", &snapshot, &opened) == 0, "%s: opened", state->name)) {
                if (state->todo)
                        tap_todo(state->todo);
                is(before.st_size, opened.st_size, "%s: lstat's size is the open file's", state->name);
                is(opened.st_blocks, (opened.st_size + 511) / 512, "with blocks to match");
                is(opened.st_nlink, 1, "and one link");
                {
                        BYTES(bytes) = snapshot_bytes(snapshot);
                        BYTES(want) = scratch_reference(scratch, "db");

                        if (state->chunk)
                                want.size = want.size < bytes.size ? want.size : bytes.size;
                        ok(bytes_equal(&bytes, &want), "%s: the bytes are the checkpointed source's",
                           state->name);
                }
                if (!state->locked)
                        ok(state->todo || same_attr(&before, &opened), "%s: so are times and inode",
                           state->name);
                after = attr_of(store, scratch, "db");
                ok(state->locked || state->todo || same_attr(&before, &after), "%s: and an lstat after it",
                   state->name);
        }
        snapshot_unref(snapshot);
        store_free(store);
}

static void test_state(const struct state *state) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));

        if (state->chunk)
                app_chunk(&app, state->chunk);
        need(app_sql(&app, state->statements) == SQLITE_OK);
        if (state->crash)
                app_kill(&app);
        if (state->close) {
                app_deinit(&app);
                app = app_new(scratch_path(&scratch, "db"));
        }
        if (state->drop_shm)
                need(unlinkat(scratch.dirfd, "db-shm", 0) == 0);
        if (state->drop_wal)
                need(unlinkat(scratch.dirfd, "db-wal", 0) == 0);
        compare_with_open(state, &scratch, &app);
}

/* Page 1 itself may be on disk already when a transaction is cut off: the size is that of page 1 in the
 * journal. */
static void test_first_page_written(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        _cleanup_(base_closep) int fd = -1;
        struct snapshot *snapshot = NULL;
        struct store *store;
        uint8_t pages[4];
        struct stat before;

        need(app_sql(&app, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(9000)); PRAGMA cache_size=5; "
                           "BEGIN;" ROWS(500) "INSERT INTO t SELECT zeroblob(900) FROM n") == SQLITE_OK);
        app_kill(&app);
        fd = scratch_open(&scratch, "db", O_RDWR);
        format_put_be32(pages, (uint32_t)(scratch_stat(&scratch, "db").st_size / 4096));
        need(base_pwrite(fd, pages, sizeof(pages), 28) == 0);
        scratch_settle(&scratch, "db");
        store = store_in(&space, 20000, 0);
        before = attr_of(store, &scratch, "db");
        is(open_now(store, &scratch, "db", &snapshot), 0, "a hot journal over a page 1 that was written");
        is(before.st_size, snapshot ? (int64_t)snapshot_size(snapshot) : -1,
           "lstat's size is the open file's");
        ok(before.st_size < scratch_stat(&scratch, "db").st_size, "which is that of before the transaction");
        snapshot_unref(snapshot);
        store_free(store);
}

/* ---- times (S3)
 * ---------------------------------------------------------------------------------------------------- */

static struct version look(const struct scratch *scratch, struct cache *wals) {
        struct store_file file = scratch_file(scratch, "db");
        struct stat st = scratch_stat(scratch, "db");
        struct version version;

        need(version_look(&version, &file, -1, &st, wals) == 0);
        return version;
}

static void set_mtime(const struct scratch *scratch, const char *name, time_t seconds) {
        const struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = seconds, .tv_nsec = 7 } };

        need(utimensat(scratch->dirfd, name, times, 0) == 0);
}

static void test_times(struct cache *wals) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        time_t future = time(NULL) + 1000;
        struct version version;

        need(app_sql(&app, "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(1)") ==
             SQLITE_OK);
        set_mtime(&scratch, "db", 5000);
        set_mtime(&scratch, "db-wal", 6000);
        version = look(&scratch, wals);
        is(version.attr.st_mtim.tv_sec, 6000, "the WAL's mtime when it is the later one");
        is(version.attr.st_ctim.tv_sec, version.main.st_ctim.tv_sec, "and main's ctime");
        set_mtime(&scratch, "db-wal", 4000);
        is(look(&scratch, wals).attr.st_mtim.tv_sec, 5000, "main's mtime when that is");
        set_mtime(&scratch, "db-wal", future);
        version = look(&scratch, wals);
        ok(version.attr.st_mtim.tv_sec == future && version.attr.st_ctim.tv_sec == future,
           "a WAL's mtime past main's ctime moves both");
        set_mtime(&scratch, "db-shm", future + 5);
        version = look(&scratch, wals);
        ok(version.attr.st_mtim.tv_sec == future && version.attr.st_ctim.tv_sec == future,
           "the -shm's counts for nothing");
        need(fchownat(scratch.dirfd, "db-wal", (uid_t)-1, (gid_t)-1, 0) == 0);
        need(linkat(scratch.dirfd, "db", scratch.dirfd, "link", 0) == 0);
        is(look(&scratch, wals).attr.st_nlink, 1, "a database has one link, whatever it has");
        need(unlinkat(scratch.dirfd, "link", 0) == 0 &&
             app_sql(&app, "PRAGMA wal_checkpoint(TRUNCATE)") == SQLITE_OK);
        set_mtime(&scratch, "db", 5000);
        set_mtime(&scratch, "db-wal", 6000);
        is(look(&scratch, wals).attr.st_mtim.tv_sec, 5000, "an empty WAL's times count for nothing");
}

static void test_rollback_times(struct cache *wals) {
        SCRATCH(scratch);
        struct version version;

        need(sql(scratch_path(&scratch, "db"), "CREATE TABLE t(a)") == SQLITE_OK);
        scratch_write(&scratch, "db-wal", "left over", 9);
        set_mtime(&scratch, "db", 5000);
        set_mtime(&scratch, "db-wal", 6000);
        version = look(&scratch, wals);
        is(version.attr.st_mtim.tv_sec, 6000,
           "beside a rollback database the times of a -wal that is not empty count: SQLite reads through it");
        is(version.attr.st_size, version.main.st_size, "nor does it otherwise");
}

/* ---- the same or not
 * ----------------------------------------------------------------------------------------------- */

static void test_equal(struct cache *wals) {
        SCRATCH(scratch);
        struct version a, b;

        need(sql(scratch_path(&scratch, "db"), "CREATE TABLE t(a)") == SQLITE_OK);
        a = b = look(&scratch, wals);
        ok(version_equal(&a, &b), "a version equals itself");
#define CHANGED(field)                                                                                       \
        do {                                                                                                 \
                b = a;                                                                                       \
                b.field++;                                                                                   \
                ok(!version_equal(&a, &b) && !version_equal(&b, &a), "not one with another " #field);        \
        } while (0)
        CHANGED(main.st_ino);
        CHANGED(main.st_dev);
        CHANGED(main.st_size);
        CHANGED(main.st_mode);
        CHANGED(main.st_uid);
        CHANGED(main.st_mtim.tv_nsec);
        CHANGED(main.st_ctim.tv_nsec);
        CHANGED(wal.st_ino);
        CHANGED(wal.st_size);
        CHANGED(wal.st_mtim.tv_nsec);
        CHANGED(attr.st_size);
        CHANGED(header.change_counter);
        CHANGED(index[47]);
#undef CHANGED
        b = a;
        b.wal.st_ctim.tv_sec++;
        ok(version_equal(&a, &b), "but one with another ctime of the WAL: SQLite's readers move that");
}

static void test_unchanged(struct cache *wals) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        struct store_file file = scratch_file(&scratch, "db");
        _cleanup_(base_closep) int fd = -1;
        struct version version;

        need(app_sql(&app, "PRAGMA journal_mode=WAL; CREATE TABLE t(a)") == SQLITE_OK);
        fd = scratch_open(&scratch, "db", O_RDONLY);
        version = look(&scratch, wals);
        need(app_sql(&app, "SELECT * FROM t") == SQLITE_OK);
        ok(version_unchanged(&version, &file, fd), "a reader changes nothing");
        need(app_sql(&app, "INSERT INTO t VALUES(zeroblob(10000))") == SQLITE_OK);
        ok(!version_unchanged(&version, &file, fd), "a commit that grows the WAL does");
        version = look(&scratch, wals);
        need(app_sql(&app, "PRAGMA wal_checkpoint") == SQLITE_OK);
        ok(!version_unchanged(&version, &file, fd), "so does a checkpoint");
        version = look(&scratch, wals);
        app_kill(&app);
        ok(version_unchanged(&version, &file, fd), "a crash does not");
        need(unlinkat(scratch.dirfd, "db-wal", 0) == 0);
        ok(!version_unchanged(&version, &file, fd), "a WAL that is gone does");
}

static void test_not_databases(struct cache *wals) {
        SCRATCH(scratch);
        struct store_file file = scratch_file(&scratch, "db");
        struct version version;
        struct stat st;

        scratch_write(&scratch, "db", "SQLite format 3\0and no more", 27);
        st = scratch_stat(&scratch, "db");
        is(version_look(&version, &file, -1, &st, wals), -ESTALE, "the magic alone is no database");
        is(version.attr.st_size, 27, "and its attributes are the raw ones");
        need(unlinkat(scratch.dirfd, "db", 0) == 0);
        is(version_look(&version, &file, -1, &st, wals), -ENOENT, "what is gone is gone");
}

int main(void) {
        struct cache wals;

        base_log_to(tap_log, BASE_LOG_DEBUG);
        need(cache_init(&wals) == 0);
        for (size_t i = 0; i < ARRAY_SIZE(states); i++)
                test_state(&states[i]);
        test_first_page_written();
        test_times(&wals);
        test_rollback_times(&wals);
        test_equal(&wals);
        test_unchanged(&wals);
        test_not_databases(&wals);
        cache_deinit(&wals);
        return tap_done();
}
