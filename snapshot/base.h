/*
 * What every module leans on: cleanup attributes, ranked mutexes, descriptors, time, the log hook, and the
 * one place where SQLite result codes become errno values. Knows neither FUSE nor the rest of snapshot/.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define _cleanup_(fn)                   __attribute__((cleanup(fn)))
#define _printf_(fmt, args)             __attribute__((format(printf, fmt, args)))
#define ARRAY_SIZE(a)                   (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void base_freep(void *p) {
        free(*(void **)p);
}

/* Closes *fd when it is a descriptor; keeps errno. */
void base_closep(int *fd);

static inline int base_steal_fd(int *fd) {
        int taken = *fd;

        *fd = -1;
        return taken;
}

/* ---- ranked mutexes ------------------------------------------------------------------------------------
 *
 * A thread may only take a mutex whose rank is higher than every rank it holds. Builds without NDEBUG check
 * that at each lock. No rank is held across fuse_reply_*, fuse_lowlevel_notify_*, sqlite3_* or blocking I/O:
 * say so with mutex_assert_none_held().
 */
enum mutex_rank {
        MUTEX_RANK_NODES = 1, /* fs/node.c: the node table */
        MUTEX_RANK_DIRS,      /* fs/: the cache of directory descriptors */
        MUTEX_RANK_STORE,  /* snapshot/store.c: the registry of sources, their snapshots and waiting opens */
        MUTEX_RANK_WORKER, /* snapshot/worker.c: the queue */
        MUTEX_RANK_LEAF,   /* caches, budgets: nothing is taken under these */
};

struct mutex {
        pthread_mutex_t handle;
        enum mutex_rank rank;
};

#define MUTEX_INIT(r)                                                                                        \
        { .handle = PTHREAD_MUTEX_INITIALIZER, .rank = (r) }

void mutex_init(struct mutex *mutex, enum mutex_rank rank);
void mutex_deinit(struct mutex *mutex);
void mutex_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);
/* Waits on cond, which gives the mutex up meanwhile. deadline_ns: on base_now_ns()'s clock, 0 for none; cond
 * must have been made by mutex_cond_init(). Returns 0 or -ETIMEDOUT. */
int mutex_wait(struct mutex *mutex, pthread_cond_t *cond, uint64_t deadline_ns);
void mutex_cond_init(pthread_cond_t *cond);
/* Debug builds abort when the calling thread does not hold the mutex, or holds any. */
void mutex_assert_held(const struct mutex *mutex);
void mutex_assert_none_held(void);

static inline struct mutex *mutex_guard(struct mutex *mutex) {
        mutex_lock(mutex);
        return mutex;
}

static inline void mutex_unguardp(struct mutex **mutex) {
        if (*mutex)
                mutex_unlock(*mutex);
}

/* Holds the mutex to the end of the block. */
#define MUTEX_SCOPE(m)            BASE_MUTEX_SCOPE(m, __LINE__)
#define BASE_MUTEX_SCOPE(m, line) BASE_MUTEX_SCOPE_AT(m, line)
#define BASE_MUTEX_SCOPE_AT(m, line)                                                                         \
        _cleanup_(mutex_unguardp) struct mutex *base_guard_##line __attribute__((unused)) = mutex_guard(m)

/* ---- time --------------------------------------------------------------------------------------- */

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t base_now_ns(void);

static inline int base_timespec_compare(struct timespec a, struct timespec b) {
        if (a.tv_sec != b.tv_sec)
                return a.tv_sec < b.tv_sec ? -1 : 1;
        return a.tv_nsec < b.tv_nsec ? -1 : a.tv_nsec > b.tv_nsec;
}

static inline struct timespec base_timespec_max(struct timespec a, struct timespec b) {
        return base_timespec_compare(a, b) < 0 ? b : a;
}

/* ---- bytes and descriptors ---------------------------------------------------------------------- */

/* Reads up to size bytes at offset, over short reads and EINTR; fewer only at end of file. Count or -errno.
 */
ssize_t base_pread(int fd, void *buffer, size_t size, uint64_t offset);
/* Writes all of it. 0 or -errno. */
int base_pwrite(int fd, const void *buffer, size_t size, uint64_t offset);
/*
 * Opens name in dirfd for reading without following a symlink, without blocking on a fifo and without moving
 * the file's access time where the kernel lets us (O_NOATIME is for owners and CAP_FOWNER: open(2)); promise
 * P6. Returns the descriptor or -errno.
 */
int base_open_source(int dirfd, const char *name, int extra_flags);

/* ---- errors and the log ------------------------------------------------------------------------- */

/* Translates a SQLite (extended) result code: 0 or a negative errno. The only such table. */
int base_sqlite_error(int code);

enum base_level {
        BASE_LOG_ERROR,
        BASE_LOG_WARNING,
        BASE_LOG_INFO,
        BASE_LOG_DEBUG,
};

typedef void (*base_log_fn)(enum base_level level, const char *message);

/* Where messages go, and the most talkative level that is passed on. Set once, before any thread starts. */
void base_log_to(base_log_fn fn, enum base_level most);
/* One line, no newline. Log an error once, where it arises, with the path and the cause. */
void base_log(enum base_level level, const char *format, ...) _printf_(2, 3);
