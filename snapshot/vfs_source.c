/*
 * A SQLite VFS over one source, for reading only.
 *
 * Invariants:
 *  - no descriptor is opened for writing, no lock but shared ones is taken, and of those none on the
 * WAL-index's write and recovery locks, where even a shared one held for a moment makes an application see
 * SQLITE_BUSY;
 *  - the -shm is used only while another connection holds the dead man's switch, that is: while it is alive.
 * Without one the answer is SQLITE_CANTOPEN, and the private way is taken (S4, S7);
 *  - regions[] equal the -shm as it was when the read lock was got, or later, up to vfs_source_freeze().
 */
#include "snapshot/vfs_source.h"

#include "snapshot/base.h"
#include "snapshot/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A commit takes the header a fraction of a microsecond: more than a few of them in a row do not meet. */
enum { HEADER_TRIES = 16 };

struct source_handle {
        sqlite3_file base;
        struct vfs_source *vfs;
        int fd; /* owned unless it is the main file's */
        enum vfs_role role;
};

static int failed(struct vfs_source *vfs, int r, int code) {
        if (vfs->error == 0)
                vfs->error = r;
        return code;
}

int vfs_source_side_name(char *out, const char *name, const char *suffix) {
        return snprintf(out, 256, "%s%s", name, suffix) < 256 ? 0 : -ENAMETOOLONG;
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
                return failed(handle->vfs, r, SQLITE_IOERR_LOCK);
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

/* ---- the WAL-index ------------------------------------------------------------------------------ */

static int shm_open_alive(struct vfs_source *vfs) {
        char side[256];
        int fd, r;

        r = vfs_source_side_name(side, vfs->name, "-shm");
        fd = r < 0 ? r : base_open_source(vfs->dirfd, side, 0);
        if (fd < 0)
                return failed(vfs, fd, SQLITE_CANTOPEN);
        r = lock_index_held(fd, LOCK_INDEX_DEAD_MAN);
        if (r > 0)
                r = lock_index_shared(fd, LOCK_INDEX_DEAD_MAN);
        else if (r == 0)
                r = -ENOLCK;
        if (r < 0) {
                close(fd);
                return r == -ENOLCK || r == -EBUSY ? SQLITE_CANTOPEN : failed(vfs, r, SQLITE_IOERR_SHMLOCK);
        }
        vfs->shm_fd = fd;
        return SQLITE_OK;
}

/* Whether the header in the first region is one that a writer has left whole. */
static bool header_whole(const struct vfs_source *vfs) {
        struct format_index index;

        return format_index_parse(&index, vfs->regions[0]) == 0;
}

/*
 * Reads a region; the first one until its header is whole, as long as that makes sense, since a read is no
 * single instant to a writer. A region that is not there in full is about to be made, or was cut off: never
 * an empty one in its place, which would make SQLite look for pages in the main file that are in the WAL.
 */
static int region_read(struct vfs_source *vfs, int region) {
        for (int try = 0; try < HEADER_TRIES; try++) {
                ssize_t n = base_pread(vfs->shm_fd, vfs->regions[region], FORMAT_INDEX_REGION_SIZE,
                                       (uint64_t)region * FORMAT_INDEX_REGION_SIZE);

                if (n < 0)
                        return failed(vfs, (int)n, SQLITE_IOERR_SHMMAP);
                if (n < FORMAT_INDEX_REGION_SIZE)
                        return SQLITE_CANTOPEN;
                if (region > 0 || header_whole(vfs))
                        break;
        }
        format_index_clamp(vfs->regions[region]);
        return SQLITE_OK;
}

int vfs_source_load(struct vfs_source *vfs, int region) {
        while (vfs->n_regions <= region) {
                uint8_t **more = realloc(vfs->regions, sizeof(*more) * ((size_t)vfs->n_regions + 1));
                int code;

                if (!more)
                        return SQLITE_NOMEM;
                vfs->regions = more;
                more[vfs->n_regions] = malloc(FORMAT_INDEX_REGION_SIZE);
                if (!more[vfs->n_regions])
                        return SQLITE_NOMEM;
                code = region_read(vfs, vfs->n_regions);
                if (code != SQLITE_OK) {
                        free(more[vfs->n_regions]);
                        return code;
                }
                vfs->n_regions++;
        }
        return SQLITE_OK;
}

/* SQLITE_READONLY with a region says: this connection may not write the WAL-index (os.h, readonly_shm). */
static int shm_map(sqlite3_file *base, int region, int size, int extend, void volatile **out) {
        struct vfs_source *vfs = ((struct source_handle *)base)->vfs;
        int code = SQLITE_OK;

        *out = NULL;
        if (size != FORMAT_INDEX_REGION_SIZE)
                return SQLITE_IOERR_SHMMAP;
        if (vfs->shm_fd < 0)
                code = shm_open_alive(vfs);
        if (code == SQLITE_OK)
                code = vfs_source_load(vfs, region);
        if (code != SQLITE_OK)
                return code;
        *out = vfs->regions[region];
        return SQLITE_READONLY;
}

/* Reads all regions that SQLite knows once more. */
static int regions_refresh(struct vfs_source *vfs) {
        int code = SQLITE_OK;

        for (int i = 0; i < vfs->n_regions && code == SQLITE_OK; i++)
                code = region_read(vfs, i);
        return code;
}

/* What SQLite goes by is compared with the -shm when the read lock is got; until then a header that is whole
 * will do, and one that is not may have been mended. */
static void shm_barrier(sqlite3_file *base) {
        struct vfs_source *vfs = ((struct source_handle *)base)->vfs;

        if (!vfs->frozen && vfs->n_regions > 0 && !header_whole(vfs))
                region_read(vfs, 0);
}

static int shm_lock(sqlite3_file *base, int offset, int n, int flags) {
        struct vfs_source *vfs = ((struct source_handle *)base)->vfs;
        int code, r;

        if (flags & SQLITE_SHM_UNLOCK) {
                if ((flags & SQLITE_SHM_SHARED) && vfs->shm_fd >= 0)
                        lock_index_unshare(vfs->shm_fd, offset);
                if (offset >= LOCK_INDEX_READ)
                        vfs->read_lock = -1;
                return SQLITE_OK;
        }
        if ((flags & SQLITE_SHM_EXCLUSIVE) || n != 1 || offset < LOCK_INDEX_READ || vfs->shm_fd < 0)
                return SQLITE_BUSY;
        r = lock_index_shared(vfs->shm_fd, offset);
        if (r == -EBUSY)
                return SQLITE_BUSY;
        if (r < 0)
                return failed(vfs, r, SQLITE_IOERR_SHMLOCK);
        /*
         * From here on the WAL cannot start anew under a reader of it, and in every region the entries up to
         * the last frame stay. What was read before may be of an earlier transaction, of an earlier WAL even:
         * all of it is read now, and SQLite compares the header with the one it went by.
         */
        code = regions_refresh(vfs);
        if (code != SQLITE_OK) {
                lock_index_unshare(vfs->shm_fd, offset);
                return code;
        }
        vfs->read_lock = offset - LOCK_INDEX_READ;
        return SQLITE_OK;
}

static int shm_unmap(sqlite3_file *base, int delete) {
        struct vfs_source *vfs = ((struct source_handle *)base)->vfs;

        for (int i = 0; i < vfs->n_regions; i++)
                free(vfs->regions[i]);
        free(vfs->regions);
        vfs->regions = NULL;
        vfs->n_regions = 0;
        base_closep(&vfs->shm_fd);
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

static const char *role_suffix(enum vfs_role role) {
        return role == VFS_ROLE_WAL ? "-wal" : "-journal";
}

static int source_open(sqlite3_vfs *base, const char *name, sqlite3_file *out, int flags, int *out_flags) {
        struct vfs_source *vfs = container_of(base, struct vfs_source, vfs.base);
        struct source_handle *handle = (struct source_handle *)out;
        enum vfs_role role = vfs_role(name);
        char side[256];
        int fd = vfs->main_fd, r;

        handle->base.pMethods = NULL;
        if (role == VFS_ROLE_OTHER)
                return SQLITE_CANTOPEN;
        if (role != VFS_ROLE_MAIN) {
                r = vfs_source_side_name(side, vfs->name, role_suffix(role));
                fd = r < 0 ? r : base_open_source(vfs->dirfd, side, 0);
                if (fd < 0)
                        return failed(vfs, fd, SQLITE_CANTOPEN);
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

static int source_access(sqlite3_vfs *base, const char *name, int flags, int *result) {
        struct vfs_source *vfs = container_of(base, struct vfs_source, vfs.base);
        enum vfs_role role = vfs_role(name);
        char side[256];
        struct stat st;

        *result = 0;
        if (role == VFS_ROLE_OTHER || flags == SQLITE_ACCESS_READWRITE)
                return SQLITE_OK;
        if (role != VFS_ROLE_MAIN && vfs_source_side_name(side, vfs->name, role_suffix(role)) < 0)
                return SQLITE_OK;
        if (fstatat(vfs->dirfd, role == VFS_ROLE_MAIN ? vfs->name : side, &st, AT_SYMLINK_NOFOLLOW) == 0)
                *result = role == VFS_ROLE_WAL || st.st_size > 0;
        else if (errno != ENOENT)
                return failed(vfs, -errno, SQLITE_IOERR_ACCESS);
        return SQLITE_OK;
}

int vfs_source_init(struct vfs_source *vfs, int dirfd, const char *name, int main_fd) {
        *vfs = (struct vfs_source){
                .vfs.base = { .szOsFile = sizeof(struct source_handle),
                              .xOpen = source_open,
                              .xDelete = source_delete,
                              .xAccess = source_access },
                .dirfd = dirfd,
                .name = name,
                .main_fd = main_fd,
                .wal_fd = -1,
                .shm_fd = -1,
                .read_lock = -1,
        };
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
