/*
 * The discipline of locks on source files (fact S1), all of it: snapshot/ takes no lock but through here, and
 * only locks that belong to an open file description (F_OFD_SETLK, fcntl(2)). A POSIX record lock would be
 * dropped by any close of any descriptor of this process on the same file, be it a passed-through hard link;
 * these are not, so descriptors may be opened and closed anywhere at will. They conflict with the POSIX locks
 * of SQLite in other processes as POSIX locks would. Of a source only read locks are ever taken: a descriptor
 * opened for reading suffices.
 *
 * The bytes: "File Locking Notes" of SQLite's os.h; the -shm's: "WAL-Index Locks" of walformat.html.
 */
#pragma once

#include <stdint.h>

/*
 * SQLite's SHARED on a database file: of the bytes that SQLite locks for it, and a writer has to itself, only
 * the last one, so that lock_in_use() can tell an application from a reader of ours. 0, -EBUSY while somebody
 * writes, -errno. Never waits.
 */
int lock_shared(int fd);
/*
 * The same, trying for up to patience_ns. A writer that commits without pause and syncs to a slow disk leaves
 * gaps of a hundredth of a percent: tries of every 50 us meet them, those of every few ms do not (measured:
 * 312 in a row lost). 0, -EBUSY, -errno. Sleeps; no lock held.
 */
int lock_shared_within(int fd, uint64_t patience_ns);
/* Gives SHARED up; a lock that is not held is no error. */
void lock_unshare(int fd);
/* Is RESERVED (or more) held by anyone but this description? 1, 0, -errno. */
int lock_reserved_held(int fd);
/*
 * Has an application the database open? WAL connections hold SHARED as long as they live, others
 * during a transaction. Takes nothing. 1, 0, -errno.
 */
int lock_in_use(int fd);

/* Would a reader be refused SHARED now? Takes nothing. 1, 0, -errno. */
int lock_excluded(int fd);
/*
 * SQLite's EXCLUSIVE: nobody has the database locked, and nobody gets a lock until fd is closed or
 * lock_unshare() is called. For a file that is to be replaced, never for a source; fd is open for writing. 0,
 * -EBUSY, -errno. Never waits.
 */
int lock_exclusive(int fd);

/* The locks of the WAL-index. */
enum lock_index {
        LOCK_INDEX_WRITE = 0,
        LOCK_INDEX_CHECKPOINT = 1,
        LOCK_INDEX_RECOVER = 2,
        LOCK_INDEX_READ = 3,     /* the first of five */
        LOCK_INDEX_DEAD_MAN = 8, /* held by every connection: while it is, the -shm is alive */
};

/* A shared lock on lock number which of an -shm file. 0, -EBUSY, -errno. */
int lock_index_shared(int fd, int which);
void lock_index_unshare(int fd, int which);
/* Does anyone but this description hold that lock, shared or exclusive? 1, 0, -errno. */
int lock_index_held(int fd, int which);
