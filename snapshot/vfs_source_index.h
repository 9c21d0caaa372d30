/*
 * The shared-memory methods of vfs_source.c, and what vfs_source_pinned.c needs of them. One thread at a
 * time, like the connection they belong to.
 */
#pragma once

#include "snapshot/vfs_source.h"

/* SQLite's xShmMap: *out is a copy of the region. SQLITE_READONLY when it is there, else a SQLite error. */
int vfs_source_index_map(struct vfs_source *vfs, int region, int size, void volatile **out);
/* xShmLock. SQLITE_BUSY for anything but a read lock. Getting one reads the regions anew. */
int vfs_source_index_lock(struct vfs_source *vfs, int offset, int n, int flags);
/* xShmBarrier. */
void vfs_source_index_barrier(struct vfs_source *vfs);
/* xSleep: SQLite pauses between tries to begin, and goes by the header that it finds then. Returns
 * microseconds. */
int vfs_source_index_pause(struct vfs_source *vfs, int microseconds);
/* xShmUnmap. */
void vfs_source_index_unmap(struct vfs_source *vfs);

/* Makes regions[] reach up to region. A SQLite code. */
int vfs_source_index_load(struct vfs_source *vfs, int region);

/* Keeps the first -errno behind a SQLite error; returns code. */
int vfs_source_failed(struct vfs_source *vfs, int r, int code);
