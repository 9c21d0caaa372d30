/*
 * A SQLite VFS over nameless files: the private side. Copies are written and recovered through it; nothing it
 * does can reach the source tree. No locks (a connection has its files to itself) and no shared memory: use
 * locking_mode=EXCLUSIVE, and SQLite keeps a WAL-index in the heap (wal.html, "Use of WAL Without
 * Shared-Memory").
 */
#pragma once

#include "snapshot/space.h"

#include <sqlite3.h>

/* Which file of the database SQLite means by a name it made out of the one that the connection opens. */
enum vfs_role {
        VFS_ROLE_MAIN,
        VFS_ROLE_WAL,
        VFS_ROLE_JOURNAL,
        VFS_ROLE_OTHER,
};

struct private_file {
        struct space_file file;
        uint64_t size;      /* bytes, as SQLite sees it; more may be reserved behind */
        uint8_t *gather;    /* writes that follow each other go out together: NULL, or GATHER_SIZE bytes */
        uint64_t gather_at; /* where the gathered bytes belong */
        size_t gathered;
};

struct vfs_private {
        sqlite3_vfs base;
        char name[32]; /* under which it is registered */
        struct space *space;
        struct private_file files[3]; /* by enum vfs_role */
        int error;                    /* the first -errno behind a SQLite I/O error, 0 if none */
};

/* Registers it with no file in it. 0 or -errno. Freed by vfs_private_deinit(), after its connection is
 * closed. */
int vfs_private_init(struct vfs_private *vfs, struct space *space);
void vfs_private_deinit(struct vfs_private *vfs);

/* Gives it a nameless file to hold size bytes, before the connection is opened. 0, -ENOSPC, -errno. */
int vfs_private_add(struct vfs_private *vfs, enum vfs_role role, uint64_t size);

/*
 * Writes out what is gathered and takes the main file with its exact size out of the VFS. 0 or -errno. The
 * connection is closed by then.
 */
int vfs_private_take(struct vfs_private *vfs, struct space_file *file, uint64_t *size);

/* Opens a connection through it, never shared between threads. A SQLite code; *db is to be closed in any
 * case. */
int vfs_private_connect(struct vfs_private *vfs, sqlite3 **db);
