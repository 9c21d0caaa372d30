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
