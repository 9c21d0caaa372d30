/*
 * Linked with the program's own objects for the cases that must not depend on the machine's speed: its clocks
 * and its copying go at the pace that the case sets. The linker puts these in the place of the C library's (--wrap).
 *
 * The case and the program share a file, $PACE, of four numbers; see tests/tools/pace.py. Without one all is
 * as in the program itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct pace {
        int64_t monotonic_ns; /* what CLOCK_MONOTONIC and CLOCK_REALTIME tell; 0: the machine's own */
        int64_t realtime_ns;
        int64_t hold_at; /* a write at this offset of a file or behind it waits; 0: none does */
        int64_t waiting; /* how many wait */
};

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __real_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);
ssize_t __real_pwrite64(int fd, const void *buffer, size_t size, off_t offset);
ssize_t __real_copy_file_range(int in, off_t *in_at, int out, off_t *out_at, size_t size, unsigned flags);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);
ssize_t __wrap_pwrite64(int fd, const void *buffer, size_t size, off_t offset);
ssize_t __wrap_copy_file_range(int in, off_t *in_at, int out, off_t *out_at, size_t size, unsigned flags);

static struct pace as_it_is, *pace = &as_it_is;

__attribute__((constructor)) static void begin(void) {
        const char *path = getenv("PACE");
        int fd;

        if (!path)
                return;
        fd = open(path, O_RDWR | O_CLOEXEC);
        pace = mmap(NULL, sizeof(*pace), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (pace == MAP_FAILED)
                abort();
        close(fd);
}

static int64_t get(const int64_t *number) {
        return __atomic_load_n(number, __ATOMIC_SEQ_CST);
}

/* ---- clocks ------------------------------------------------------------------------------------- */

int __wrap_clock_gettime(clockid_t clock, struct timespec *now) {
        int64_t ns = clock == CLOCK_MONOTONIC ? get(&pace->monotonic_ns) :
                     clock == CLOCK_REALTIME  ? get(&pace->realtime_ns) :
                                                0;

        if (ns == 0)
                return __real_clock_gettime(clock, now);
        *now = (struct timespec){ .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };
        return 0;
}

/* Looks at the case's clock each millisecond: every condition variable here is one of CLOCK_MONOTONIC. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until) {
        int64_t now = get(&pace->monotonic_ns);
        struct timespec soon;
        int r;

        if (now == 0)
                return __real_pthread_cond_timedwait(cond, mutex, until);
        if (now >= (int64_t)until->tv_sec * 1000000000 + until->tv_nsec)
                return ETIMEDOUT;
        __real_clock_gettime(CLOCK_MONOTONIC, &soon);
        soon.tv_nsec += 1000000;
        if (soon.tv_nsec >= 1000000000) {
                soon.tv_nsec -= 1000000000;
                soon.tv_sec++;
        }
        r = __real_pthread_cond_timedwait(cond, mutex, &soon);
        /* Woken for nothing, as anybody who waits for a condition may be. */
        return r == ETIMEDOUT ? 0 : r;
}

/* ---- copying ------------------------------------------------------------------------------------ */

static bool held(int64_t offset) {
        int64_t hold_at = get(&pace->hold_at);

        return hold_at > 0 && offset >= hold_at;
}

static void await_leave(int64_t offset) {
        const struct timespec pause = { .tv_nsec = 200000 };

        if (!held(offset))
                return;
        __atomic_add_fetch(&pace->waiting, 1, __ATOMIC_SEQ_CST);
        while (held(offset))
                nanosleep(&pause, NULL);
        __atomic_sub_fetch(&pace->waiting, 1, __ATOMIC_SEQ_CST);
}

ssize_t __wrap_pwrite64(int fd, const void *buffer, size_t size, off_t offset) {
        await_leave(offset);
        return __real_pwrite64(fd, buffer, size, offset);
}

ssize_t __wrap_copy_file_range(int in, off_t *in_at, int out, off_t *out_at, size_t size, unsigned flags) {
        await_leave(out_at ? *out_at : 0);
        return __real_copy_file_range(in, in_at, out, out_at, size, flags);
}
