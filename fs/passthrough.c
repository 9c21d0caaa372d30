/*
 * Kernel passthrough.
 *
 * Invariant (the kernel's): all open files of one inode are passed through to the same file, or none is; any
 * other open fails with EIO. file.c and binding.c see to that: what is open decides for what is opened.
 *
 * libfuse has an interface for this from 3.17 on. Before, the open reply is written by hand; the rest is
 * ioctls in any case. That the kernel does it at all is settled in agreement.c.
 *
 * The kernel reads the file with the flags of the reader's open, so O_NOATIME, by which we leave the source's
 * access times alone (P6), is lost. Hence files are opened a second time, by their handle, through a mount of
 * our own: a detached clone of the source's that has noatime. Files of nested mounts are passed through only
 * where reading moves no access time anyway, since a clone would keep their file system alive after umount.
 */
#include "fs/passthrough.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "fs/fs.h"

/* As in Linux 6.9's <linux/fuse.h>. */
#define OPEN_PASSTHROUGH (UINT32_C(1) << 7)

struct backing_map {
        int32_t fd;
        uint32_t flags;
        uint64_t padding;
};

struct backing_open_out {
        uint64_t fh;
        uint32_t open_flags;
        int32_t backing_id;
};

#define IOC_BACKING_OPEN  _IOW(229, 1, struct backing_map)
#define IOC_BACKING_CLOSE _IOW(229, 2, uint32_t)

/* ---- opening the source without moving access times ---------------------------------------------------- */

/* Files that are not passed through are read as ever, so this is no failure. */
static void say_why(struct passthrough *passthrough, int error) {
        if (!atomic_exchange(&passthrough->said, true))
                base_log(BASE_LOG_INFO, "not every file can be passed through: %s", strerror(error));
}

/*
 * Opens the directory fd once more, on a clone of its mount that has noatime, is attached nowhere, and lives
 * as long as files of it are open. Descriptor (open_by_handle_at() takes none that is O_PATH) or -errno.
 */
static int clone_quietly(int fd) {
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_NOATIME, .attr_clr = MOUNT_ATTR__ATIME };
        _cleanup_(base_closep) int clone = -1;
        int quiet;

        clone = (int)syscall(SYS_open_tree, fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (clone < 0 ||
            syscall(SYS_mount_setattr, clone, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
                return -errno;
        quiet = openat(clone, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return quiet < 0 ? -errno : quiet;
}

void passthrough_init(struct passthrough *passthrough, const struct agreement *agreement, int root_fd,
                      bool wanted) {
        struct stat st;

        *passthrough = (struct passthrough){ .agreement = agreement,
                                             .wanted = wanted && geteuid() == 0,
                                             .quiet_fd = -1 };
        /* For symlinks it is of use in any case. */
        if (geteuid() != 0 || fstat(root_fd, &st) < 0)
                return;
        passthrough->quiet_dev = st.st_dev;
        passthrough->quiet_fd = clone_quietly(root_fd);
        if (passthrough->quiet_fd < 0 && passthrough->wanted)
                say_why(passthrough, -passthrough->quiet_fd);
}

static bool is_same(int fd, const struct stat *st) {
        struct stat now;

        return fstat(fd, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

void passthrough_deinit(struct passthrough *passthrough) {
        base_closep(&passthrough->quiet_fd);
}

/* Opens the file once more, through the clone. Descriptor or -errno. */
static int open_by_handle(struct passthrough *passthrough, int path_fd, int flags) {
        union {
                struct file_handle handle;
                char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
        } name;
        int fd, mount_id;

        name.handle.handle_bytes = MAX_HANDLE_SZ;
        if (name_to_handle_at(path_fd, "", &name.handle, &mount_id, AT_EMPTY_PATH) < 0)
                return -errno;
        fd = open_by_handle_at(passthrough->quiet_fd, &name.handle, flags | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

int passthrough_open(struct passthrough *passthrough, int path_fd, const struct stat *st) {
        int fd;

        if (!atomic_load(&passthrough->agreement->passthrough) || passthrough->quiet_fd < 0 ||
            st->st_dev != passthrough->quiet_dev)
                return -EOPNOTSUPP;
        mutex_assert_none_held();
        fd = open_by_handle(passthrough, path_fd, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
                say_why(passthrough, -fd);
        return fd;
}

/* Whether reading the link would move its access time, as far as its mount says; see relatime in mount(8). */
static bool would_move(int link_fd, const struct stat *st) {
        time_t day_ago = time(NULL) - 24 * 3600 + 60;
        struct statvfs mount;

        if (fstatvfs(link_fd, &mount) < 0)
                return true;
        if (mount.f_flag & (ST_NOATIME | ST_RDONLY))
                return false;
        return !(mount.f_flag & ST_RELATIME) || st->st_atim.tv_sec < day_ago ||
               base_timespec_compare(st->st_atim, st->st_mtim) <= 0 ||
               base_timespec_compare(st->st_atim, st->st_ctim) <= 0;
}

ssize_t passthrough_readlink(struct passthrough *passthrough, int dirfd, const char *name, int link_fd,
                             const struct stat *st, char *target, size_t size) {
        _cleanup_(base_closep) int quiet = -1, again = -1;
        ssize_t n;

        mutex_assert_none_held();
        if (passthrough->quiet_fd >= 0 && would_move(link_fd, st)) {
                if (st->st_dev == passthrough->quiet_dev)
                        again = open_by_handle(passthrough, link_fd, O_PATH | O_NOFOLLOW);
                if (again < 0) {
                        quiet = clone_quietly(dirfd);
                        again = quiet < 0 ? quiet : openat(quiet, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
                }
        }
        n = readlinkat(again >= 0 && is_same(again, st) ? again : link_fd, "", target, size);
        return n < 0 ? -errno : n;
}

bool passthrough_is_quiet(struct passthrough *passthrough, int fd) {
        struct statvfs st;

        return atomic_load(&passthrough->agreement->passthrough) && fstatvfs(fd, &st) == 0 &&
               st.f_flag & (ST_NOATIME | ST_RDONLY);
}

/* ---- files that the kernel has ------------------------------------------------------------------------- */

struct backing *backing_new(struct passthrough *passthrough, int fd) {
        struct backing_map map = { .fd = fd };
        struct backing *backing;

        if (!atomic_load(&passthrough->agreement->passthrough))
                return NULL;
        backing = malloc(sizeof(*backing));
        if (!backing)
                return NULL;
        mutex_assert_none_held();
        *backing = (struct backing){ .passthrough = passthrough,
                                     .refs = 1,
                                     .id = ioctl(fuse_session_fd(passthrough->agreement->session),
                                                 IOC_BACKING_OPEN, &map) };
        if (backing->id > 0)
                return backing;
        say_why(passthrough, errno);
        free(backing);
        return NULL;
}

struct backing *backing_ref(struct backing *backing) {
        atomic_fetch_add(&backing->refs, 1);
        return backing;
}

struct backing *backing_unref(struct backing *backing) {
        uint32_t id;

        if (!backing || atomic_fetch_sub(&backing->refs, 1) > 1)
                return NULL;
        mutex_assert_none_held();
        id = (uint32_t)backing->id;
        ioctl(fuse_session_fd(backing->passthrough->agreement->session), IOC_BACKING_CLOSE, &id);
        free(backing);
        return NULL;
}

int backing_reply_open(fuse_req_t req, const struct backing *backing, uint64_t handle) {
        struct backing_open_out out = { .fh = handle,
                                        .open_flags = OPEN_PASSTHROUGH,
                                        .backing_id = backing->id };
        struct iovec iov = { .iov_base = &out, .iov_len = sizeof(out) };

        mutex_assert_none_held();
        return fuse_reply_iov(req, &iov, 1);
}
