/*
 * The times of files as proof.
 *
 * Invariant: where nothing better is known, the coarsest clock that a file with such times can have is
 * assumed.
 */
#include "snapshot/clock.h"

#include "snapshot/base.h"

#include <linux/magic.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#ifndef XFS_SUPER_MAGIC
#define XFS_SUPER_MAGIC 0x58465342
#endif

/* FAR_S: a time so far from now is as good as any further one, and does not overflow. */
enum { TICK_NS = 20000000, FAR_S = 1000000000 };
#define COARSE_NS UINT64_C(2000000000)

/* Whether this kernel gives a file that was looked at a new time at its next write. */
static bool kernel_is_multigrain(void) {
        static atomic_int known; /* 0 not asked yet, 1 no, 2 yes */
        int answer = atomic_load(&known);

        if (answer == 0) {
                unsigned major = 0, minor = 0;
                struct utsname name;

                answer = uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
                                         (major > 6 || (major == 6 && minor >= 13))
                                 ? 2
                                 : 1;
                atomic_store(&known, answer);
        }
        return answer == 2;
}

static bool file_system_is_multigrain(int fd) {
        struct statfs fs;

        if (fd < 0 || fstatfs(fd, &fs) < 0)
                return false;
        switch ((uint32_t)fs.f_type) {
        case EXT4_SUPER_MAGIC:
        case XFS_SUPER_MAGIC:
        case BTRFS_SUPER_MAGIC:
        case TMPFS_MAGIC:
                return true;
        default:
                return false;
        }
}

uint64_t clock_grain_ns(int fd, const struct stat *st) {
        if (st->st_mtim.tv_nsec == 0 && st->st_ctim.tv_nsec == 0)
                return COARSE_NS;
        return kernel_is_multigrain() && file_system_is_multigrain(fd) ? 0 : TICK_NS;
}

static int64_t age_ns(const struct stat *st) {
        struct timespec newest = base_timespec_max(st->st_mtim, st->st_ctim), now;
        int64_t seconds;

        clock_gettime(CLOCK_REALTIME, &now);
        seconds = (int64_t)now.tv_sec - newest.tv_sec;
        if (seconds > FAR_S || seconds < -FAR_S)
                return (seconds > 0 ? FAR_S : -FAR_S) * INT64_C(1000000000);
        return seconds * 1000000000 + (now.tv_nsec - newest.tv_nsec);
}

bool clock_unsettled(const struct stat *st, uint64_t grain_ns) {
        int64_t age = age_ns(st);

        return age < (int64_t)grain_ns && -age < (int64_t)grain_ns;
}

uint64_t clock_age_ns(const struct stat *st) {
        int64_t age = age_ns(st);

        return age > 0 ? (uint64_t)age : 0;
}
