/*
 * Ranked mutexes, descriptors, time, the log hook and the translation of SQLite result codes.
 *
 * Invariant: a thread's held ranks are strictly increasing in the order it took them, so no two threads can
 * wait for each other. Builds without NDEBUG keep the ranks in a thread-local stack and abort on the first
 * offence.
 */
#include "snapshot/base.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>

void base_closep(int *fd) {
        int saved = errno;

        if (*fd >= 0)
                close(*fd);
        *fd = -1;
        errno = saved;
}

/* ---- mutexes ------------------------------------------------------------------------------------ */

#ifndef NDEBUG
static __thread const struct mutex *held[MUTEX_RANK_LEAF + 1];

static void held_push(const struct mutex *mutex) {
        for (int rank = mutex->rank; rank <= MUTEX_RANK_LEAF; rank++)
                assert(!held[rank] && "mutexes are taken in the order of their ranks");
        held[mutex->rank] = mutex;
}

static void held_pop(const struct mutex *mutex) {
        assert(held[mutex->rank] == mutex);
        held[mutex->rank] = NULL;
}
#else
static void held_push(const struct mutex *mutex) {
}

static void held_pop(const struct mutex *mutex) {
}
#endif

void mutex_assert_held(const struct mutex *mutex) {
#ifndef NDEBUG
        assert(held[mutex->rank] == mutex);
#endif
}

void mutex_assert_none_held(void) {
#ifndef NDEBUG
        for (int rank = 0; rank <= MUTEX_RANK_LEAF; rank++)
                assert(!held[rank] && "no lock is held across replies, SQLite and blocking I/O");
#endif
}

void mutex_init(struct mutex *mutex, enum mutex_rank rank) {
        int r = pthread_mutex_init(&mutex->handle, NULL);

        assert(r == 0);
        (void)r;
        mutex->rank = rank;
}

void mutex_deinit(struct mutex *mutex) {
        pthread_mutex_destroy(&mutex->handle);
}

void mutex_lock(struct mutex *mutex) {
        int r;

        held_push(mutex);
        r = pthread_mutex_lock(&mutex->handle);
        assert(r == 0);
        (void)r;
}

void mutex_unlock(struct mutex *mutex) {
        held_pop(mutex);
        pthread_mutex_unlock(&mutex->handle);
}

void mutex_cond_init(pthread_cond_t *cond) {
        pthread_condattr_t attr;

        pthread_condattr_init(&attr);
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        pthread_cond_init(cond, &attr);
        pthread_condattr_destroy(&attr);
}

int mutex_wait(struct mutex *mutex, pthread_cond_t *cond, uint64_t deadline_ns) {
        int r;

        mutex_assert_held(mutex);
        if (deadline_ns == 0) {
                r = pthread_cond_wait(cond, &mutex->handle);
        } else {
                struct timespec until = { .tv_sec = (time_t)(deadline_ns / 1000000000),
                                          .tv_nsec = (long)(deadline_ns % 1000000000) };

                r = pthread_cond_timedwait(cond, &mutex->handle, &until);
        }
        return -r;
}

/* ---- time --------------------------------------------------------------------------------------- */

uint64_t base_now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- bytes and descriptors ---------------------------------------------------------------------- */

ssize_t base_pread(int fd, void *buffer, size_t size, uint64_t offset) {
        size_t done = 0;

        while (done < size) {
                ssize_t n = pread(fd, (char *)buffer + done, size - done, (off_t)(offset + done));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                done += (size_t)n;
        }
        return (ssize_t)done;
}

int base_pwrite(int fd, const void *buffer, size_t size, uint64_t offset) {
        size_t done = 0;

        while (done < size) {
                ssize_t n = pwrite(fd, (const char *)buffer + done, size - done, (off_t)(offset + done));

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -EIO;
                done += (size_t)n;
        }
        return 0;
}

int base_open_source(int dirfd, const char *name, int extra_flags) {
        int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | extra_flags;
        int fd;

        mutex_assert_none_held();
        fd = openat(dirfd, name, flags | O_NOATIME);
        if (fd < 0 && errno == EPERM)
                fd = openat(dirfd, name, flags);
        return fd < 0 ? -errno : fd;
}

/* ---- errors and the log ------------------------------------------------------------------------- */

int base_sqlite_error(int code) {
        switch (code & 0xff) {
        case SQLITE_OK:
        case SQLITE_ROW:
        case SQLITE_DONE:
                return 0;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_PROTOCOL:
                return -EBUSY;
        case SQLITE_NOMEM:
                return -ENOMEM;
        case SQLITE_FULL:
                return -ENOSPC;
        case SQLITE_PERM:
        case SQLITE_AUTH:
                return -EACCES;
        case SQLITE_INTERRUPT:
        case SQLITE_ABORT:
                return -EINTR;
        case SQLITE_NOTADB:
                return -ESTALE;
        case SQLITE_CANTOPEN:
        case SQLITE_READONLY:
                /* Fact S4: "an application opened or closed just now" as well as "nobody is there". */
                return -EAGAIN;
        default:
                return -EIO;
        }
}

static base_log_fn log_fn;
static enum base_level log_most = BASE_LOG_INFO;

void base_log_to(base_log_fn fn, enum base_level most) {
        log_fn = fn;
        log_most = most;
}

void base_log(enum base_level level, const char *format, ...) {
        char message[4096 + 512];
        va_list args;

        if (!log_fn || level > log_most)
                return;
        va_start(args, format);
        vsnprintf(message, sizeof(message), format, args);
        va_end(args);
        /* A file name may hold anything: one line stays one line, and no terminal is driven by it. */
        for (unsigned char *c = (unsigned char *)message; *c; c++)
                if (*c < 0x20 || *c == 0x7f || (*c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0))
                        *c = '?';
        log_fn(level, message);
}
