/*
 * The identity of a nested file system, from what there is, the best first:
 *
 *   1. Btrfs: statfs's f_fsid, made from the UUID on disk and the subvolume, which has inode numbers of its
 * own
 *   2. the UUID, asked of the file system (Linux 6.9) or of udev (block devices); not of tmpfs, which makes
 * one at each mount, nor of autofs, where to open the directory mounts something. f_fsid would do for ext4,
 * but XFS and others put the device number there.
 *   3. the place where it is mounted, which is what an administrator keeps stable
 *
 * Both sources of a UUID yield the same text, so a new kernel changes no inode number.
 */
#include "fs/system.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "fs/mix.h"

#define UUID_SIZE     16
#define UUID_TEXT_MAX 64
#define BY_UUID       "/dev/disk/by-uuid"

/* As in Linux 6.9's <linux/fs.h>. */
struct uuid_answer {
        uint8_t length;
        uint8_t bytes[UUID_SIZE];
};

/* Not in every <linux/magic.h>. */
#define BCACHEFS_MAGIC 0xca451a4eU
#define EROFS_MAGIC    0xe0f5e1e2U
#define EXFAT_MAGIC    0x2011bab0U
#define NTFS3_MAGIC    0x7366746eU
#define ZFS_MAGIC      0x2fc12fc1U

#define GET_UUID _IOR(0x15, 0, struct uuid_answer)

static int look(int dirfd, const char *name, struct statfs *st) {
        _cleanup_(base_closep) int fd = -1;

        mutex_assert_none_held();
        fd = openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        return fstatfs(fd, st) < 0 ? -errno : 0;
}

static uint64_t fsid_of(const struct statfs *st) {
        uint64_t fsid = 0;

        memcpy(&fsid, &st->f_fsid, sizeof(fsid) < sizeof(st->f_fsid) ? sizeof(fsid) : sizeof(st->f_fsid));
        return fsid;
}

/* What is not known may be on the network, or in another process. */
static bool is_local(const struct statfs *st) {
        switch ((uint32_t)st->f_type) {
        case BTRFS_SUPER_MAGIC:
        case EXT4_SUPER_MAGIC:
        case F2FS_SUPER_MAGIC:
        case ISOFS_SUPER_MAGIC:
        case MSDOS_SUPER_MAGIC:
        case RAMFS_MAGIC:
        case SQUASHFS_MAGIC:
        case TMPFS_MAGIC:
        case UDF_SUPER_MAGIC:
        case XFS_SUPER_MAGIC:
        case BCACHEFS_MAGIC:
        case EROFS_MAGIC:
        case EXFAT_MAGIC:
        case NTFS3_MAGIC:
        case ZFS_MAGIC:
                return true;
        default:
                return false;
        }
}

int system_see(struct system_identity *identity, int dirfd, const char *name) {
        struct statfs st;
        int r = look(dirfd, name, &st);

        *identity = (struct system_identity){ 0 };
        if (r < 0)
                return r;
        identity->fsid = fsid_of(&st);
        identity->local = is_local(&st);
        return 0;
}

/* Only of a directory: a file might be a database, whose locks the close() would drop (fact S1). */
static bool ask_file_system(int dirfd, const char *name, char text[UUID_TEXT_MAX]) {
        _cleanup_(base_closep) int fd = -1;
        struct uuid_answer answer = { .length = 0 };
        size_t used = 0;

        fd = base_open_source(dirfd, name, O_DIRECTORY);
        if (fd < 0 || ioctl(fd, GET_UUID, &answer) < 0 || answer.length == 0 || answer.length > UUID_SIZE)
                return false;
        for (size_t i = 0; i < answer.length; i++) {
                bool dash = answer.length == UUID_SIZE && (i == 4 || i == 6 || i == 8 || i == 10);

                used += (size_t)snprintf(text + used, UUID_TEXT_MAX - used, dash ? "-%02x" : "%02x",
                                         answer.bytes[i]);
        }
        return true;
}

static bool ask_udev(dev_t dev, char text[UUID_TEXT_MAX]) {
        DIR *dir = opendir(BY_UUID);
        struct dirent *entry;
        bool found = false;

        if (!dir)
                return false;
        while (!found && (entry = readdir(dir))) {
                struct stat st;

                if (fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && S_ISBLK(st.st_mode) &&
                    st.st_rdev == dev)
                        found = snprintf(text, UUID_TEXT_MAX, "%s", entry->d_name) < UUID_TEXT_MAX;
        }
        closedir(dir);
        return found;
}

void system_identify(struct system_identity *identity, int dirfd, const char *name, const char *place,
                     dev_t dev) {
        char text[UUID_TEXT_MAX];
        struct statfs st;

        identity->place = mix_bytes(place, strlen(place));
        identity->key = identity->place;
        if (look(dirfd, name, &st) < 0)
                return;
        if (st.f_type == BTRFS_SUPER_MAGIC)
                identity->key = identity->fsid;
        else if (st.f_type != TMPFS_MAGIC && st.f_type != AUTOFS_SUPER_MAGIC &&
                 (ask_file_system(dirfd, name, text) || ask_udev(dev, text)))
                identity->key = mix_bytes(text, strlen(text));
}
