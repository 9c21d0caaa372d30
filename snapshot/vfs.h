/*
 * What our two SQLite VFSes share: each is made for one connection, registered under a name of its own for as
 * long as that connection lives, and knows the files it may open. SQLite never gets a path of ours to open.
 */
#pragma once

#include <sqlite3.h>

struct vfs {
        sqlite3_vfs base;
        char name[32];
};

/* The name that connections open; side files get SQLite's suffixes behind it. */
#define VFS_DATABASE "db"

/* Which file of the database SQLite means by a name it made out of VFS_DATABASE. */
enum vfs_role {
        VFS_ROLE_MAIN,
        VFS_ROLE_WAL,
        VFS_ROLE_JOURNAL,
        VFS_ROLE_OTHER,
};
enum vfs_role vfs_role(const char *name);

/*
 * Fills the methods that are the same for both (full path name, time, sleep, randomness), gives it a unique
 * name and registers it. The caller has set szOsFile, xOpen, xDelete and xAccess, and xSleep if it has one of
 * its own. Returns a SQLite code.
 */
int vfs_register(struct vfs *vfs);
void vfs_unregister(struct vfs *vfs);

/* Reads as SQLite's xRead wants it: a short read is zero-filled and SQLITE_IOERR_SHORT_READ. */
int vfs_read(int fd, void *buffer, int amount, sqlite3_int64 offset);

/* Opens a connection through vfs, never shared between threads. A SQLite code; *db is to be closed in any
 * case. */
int vfs_connect(struct vfs *vfs, int flags, sqlite3 **db);
