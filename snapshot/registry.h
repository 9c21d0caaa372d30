/*
 * The inside of a store: its sources, their snapshots and the opens that wait. For store.c, snapshot.c,
 * reading.c and what runs openings only.
 *
 * Everything here that is not constant is under store->lock, which is held for list work only.
 */
#pragma once

#include "snapshot/engine.h"
#include "snapshot/worker.h"

#include <sys/queue.h>

#define REGISTRY_BUCKETS 1024

struct opening;

struct live;

/* One name of one database file: by which a source is told from another. A hard link is another source:
 * SQLite's side files belong to a name. */
struct source_key {
        dev_t dev, dir_dev;
        ino_t ino, dir_ino;
};

struct source {
        LIST_ENTRY(source) link;
        struct source_key key;
        char *name;
        struct opening *joinable;        /* has not begun to pin: whoever opens now may wait for it too */
        LIST_HEAD(, opening) openings;   /* all of them */
        LIST_HEAD(, snapshot) snapshots; /* alive, and to be found */
};

enum engine {
        ENGINE_BACKUP,
        ENGINE_COPY,
        ENGINE_REFLINK,
        ENGINE_PRIVATE,
};

/*
 * One immutable version in a nameless file. It is made complete, or with the bytes up to frontier in place
 * while an engine writes the others, or will when it has to; waits are the reads that want more.
 */
struct snapshot {
        LIST_ENTRY(snapshot) link;           /* in source->snapshots while source is set */
        LIST_ENTRY(snapshot) lingering_link; /* in store->lingering while lingering is set */
        struct store *store;
        struct source *source; /* NULL: not to be found by later opens */
        unsigned refs;
        struct version version; /* constant */
        enum engine engine;     /* constant */
        struct space_file file; /* constant while anybody reads */
        uint64_t frontier;
        int error; /* -errno: copying has failed */
        struct snapshot_wait *waits;
        const struct live *live; /* the pin lives, and reads go to the source; its maker's */
        unsigned live_reads;     /* that are under way */
        uint64_t live_bytes;     /* that were read in this way */
        pthread_cond_t stirred;  /* a read came, the last one went, or the last reader: for the maker */
        struct work *held;       /* the maker's, queued to begin copying some time; NULL when it has begun */
        bool lingering;          /* one of refs is for later readers, until linger_until_ns */
        uint64_t linger_until_ns;
        struct work linger;
};

struct store {
        struct mutex lock; /* MUTEX_RANK_STORE */
        struct store_config config;
        struct space space;
        struct cache sniffs;        /* what files are: see classify.c */
        struct cache wals;          /* what dead WALs hold: see version.c */
        struct worker_pool *front;  /* what is short: looks, and calls back after store_cancel() */
        struct worker_pool *copies; /* what copies */
        bool closing;
        LIST_HEAD(, snapshot) lingering;
        dev_t warned[16]; /* see unsafe.c */
        size_t n_warned;
        dev_t unshared; /* whose files cannot be reflinked into the snapshot directory; 0: not met yet */
        int reflink;    /* what became of the first try: 0 not tried yet, 1, -errno */
        LIST_HEAD(, source) sources[REGISTRY_BUCKETS];
};

/* Finds the source or adds it. NULL without memory. */
struct source *source_get_locked(struct store *store, const struct source_key *key, const char *name);
/* Frees the source when nothing hangs on it. */
void source_put_locked(struct store *store, struct source *source);

/*
 * Makes a snapshot with one reference; takes *file. frontier: how many bytes are in place. NULL without
 * memory.
 */
struct snapshot *snapshot_new(struct store *store, const struct version *version, enum engine engine,
                              struct space_file *file, uint64_t frontier);
/* Has the maker look at once: a read waits, or the last reader has gone. */
void snapshot_stir_locked(struct snapshot *snapshot);
/* Lets later opens of source find it. */
void snapshot_attach_locked(struct snapshot *snapshot, struct source *source);
/* Later opens find it no more. */
void snapshot_detach_locked(struct snapshot *snapshot);
/* A snapshot of this very version with a reference added, or NULL. */
struct snapshot *snapshot_find_locked(struct source *source, const struct version *version);

/* For the maker of a streamed one, which holds a reference. Each takes the lock. */

/* All bytes before frontier are in place. */
void snapshot_advance(struct snapshot *snapshot, uint64_t frontier);
/* The end of copying: 0, all is in place, or -errno, it never will be. No read uses the pin any more when
 * this returns: it waits for those that do. */
void snapshot_finish(struct snapshot *snapshot, int r);
/* Nobody but the maker has a reference. */
bool snapshot_unwanted_locked(const struct snapshot *snapshot);
/* Whether nobody but the maker has a reference; then nobody will: it is not to be found any more. */
bool snapshot_abandon(struct snapshot *snapshot);

/* Gives up the reference of the caller, whose copying is done: the snapshot stays for linger_s after its last
 * reader. */
void snapshot_linger(struct snapshot *snapshot);
/* Frees the room of all snapshots that nobody reads, or of those of one source (NULL: all). How many. */
unsigned snapshot_purge_lingering(struct store *store, const struct source *source);
