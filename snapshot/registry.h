/*
 * The inside of a store: its sources, their snapshots and the opens that wait. For store.c, snapshot.c,
 * keeper.c and what runs openings only.
 *
 * Everything here that is not constant is under store->lock, which is held for list work only.
 */
#pragma once

#include "snapshot/space.h"
#include "snapshot/view.h"
#include "snapshot/worker.h"

#include <sys/queue.h>

#define REGISTRY_BUCKETS 1024

struct opening;

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

/* How the bytes of a snapshot are had. */
enum engine {
        ENGINE_VIEW, /* read where they lie, so far without a copy */
        ENGINE_COPY,
        ENGINE_REFLINK,
        ENGINE_PRIVATE,
};

/*
 * One immutable version: read through a view of the source while that is lent, and out of a nameless file
 * when it has been copied.
 */
struct snapshot {
        LIST_ENTRY(snapshot) link;           /* in source->snapshots while source is set */
        TAILQ_ENTRY(snapshot) live_link;     /* in store->live while live is set */
        LIST_ENTRY(snapshot) lingering_link; /* in store->lingering while lingering is set */
        struct store *store;
        struct source *source; /* NULL: not to be found by later opens */
        unsigned refs;
        struct version version; /* constant */
        enum proof proof;       /* constant */
        enum engine engine;
        struct view *view;      /* what reads go to; NULL when there is a copy */
        bool live;              /* the view is lent, and keeper.c decides for how long */
        bool hurry;             /* only until its first read */
        uint64_t round;         /* the keeper's last look at it */
        uint64_t since_ns;      /* from when on the lending counts */
        uint64_t bytes;         /* that were read through the view since */
        unsigned reads;         /* of the view that are under way */
        pthread_cond_t idle;    /* signalled when they fall to 0 */
        struct work copying;    /* the work that copies it */
        struct space_file file; /* the copy, when view is NULL */
        int error;              /* -errno: its bytes can no longer be had */
        bool lingering;         /* one of refs is for later readers, until linger_until_ns */
        uint64_t linger_until_ns;
};

struct store {
        struct mutex lock; /* MUTEX_RANK_STORE */
        struct store_config config;
        struct space space;
        struct cache sniffs;        /* what files are: see classify.c */
        struct cache wals;          /* what dead WALs hold: see visible.c */
        struct worker_pool *front;  /* what is short: looks, answers, the keeper */
        struct worker_pool *copies; /* small copies */
        struct worker_pool *bulk;   /* large ones */
        bool closing;
        TAILQ_HEAD(, snapshot) live;
        LIST_HEAD(, snapshot) lingering;
        unsigned n_live, n_lingering;
        uint64_t round;     /* the keeper's */
        struct work keeper; /* queued while keeping is set */
        bool keeping;
        struct {
                dev_t dev;
                ino_t ino;
        } moved[64]; /* sources that were written to in spite of a lock of ours: see attempt.c */
        size_t n_moved;
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
 * Makes a snapshot of that version with one reference, out of a view, which is taken, or of a complete copy,
 * which is taken (the other is NULL). NULL without memory.
 */
struct snapshot *snapshot_new(struct store *store, const struct version *version, enum proof proof,
                              enum engine engine, struct view *view, struct space_file *file);
/* Lets later opens of source find it. */
void snapshot_attach_locked(struct snapshot *snapshot, struct source *source);
/* Later opens find it no more. */
void snapshot_detach_locked(struct snapshot *snapshot);
/* A snapshot of this very version with a reference added, or NULL. */
struct snapshot *snapshot_find_locked(struct source *source, const struct version *version);
/* The copy is made: takes file, and frees the view when no read uses it any more. r: 0, or -errno and no
 * bytes can be had from now on. Takes the lock. */
void snapshot_settle(struct snapshot *snapshot, int r, enum engine engine, struct space_file *file);

/*
 * The source was written to while a view was held. In spite of a lock, that is remembered, and warned of the
 * first time; where the view had none that keeps a checkpoint away (a WAL that nobody had open), it was just
 * an application that came. Takes the lock.
 */
void source_moved(struct store *store, const struct view *view);
/* Whether that was ever so. Takes the lock. */
bool source_has_moved(struct store *store, const struct stat *main);
