/*
 * Snapshots: immutable versions, counted, read, and found by the sources they are of.
 *
 * Invariants: a snapshot in its source's list has references, and the last unref takes it out under the lock,
 * so that nobody finds one that is going. The view of a snapshot is freed only when no read uses it; a byte
 * is given to a reader only after the view was verified.
 */
#include "snapshot/keeper.h"

#include <errno.h>
#include <string.h>

struct snapshot *snapshot_new(struct store *store, const struct version *version, enum proof proof,
                              enum engine engine, struct view *view, struct space_file *file) {
        struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

        if (!snapshot)
                return NULL;
        *snapshot = (struct snapshot){ .store = store,
                                       .refs = 1,
                                       .version = *version,
                                       .proof = proof,
                                       .engine = engine,
                                       .view = view,
                                       .since_ns = base_now_ns(),
                                       .file = SPACE_FILE_NULL };
        mutex_cond_init(&snapshot->idle);
        if (file) {
                snapshot->file = *file;
                *file = (struct space_file)SPACE_FILE_NULL;
        }
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

struct snapshot *snapshot_unref(struct snapshot *snapshot) {
        struct store *store;
        bool last;

        if (!snapshot)
                return NULL;
        store = snapshot->store;
        mutex_lock(&store->lock);
        last = --snapshot->refs == 0;
        if (last) {
                snapshot_detach_locked(snapshot);
                keeper_drop_locked(snapshot);
        }
        if (snapshot->lingering)
                snapshot->linger_until_ns = base_now_ns() + (uint64_t)store->config.linger_s * 1000000000;
        mutex_unlock(&store->lock);
        if (last) {
                view_free(snapshot->view);
                space_file_deinit(&snapshot->file);
                pthread_cond_destroy(&snapshot->idle);
                free(snapshot);
        }
        return NULL;
}

/* ---- reading ------------------------------------------------------------------------------------ */

int snapshot_fd(const struct snapshot *snapshot) {
        MUTEX_SCOPE(&snapshot->store->lock);

        return snapshot->view ? -1 : snapshot->file.fd;
}

uint64_t snapshot_size(const struct snapshot *snapshot) {
        return (uint64_t)snapshot->version.attr.st_size;
}

/* The view, with a read of it begun; NULL: there is a copy, or *error is set. */
static struct view *read_begin(struct snapshot *snapshot, size_t size, int *error) {
        MUTEX_SCOPE(&snapshot->store->lock);

        *error = snapshot->error;
        if (*error < 0 || !snapshot->view)
                return NULL;
        snapshot->reads++;
        snapshot->bytes += size;
        keeper_read_locked(snapshot);
        return snapshot->view;
}

static void read_end(struct snapshot *snapshot) {
        MUTEX_SCOPE(&snapshot->store->lock);

        if (--snapshot->reads == 0)
                pthread_cond_signal(&snapshot->idle);
}

/* No more bytes can be had. Says why, once. Always -EIO. */
static int fail(struct snapshot *snapshot, const struct view *view, int r) {
        bool first;

        mutex_lock(&snapshot->store->lock);
        first = snapshot->error == 0;
        snapshot->error = -EIO;
        if (first)
                snapshot_detach_locked(snapshot);
        mutex_unlock(&snapshot->store->lock);
        if (first && r == -ESTALE)
                base_log(BASE_LOG_ERROR,
                         "%s: was written to while it was read, in spite of our lock: this read ends with an "
                         "error",
                         view->file->path);
        else if (first)
                base_log(BASE_LOG_ERROR, "%s: cannot read: %s", view->file->path, strerror(-r));
        if (first && r == -ESTALE)
                source_moved(snapshot->store, view);
        return -EIO;
}

ssize_t snapshot_read(struct snapshot *snapshot, void *buffer, size_t size, uint64_t offset) {
        uint64_t total = snapshot_size(snapshot);
        struct view *view;
        ssize_t n;
        int error;

        mutex_assert_none_held();
        if (offset >= total)
                return 0;
        if (size > total - offset)
                size = (size_t)(total - offset);
        view = read_begin(snapshot, size, &error);
        if (error < 0)
                return error;
        if (view) {
                /* An application that has come must not checkpoint before the keeper looks. */
                view_meet_visitor(view);
                n = view_read(view, buffer, size, offset);
                if (n < 0)
                        n = fail(snapshot, view, (int)n);
                read_end(snapshot);
                return n;
        }
        n = base_pread(snapshot->file.fd, buffer, size, offset);
        return n >= 0 && (size_t)n < size ? -EIO : n;
}

void snapshot_settle(struct snapshot *snapshot, int r, enum engine engine, struct space_file *file) {
        struct store *store = snapshot->store;
        struct view *view;

        mutex_lock(&store->lock);
        view = snapshot->view;
        if (r < 0 && snapshot->error == 0)
                snapshot->error = -EIO;
        if (snapshot->error < 0)
                snapshot_detach_locked(snapshot);
        if (r == 0) {
                snapshot->engine = engine;
                snapshot->file = *file;
                *file = (struct space_file)SPACE_FILE_NULL;
        }
        /* Reads that begin now find the copy, or the error. */
        snapshot->view = NULL;
        while (snapshot->reads > 0)
                mutex_wait(&store->lock, &snapshot->idle, 0);
        mutex_unlock(&store->lock);
        view_free(view);
}
