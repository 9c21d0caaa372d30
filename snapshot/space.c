/*
 * Nameless files and the budget they share.
 *
 * Invariant: used is the sum of reserved and charged over all open files, and never above max when that is
 * set.
 */
#include "snapshot/space.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

/* What is left to others of the file system where max_space says nothing: a twentieth, at most a GiB. */
enum { OTHERS_SHARE = 20, OTHERS_MOST = 1 << 30 };

/* O_TMPFILE where the file system has it; elsewhere a name for the moment between two system calls. */
static int make_nameless(const struct space *space) {
        char path[4096];
        int fd;

        fd = openat(space->dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (fd >= 0)
                return fd;
        if (errno != EOPNOTSUPP && errno != EISDIR)
                return -errno;
        if (snprintf(path, sizeof(path), "%s/litesnapfs-XXXXXX", space->dir) >= (int)sizeof(path))
                return -ENAMETOOLONG;
        fd = mkostemp(path, O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (unlink(path) < 0) {
                int r = -errno;

                close(fd);
                return r;
        }
        return fd;
}

int space_init(struct space *space, const char *dir, uint64_t max) {
        int r, fd;

        if (!dir)
                dir = getenv("TMPDIR");
        if (!dir || !*dir)
                dir = "/var/tmp";
        *space = (struct space){ .dirfd = -1, .max = max };
        space->dir = realpath(dir, NULL);
        if (!space->dir) {
                r = -errno;
                base_log(BASE_LOG_ERROR, "snapshot directory %s: %s", dir, strerror(-r));
                return r;
        }
        space->dirfd = open(space->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        fd = space->dirfd < 0 ? -errno : make_nameless(space);
        if (fd < 0) {
                base_log(BASE_LOG_ERROR, "snapshot directory %s: cannot make a file there: %s", dir,
                         strerror(-fd));
                base_closep(&space->dirfd);
                free(space->dir);
                return fd;
        }
        close(fd);
        mutex_init(&space->lock, MUTEX_RANK_LEAF);
        return 0;
}

void space_deinit(struct space *space) {
        base_closep(&space->dirfd);
        free(space->dir);
        mutex_deinit(&space->lock);
}

/* ---- the file system ---------------------------------------------------------------------------- */

static int free_bytes(const struct space *space, uint64_t *free, uint64_t *all) {
        struct statvfs st;

        if (fstatvfs(space->dirfd, &st) < 0)
                return -errno;
        *free = (uint64_t)st.f_bavail * st.f_frsize;
        *all = (uint64_t)st.f_blocks * st.f_frsize;
        return 0;
}

/* Whether size bytes more fit. */
static bool leaves_room(const struct space *space, uint64_t size) {
        uint64_t free = 0, all = 0, others;

        if (size == 0 || free_bytes(space, &free, &all) < 0)
                return true;
        others = all / OTHERS_SHARE < OTHERS_MOST ? all / OTHERS_SHARE : OTHERS_MOST;
        return free >= size && (space->max > 0 || free - size >= others);
}

static bool within_budget_locked(const struct space *space, uint64_t size) {
        return space->max == 0 || (size <= space->max && space->used <= space->max - size);
}

int space_check(struct space *space, uint64_t size) {
        if (!leaves_room(space, size))
                return -ENOSPC;
        MUTEX_SCOPE(&space->lock);
        return within_budget_locked(space, size) ? 0 : -ENOSPC;
}

static int budget_take(struct space *space, uint64_t bytes) {
        if (!leaves_room(space, bytes))
                return -ENOSPC;
        MUTEX_SCOPE(&space->lock);
        if (!within_budget_locked(space, bytes))
                return -ENOSPC;
        space->used += bytes;
        return 0;
}

static void budget_give(struct space *space, uint64_t bytes) {
        MUTEX_SCOPE(&space->lock);

        space->used -= bytes;
}

uint64_t space_used(struct space *space) {
        MUTEX_SCOPE(&space->lock);

        return space->used;
}

unsigned space_free_percent(const struct space *space) {
        uint64_t free = 0, all = 0;

        return free_bytes(space, &free, &all) < 0 || all < 100 ? 100 : (unsigned)(free / (all / 100));
}

void space_log_full(struct space *space, const char *path, uint64_t size) {
        uint64_t free = 0, all = 0, used = space_used(space);

        free_bytes(space, &free, &all);
        if (space->max > 0 && (size > space->max || used > space->max - size))
                base_log(BASE_LOG_ERROR,
                         "%s: no room for a snapshot of %llu bytes: max_space is %llu bytes, and %llu of "
                         "them are in use",
                         path, (unsigned long long)size, (unsigned long long)space->max,
                         (unsigned long long)used);
        else
                base_log(BASE_LOG_ERROR,
                         "%s: no room for a snapshot of %llu bytes: no space in %s, which has %llu bytes "
                         "free, some of them to be left to others; snapshot_dir=DIR names another directory",
                         path, (unsigned long long)size, space->dir, (unsigned long long)free);
}

int space_file_init(struct space_file *file, struct space *space, uint64_t size) {
        int r;

        mutex_assert_none_held();
        *file = (struct space_file){ .space = space, .fd = make_nameless(space) };
        if (file->fd < 0)
                return file->fd;
        r = space_file_reserve(file, size);
        if (r < 0)
                space_file_deinit(file);
        return r;
}

int space_file_reserve(struct space_file *file, uint64_t size) {
        uint64_t more;
        int r;

        if (size <= file->reserved)
                return 0;
        more = size - file->reserved;
        r = budget_take(file->space, more);
        if (r < 0)
                return r;
        mutex_assert_none_held();
        do
                r = fallocate(file->fd, FALLOC_FL_KEEP_SIZE, (off_t)file->reserved, (off_t)more);
        while (r < 0 && errno == EINTR);
        /* A file system without fallocate cannot promise; a full one shows while the snapshot is written. */
        if (r < 0 && errno != EOPNOTSUPP) {
                r = errno == EFBIG || errno == EDQUOT ? -ENOSPC : -errno;
                budget_give(file->space, more);
                return r;
        }
        file->reserved = size;
        return 0;
}

int space_file_charge(struct space_file *file, uint64_t size) {
        int r = budget_take(file->space, size);

        if (r == 0)
                file->charged += size;
        return r;
}

void space_file_deinit(struct space_file *file) {
        if (file->fd < 0)
                return;
        base_closep(&file->fd);
        budget_give(file->space, file->reserved + file->charged);
        file->reserved = file->charged = 0;
}
