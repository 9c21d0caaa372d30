/*
 * A SQLite VFS over one source: the only way a SQLite connection of ours ever reaches the source tree. It can
 * read and take read locks (lock.h), and nothing else: there is no code in it to write, create, delete, chown
 * or truncate (P6).
 *
 * The -shm is read, never mapped: SQLite gets copies of the WAL-index regions, which are read anew whenever
 * it gets a read lock, and are frozen once a read transaction is pinned. So an application (or anyone) that
 * truncates an -shm cannot kill us with SIGBUS, and the frozen copy says exactly which version is pinned.
 */
#pragma once

#include "snapshot/file.h"
#include "snapshot/frames.h"
#include "snapshot/vfs.h"

#include <stdbool.h>

struct vfs_source {
        struct vfs vfs;
        const struct store_file *file; /* borrowed */
        int main_fd;                   /* borrowed */
        struct stat main;              /* of main_fd, when it was looked at */
        int wal_fd;                    /* -1 until SQLite opens it */
        int shm_fd;                    /* -1 until SQLite maps it */
        int read_lock;                 /* the WAL read lock held, 0 to 4; -1 none */
        bool shared;                   /* SHARED is held on main_fd */
        bool frozen;
        uint8_t **regions;
        int n_regions;
        int error; /* the first -errno behind a SQLite error, 0 if none */
};

/* Registers it. file and main_fd must outlive it. 0 or -errno. */
int vfs_source_init(struct vfs_source *vfs, const struct store_file *file, int main_fd);
/* After its connection is closed. */
void vfs_source_deinit(struct vfs_source *vfs);

/*
 * Takes SHARED before SQLite asks for it, trying for up to patience_ns, and holds it until the connection is
 * closed or unlocks. 0, -EBUSY, -errno. Sleeps.
 */
int vfs_source_share(struct vfs_source *vfs, uint64_t patience_ns);

/* To be called when a read transaction is open: from now on the WAL-index is what that transaction sees. */
void vfs_source_freeze(struct vfs_source *vfs);

/*
 * ---- what is pinned: vfs_source_pinned.c ----
 *
 * The pinned version's WAL-index header, if the transaction reads through a WAL: 1 with *index and the raw 48
 * bytes, 0 if not in WAL mode, -EAGAIN if the header does not hold (never seen after a successful pin).
 */
int vfs_source_index(const struct vfs_source *vfs, struct format_index *index,
                     uint8_t raw[FORMAT_INDEX_HEADER_SIZE]);

/*
 * Reads the first size bytes of page 1 of the pinned version, out of the WAL where that has it. size: at
 * least FORMAT_HEADER_SIZE, at most a page. 0 or -errno.
 */
int vfs_source_first_page(struct vfs_source *vfs, uint8_t *bytes, size_t size);

/*
 * All pages of the pinned version that are to be had from the WAL only, in the order of their numbers; none
 * when the main file has them all. 0 with *pages to be freed, or -errno.
 */
int vfs_source_wal_pages(struct vfs_source *vfs, struct frame_page **pages, size_t *n);
