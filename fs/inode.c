/*
 * How 64-bit numbers are dealt out:
 *
 *   0  | 63 bits                   the source's own file system: st_ino as it is
 *   10 | 30 bits id | 32 bits ino  a nested file system with that id, where st_ino is that small
 *   11 | 14 bits id | 48 bits ino  the same with a larger one; this id is another
 *   11 | 14 ones    | 48 bits n    odd ones: what fits no other range, dealt out in the order of sight
 *
 * Two files never share a number: within a file system st_ino differs, ids differ between file systems (the
 * table sees to that), and the ranges are disjoint. So the root of a nested mount never repeats an ancestor's
 * number.
 *
 * The numbers are as stable as what the ids are made from (system.c): over remounts and reboots wherever the
 * file system has an identity on disk or stays mounted at the same place. Only where two file systems in one
 * tree have the same hash (one chance in 2^30 for two, in 2^14 for the wide ids) does the second get its
 * neighbour's id, and then the order in which they are met decides. Odd numbers are no file system's daily
 * business: ext4 has 32 bits, XFS and Btrfs stay far below 2^48, but overlayfs with xino and some network
 * file systems use the top bits. These must be remembered, since nothing shorter than a table proves that
 * they do not collide.
 */
#include "fs/inode.h"

#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <sys/stat.h>

#include "fs/system.h"

#define NESTED      (UINT64_C(1) << 63)
#define WIDE        (NESTED | UINT64_C(1) << 62)
#define NARROW_BITS 32
#define WIDE_BITS   48
#define NARROW_IDS  (UINT32_C(1) << 30)
#define WIDE_IDS    (UINT32_C(1) << 14)
#define ODD         (WIDE | (uint64_t)(WIDE_IDS - 1) << WIDE_BITS) /* the last of the wide ids */

struct inode_system {
        struct inode_system *next;
        dev_t dev; /* 0 when it is no longer what this device number stands for */
        uint64_t fsid;
        uint64_t key;
        uint32_t narrow; /* below NARROW_IDS */
        uint32_t wide;   /* below WIDE_IDS - 1; NO_WIDE until a number needs it */
};

#define NO_WIDE UINT32_MAX

struct inode_odd {
        dev_t dev;
        ino_t ino;
        uint64_t number;
};

static uint64_t mix(uint64_t x) {
        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
        x = (x ^ x >> 27) * 0x94d049bb133111ebu;
        return x ^ x >> 31;
}

void inode_map_init(struct inode_map *map, dev_t root_dev) {
        *map = (struct inode_map){ .root_dev = root_dev };
        mutex_init(&map->mutex, MUTEX_RANK_LEAF);
}

void inode_map_deinit(struct inode_map *map) {
        while (map->systems) {
                struct inode_system *system = map->systems;

                map->systems = system->next;
                free(system);
        }
        tdestroy(map->odd, free);
        mutex_deinit(&map->mutex);
}

static struct inode_system *find_locked(struct inode_map *map, dev_t dev) {
        struct inode_system *system = map->systems;

        while (system && system->dev != dev)
                system = system->next;
        return system;
}

static uint32_t free_narrow_locked(struct inode_map *map, uint64_t key) {
        uint32_t id = (uint32_t)(mix(key) % NARROW_IDS);

        for (struct inode_system *system = map->systems; system;) {
                if (system->narrow == id) {
                        id = (id + 1) % NARROW_IDS;
                        system = map->systems;
                } else {
                        system = system->next;
                }
        }
        return id;
}

static uint32_t free_wide_locked(struct inode_map *map, uint64_t key) {
        uint32_t id = (uint32_t)(mix(key) % (WIDE_IDS - 1));

        for (struct inode_system *system = map->systems; system;) {
                if (system->wide == id) {
                        id = (id + 1) % (WIDE_IDS - 1);
                        system = map->systems;
                } else {
                        system = system->next;
                }
        }
        return id;
}

/* Makes the entry of a file system that is seen as dev, or finds that of one that is mounted again. */
static int add_locked(struct inode_map *map, dev_t dev, const struct system_identity *identity) {
        struct inode_system *system = find_locked(map, dev);
        uint64_t key = identity->key;

        if (system && system->fsid == identity->fsid)
                return 0;
        if (system)
                system->dev = 0;
        for (system = map->systems; system; system = system->next) {
                if (system->key != key)
                        continue;
                if (system->dev == 0) {
                        system->dev = dev;
                        system->fsid = identity->fsid;
                        return 0;
                }
                /* A clone of another that is mounted, too: then the place tells them apart. */
                if (key == identity->key)
                        key = mix(key ^ identity->place);
        }
        system = malloc(sizeof(*system));
        if (!system)
                return -ENOMEM;
        *system = (struct inode_system){ .next = map->systems,
                                         .dev = dev,
                                         .fsid = identity->fsid,
                                         .key = key,
                                         .narrow = free_narrow_locked(map, key),
                                         .wide = NO_WIDE };
        map->systems = system;
        return 0;
}

int inode_enter(struct inode_map *map, int dirfd, const char *name, const char *place, dev_t dev) {
        struct system_identity identity;
        struct inode_system *system;
        bool known;
        int r;

        if (dev == map->root_dev)
                return 0;
        r = system_see(&identity, dirfd, name);
        if (r < 0)
                return r;
        mutex_lock(&map->mutex);
        system = find_locked(map, dev);
        known = system && system->fsid == identity.fsid;
        mutex_unlock(&map->mutex);
        if (known)
                return 0;
        system_identify(&identity, dirfd, name, place, dev);
        MUTEX_SCOPE(&map->mutex);
        return add_locked(map, dev, &identity);
}

static int odd_compare(const void *left, const void *right) {
        const struct inode_odd *a = left, *b = right;

        if (a->dev != b->dev)
                return a->dev < b->dev ? -1 : 1;
        return a->ino < b->ino ? -1 : a->ino > b->ino;
}

static uint64_t odd_number_locked(struct inode_map *map, dev_t dev, ino_t ino) {
        struct inode_odd key = { .dev = dev, .ino = ino };
        void *found = tfind(&key, &map->odd, odd_compare);
        struct inode_odd *odd;

        if (found)
                return (*(struct inode_odd **)found)->number;
        key.number = ODD | ++map->odd_count;
        odd = malloc(sizeof(*odd));
        if (odd) {
                *odd = key;
                if (!tsearch(odd, &map->odd, odd_compare))
                        free(odd);
        }
        return key.number;
}

uint64_t inode_number(struct inode_map *map, dev_t dev, ino_t ino) {
        struct inode_system *system;

        if (dev == map->root_dev && ino < NESTED)
                return ino;
        MUTEX_SCOPE(&map->mutex);
        if (dev == map->root_dev)
                return odd_number_locked(map, dev, ino);
        system = find_locked(map, dev);
        if (!system || ino >> WIDE_BITS != 0)
                return odd_number_locked(map, dev, ino);
        if (ino >> NARROW_BITS == 0)
                return NESTED | (uint64_t)system->narrow << NARROW_BITS | ino;
        if (system->wide == NO_WIDE)
                system->wide = free_wide_locked(map, system->key);
        return WIDE | (uint64_t)system->wide << WIDE_BITS | ino;
}

uint64_t inode_companion(uint64_t number, unsigned n) {
        return ODD | UINT64_C(1) << (WIDE_BITS - 1) |
               (mix(number + n) & ((UINT64_C(1) << (WIDE_BITS - 1)) - 1));
}
