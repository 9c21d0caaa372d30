/*
 * AT_STATX_DONT_SYNC is what makes this safe: FUSE and the network file systems answer from memory then, and
 * do so too when the connection is dead. Local file systems make no difference.
 */
#include "fs/look.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/sysmacros.h>

#include "snapshot/base.h"

/* As in Linux 5.8's and 6.8's <linux/stat.h>. */
#define MNT_ID        0x1000U
#define MNT_ID_UNIQUE 0x4000U

/* The id is never given to another mount where the kernel knows such ids; what is cut off of it does not
 * matter. */
static uint32_t mount_of(const struct statx *stx) {
        return stx->stx_mask & (MNT_ID | MNT_ID_UNIQUE) ? (uint32_t)stx->stx_mnt_id : 0;
}

static struct timespec time_of(const struct statx_timestamp *at) {
        return (struct timespec){ .tv_sec = at->tv_sec, .tv_nsec = at->tv_nsec };
}

static void fill(struct look *look, const struct statx *stx) {
        *look = (struct look){ .mount = mount_of(stx) };
        look->st.st_dev = makedev(stx->stx_dev_major, stx->stx_dev_minor);
        look->st.st_rdev = makedev(stx->stx_rdev_major, stx->stx_rdev_minor);
        look->st.st_ino = stx->stx_ino;
        look->st.st_mode = stx->stx_mode;
        look->st.st_nlink = stx->stx_nlink;
        look->st.st_uid = stx->stx_uid;
        look->st.st_gid = stx->stx_gid;
        look->st.st_size = (off_t)stx->stx_size;
        look->st.st_blksize = stx->stx_blksize;
        look->st.st_blocks = (blkcnt_t)stx->stx_blocks;
        look->st.st_atim = time_of(&stx->stx_atime);
        look->st.st_mtim = time_of(&stx->stx_mtime);
        look->st.st_ctim = time_of(&stx->stx_ctime);
}

int look_at(int dirfd, const char *name, struct look *look) {
        int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC | (*name ? 0 : AT_EMPTY_PATH);
        struct statx stx;

        mutex_assert_none_held();
        if (statx(dirfd, name, flags, STATX_BASIC_STATS | MNT_ID | MNT_ID_UNIQUE, &stx) == 0) {
                fill(look, &stx);
                return 0;
        }
        /* A FUSE mount that is another user's lets even root know its device, and only if nothing else is
         * asked. */
        if (errno != EACCES || statx(dirfd, name, flags, 0, &stx) < 0)
                return -errno;
        fill(look, &stx);
        if (look->st.st_mode == 0)
                look->st.st_mode = S_IFDIR | 0500;
        return 0;
}
