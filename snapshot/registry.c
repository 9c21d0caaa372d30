/*
 * The registry of sources.
 *
 * Invariant: a source is in it exactly as long as an opening or a snapshot hangs on it.
 */
#include "snapshot/registry.h"

#include <string.h>

static unsigned bucket_of(const struct source_key *key) {
        return (unsigned)((key->ino ^ key->dev << 7) % REGISTRY_BUCKETS);
}

struct source *source_get_locked(struct store *store, const struct source_key *key, const char *name) {
        struct source *source;

        mutex_assert_held(&store->lock);
        LIST_FOREACH (source, &store->sources[bucket_of(key)], link)
                if (source->key.dev == key->dev && source->key.ino == key->ino &&
                    source->key.dir_dev == key->dir_dev && source->key.dir_ino == key->dir_ino &&
                    strcmp(source->name, name) == 0)
                        return source;
        source = calloc(1, sizeof(*source));
        if (!source)
                return NULL;
        source->key = *key;
        source->name = strdup(name);
        if (!source->name) {
                free(source);
                return NULL;
        }
        LIST_INSERT_HEAD(&store->sources[bucket_of(key)], source, link);
        return source;
}

void source_put_locked(struct store *store, struct source *source) {
        mutex_assert_held(&store->lock);
        if (!LIST_EMPTY(&source->openings) || !LIST_EMPTY(&source->snapshots))
                return;
        LIST_REMOVE(source, link);
        free(source->name);
        free(source);
}

static bool has_moved_locked(const struct store *store, const struct stat *main) {
        size_t n = store->n_moved < ARRAY_SIZE(store->moved) ? store->n_moved : ARRAY_SIZE(store->moved);

        for (size_t i = 0; i < n; i++)
                if (store->moved[i].dev == main->st_dev && store->moved[i].ino == main->st_ino)
                        return true;
        return false;
}

bool source_has_moved(struct store *store, const struct stat *main) {
        MUTEX_SCOPE(&store->lock);

        return has_moved_locked(store, main);
}

void source_moved(struct store *store, const struct view *view) {
        const struct stat *main = &view->main;
        bool known;

        if (view->proof == PROOF_STAT)
                return;
        mutex_lock(&store->lock);
        known = has_moved_locked(store, main);
        if (!known) {
                size_t i = store->n_moved++ % ARRAY_SIZE(store->moved);

                store->moved[i].dev = main->st_dev;
                store->moved[i].ino = main->st_ino;
        }
        mutex_unlock(&store->lock);
        if (!known)
                base_log(BASE_LOG_WARNING,
                         "%s: written to in spite of our lock: its writer's locks cannot be seen from here "
                         "(an overlay or another "
                         "file system above this one, another host, or a copy over the file); from now on "
                         "each copy is made, and "
                         "proven, before it is given out",
                         view->file->path);
}
