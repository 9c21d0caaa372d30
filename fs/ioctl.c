/*
 * IOCTL: what lsattr and borg ask of a file.
 *
 * The kernel opens the file itself before it asks for flags (fact F1), so there is always a handle. Files
 * that pass through answer for themselves. A database's own descriptor is its snapshot's, and the main file
 * must not be opened for this, since the close() would drop SQLite's locks (fact S1): its flags come from
 * statx(), which knows those that a backup tool stores. What statx() does not know, a project for instance,
 * is ENOTTY, as it is everywhere that has no such thing.
 */
#include "fs/ioctl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

#include "fs/database.h"
#include "fs/file.h"

/* Flags of the main file of a database, as far as they can be had without opening it. 0 or -errno. */
static int flags_of_database(struct fs *fs, struct node *node, unsigned *flags) {
        static const struct {
                uint64_t attribute;
                unsigned flag;
        } known[] = {
                { STATX_ATTR_COMPRESSED, FS_COMPR_FL },
                { STATX_ATTR_IMMUTABLE, FS_IMMUTABLE_FL },
                { STATX_ATTR_APPEND, FS_APPEND_FL },
                { STATX_ATTR_NODUMP, FS_NODUMP_FL },
        };
        _cleanup_(base_closep) int fd = -1;
        struct statx statx_st;
        struct stat st;

        fd = fs_open_path(fs, node, &st);
        if (fd < 0)
                return fd;
        if (statx(fd, "", AT_EMPTY_PATH, 0, &statx_st) < 0)
                return -errno;
        *flags = 0;
        for (size_t i = 0; i < ARRAY_SIZE(known); i++)
                if (statx_st.stx_attributes & known[i].attribute)
                        *flags |= known[i].flag;
        return 0;
}

/* 0 or -errno. */
static int get_flags(struct fs *fs, const struct handle *handle, unsigned *flags) {
        /* Its argument is declared as long, but what is written is an int. */
        if (!handle->snapshot && handle->fd >= 0)
                return ioctl(handle->fd, FS_IOC_GETFLAGS, flags) < 0 ? -errno : 0;
        return handle->snapshot && flags_of_database(fs, handle->node, flags) == 0 ? 0 : -ENOTTY;
}

static int get_xattr(const struct handle *handle, struct fsxattr *xattr) {
        if (handle->snapshot || handle->fd < 0)
                return -ENOTTY;
        return ioctl(handle->fd, FS_IOC_FSGETXATTR, xattr) < 0 ? -errno : 0;
}

void ioctl_serve(fuse_req_t req, fuse_ino_t ino, unsigned command, void *argument, struct fuse_file_info *fi,
                 unsigned request_flags, const void *in, size_t in_size, size_t out_size) {
        struct fs *fs = fs_of(req);
        struct handle *handle = handle_use(fi);
        union {
                unsigned flags;
                struct fsxattr xattr;
        } out;
        size_t size = 0;
        int r;

        memset(&out, 0, sizeof(out));
        mutex_assert_none_held();
        switch (command) {
        case FS_IOC_GETFLAGS:
                r = get_flags(fs, handle, &out.flags);
                size = sizeof(out.flags);
                break;
        case FS_IOC_FSGETXATTR:
                r = get_xattr(handle, &out.xattr);
                size = sizeof(out.xattr);
                break;
        case FS_IOC_SETFLAGS:
        case FS_IOC_FSSETXATTR:
                r = -EROFS;
                break;
        default:
                r = -ENOTTY;
        }
        handle_unref(fs, handle);
        if (r == 0 && out_size < size)
                r = -EINVAL;
        if (r < 0) {
                fs_reply(req, r);
                return;
        }
        mutex_assert_none_held();
        fuse_reply_ioctl(req, 0, &out, size);
}
