/*
 * Sources whose locks may be fiction. SQLite's own advice: https://www.sqlite.org/howtocorrupt.html,
 * "Filesystems with broken or missing lock implementations".
 *
 * Invariant: each file system is warned of at most once.
 */
#include "snapshot/unsafe.h"

#include "snapshot/base.h"

#include <errno.h>
#include <linux/magic.h>
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
