/*
 * A small memory of what was read from files that have not changed since: bounded, keyed by what stat says of
 * them, safe for any thread. What is forgotten costs a read.
 */
#pragma once

#include "snapshot/base.h"

#include <sys/stat.h>

struct cache_entry;

struct cache {
        struct mutex lock; /* MUTEX_RANK_LEAF: entries */
        struct cache_entry *entries;
        uint64_t seed[2];
};

int cache_init(struct cache *cache);
void cache_deinit(struct cache *cache);
/* Whether something is remembered of the file with this stat; then *value is it. */
bool cache_get(struct cache *cache, const struct stat *st, uint64_t *value);
/*
 * Remembers value for the file, unless it was changed so lately that it could change again without its times
 * showing it (clock.h). st was taken before the file was read.
 */
void cache_put(struct cache *cache, const struct stat *st, uint64_t value);
