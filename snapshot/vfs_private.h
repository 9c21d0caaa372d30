/*
 * A SQLite VFS over nameless files: the private side. Copies are written and recovered through it; nothing it
 * does can reach the source tree. No locks (a connection has its files to itself) and no shared memory: use
 * locking_mode=EXCLUSIVE, and SQLite keeps a WAL-index in the heap (wal.html, "Use of WAL Without
 * Shared-Memory").
 */
#pragma once

#include "snapshot/space.h"
#include "snapshot/vfs.h"

struct private_file {
        struct space_file file;
        bool lent;          /* the file is somebody else's, who closes it */
        uint64_t size;      /* bytes, as SQLite sees it; more may be reserved behind */
        uint8_t *gather;    /* writes that follow each other go out together: NULL, or GATHER_SIZE bytes */
        uint64_t gather_at; /* where the gathered bytes belong */
        size_t gathered;
};

struct vfs_private {
        struct vfs vfs;
        struct space *space;
        struct private_file files[3]; /* by enum vfs_role */
        int error;                    /* the first -errno behind a SQLite I/O error, 0 if none */
        const uint8_t *header; /* what page 1 gets in the place of SQLite's own fields (S5); NULL: nothing */
        uint32_t page_size;    /* of the page at PENDING_BYTE, which is never written */
        uint64_t frontier;     /* all bytes before it are in the main file */
        void (*on_frontier)(void *userdata, uint64_t frontier); /* told when it moves; NULL: nobody */
        void *userdata;
};

/* Registers it with no file in it. 0 or -errno. Freed by vfs_private_deinit(), after its connection is
 * closed. */
int vfs_private_init(struct vfs_private *vfs, struct space *space);
void vfs_private_deinit(struct vfs_private *vfs);

/* Gives it a nameless file to hold size bytes, before the connection is opened. 0, -ENOSPC, -errno. */
int vfs_private_add(struct vfs_private *vfs, enum vfs_role role, uint64_t size);

/*
 * Lends it a file as an empty main one, to be streamed: on_frontier is told how far its bytes are in place
 * while SQLite writes them, in order. The first page has been written by the caller, with header's fields;
 * SQLite's own write of it, which comes last, gets the same fields, so that readers see nothing change.
 */
void vfs_private_lend(struct vfs_private *vfs, const struct space_file *file, const uint8_t *header,
                      uint32_t page_size, void (*on_frontier)(void *userdata, uint64_t frontier),
                      void *userdata);

/*
 * Writes out what is gathered and takes the main file with its exact size out of the VFS. 0 or -errno. The
 * connection is closed by then.
 */
int vfs_private_take(struct vfs_private *vfs, struct space_file *file, uint64_t *size);
