/*
 * Drafts: a file is written and synced under a temporary name, then moved to where it belongs, so that there
 * is the old one or the whole new one at any moment, and after any crash.
 *
 * Invariant: a draft has a name on disk only from draft_init() to draft_commit() or draft_deinit(). Only
 * SIGKILL and a crash leave it behind: ".litesnap-" and eight letters.
 */
#include "snapshot/command/command.h"

#include "snapshot/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#define CHUNK       (1 << 20)
#define BAR         20
#define PROGRESS_NS 100000000

int draft_init(struct draft *draft, int dirfd) {
        uint32_t number = 0;

        *draft = (struct draft)DRAFT_NULL;
        draft->dirfd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (draft->dirfd < 0)
                return -errno;
        do {
                if (getrandom(&number, sizeof(number), 0) < 0)
                        return -errno;
                snprintf(draft->name, sizeof(draft->name), ".litesnap-%08x", number);
                draft->fd = openat(draft->dirfd, draft->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        } while (draft->fd < 0 && errno == EEXIST);
        if (draft->fd < 0)
                draft->name[0] = 0;
        return draft->fd < 0 ? -errno : 0;
}

void draft_deinit(struct draft *draft) {
        if (draft->name[0])
                unlinkat(draft->dirfd, draft->name, 0);
        base_closep(&draft->fd);
        base_closep(&draft->dirfd);
}

/* ---- attributes --------------------------------------------------------------------------------- */

/* An ACL must come along; of other attributes those may stay behind that are not ours to give. */
static int copy_xattr(int from, int to, const char *name) {
        char value[65536];
        ssize_t n = fgetxattr(from, name, value, sizeof(value));

        if (n < 0)
                return errno == ENODATA ? 0 : -errno;
        if (fsetxattr(to, name, value, (size_t)n, 0) == 0)
                return 0;
        if (strcmp(name, "system.posix_acl_access") != 0 && (errno == EPERM || errno == ENOTSUP))
                return 0;
        return -errno;
}

int draft_dress(struct draft *draft, int fd) {
        char names[65536];
        struct stat st;
        ssize_t n;
        int r = 0;

        if (fstat(fd, &st) < 0 || fchown(draft->fd, st.st_uid, st.st_gid) < 0 ||
            fchmod(draft->fd, st.st_mode & 07777) < 0)
                return -errno;
        n = flistxattr(fd, names, sizeof(names));
        if (n < 0)
                return errno == ENOTSUP ? 0 : -errno;
        for (const char *name = names; r == 0 && name < names + n; name += strlen(name) + 1)
                r = copy_xattr(fd, draft->fd, name);
        return r;
}

int draft_set_mode(struct draft *draft, mode_t mode) {
        mode_t mask = umask(0);

        umask(mask);
        return fchmod(draft->fd, mode & 0777 & ~mask) < 0 ? -errno : 0;
}

/* ---- bytes -------------------------------------------------------------------------------------- */

struct progress {
        bool shown;
        uint64_t total, began_ns, said_ns;
};

static void progress_say(struct progress *progress, uint64_t done) {
        uint64_t now = base_now_ns(), left;
        double seconds = (double)(now - progress->began_ns) / 1e9, speed = (double)done / (seconds + 1e-9);
        char size[2][16], rate[16];
        int filled = progress->total > 0 ? (int)(done * BAR / progress->total) : BAR;

        if (!progress->shown || (now - progress->said_ns < PROGRESS_NS && done < progress->total))
                return;
        progress->said_ns = now;
        left = done > 0 ? (uint64_t)((double)(progress->total - done) / speed) : 0;
        fprintf(stderr, "\r[%.*s%.*s] %3d %%  %s of %s  %s/s  %llu:%02u left \033[K%s", filled,
                "####################", BAR - filled, "                    ", filled * 100 / BAR,
                human_size(size[0], done), human_size(size[1], progress->total),
                human_size(rate, (uint64_t)speed), (unsigned long long)left / 60, (unsigned)(left % 60),
                done == progress->total ? "\n" : "");
}

static int write_pipe(int fd, const char *buffer, size_t size) {
        while (size > 0) {
                ssize_t n = write(fd, buffer, size);

                if (n < 0 && (errno != EINTR || command_interrupted()))
                        return -errno;
                if (n > 0) {
                        buffer += n;
                        size -= (size_t)n;
                }
        }
        return 0;
}

int write_snapshot(int fd, bool pipe, struct snapshot *snapshot, bool progress) {
        struct progress bar = { .shown = progress && isatty(STDERR_FILENO),
                                .total = snapshot_size(snapshot),
                                .began_ns = base_now_ns() };
        _cleanup_(base_freep) char *buffer = malloc(CHUNK);
        uint64_t at = 0;
        int r = buffer ? 0 : -ENOMEM;

        while (r == 0 && at < bar.total) {
                ssize_t n = command_interrupted() ? -EINTR : snapshot_read(snapshot, buffer, CHUNK, at);

                if (n <= 0)
                        r = n < 0 ? (int)n : -EIO;
                else
                        r = pipe ? write_pipe(fd, buffer, (size_t)n) : base_pwrite(fd, buffer, (size_t)n, at);
                at += n > 0 ? (uint64_t)n : 0;
                if (r == 0)
                        progress_say(&bar, at);
        }
        /* The message about it gets a line of its own. */
        if (r < 0 && bar.said_ns > 0)
                fputc('\n', stderr);
        return r;
}

int draft_fill(struct draft *draft, struct snapshot *snapshot, bool progress) {
        off_t size = (off_t)snapshot_size(snapshot);
        int r;

        /* What does not fit shows at once; where room cannot be reserved, it shows later. */
        if (size > 0 && fallocate(draft->fd, 0, 0, size) < 0 && errno != EOPNOTSUPP && errno != ENOSYS)
                return -errno;
        r = write_snapshot(draft->fd, false, snapshot, progress);
        if (r == 0 && fsync(draft->fd) < 0)
                r = -errno;
        return r;
}

/* ---- into place --------------------------------------------------------------------------------- */

int draft_sync_dir(int dirfd) {
        /* Some file systems have no such thing as a directory's fsync. */
        return fsync(dirfd) < 0 && errno != EINVAL ? -errno : 0;
}

int draft_commit(struct draft *draft, const char *name) {
        /* Where there are no locks, nobody is kept out by one. */
        int r = lock_exclusive(draft->fd);
        struct stat st;

        if (r == -EBUSY)
                return r;
        /* A rename would put a file in the place of /dev/null. */
        if (fstatat(draft->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode))
                return -EINVAL;
        if (renameat(draft->dirfd, draft->name, draft->dirfd, name) < 0)
                return -errno;
        draft->name[0] = 0;
        return draft_sync_dir(draft->dirfd);
}
