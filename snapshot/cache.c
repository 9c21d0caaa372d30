/*
 * A four-way cache keyed by (dev, ino, size, mtime, ctime).
 *
 * Invariant: an entry was put by a reader whose stat, taken before the read, was older than the coarsest
 * clock tick.
 */
#include "snapshot/cache.h"

#include "snapshot/clock.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

/*
 * 6 MiB when every entry is used; untouched pages of it are never made. Four places to choose from: with one,
 * a third of the files of a tree half as large as the table would be read again in each walk.
 */
enum { CACHE_WAYS = 4, CACHE_SETS = 1 << 16 };

/*
 * An entry keeps 128 bits of fingerprint in place of the 56 bytes of its key. The seed is random, so that
 * nobody who can set times and sizes can make two files share one; by accident it happens once in 2^100
 * files.
 */
struct cache_entry {
        uint64_t print[2];
        uint64_t value;
};

int cache_init(struct cache *cache) {
        *cache = (struct cache){ .entries = calloc(CACHE_SETS * CACHE_WAYS, sizeof(*cache->entries)) };
        if (!cache->entries)
                return -ENOMEM;
        if (getrandom(cache->seed, sizeof(cache->seed), 0) != (ssize_t)sizeof(cache->seed)) {
                free(cache->entries);
                return -EIO;
        }
        mutex_init(&cache->lock, MUTEX_RANK_LEAF);
        return 0;
}

void cache_deinit(struct cache *cache) {
        free(cache->entries);
        mutex_deinit(&cache->lock);
}

static uint64_t mix(uint64_t hash, uint64_t value) {
        hash ^= value;
        hash *= 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
        hash *= 0xbf58476d1ce4e5b9u;
        return hash ^ hash >> 32;
}

static struct cache_entry key_of(const struct cache *cache, const struct stat *st) {
        const uint64_t key[] = {
                st->st_dev,
                st->st_ino,
                (uint64_t)st->st_size,
                (uint64_t)st->st_mtim.tv_sec,
                (uint64_t)st->st_mtim.tv_nsec,
                (uint64_t)st->st_ctim.tv_sec,
                (uint64_t)st->st_ctim.tv_nsec,
        };
        struct cache_entry entry = { .print = { cache->seed[0], cache->seed[1] } };

        for (size_t i = 0; i < ARRAY_SIZE(key); i++) {
                entry.print[0] = mix(entry.print[0], key[i]);
                entry.print[1] = mix(entry.print[1] + entry.print[0], key[i]);
        }
        return entry;
}

static bool same_print(const struct cache_entry *a, const struct cache_entry *b) {
        return a->print[0] == b->print[0] && a->print[1] == b->print[1];
}

/* The entry of that key in its set, or NULL. */
static struct cache_entry *find_locked(struct cache *cache, const struct cache_entry *key) {
        struct cache_entry *set = &cache->entries[key->print[0] % CACHE_SETS * CACHE_WAYS];

        mutex_assert_held(&cache->lock);
        for (int i = 0; i < CACHE_WAYS; i++)
                if (same_print(&set[i], key))
                        return &set[i];
        return NULL;
}

/* Where to put a key that is not there: the newest goes first, the oldest of the set is forgotten. */
static struct cache_entry *make_room_locked(struct cache *cache, const struct cache_entry *key) {
        struct cache_entry *set = &cache->entries[key->print[0] % CACHE_SETS * CACHE_WAYS];

        mutex_assert_held(&cache->lock);
        memmove(&set[1], &set[0], (CACHE_WAYS - 1) * sizeof(*set));
        return set;
}

bool cache_get(struct cache *cache, const struct stat *st, uint64_t *value) {
        struct cache_entry key = key_of(cache, st);
        MUTEX_SCOPE(&cache->lock);
        const struct cache_entry *entry = find_locked(cache, &key);

        if (!entry)
                return false;
        *value = entry->value;
        return true;
}

void cache_put(struct cache *cache, const struct stat *st, uint64_t value) {
        struct cache_entry entry = key_of(cache, st), *place;

        if (clock_unsettled(st, clock_grain_ns(-1, st)))
                return;
        entry.value = value;
        MUTEX_SCOPE(&cache->lock);
        place = find_locked(cache, &entry);
        if (!place)
                place = make_room_locked(cache, &entry);
        *place = entry;
}
