/*
 * A SQLite VFS over one source, for reading only: its files, and their names.
 *
 * Invariant: no descriptor is opened for writing, no lock but shared ones is taken, and no method changes a
 * file.
 */
#include "snapshot/vfs_source.h"

#include "snapshot/base.h"
#include "snapshot/lock.h"
#include "snapshot/vfs_source_index.h"

#include <errno.h>
#include <sys/stat.h>

struct source_handle {
        sqlite3_file base;
        struct vfs_source *vfs;
        int fd; /* owned unless it is the main file's */
        enum vfs_role role;
};

int vfs_source_failed(struct vfs_source *vfs, int r, int code) {
        if (vfs->error == 0)
                vfs->error = r;
        return code;
}

/* ---- the main file, the WAL, and a journal to look at ------------------------------------------- */

static void unshare_main(struct vfs_source *vfs) {
        if (vfs->shared)
                lock_unshare(vfs->main_fd);
        vfs->shared = false;
}

static int file_close(sqlite3_file *base) {
        struct source_handle *handle = (struct source_handle *)base;

        if (handle->role == VFS_ROLE_MAIN)
                unshare_main(handle->vfs);
        else
                close(handle->fd);
        if (handle->role == VFS_ROLE_WAL)
                handle->vfs->wal_fd = -1;
        return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *buffer, int amount, sqlite3_int64 offset) {
        return vfs_read(((struct source_handle *)base)->fd, buffer, amount, offset);
}

static int file_write(sqlite3_file *base, const void *buffer, int amount, sqlite3_int64 offset) {
        return SQLITE_READONLY;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size) {
        return SQLITE_READONLY;
}

static int file_sync(sqlite3_file *base, int flags) {
        return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size) {
        struct stat st;

        if (fstat(((struct source_handle *)base)->fd, &st) < 0)
                return SQLITE_IOERR_FSTAT;
        *size = st.st_size;
        return SQLITE_OK;
}

static int file_lock(sqlite3_file *base, int level) {
        struct source_handle *handle = (struct source_handle *)base;
        int r;

        if (level == SQLITE_LOCK_NONE)
                return SQLITE_OK;
        if (level > SQLITE_LOCK_SHARED)
                return SQLITE_BUSY;
        if (handle->vfs->shared)
                return SQLITE_OK;
        r = lock_shared(handle->fd);
        if (r == -EBUSY)
                return SQLITE_BUSY;
        if (r < 0)
                return vfs_source_failed(handle->vfs, r, SQLITE_IOERR_LOCK);
        handle->vfs->shared = true;
        return SQLITE_OK;
}

static int file_unlock(sqlite3_file *base, int level) {
        if (level == SQLITE_LOCK_NONE)
                unshare_main(((struct source_handle *)base)->vfs);
        return SQLITE_OK;
}

static int file_check_reserved_lock(sqlite3_file *base, int *result) {
        int r = lock_reserved_held(((struct source_handle *)base)->fd);

        *result = r > 0;
        return r < 0 ? SQLITE_IOERR_CHECKRESERVEDLOCK : SQLITE_OK;
}

static int file_control(sqlite3_file *base, int op, void *arg) {
        return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *base) {
        return 4096;
}

static int file_device_characteristics(sqlite3_file *base) {
        return 0;
}

/* ---- the WAL-index: vfs_source_index.c ---------------------------------------------------------- */

static int shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **out) {
        return vfs_source_index_map(((struct source_handle *)base)->vfs, region, size, out);
}

static int shm_lock(sqlite3_file *base, int offset, int n, int flags) {
        return vfs_source_index_lock(((struct source_handle *)base)->vfs, offset, n, flags);
}

static void shm_barrier(sqlite3_file *base) {
        vfs_source_index_barrier(((struct source_handle *)base)->vfs);
}

static int shm_unmap(sqlite3_file *base, int delete) {
        vfs_source_index_unmap(((struct source_handle *)base)->vfs);
        return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
        .iVersion = 2,
        .xClose = file_close,
        .xRead = file_read,
        .xWrite = file_write,
        .xTruncate = file_truncate,
        .xSync = file_sync,
        .xFileSize = file_size,
        .xLock = file_lock,
        .xUnlock = file_unlock,
        .xCheckReservedLock = file_check_reserved_lock,
        .xFileControl = file_control,
        .xSectorSize = file_sector_size,
        .xDeviceCharacteristics = file_device_characteristics,
        .xShmMap = shm_map,
        .xShmLock = shm_lock,
        .xShmBarrier = shm_barrier,
        .xShmUnmap = shm_unmap,
};

/* ---- VFS methods -------------------------------------------------------------------------------- */

static int source_sleep(sqlite3_vfs *base, int microseconds) {
        return vfs_source_index_pause(container_of(base, struct vfs_source, vfs.base), microseconds);
}

static const char *role_suffix(enum vfs_role role) {
        return role == VFS_ROLE_WAL ? "-wal" : "-journal";
}

static int source_open(sqlite3_vfs *base, const char *name, sqlite3_file *out, int flags, int *out_flags) {
        struct vfs_source *vfs = container_of(base, struct vfs_source, vfs.base);
        struct source_handle *handle = (struct source_handle *)out;
        enum vfs_role role = vfs_role(name);
        int fd = vfs->main_fd;

        handle->base.pMethods = NULL;
        if (role == VFS_ROLE_OTHER)
                return SQLITE_CANTOPEN;
        if (role != VFS_ROLE_MAIN) {
                fd = file_side_open(vfs->file, role_suffix(role), &vfs->main, NULL);
                if (fd < 0)
                        return vfs_source_failed(vfs, fd, SQLITE_CANTOPEN);
        }
        if (role == VFS_ROLE_WAL)
                vfs->wal_fd = fd;
        handle->vfs = vfs;
        handle->fd = fd;
        handle->role = role;
        handle->base.pMethods = &methods;
        if (out_flags)
                *out_flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
        return SQLITE_OK;
}

static int source_delete(sqlite3_vfs *base, const char *name, int sync) {
        return SQLITE_READONLY;
}

/* As unixAccess() of SQLite's os_unix.c: an empty file counts as none. */
static int source_access(sqlite3_vfs *base, const char *name, int flags, int *result) {
        struct vfs_source *vfs = container_of(base, struct vfs_source, vfs.base);
        enum vfs_role role = vfs_role(name);
        struct stat st = vfs->main;
        int r = 0;

        *result = 0;
        if (role == VFS_ROLE_OTHER || flags == SQLITE_ACCESS_READWRITE)
                return SQLITE_OK;
        if (role != VFS_ROLE_MAIN)
                r = file_side_stat(vfs->file, role_suffix(role), &st);
        if (r < 0 && r != -ENOENT)
                return vfs_source_failed(vfs, r, SQLITE_IOERR_ACCESS);
        *result = r == 0 && st.st_size > 0;
        return SQLITE_OK;
}

int vfs_source_init(struct vfs_source *vfs, const struct store_file *file, int main_fd) {
        *vfs = (struct vfs_source){
                .vfs.base = { .szOsFile = sizeof(struct source_handle),
                              .xOpen = source_open,
                              .xDelete = source_delete,
                              .xAccess = source_access,
                              .xSleep = source_sleep },
                .file = file,
                .main_fd = main_fd,
                .wal_fd = -1,
                .shm_fd = -1,
                .read_lock = -1,
        };
        if (fstat(main_fd, &vfs->main) < 0)
                return -errno;
        return base_sqlite_error(vfs_register(&vfs->vfs));
}

void vfs_source_deinit(struct vfs_source *vfs) {
        unshare_main(vfs);
        vfs_unregister(&vfs->vfs);
}

int vfs_source_share(struct vfs_source *vfs, uint64_t patience_ns) {
        int r = lock_shared_within(vfs->main_fd, patience_ns);

        vfs->shared = r == 0;
        return r;
}

void vfs_source_freeze(struct vfs_source *vfs) {
        vfs->frozen = true;
}
