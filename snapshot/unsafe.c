/*
 * Sources whose locks may be fiction. SQLite's own advice: https://www.sqlite.org/howtocorrupt.html,
 * "Filesystems with broken or missing lock implementations".
 *
 * Invariant: each file system is warned of at most once.
 */
#include "snapshot/unsafe.h"

#include "snapshot/base.h"
#include "snapshot/clock.h"
#include "snapshot/mounts.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#ifndef FUSE_SUPER_MAGIC
#define FUSE_SUPER_MAGIC 0x65735546
#endif
#ifndef CIFS_SUPER_MAGIC
#define CIFS_SUPER_MAGIC 0xff534d42
#endif
#ifndef SMB2_SUPER_MAGIC
#define SMB2_SUPER_MAGIC 0xfe534d42
#endif

static const struct {
        uint32_t magic;
        const char *name;
} unsafe[] = {
        { NFS_SUPER_MAGIC, "NFS" },     { CIFS_SUPER_MAGIC, "SMB" }, { SMB2_SUPER_MAGIC, "SMB" },
        { SMB_SUPER_MAGIC, "SMB" },     { V9FS_MAGIC, "9p" },        { FUSE_SUPER_MAGIC, "FUSE or virtiofs" },
        { CEPH_SUPER_MAGIC, "CephFS" }, { AFS_SUPER_MAGIC, "AFS" },
};

/* Whether dev has not been warned of yet; then it has from now on. */
static bool first_time(struct store *store, dev_t dev) {
        MUTEX_SCOPE(&store->lock);

        for (size_t i = 0; i < store->n_warned; i++)
                if (store->warned[i] == dev)
                        return false;
        /* When the list is full the oldest is warned of again: more than that are not mounted. */
        store->warned[store->n_warned % ARRAY_SIZE(store->warned)] = dev;
        if (store->n_warned < ARRAY_SIZE(store->warned))
                store->n_warned++;
        return true;
}

const char *unsafe_name(int fd) {
        struct statfs fs;

        if (fstatfs(fd, &fs) < 0)
                return NULL;
        for (size_t i = 0; i < ARRAY_SIZE(unsafe); i++)
                if ((uint32_t)fs.f_type == unsafe[i].magic)
                        return unsafe[i].name;
        return NULL;
}

/* How long a file must not have been written by times that may be a while old: three times what sshfs keeps
 * them. */
#define STALE_NS UINT64_C(60000000000)

bool unsafe_is_stale(int fd, const struct stat *main, const struct stat *wal) {
        static const char *const remote[] = { "fuse.sshfs", "fuse.rclone", "fuse.curlftpfs",
                                              "fuse.davfs", "fuse.s3fs",   "fuse.gvfsd-fuse" };
        struct statfs fs;
        char type[MOUNTS_TYPE_MAX];

        if (fstatfs(fd, &fs) < 0 || (uint32_t)fs.f_type != FUSE_SUPER_MAGIC ||
            (clock_age_ns(main) >= STALE_NS && (wal->st_size == 0 || clock_age_ns(wal) >= STALE_NS)))
                return false;
        mounts_type(main->st_dev, type);
        for (size_t i = 0; i < ARRAY_SIZE(remote); i++)
                if (strcmp(type, remote[i]) == 0)
                        return true;
        return false;
}

int unsafe_check(struct store *store, int fd, const char *path) {
        const char *name = unsafe_name(fd);
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (name && store->config.require_locks) {
                base_log(BASE_LOG_ERROR,
                         "%s: refused: on %s, whose locks may not reach everybody (require_locks)", path,
                         name);
                return -ENOLCK;
        }
        if (name && first_time(store, st.st_dev))
                base_log(BASE_LOG_WARNING,
                         "%s: on %s: if its locks do not reach every host that writes there, neither SQLite "
                         "nor this program can see those writers",
                         path, name);
        return 0;
}
