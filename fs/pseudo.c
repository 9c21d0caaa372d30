/*
 * What lies on proc, sysfs and their like has any size (0, 4096) whatever there is to read, and to read it
 * may do something. So it is no database, nobody reads it to find that out, and who opens it reads past the
 * kernel's page cache, which goes by the size.
 *
 * Invariant: that a device has such files is asked each time, and is not remembered: its number may belong to
 * another file system the next time, and a database would be shown as it lies there.
 */
#include "fs/pseudo.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

/* Newer than some <linux/magic.h>. */
#define CONFIGFS_MAGIC 0x62656570
#define FUSECTL_MAGIC  0x65735543
#define MQUEUE_MAGIC   0x19800202

static const unsigned long magics[] = {
        PROC_SUPER_MAGIC,    SYSFS_MAGIC,      DEBUGFS_MAGIC,  TRACEFS_MAGIC, CGROUP_SUPER_MAGIC,
        CGROUP2_SUPER_MAGIC, SECURITYFS_MAGIC, SELINUX_MAGIC,  BPF_FS_MAGIC,  PSTOREFS_MAGIC,
        EFIVARFS_MAGIC,      BINFMTFS_MAGIC,   CONFIGFS_MAGIC, FUSECTL_MAGIC, MQUEUE_MAGIC,
};

void pseudo_init(struct pseudo *pseudo) {
        pseudo->n = pseudo->next = 0;
        mutex_init(&pseudo->lock, MUTEX_RANK_LEAF);
}

void pseudo_deinit(struct pseudo *pseudo) {
        mutex_deinit(&pseudo->lock);
}

static bool is_real(struct pseudo *pseudo, dev_t dev) {
        MUTEX_SCOPE(&pseudo->lock);
        for (unsigned i = 0; i < pseudo->n; i++)
                if (pseudo->real[i] == dev)
                        return true;
        return false;
}

static void remember_real(struct pseudo *pseudo, dev_t dev) {
        MUTEX_SCOPE(&pseudo->lock);
        pseudo->real[pseudo->next] = dev;
        pseudo->next = (pseudo->next + 1) % PSEUDO_MAX;
        if (pseudo->n < PSEUDO_MAX)
                pseudo->n++;
}

bool pseudo_is(struct pseudo *pseudo, int dirfd, const char *name, const struct stat *st) {
        _cleanup_(base_closep) int fd = -1;
        struct statfs fs;
        struct stat now;

        /* They have no block device. */
        if (major(st->st_dev) != 0 || is_real(pseudo, st->st_dev))
                return false;
        mutex_assert_none_held();
        /* The file itself: it may be mounted over a name in a directory of another file system. */
        if (*name)
                dirfd = fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (dirfd < 0 || fstat(dirfd, &now) < 0 || now.st_dev != st->st_dev || fstatfs(dirfd, &fs) < 0)
                return false;
        for (size_t i = 0; i < ARRAY_SIZE(magics); i++)
                if ((unsigned long)fs.f_type == magics[i])
                        return true;
        remember_real(pseudo, st->st_dev);
        return false;
}
