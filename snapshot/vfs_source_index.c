/*
 * The WAL-index of a source: SQLite gets copies of its regions, read from the -shm and never mapped.
 *
 * Invariants:
 *
 * - Of the WAL-index's locks only read locks and the dead man's switch are taken, and those shared: on its
 * write and recovery locks even a shared one held for a moment makes an application see SQLITE_BUSY.
 *
 * - The -shm is used only while another connection holds the dead man's switch, that is: while it is alive.
 * Without one the answer is SQLITE_CANTOPEN, and the private way is taken (S4, S7).
 *
 * - regions[] equal the -shm as it was when the read lock was got, or later, up to vfs_source_freeze().
 *
 * - Between the header that SQLite goes by and the one it is compared with under the read lock lies nothing
 * that takes long, and no pause: beside a writer that commits without one, no try would ever come out even
 * (S2).
 */
#include "snapshot/vfs_source_index.h"

#include "snapshot/base.h"
#include "snapshot/lock.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* A commit takes the header a fraction of a microsecond: more than a few of them in a row do not meet. */
enum { HEADER_TRIES = 16 };

/* SQLite's own pauses between tries to begin grow to 0.3 s; a commit that was in the way takes far less. */
enum { PAUSE_MAX_US = 1000 };

static int shm_open_alive(struct vfs_source *vfs) {
        int fd = file_side_open(vfs->file, "-shm", &vfs->main, NULL), r;

        if (fd < 0)
                return vfs_source_failed(vfs, fd, SQLITE_CANTOPEN);
        r = lock_index_held(fd, LOCK_INDEX_DEAD_MAN);
        if (r > 0)
                r = lock_index_shared(fd, LOCK_INDEX_DEAD_MAN);
        else if (r == 0)
                r = -ENOLCK;
        if (r < 0) {
                close(fd);
                return r == -ENOLCK || r == -EBUSY ? SQLITE_CANTOPEN
                                                   : vfs_source_failed(vfs, r, SQLITE_IOERR_SHMLOCK);
        }
        vfs->shm_fd = fd;
        return SQLITE_OK;
}

/* Whether the header in the first region is one that a writer has left whole. */
static bool header_whole(const struct vfs_source *vfs) {
        struct format_index index;

        return format_index_parse(&index, vfs->regions[0]) == 0;
}

/* Reads part of a region. A region that is not there in full is about to be made, or was cut off: never an
 * empty one in its place, which would make SQLite look for pages in the main file that are in the WAL. */
static int region_part(struct vfs_source *vfs, int region, size_t from, size_t size) {
        ssize_t n = base_pread(vfs->shm_fd, vfs->regions[region] + from, size,
                               (uint64_t)region * FORMAT_INDEX_REGION_SIZE + from);

        if (n < 0)
                return vfs_source_failed(vfs, (int)n, SQLITE_IOERR_SHMMAP);
        return n < (ssize_t)size ? SQLITE_CANTOPEN : SQLITE_OK;
}

/*
 * Reads the checkpoint information, then the header, until that is whole, as long as that makes sense: a read
 * is no single instant to a writer. In this order, as walTryBeginRead() does it: with the other one a commit
 * and a checkpoint in between would make frames count as written to the main file that the header does not
 * know of, and pages before them be taken from there.
 */
static int head_read(struct vfs_source *vfs) {
        for (int try = 0; try < HEADER_TRIES; try++) {
                int code = region_part(vfs, 0, FORMAT_INDEX_INFO, FORMAT_INDEX_HEAD_SIZE - FORMAT_INDEX_INFO);

                atomic_thread_fence(memory_order_seq_cst);
                if (code == SQLITE_OK)
                        code = region_part(vfs, 0, 0, FORMAT_INDEX_INFO);
                if (code != SQLITE_OK || header_whole(vfs))
                        return code;
        }
        return SQLITE_OK;
}

/* Reads what a region has but the head. */
static int entries_read(struct vfs_source *vfs, int region) {
        size_t from = region == 0 ? FORMAT_INDEX_HEAD_SIZE : 0;
        int code = region_part(vfs, region, from, FORMAT_INDEX_REGION_SIZE - from);

        if (code == SQLITE_OK)
                format_index_clamp(vfs->regions[region]);
        return code;
}

static int region_read(struct vfs_source *vfs, int region) {
        int code = entries_read(vfs, region);

        return code == SQLITE_OK && region == 0 ? head_read(vfs) : code;
}

int vfs_source_index_load(struct vfs_source *vfs, int region) {
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

int vfs_source_index_map(struct vfs_source *vfs, int region, int size, void volatile **out) {
        int code = SQLITE_OK;

        *out = NULL;
        if (size != FORMAT_INDEX_REGION_SIZE)
                return SQLITE_IOERR_SHMMAP;
        if (vfs->shm_fd < 0)
                code = shm_open_alive(vfs);
        if (code == SQLITE_OK)
                code = vfs_source_index_load(vfs, region);
        if (code != SQLITE_OK)
                return code;
        *out = vfs->regions[region];
        /* With a region, it says: this connection may not write the WAL-index (os.h, readonly_shm). */
        return SQLITE_READONLY;
}

/*
 * Reads all that SQLite knows of the WAL-index once more, under a read lock. SQLITE_BUSY when the header is
 * no longer the one that it went by: it tries again then, with this one, and the rest was not worth reading.
 */
static int regions_refresh(struct vfs_source *vfs) {
        uint8_t before[FORMAT_INDEX_HEADER_SIZE];
        int code;

        if (vfs->n_regions == 0)
                return SQLITE_OK;
        memcpy(before, vfs->regions[0], sizeof(before));
        code = head_read(vfs);
        if (code == SQLITE_OK && memcmp(before, vfs->regions[0], sizeof(before)) != 0)
                code = SQLITE_BUSY;
        for (int i = 0; i < vfs->n_regions && code == SQLITE_OK; i++)
                code = entries_read(vfs, i);
        return code;
}

/* What SQLite goes by is compared with the -shm when the read lock is got; until then a header that is whole
 * will do, and one that is not may have been mended. */
void vfs_source_index_barrier(struct vfs_source *vfs) {
        if (!vfs->frozen && vfs->n_regions > 0 && !header_whole(vfs))
                head_read(vfs);
}

int vfs_source_index_lock(struct vfs_source *vfs, int offset, int n, int flags) {
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
                return vfs_source_failed(vfs, r, SQLITE_IOERR_SHMLOCK);
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

int vfs_source_index_pause(struct vfs_source *vfs, int microseconds) {
        microseconds = microseconds < PAUSE_MAX_US ? microseconds : PAUSE_MAX_US;
        usleep((useconds_t)microseconds);
        if (!vfs->frozen && vfs->n_regions > 0)
                head_read(vfs);
        return microseconds;
}

void vfs_source_index_unmap(struct vfs_source *vfs) {
        for (int i = 0; i < vfs->n_regions; i++)
                free(vfs->regions[i]);
        free(vfs->regions);
        vfs->regions = NULL;
        vfs->n_regions = 0;
        base_closep(&vfs->shm_fd);
}
