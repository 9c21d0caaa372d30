/*
 * A view: one version of one source, readable where it lies, with what proves that it still does.
 *
 * The locks that a view holds keep polite writers out of it. But there are writers whose locks are not seen
 * from here: above an overlay or a FUSE file system, on another host, with SQLite's unix-none or unix-dotfile
 * VFS. So no byte is used before a look after it was read has shown that the version still stands
 * (view_verify()).
 */
#pragma once

#include "snapshot/frames.h"
#include "snapshot/pin.h"
#include "snapshot/version.h"

#include <stdatomic.h>

/* What vouches for the bytes of a version; the values of user.litesnapfs.proof. */
enum proof {
        PROOF_LOCK,    /* a lock that writers are seen to respect; checked against main's times */
        PROOF_STAT,    /* the main file (and a WAL that nobody has open) was not written */
        PROOF_WAL,     /* the WAL-index; or the WAL, copied after main */
        PROOF_JOURNAL, /* a whole rollback journal: rolled back in private */
        PROOF_QUIET,   /* nothing but that it was not written for a while (accept_quiet) */
};

struct view {
        struct store_file *file; /* its own */
        struct version version;
        enum proof proof;
        uint64_t size; /* bytes */
        uint32_t page_size;
        int main_fd;
        int wal_fd;               /* the WAL that pages are read from; -1: none are */
        struct frame_page *pages; /* by number: those that are read from the WAL */
        size_t n_pages;
        struct pin *pin;                          /* of a live WAL, or NULL */
        struct stat main;                         /* of the main file, when the version was held */
        uint8_t head[FORMAT_HEADER_SIZE];         /* the first bytes of the main file, then */
        uint8_t wal_head[FORMAT_WAL_HEADER_SIZE]; /* of a WAL that nobody has open, as it was scanned */
        bool doubtful; /* main was written so lately that its times prove nothing: it has to be read twice */
        atomic_flag meeting;   /* a thread looks whether one has come */
        atomic_int visitor_fd; /* the -shm of an application that came later, with a lock on it; -1 */
};

/*
 * Opens the source and looks at it. dev, ino: what it must be. 0 with *out, to be freed by view_free();
 * -ESTALE: not that file any more, or not a database; -EPERM: a side file is not to be trusted (file.h);
 * -errno. Blocks; no lock held.
 */
int view_new(struct view **out, const struct store_file *file, dev_t dev, ino_t ino, struct cache *wals);
/* Gives back its locks, too. Returns NULL. */
struct view *view_free(struct view *view);

/*
 * Holds the version that is the current one: by SQLite's own read transaction where its application has a
 * live WAL-index or no WAL at all, else by SHARED on the main file. patience_ns: how long to try for a lock,
 * sleeping. Sets version, size and pages. 0, or
 * - -EBUSY: an application holds a lock, or opens or closes just now: come again; *why: NULL or what else it
 * can be;
 * - -EAGAIN: only a private copy can be recovered: a hot journal;
 * - -ESTALE, -EPERM, -EIO (corrupt), -errno: logged where that says more.
 * Blocks; no lock held.
 */
int view_hold(struct view *view, uint64_t patience_ns, struct cache *wals, const char **why);

/* Whether the version still stands: 0; -ESTALE: it does not, and what was read since the last look may be of
 * another; -errno. */
int view_verify(const struct view *view);

/*
 * Reads size bytes from offset, neither of which goes beyond the end, and verifies. size, -ESTALE as above,
 * or -errno. Any number of threads at a time; blocks; no lock held.
 */
ssize_t view_read(const struct view *view, void *buffer, size_t size, uint64_t offset);

/* Whether a commit of the application has to wait for the view to go: rollback mode. */
bool view_stops_commits(const struct view *view);
/* Whether one waits, or is being prepared. */
bool view_writer_waits(const struct view *view);
/*
 * For a view of a WAL database that nobody had open: whether an application has come since. Then its
 * checkpoints are kept away from the main file for as long as the view lives. One thread at a time.
 */
bool view_meet_visitor(struct view *view);

/* For a view whose times prove nothing: whether no transaction has begun, and no commit was made. 0, -ESTALE,
 * -errno. */
int view_undisturbed(const struct view *view);
/* Whether holding it means to scan a WAL of more than size bytes that nobody has open. */
bool view_scans(const struct view *view, uint64_t size);
