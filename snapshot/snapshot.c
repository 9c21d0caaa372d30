/*
 * Snapshots: immutable versions, counted, and found by the sources they are of. How they are read: reading.c.
 *
 * Invariant: a snapshot in its source's list has references, and the last unref takes it out under the lock,
 * so that nobody finds one that is going.
 */
#include "snapshot/registry.h"

#include <errno.h>

struct snapshot *snapshot_new(struct store *store, const struct version *version, enum engine engine,
                              struct space_file *file, uint64_t frontier) {
        struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

        if (!snapshot)
                return NULL;
        snapshot->store = store;
        snapshot->refs = 1;
        snapshot->version = *version;
        snapshot->engine = engine;
        snapshot->file = *file;
        snapshot->frontier = frontier;
        mutex_cond_init(&snapshot->stirred);
        *file = (struct space_file)SPACE_FILE_NULL;
        return snapshot;
}

/* ---- being found, and let go -------------------------------------------------------------------- */

void snapshot_attach_locked(struct snapshot *snapshot, struct source *source) {
        mutex_assert_held(&snapshot->store->lock);
        snapshot->source = source;
        LIST_INSERT_HEAD(&source->snapshots, snapshot, link);
}

void snapshot_detach_locked(struct snapshot *snapshot) {
        struct source *source = snapshot->source;

        mutex_assert_held(&snapshot->store->lock);
        if (!source)
                return;
        snapshot->source = NULL;
        LIST_REMOVE(snapshot, link);
        source_put_locked(snapshot->store, source);
}

struct snapshot *snapshot_find_locked(struct source *source, const struct version *version) {
        struct snapshot *snapshot;

        LIST_FOREACH (snapshot, &source->snapshots, link) {
                if (version_equal(&snapshot->version, version)) {
                        snapshot->refs++;
                        return snapshot;
                }
        }
        return NULL;
}

struct snapshot *snapshot_ref(struct snapshot *snapshot) {
        MUTEX_SCOPE(&snapshot->store->lock);

        snapshot->refs++;
        return snapshot;
}

void snapshot_stir_locked(struct snapshot *snapshot) {
        mutex_assert_held(&snapshot->store->lock);
        pthread_cond_signal(&snapshot->stirred);
        if (snapshot->held)
                worker_hasten(snapshot->store->copies, snapshot->held);
}

struct snapshot *snapshot_unref(struct snapshot *snapshot) {
        struct store *store;
        bool last;

        if (!snapshot)
                return NULL;
        store = snapshot->store;
        mutex_lock(&store->lock);
        last = --snapshot->refs == 0;
        if (last)
                snapshot_detach_locked(snapshot);
        else if (snapshot->refs == 1)
                snapshot_stir_locked(snapshot);
        if (snapshot->lingering)
                snapshot->linger_until_ns = base_now_ns() + (uint64_t)store->config.linger_s * 1000000000;
        mutex_unlock(&store->lock);
        if (last) {
                space_file_deinit(&snapshot->file);
                pthread_cond_destroy(&snapshot->stirred);
                free(snapshot);
        }
        return NULL;
}

/* ---- for the reader ----------------------------------------------------------------------------- */

int snapshot_fd(const struct snapshot *snapshot) {
        return snapshot->file.fd;
}

uint64_t snapshot_size(const struct snapshot *snapshot) {
        return (uint64_t)snapshot->version.attr.st_size;
}

bool snapshot_complete(const struct snapshot *snapshot) {
        MUTEX_SCOPE(&snapshot->store->lock);

        return snapshot->frontier == snapshot_size(snapshot);
}

/* ---- for the maker ------------------------------------------------------------------------------ */

bool snapshot_unwanted_locked(const struct snapshot *snapshot) {
        mutex_assert_held(&snapshot->store->lock);
        return snapshot->refs == 1 || snapshot->store->closing;
}

bool snapshot_abandon(struct snapshot *snapshot) {
        MUTEX_SCOPE(&snapshot->store->lock);

        if (!snapshot_unwanted_locked(snapshot))
                return false;
        snapshot_detach_locked(snapshot);
        return true;
}

/* ---- for later readers -------------------------------------------------------------------------- */

static void linger_over(struct work *work) {
        struct snapshot *snapshot = container_of(work, struct snapshot, linger);
        struct store *store = snapshot->store;
        uint64_t now = base_now_ns(), delay = 0;

        mutex_lock(&store->lock);
        if (snapshot->refs > 1)
                delay = (uint64_t)store->config.linger_s * 1000000000;
        else if (snapshot->linger_until_ns > now)
                delay = snapshot->linger_until_ns - now;
        if (store->closing || !snapshot->source)
                delay = 0;
        if (delay == 0 && snapshot->lingering) {
                snapshot->lingering = false;
                LIST_REMOVE(snapshot, lingering_link);
        }
        mutex_unlock(&store->lock);
        if (delay > 0)
                worker_submit(store->front, work, linger_over, delay);
        else
                snapshot_unref(snapshot);
}

void snapshot_linger(struct snapshot *snapshot) {
        struct store *store = snapshot->store;
        uint64_t linger_ns = (uint64_t)store->config.linger_s * 1000000000;
        bool stays;

        mutex_lock(&store->lock);
        stays = linger_ns > 0 && snapshot->source && !store->closing;
        if (stays) {
                snapshot->lingering = true;
                snapshot->linger_until_ns = base_now_ns() + linger_ns;
                LIST_INSERT_HEAD(&store->lingering, snapshot, lingering_link);
        }
        mutex_unlock(&store->lock);
        if (stays)
                worker_submit(store->front, &snapshot->linger, linger_over, linger_ns);
        else
                snapshot_unref(snapshot);
}

unsigned snapshot_purge_lingering(struct store *store, const struct source *source) {
        struct snapshot *snapshot, *next;
        unsigned n = 0;

        mutex_lock(&store->lock);
        for (snapshot = LIST_FIRST(&store->lingering); snapshot; snapshot = next) {
                struct space_file file;

                next = LIST_NEXT(snapshot, lingering_link);
                if (snapshot->refs > 1 || (source && snapshot->source != source))
                        continue;
                /* Its timer has the last reference and will find nothing left but the struct. */
                snapshot_detach_locked(snapshot);
                snapshot->lingering = false;
                LIST_REMOVE(snapshot, lingering_link);
                file = snapshot->file;
                snapshot->file = (struct space_file)SPACE_FILE_NULL;
                mutex_unlock(&store->lock);
                space_file_deinit(&file);
                n++;
                mutex_lock(&store->lock);
                next = LIST_FIRST(&store->lingering);
        }
        mutex_unlock(&store->lock);
        return n;
}
