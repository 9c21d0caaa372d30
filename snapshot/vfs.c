/*
 * The common part of our SQLite VFSes.
 *
 * Invariant: a registered VFS is found by its unique name only, so a connection reaches exactly the files of
 * its own.
 */
#include "snapshot/vfs.h"

#include "snapshot/base.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum vfs_role vfs_role(const char *name) {
        static const char *const suffixes[] = {
                [VFS_ROLE_MAIN] = "", [VFS_ROLE_WAL] = "-wal", [VFS_ROLE_JOURNAL] = "-journal"
        };

        if (!name || strncmp(name, VFS_DATABASE, strlen(VFS_DATABASE)) != 0)
                return VFS_ROLE_OTHER;
        for (int role = 0; role < (int)ARRAY_SIZE(suffixes); role++)
                if (strcmp(name + strlen(VFS_DATABASE), suffixes[role]) == 0)
                        return (enum vfs_role)role;
        return VFS_ROLE_OTHER;
}

static int full_pathname(sqlite3_vfs *base, const char *name, int size, char *out) {
        snprintf(out, (size_t)size, "%s", name);
        return SQLITE_OK;
}

static int randomness(sqlite3_vfs *base, int size, char *out) {
        sqlite3_vfs *system = sqlite3_vfs_find(NULL);

        return system->xRandomness(system, size, out);
}

static int sleep_for(sqlite3_vfs *base, int microseconds) {
        sqlite3_vfs *system = sqlite3_vfs_find(NULL);

        return system->xSleep(system, microseconds);
}

static int current_time(sqlite3_vfs *base, double *out) {
        sqlite3_vfs *system = sqlite3_vfs_find(NULL);

        return system->xCurrentTime(system, out);
}

static int get_last_error(sqlite3_vfs *base, int size, char *out) {
        return 0;
}

int vfs_register(struct vfs *vfs) {
        static atomic_ulong serial;

        snprintf(vfs->name, sizeof(vfs->name), "litesnapfs-%lx", atomic_fetch_add(&serial, 1));
        vfs->base.iVersion = 1;
        vfs->base.mxPathname = 64;
        vfs->base.zName = vfs->name;
        vfs->base.xFullPathname = full_pathname;
        vfs->base.xRandomness = randomness;
        if (!vfs->base.xSleep)
                vfs->base.xSleep = sleep_for;
        vfs->base.xCurrentTime = current_time;
        vfs->base.xGetLastError = get_last_error;
        return sqlite3_vfs_register(&vfs->base, 0);
}

void vfs_unregister(struct vfs *vfs) {
        sqlite3_vfs_unregister(&vfs->base);
}

int vfs_read(int fd, void *buffer, int amount, sqlite3_int64 offset) {
        ssize_t n = base_pread(fd, buffer, (size_t)amount, (uint64_t)offset);

        if (n < 0)
                return SQLITE_IOERR_READ;
        if (n == amount)
                return SQLITE_OK;
        memset((char *)buffer + n, 0, (size_t)(amount - n));
        return SQLITE_IOERR_SHORT_READ;
}

int vfs_connect(struct vfs *vfs, int flags, sqlite3 **db) {
        int code;

        mutex_assert_none_held();
        code = sqlite3_open_v2(VFS_DATABASE, db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                               vfs->name);
        if (code == SQLITE_OK)
                sqlite3_extended_result_codes(*db, 1);
        return code;
}
