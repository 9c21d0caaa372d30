/*
 * The face of snapshot/: all that a file system needs to know of databases.
 *
 * A caller names a file of the source tree by a directory descriptor and a name in it, asks what it is, what
 * lstat should say of it, and opens it, which yields a snapshot: an immutable nameless file and frozen
 * attributes. Nothing here includes a FUSE or an SQLite header, and the only way back to the caller is the
 * function it gave.
 */
#pragma once

#include "snapshot/file.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct snapshot;
struct store;
struct store_ticket;

enum store_engine {
        STORE_ENGINE_AUTO,   /* read in place while it stands still; then reflink where possible, else copy */
        STORE_ENGINE_BACKUP, /* a whole copy (a reflink where possible) before an open is answered */
        STORE_ENGINE_REFLINK, /* the same, with a warning where it has to copy */
};

/* What to do about a commit that could be followed by another in the same second (T1). */
enum store_racy {
        STORE_RACY_SMUDGE, /* report an mtime in the second before, until the second is over */
        STORE_RACY_WAIT,   /* opens wait for its end */
        STORE_RACY_OFF,
};

struct store_config {
        const char *snapshot_dir; /* where nameless files are made; NULL: $TMPDIR, else /var/tmp */
        unsigned busy_timeout_ms; /* how long an open waits for a lock of the application */
        uint64_t max_space;       /* bytes that all snapshots together may hold; 0: unbounded */
        enum store_engine engine;
        enum store_racy racy;
        unsigned accept_quiet_s; /* accept a locked database that nothing vouches for when it was not written
                                    for so long and passes integrity_check; 0: never */
        unsigned linger_s;       /* how long a snapshot is kept for the next reader after the last has left */
        bool require_locks; /* refuse sources on file systems whose locks may not reach other hosts (-ENOLCK)
                             */
};

enum store_kind {
        STORE_ORDINARY,   /* pass it through */
        STORE_DATABASE,   /* a database: store_attr(), store_open() */
        STORE_SIDE_GONE,  /* a side file that is to be hidden: not listed, lookup says ENOENT */
        STORE_SIDE_EMPTY, /* the same, but lookup answers with an empty read-only file (fact S6) */
};

/*
 * Makes a store and its worker threads. 0 with *out set, or -errno: -EACCES, -EROFS, -ENOENT... when no
 * nameless file can be made in snapshot_dir (logged).
 */
int store_new(struct store **out, const struct store_config *config);
/* Cancels every waiting open (-ECANCELED), joins the workers and frees. Snapshots must have been given back.
 * Returns NULL. */
struct store *store_free(struct store *store);

/*
 * What is this file? st: its fstatat(AT_SYMLINK_NOFOLLOW), or NULL when it does not exist (only a side file's
 * name can then be more than ordinary). Found by content, remembered by (dev, ino, mtime, ctime, size), so
 * that an unchanged file is read once. Returns an enum store_kind or -errno when the file could not be read.
 * Any thread, no lock held; may read from the source.
 */
int store_classify(struct store *store, const struct store_file *file, const struct stat *st);

/* Whether name could be a side file's ("-wal", "-shm", "-journal" at its end): only those need a second look.
 */
bool store_name_is_side(const char *name);

/*
 * What lstat says of a database that is not open: rewrites *st, the raw fstatat of the main file, to the
 * size, times, blocks and link count that an open would now give (P3, P4, S3, T4, T5). 0 or -errno; on an
 * error *st is the raw one with nlink 1, fit to be shown. Any thread, no lock held.
 */
int store_attr(struct store *store, const struct store_file *file, struct stat *st);

/*
 * Tells the end of an open. Called exactly once for each successful store_open(), always from a worker
 * thread, never from within store_open() or store_cancel(), with no lock held. result 0: snapshot is the
 * caller's reference, attr what lstat and fstat show of it from now on until it is closed (promise 3).
 * Otherwise NULL and one of
 *
 * - -EBUSY: locked by the application past busy_timeout, or nothing can prove a copy consistent;
 * - -EIO: corrupt or unreadable;
 * - -ENOSPC: the snapshot does not fit;
 * - -EACCES: not permitted;
 * - -ENOLCK: require_locks;
 * - -EINTR: store_cancel();
 * - -ESTALE: no longer a database, or another file: look it up again;
 * - -ECANCELED: the store is being freed.
 */
typedef void (*store_opened_fn)(void *userdata, int result, struct snapshot *snapshot,
                                const struct stat *attr);

/*
 * Opens a database: fn will get a snapshot that holds every transaction whose COMMIT returned before this
 * call and none whose COMMIT began after fn was called (P1). Never waits. Returns 0 with *ticket set, to be
 * given back by store_ticket_unref() at any time (before or after fn is called), or -errno, and then fn is
 * not called.
 */
int store_open(struct store *store, const struct store_file *file, store_opened_fn fn, void *userdata,
               struct store_ticket **ticket);
/* Nobody wants that open any more: fn is soon called with -EINTR unless it has been called. Never waits. */
void store_cancel(struct store_ticket *ticket);
struct store_ticket *store_ticket_unref(struct store_ticket *ticket);

/*
 * One fact about a database, by the name it has behind "user.litesnapfs.": "taken" (when its state was the
 * current one, UTC), "engine", "proof" (what vouches for its bytes: lock, stat, wal, journal, quiet),
 * "pages", "page_size", "journal_mode", "source_state" (differs between any two states). Of a snapshot, or of
 * what an open would now give (st: as for store_attr()). The length of the text, which has no NUL; -ENODATA
 * for other names, -ERANGE when size is too small (0: only the length is asked for); -errno.
 */
int snapshot_fact(const struct snapshot *snapshot, const char *name, char *text, size_t size);
int store_fact(struct store *store, const struct store_file *file, const struct stat *st, const char *name,
               char *text, size_t size);

/* The nameless file when the snapshot is complete, else -1. Borrowed: good while the reference is held. */
int snapshot_fd(const struct snapshot *snapshot);
/* The size in bytes of what can be read. */
uint64_t snapshot_size(const struct snapshot *snapshot);

/*
 * Reads up to size bytes from offset, fewer only at the end. Count; -EIO: the source was written to in spite
 * of the lock that should have kept it still, or the copy failed (logged); -errno. No byte is given that is
 * not proven to be of the version. Any thread, any number at a time; blocks for no more than the I/O; the
 * caller keeps its reference meanwhile. No lock held.
 */
ssize_t snapshot_read(struct snapshot *snapshot, void *buffer, size_t size, uint64_t offset);

struct snapshot *snapshot_ref(struct snapshot *snapshot);
struct snapshot *snapshot_unref(struct snapshot *snapshot);
