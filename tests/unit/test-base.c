/* base.c: ranks, descriptors, errors, the log. */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

static struct mutex nodes = MUTEX_INIT(MUTEX_RANK_NODES), store = MUTEX_INIT(MUTEX_RANK_STORE);
static struct mutex leaf = MUTEX_INIT(MUTEX_RANK_LEAF), other_leaf = MUTEX_INIT(MUTEX_RANK_LEAF);

/* ---- ranked mutexes
 * ------------------------------------------------------------------------------------------------ */

static void in_order(void) {
        mutex_lock(&nodes);
        mutex_lock(&store);
        mutex_lock(&leaf);
        mutex_assert_held(&store);
        mutex_unlock(&store); /* giving up in any order is free */
        mutex_unlock(&nodes);
        mutex_unlock(&leaf);
        mutex_assert_none_held();
}

static void scoped(void) {
        {
                MUTEX_SCOPE(&store);
                MUTEX_SCOPE(&leaf);

                mutex_assert_held(&store);
                mutex_assert_held(&leaf);
        }
        mutex_assert_none_held();
        in_order();
}

static void backwards(void) {
        mutex_lock(&store);
        mutex_lock(&nodes);
}

static void equals(void) {
        mutex_lock(&leaf);
        mutex_lock(&other_leaf);
}

static void twice(void) {
        mutex_lock(&store);
        mutex_lock(&store);
}

static void not_held(void) {
        mutex_lock(&nodes);
        mutex_assert_held(&store);
}

static void another_of_its_rank(void) {
        mutex_lock(&leaf);
        mutex_assert_held(&other_leaf);
}

static void one_held(void) {
        mutex_lock(&leaf);
        mutex_assert_none_held();
}

static void opens_under_a_lock(void) {
        mutex_lock(&nodes);
        base_open_source(AT_FDCWD, "/dev/null", 0);
}

static void gives_up_what_it_has_not(void) {
        mutex_unlock(&leaf);
}

/* Whether fn aborts, tried in a child. */
static bool aborts(void (*fn)(void)) {
        pid_t pid = fork();
        int status;

        need(pid >= 0);
        if (pid == 0) {
                close(STDERR_FILENO);
                signal(SIGABRT, SIG_DFL);
                fn();
                _exit(0);
        }
        need(waitpid(pid, &status, 0) == pid);
        return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

static void test_ranks(void) {
        ok(!aborts(in_order), "mutexes taken in the order of their ranks");
        ok(!aborts(scoped), "a scope gives up what it holds");
#ifdef NDEBUG
        tap_skip("NDEBUG", "offences abort");
#else
        ok(aborts(backwards), "a lower rank after a higher one aborts");
        ok(aborts(equals), "so do two of one rank");
        ok(aborts(twice), "and one taken twice");
        ok(aborts(not_held), "and an assertion that one is held which is not");
        ok(aborts(another_of_its_rank), "though another of its rank is");
        ok(aborts(one_held), "and one that none is held where one is");
        ok(aborts(opens_under_a_lock), "and blocking I/O under a lock");
        ok(aborts(gives_up_what_it_has_not), "and giving up what is not held");
#endif
}

static void test_wait(void) {
        pthread_cond_t cond;
        uint64_t start = base_now_ns();
        MUTEX_SCOPE(&store);

        mutex_cond_init(&cond);
        is(mutex_wait(&store, &cond, start + 10000000), -ETIMEDOUT, "a wait ends at its deadline");
        ok(base_now_ns() - start >= 10000000, "not before");
        is(mutex_wait(&store, &cond, start), -ETIMEDOUT, "one that is past is no wait");
        mutex_assert_held(&store);
        pthread_cond_destroy(&cond);
}

/* ---- bytes and descriptors
 * ----------------------------------------------------------------------------------------- */

static void test_descriptors(void) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), taken;

        need(fd >= 0);
        taken = base_steal_fd(&fd);
        ok(fd == -1 && taken >= 0, "what is stolen is gone");
        errno = ENODATA;
        base_closep(&fd);
        base_closep(&taken);
        ok(taken == -1 && errno == ENODATA, "closing keeps errno, and nothing is closed twice");
        is(fcntl(taken, F_GETFD), -1, "it is closed");
}

static void test_bytes(void) {
        SCRATCH(scratch);
        _cleanup_(base_closep) int fd = scratch_open(&scratch, "far", O_RDWR | O_CREAT);
        _cleanup_(base_closep) int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
        uint64_t far = ((uint64_t)5 << 30) + 3;
        char buffer[64] = "";

        is(base_pwrite(fd, "hello", 5, far), 0, "writing past 4 GiB");
        is(scratch_stat(&scratch, "far").st_size, (int64_t)far + 5, "goes there");
        is(base_pread(fd, buffer, sizeof(buffer), far), 5, "reading is short only at the end of the file");
        ok(memcmp(buffer, "hello", 6) == 0, "and gives what was written");
        is(base_pread(fd, buffer, sizeof(buffer), far + 5), 0, "nothing behind it");
        is(base_pread(fd, buffer, 3, 7), 3, "a hole is zeros");
        is(base_pread(scratch.dirfd, buffer, 1, 0), -EISDIR, "reading a directory: its errno");
        is(base_pread(-1, buffer, 1, 0), -EBADF, "no descriptor: its errno");
        is(base_pwrite(full, "x", 1, 0), -ENOSPC, "writing to a full device: its errno");
        is(base_pwrite(fd, "", 0, 0), 0, "nothing to write is written");
}

static void test_open_source(void) {
        SCRATCH(scratch);
        const struct timespec times[2] = { { 1000, 1 }, { 2000, 2 } };
        _cleanup_(base_closep) int fd = -1, fifo = -1;
        struct stat st;
        char byte;

        scratch_write(&scratch, "file", "x", 1);
        need(utimensat(scratch.dirfd, "file", times, 0) == 0);
        need(symlinkat("file", scratch.dirfd, "symlink") == 0 && mkfifoat(scratch.dirfd, "fifo", 0600) == 0);
        fd = base_open_source(scratch.dirfd, "file", 0);
        ok(fd >= 0 && base_pread(fd, &byte, 1, 0) == 1, "a file is opened and read");
        st = scratch_stat(&scratch, "file");
        ok(st.st_atim.tv_sec == 1000 && st.st_atim.tv_nsec == 1, "its access time stays");
        is(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY, "it is for reading only");
        ok(fcntl(fd, F_GETFD) & FD_CLOEXEC, "and not inherited");
        is(base_open_source(scratch.dirfd, "symlink", 0), -ELOOP, "a symlink is not followed");
        is(base_open_source(scratch.dirfd, "none", 0), -ENOENT, "what is not there is not");
        fifo = base_open_source(scratch.dirfd, "fifo", 0);
        ok(fifo >= 0, "a fifo without a writer does not block");
}

static void test_times(void) {
        struct timespec a = { 5, 10 }, b = { 5, 11 }, c = { 6, 0 };

        ok(base_timespec_compare(a, a) == 0 && base_timespec_compare(a, b) < 0 &&
                   base_timespec_compare(c, b) > 0,
           "times compare by seconds, then nanoseconds");
        ok(base_timespec_max(a, b).tv_nsec == 11 && base_timespec_max(c, b).tv_sec == 6,
           "and have a greatest");
}

/* ---- errors
 * -------------------------------------------------------------------------------------------------------- */

static void test_errors(void) {
        static const struct {
                int code, want;
        } table[] = {
                { SQLITE_OK, 0 },
                { SQLITE_ROW, 0 },
                { SQLITE_DONE, 0 },
                { SQLITE_BUSY, -EBUSY },
                { SQLITE_BUSY_RECOVERY, -EBUSY },
                { SQLITE_BUSY_SNAPSHOT, -EBUSY },
                { SQLITE_LOCKED, -EBUSY },
                { SQLITE_PROTOCOL, -EBUSY },
                { SQLITE_NOMEM, -ENOMEM },
                { SQLITE_IOERR_NOMEM, -EIO },
                { SQLITE_FULL, -ENOSPC },
                { SQLITE_PERM, -EACCES },
                { SQLITE_AUTH, -EACCES },
                { SQLITE_INTERRUPT, -EINTR },
                { SQLITE_NOTADB, -ESTALE },
                { SQLITE_CANTOPEN, -EAGAIN },
                { SQLITE_READONLY_CANTINIT, -EAGAIN },
                { SQLITE_READONLY_CANTLOCK, -EAGAIN },
                { SQLITE_READONLY_ROLLBACK, -EAGAIN },
                { SQLITE_CORRUPT, -EIO },
                { SQLITE_CORRUPT_INDEX, -EIO },
                { SQLITE_IOERR_READ, -EIO },
                { SQLITE_ERROR, -EIO },
                { SQLITE_MISUSE, -EIO },
                { SQLITE_INTERNAL, -EIO },
        };

        for (size_t i = 0; i < ARRAY_SIZE(table); i++)
                is(base_sqlite_error(table[i].code), table[i].want, "SQLite's %d: %s", table[i].code,
                   sqlite3_errstr(table[i].code));
}

/* ---- the log
 * ------------------------------------------------------------------------------------------------------- */

static char logged[8192];
static unsigned n_logged;

static void keep(enum base_level level, const char *message) {
        snprintf(logged, sizeof(logged), "%d %s", (int)level, message);
        n_logged++;
}

static void test_log(void) {
        char longest[6000];

        base_log_to(keep, BASE_LOG_WARNING);
        base_log(BASE_LOG_WARNING, "%s: %d", "a\nb\033[2Jc\td\x7f\r", 5);
        ok(strcmp(logged, "1 a?b?[2Jc?d??: 5") == 0, "control characters become question marks: %s", logged);
        base_log(BASE_LOG_ERROR, "%s", "caf\303\251 \342\202\254 \360\237\231\202");
        ok(strcmp(logged, "0 caf\303\251 \342\202\254 \360\237\231\202") == 0, "UTF-8 stays");
        n_logged = 0;
        base_log(BASE_LOG_INFO, "no");
        is(n_logged, 0, "what is more talkative than asked for is not passed on");
        memset(longest, 'x', sizeof(longest));
        longest[sizeof(longest) - 1] = 0;
        base_log(BASE_LOG_ERROR, "%s", longest);
        ok(n_logged == 1 && strlen(logged) > 4096, "a path of 4096 bytes fits, a longer message is cut");
        base_log_to(NULL, BASE_LOG_DEBUG);
        base_log(BASE_LOG_ERROR, "no");
        is(n_logged, 1, "without a hook nothing is said");
        base_log_to(keep, BASE_LOG_DEBUG);
        base_log(BASE_LOG_ERROR, "%s", "\302\233[2J");
        ok(!strstr(logged, "\302\233"), "control characters of two bytes become question marks");
}

int main(void) {
        test_ranks();
        test_wait();
        test_descriptors();
        test_bytes();
        test_open_source();
        test_times();
        test_errors();
        test_log();
        return tap_done();
}
