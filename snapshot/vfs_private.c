/*
 * A SQLite VFS over nameless files.
 *
 * Invariants: a file's bytes are those on disk below gather_at, those gathered from there on; every read,
 * size change and the end see the gathered ones written first. The VFS and its connection belong to one
 * thread at a time.
 */
#include "snapshot/vfs_private.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { GATHER_SIZE = 1 << 20 };

struct private_handle {
        sqlite3_file base;
        struct vfs_private *vfs;
        struct private_file *file;
};

static int failed(struct vfs_private *vfs, int r, int code) {
        if (vfs->error == 0)
                vfs->error = r;
        return r == -ENOSPC || r == -EDQUOT ? SQLITE_FULL : code;
}

static int flush(struct private_file *file) {
        int r;

        if (file->gathered == 0)
                return 0;
        r = base_pwrite(file->file.fd, file->gather, file->gathered, file->gather_at);
        file->gathered = 0;
        return r;
}

/* ---- file methods ------------------------------------------------------------------------------- */

static int file_close(sqlite3_file *base) {
        struct private_handle *handle = (struct private_handle *)base;
        int r = flush(handle->file);

        return r < 0 ? failed(handle->vfs, r, SQLITE_IOERR_CLOSE) : SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *buffer, int amount, sqlite3_int64 offset) {
        struct private_handle *handle = (struct private_handle *)base;
        int r = flush(handle->file);
        ssize_t n;

        if (r < 0)
                return failed(handle->vfs, r, SQLITE_IOERR_WRITE);
        n = base_pread(handle->file->file.fd, buffer, (size_t)amount, (uint64_t)offset);
        if (n < 0)
                return failed(handle->vfs, (int)n, SQLITE_IOERR_READ);
        if (n == amount)
                return SQLITE_OK;
        memset((char *)buffer + n, 0, (size_t)(amount - n));
        return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *buffer, int amount, sqlite3_int64 offset) {
        struct private_handle *handle = (struct private_handle *)base;
        struct private_file *file = handle->file;
        uint64_t start = (uint64_t)offset, end = start + (uint64_t)amount;
        int r;

        /* No page of SQLite's is as large as what is gathered. */
        if (amount > GATHER_SIZE)
                return failed(handle->vfs, -EIO, SQLITE_IOERR_WRITE);
        if (end > file->file.reserved) {
                r = space_file_reserve(&file->file, end);
                if (r < 0)
                        return failed(handle->vfs, r, SQLITE_IOERR_WRITE);
        }
        if (!file->gather)
                file->gather = malloc(GATHER_SIZE);
        if (!file->gather)
                return SQLITE_IOERR_NOMEM;
        if (file->gathered > 0 &&
            (start != file->gather_at + file->gathered || file->gathered + (size_t)amount > GATHER_SIZE)) {
                r = flush(file);
                if (r < 0)
                        return failed(handle->vfs, r, SQLITE_IOERR_WRITE);
        }
        if (file->gathered == 0)
                file->gather_at = start;
        memcpy(file->gather + file->gathered, buffer, (size_t)amount);
        file->gathered += (size_t)amount;
        if (end > file->size)
                file->size = end;
        return SQLITE_OK;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size) {
        struct private_handle *handle = (struct private_handle *)base;
        int r = flush(handle->file);

        if (r == 0 && ftruncate(handle->file->file.fd, (off_t)size) < 0)
                r = -errno;
        if (r < 0)
                return failed(handle->vfs, r, SQLITE_IOERR_TRUNCATE);
        handle->file->size = (uint64_t)size;
        return SQLITE_OK;
}

static int file_sync(sqlite3_file *base, int flags) {
        return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size) {
        *size = (sqlite3_int64)((struct private_handle *)base)->file->size;
        return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level) {
        return SQLITE_OK;
}

static int file_check_reserved_lock(sqlite3_file *base, int *held) {
        *held = 0;
        return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int op, void *arg) {
        return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *base) {
        return 4096;
}

static int file_device_characteristics(sqlite3_file *base) {
        return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods methods = {
        .iVersion = 1,
        .xClose = file_close,
        .xRead = file_read,
        .xWrite = file_write,
        .xTruncate = file_truncate,
        .xSync = file_sync,
        .xFileSize = file_size,
        .xLock = file_lock,
        .xUnlock = file_lock,
        .xCheckReservedLock = file_check_reserved_lock,
        .xFileControl = file_control,
        .xSectorSize = file_sector_size,
        .xDeviceCharacteristics = file_device_characteristics,
};

/* ---- names -------------------------------------------------------------------------------------- */

/* The name that connections open; SQLite puts its suffixes behind it. It never gets a path to open. */
#define DATABASE "db"

static enum vfs_role role_of(const char *name) {
        static const char *const suffixes[] = {
                [VFS_ROLE_MAIN] = "", [VFS_ROLE_WAL] = "-wal", [VFS_ROLE_JOURNAL] = "-journal"
        };

        if (!name || strncmp(name, DATABASE, strlen(DATABASE)) != 0)
                return VFS_ROLE_OTHER;
        for (int role = 0; role < (int)ARRAY_SIZE(suffixes); role++)
                if (strcmp(name + strlen(DATABASE), suffixes[role]) == 0)
                        return (enum vfs_role)role;
        return VFS_ROLE_OTHER;
}

/* ---- VFS methods -------------------------------------------------------------------------------- */

static void private_file_deinit(struct private_file *file) {
        space_file_deinit(&file->file);
        free(file->gather);
        *file = (struct private_file){ .file = SPACE_FILE_NULL };
}

static int private_open(sqlite3_vfs *base, const char *name, sqlite3_file *out, int flags, int *out_flags) {
        struct vfs_private *vfs = container_of(base, struct vfs_private, base);
        struct private_handle *handle = (struct private_handle *)out;
        enum vfs_role role = role_of(name);
        int r;

        handle->base.pMethods = NULL;
        if (role == VFS_ROLE_OTHER)
                return SQLITE_CANTOPEN;
        if (vfs->files[role].file.fd < 0) {
                if (!(flags & SQLITE_OPEN_CREATE))
                        return SQLITE_CANTOPEN;
                r = vfs_private_add(vfs, role, 0);
                if (r < 0)
                        return failed(vfs, r, SQLITE_CANTOPEN);
        }
        handle->vfs = vfs;
        handle->file = &vfs->files[role];
        handle->base.pMethods = &methods;
        if (out_flags)
                *out_flags = flags;
        return SQLITE_OK;
}

/* SQLite deletes a side file after it has closed it, or while the one connection there is has it open. */
static int private_delete(sqlite3_vfs *base, const char *name, int sync) {
        struct vfs_private *vfs = container_of(base, struct vfs_private, base);
        enum vfs_role role = role_of(name);

        if (role != VFS_ROLE_WAL && role != VFS_ROLE_JOURNAL)
                return SQLITE_IOERR_DELETE;
        private_file_deinit(&vfs->files[role]);
        return SQLITE_OK;
}

static int private_access(sqlite3_vfs *base, const char *name, int flags, int *result) {
        struct vfs_private *vfs = container_of(base, struct vfs_private, base);
        enum vfs_role role = role_of(name);

        *result = role != VFS_ROLE_OTHER && vfs->files[role].file.fd >= 0;
        return SQLITE_OK;
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

int vfs_private_init(struct vfs_private *vfs, struct space *space) {
        static atomic_ulong serial;

        *vfs = (struct vfs_private){
                .base = { .iVersion = 1,
                          .szOsFile = sizeof(struct private_handle),
                          .mxPathname = 64,
                          .xOpen = private_open,
                          .xDelete = private_delete,
                          .xAccess = private_access,
                          .xFullPathname = full_pathname,
                          .xRandomness = randomness,
                          .xSleep = sleep_for,
                          .xCurrentTime = current_time,
                          .xGetLastError = get_last_error },
                .space = space,
        };
        for (size_t i = 0; i < ARRAY_SIZE(vfs->files); i++)
                vfs->files[i] = (struct private_file){ .file = SPACE_FILE_NULL };
        /* A name of its own, so that a connection reaches exactly the files of its own. */
        snprintf(vfs->name, sizeof(vfs->name), "litesnapfs-%lx", atomic_fetch_add(&serial, 1));
        vfs->base.zName = vfs->name;
        return base_sqlite_error(sqlite3_vfs_register(&vfs->base, 0));
}

int vfs_private_connect(struct vfs_private *vfs, sqlite3 **db) {
        int code;

        mutex_assert_none_held();
        code = sqlite3_open_v2(DATABASE, db,
                               SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                                       SQLITE_OPEN_PRIVATECACHE,
                               vfs->name);
        if (code == SQLITE_OK)
                sqlite3_extended_result_codes(*db, 1);
        return code;
}

void vfs_private_deinit(struct vfs_private *vfs) {
        sqlite3_vfs_unregister(&vfs->base);
        for (size_t i = 0; i < ARRAY_SIZE(vfs->files); i++)
                private_file_deinit(&vfs->files[i]);
}

int vfs_private_add(struct vfs_private *vfs, enum vfs_role role, uint64_t size) {
        return space_file_init(&vfs->files[role].file, vfs->space, size);
}

int vfs_private_take(struct vfs_private *vfs, struct space_file *file, uint64_t *size) {
        struct private_file *main = &vfs->files[VFS_ROLE_MAIN];
        int r = flush(main);

        if (r < 0)
                return r;
        *file = main->file;
        *size = main->size;
        main->file = (struct space_file)SPACE_FILE_NULL;
        return 0;
}
