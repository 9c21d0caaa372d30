/* lock.c: read locks that conflict with SQLite's in another process as they should, and that no close drops.
 */
#include "app.h"

#include "snapshot/lock.h"

#include <errno.h>
#include <fcntl.h>

static void make(struct app *app, const char *mode) {
        need(app_sql(app, mode) == SQLITE_OK);
        need(app_sql(app, "CREATE TABLE t(a); INSERT INTO t VALUES(1)") == SQLITE_OK);
}

/* What each lock of a rollback-mode application says to us. */
static void test_states(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        _cleanup_(base_closep) int fd = -1;

        make(&app, "PRAGMA journal_mode=DELETE");
        fd = scratch_open(&scratch, "db", O_RDONLY);
        is(lock_in_use(fd), 0, "an idle database is not in use");
        is(lock_reserved_held(fd), 0, "nor reserved");
        need(app_sql(&app, "BEGIN; SELECT * FROM t") == SQLITE_OK);
        is(lock_in_use(fd), 1, "a reader uses it");
        is(lock_reserved_held(fd), 0, "and reserves nothing");
        is(lock_shared(fd), 0, "readers share");
        lock_unshare(fd);
        need(app_sql(&app, "UPDATE t SET a=a+1") == SQLITE_OK);
        is(lock_reserved_held(fd), 1, "a writer that has not committed holds RESERVED");
        is(lock_shared(fd), 0, "and lets readers in");
        is(app_sql(&app, "COMMIT"), SQLITE_BUSY, "until it commits: it waits for them");
        {
                _cleanup_(base_closep) int other = scratch_open(&scratch, "db", O_RDONLY);

                is(lock_shared(other), -EBUSY, "and no other reader may come meanwhile (PENDING)");
        }
        lock_unshare(fd);
        is(app_sql(&app, "COMMIT"), SQLITE_OK, "commits once they are gone");
        need(app_sql(&app, "BEGIN EXCLUSIVE") == SQLITE_OK);
        is(lock_shared(fd), -EBUSY, "EXCLUSIVE keeps readers out");
        is(lock_in_use(fd), 1, "is use");
        is(lock_reserved_held(fd), 1, "and implies RESERVED");
        need(app_sql(&app, "ROLLBACK") == SQLITE_OK);
        is(lock_in_use(fd), 0, "all is gone with the transaction");
}

/* What would drop POSIX locks must not drop ours (S1). */
static void test_closes(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        _cleanup_(base_closep) int fd = -1;

        make(&app, "PRAGMA journal_mode=DELETE");
        need(linkat(scratch.dirfd, "db", scratch.dirfd, "link", 0) == 0);
        fd = scratch_open(&scratch, "db", O_RDONLY);
        is(lock_shared(fd), 0, "SHARED is free");
        is(app_sql(&app, "UPDATE t SET a=a+1"), SQLITE_BUSY, "a held one stops commits");
        close(scratch_open(&scratch, "db", O_RDONLY));
        is(app_sql(&app, "UPDATE t SET a=a+1"), SQLITE_BUSY, "also after a close of another descriptor");
        close(scratch_open(&scratch, "link", O_RDWR));
        is(app_sql(&app, "UPDATE t SET a=a+1"), SQLITE_BUSY, "or of a hard link");
        close(dup(fd));
        is(app_sql(&app, "UPDATE t SET a=a+1"), SQLITE_BUSY, "or of a duplicate");
        need(sql(scratch_path(&scratch, "db"), "SELECT * FROM t") == SQLITE_OK);
        is(app_sql(&app, "UPDATE t SET a=a+1"), SQLITE_BUSY, "or of a SQLite connection in this process");
        base_closep(&fd);
        is(app_sql(&app, "UPDATE t SET a=a+1"), SQLITE_OK, "its own close ends it");
}

static void test_descriptions(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        _cleanup_(base_closep) int a = -1, b = -1;

        make(&app, "PRAGMA journal_mode=DELETE");
        a = scratch_open(&scratch, "db", O_RDONLY);
        b = scratch_open(&scratch, "db", O_RDONLY);
        need(lock_shared(a) == 0);
        is(lock_in_use(a), 0, "one's own lock is not somebody else's");
        is(lock_in_use(b), 0, "nor is that of another description: a reader of ours is no application");
        is(lock_shared(b), 0, "two descriptions share");
        lock_unshare(b);
        is(app_sql(&app, "UPDATE t SET a=a+1"), SQLITE_BUSY, "and one's end is not the other's");
        lock_unshare(a);
        lock_unshare(a);
        is(app_sql(&app, "UPDATE t SET a=a+1"), SQLITE_OK, "what is given up twice is given up");
        is(lock_shared(-1), -EBADF, "errors are not -EBUSY");
        is(lock_in_use(-1), -EBADF, "nor no");
        is(lock_reserved_held(-1), -EBADF, "in any of these");
        is(lock_index_shared(-1, LOCK_INDEX_READ), -EBADF, "(index)");
        is(lock_index_held(-1, LOCK_INDEX_READ), -EBADF, "(index)");
}

static void *commit_later(void *userdata) {
        app_sql(userdata, "COMMIT");
        return NULL;
}

static void test_patience(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        _cleanup_(base_closep) int fd = -1;
        pthread_t thread;
        uint64_t start;

        make(&app, "PRAGMA journal_mode=DELETE");
        fd = scratch_open(&scratch, "db", O_RDONLY);
        need(app_sql(&app, "BEGIN EXCLUSIVE; UPDATE t SET a=a+1") == SQLITE_OK);
        start = base_now_ns();
        is(lock_shared_within(fd, 0), -EBUSY, "no patience: one try");
        is(lock_shared_within(fd, 30000000), -EBUSY, "a lock held longer than the patience");
        ok(base_now_ns() - start >= 30000000, "which is spent in full");
        need(pthread_create(&thread, NULL, commit_later, &app) == 0);
        is(lock_shared_within(fd, 60000000000), 0, "a lock given up within it");
        ok(base_now_ns() - start < 30000000000, "ends the wait");
        pthread_join(thread, NULL);
}

static void test_wal(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        _cleanup_(base_closep) int fd = -1, main_fd = -1;

        make(&app, "PRAGMA journal_mode=WAL");
        main_fd = scratch_open(&scratch, "db", O_RDONLY);
        fd = scratch_open(&scratch, "db-shm", O_RDONLY);
        is(lock_in_use(main_fd), 1, "a WAL connection uses the database while it lives, idle or not");
        is(lock_index_held(fd, LOCK_INDEX_DEAD_MAN), 1, "and holds the dead man's switch");
        is(lock_index_held(fd, LOCK_INDEX_WRITE), 0, "but not the write lock");
        is(lock_index_shared(fd, LOCK_INDEX_DEAD_MAN), 0, "which is shared");
        need(app_sql(&app, "BEGIN IMMEDIATE; UPDATE t SET a=a+1") == SQLITE_OK);
        is(lock_index_held(fd, LOCK_INDEX_WRITE), 1, "a writer holds it");
        is(lock_index_shared(fd, LOCK_INDEX_WRITE), -EBUSY, "alone");
        need(app_sql(&app, "COMMIT") == SQLITE_OK);
        is(lock_index_shared(fd, LOCK_INDEX_WRITE), 0, "until it commits");
        is(app_sql(&app, "UPDATE t SET a=a+1"), SQLITE_BUSY, "that lock of ours would stop a writer");
        lock_index_unshare(fd, LOCK_INDEX_WRITE);
        is(app_sql(&app, "UPDATE t SET a=a+1"), SQLITE_OK, "until it is given up");
        /* A read mark that somebody holds cannot be passed by a checkpoint that resets. */
        for (int i = 0; i < 5; i++)
                need(lock_index_shared(fd, LOCK_INDEX_READ + i) == 0);
        close(scratch_open(&scratch, "db-shm", O_RDONLY));
        need(app_sql(&app, "UPDATE t SET a=a+1; PRAGMA wal_checkpoint(TRUNCATE)") == SQLITE_OK);
        is(app.text[0], '1',
           "read locks of ours stop a reset, a close of another descriptor notwithstanding");
        for (int i = 0; i < 5; i++)
                lock_index_unshare(fd, LOCK_INDEX_READ + i);
        need(app_sql(&app, "PRAGMA wal_checkpoint(TRUNCATE)") == SQLITE_OK);
        is(app.text[0], '0', "until they are given up");
        app_kill(&app);
        lock_index_unshare(fd, LOCK_INDEX_DEAD_MAN);
        is(lock_index_held(fd, LOCK_INDEX_DEAD_MAN), 0, "nobody holds the switch of a crashed one");
        is(lock_in_use(main_fd), 0, "nor uses its database");
}

int main(void) {
        base_log_to(tap_log, BASE_LOG_DEBUG);
        test_states();
        test_closes();
        test_descriptions();
        test_patience();
        test_wal();
        return tap_done();
}
