/*
 * How 64-bit numbers are dealt out:
 *
 *   0  | 63 bits                   the source's own file system: st_ino as it is
 *   10 | 30 bits id | 32 bits ino  a nested file system with that id, where st_ino is that small
 *   11 | 62 bits hash              everything else
 *
 * In the first two ranges two files never share a number: within a file system st_ino differs, ids differ
 * between file systems (the table of these sees to that), and the ranges are disjoint. That covers what file
 * systems on disks do: ext4 has 32 bits, XFS, Btrfs and tmpfs pass these only when they are huge.
 *
 * File systems that use all 64 bits (mergerfs, NTFS, bcachefs, overlayfs with xino, some network ones) leave
 * no room for an id, and nothing proves that two of their files do not meet. What is derived of such a number
 * is a permutation of it that is keyed by its file system, without the two upper bits. Two given files meet
 * with a chance of 2^-62; any two of a million with 10^-7, of a hundred million with 10^-3. Nothing comes of
 * it unless both have more than one link, or one is a directory that contains the other: only then does a
 * tool compare inode numbers. Nothing is remembered of a file, so the order of sight decides nothing, and a
 * walk costs no memory.
 *
 * The numbers are as stable as what keys and ids are made from (system.c): over remounts and reboots wherever
 * the file system has an identity on disk or stays mounted at the same place. Only where two nested file
 * systems have the same 30 bits of hash (one chance in 2^30 for two) does the second get its neighbour's id,
 * and then the order in which they are met decides.
 */
#include "fs/inode.h"

#include <errno.h>
#include <string.h>

#include "fs/mix.h"
#include "fs/system.h"

#define NESTED      (UINT64_C(1) << 63)
#define HASHED      (NESTED | UINT64_C(1) << 62)
#define NARROW_BITS 32
#define NARROW_IDS  (UINT32_C(1) << 30)

struct inode_system {
        struct inode_system *next;
        dev_t dev; /* 0 when it is no longer what this device number stands for */
        uint64_t fsid;
        uint64_t key;
        uint32_t narrow; /* below NARROW_IDS */
        uint32_t mount;  /* by which it was last entered */
        bool local;
};

void inode_map_init(struct inode_map *map, dev_t root_dev, uint32_t root_mount) {
        *map = (struct inode_map){ .root_dev = root_dev, .root_mount = root_mount };
        mutex_init(&map->mutex, MUTEX_RANK_LEAF);
}

void inode_map_deinit(struct inode_map *map) {
        while (map->systems) {
                struct inode_system *system = map->systems;

                map->systems = system->next;
                free(system);
        }
        mutex_deinit(&map->mutex);
}

static struct inode_system *find_locked(struct inode_map *map, dev_t dev) {
        struct inode_system *system = map->systems;

        while (system && system->dev != dev)
                system = system->next;
        return system;
}

static uint32_t free_narrow_locked(struct inode_map *map, uint64_t key) {
        uint32_t id = (uint32_t)(mix_number(key) % NARROW_IDS);

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

/* Makes the entry of a file system that is seen as dev, or finds that of one that is mounted again. */
static int add_locked(struct inode_map *map, dev_t dev, const struct system_identity *identity) {
        struct inode_system *system = find_locked(map, dev);
        uint64_t key = identity->key;

        if (system && system->fsid == identity->fsid && system->local == identity->local)
                return 0;
        if (system)
                system->dev = 0;
        for (system = map->systems; system; system = system->next) {
                if (system->key != key)
                        continue;
                if (system->dev == 0) {
                        system->dev = dev;
                        system->fsid = identity->fsid;
                        system->local = identity->local;
                        return 0;
                }
                /* A clone of another that is mounted, too: then the place tells them apart. */
                if (key == identity->key)
                        key = mix_number(key ^ identity->place);
        }
        system = malloc(sizeof(*system));
        if (!system)
                return -ENOMEM;
        *system = (struct inode_system){ .next = map->systems,
                                         .dev = dev,
                                         .fsid = identity->fsid,
                                         .key = key,
                                         .local = identity->local,
                                         .narrow = free_narrow_locked(map, key) };
        map->systems = system;
        return 0;
}

int inode_add(struct inode_map *map, dev_t dev, const struct system_identity *identity) {
        MUTEX_SCOPE(&map->mutex);
        return add_locked(map, dev, identity);
}

bool inode_is_known(struct inode_map *map, dev_t dev) {
        MUTEX_SCOPE(&map->mutex);
        return find_locked(map, dev);
}

bool inode_is_local(struct inode_map *map, dev_t dev, uint32_t mount) {
        struct inode_system *system;

        MUTEX_SCOPE(&map->mutex);
        system = find_locked(map, dev);
        return system && system->local && (mount == 0 || mount == system->mount);
}

static void entered(struct inode_map *map, dev_t dev, uint32_t mount) {
        struct inode_system *system;

        MUTEX_SCOPE(&map->mutex);
        system = find_locked(map, dev);
        if (system)
                system->mount = mount;
}

int inode_enter(struct inode_map *map, int dirfd, const char *name, const char *place, dev_t dev,
                uint32_t mount) {
        struct system_identity identity;
        struct inode_system *system;
        bool known;
        int r;

        if (dev == map->root_dev)
                return 0;
        r = system_see(&identity, dirfd, name);
        if (r < 0)
                return r;
        /* Another device of the source's own file system, which may as well be waited for. */
        if (mount != 0 && mount == map->root_mount)
                identity.local = true;
        mutex_lock(&map->mutex);
        system = find_locked(map, dev);
        known = system && system->fsid == identity.fsid && system->local == identity.local;
        mutex_unlock(&map->mutex);
        if (!known) {
                system_identify(&identity, dirfd, name, place, dev);
                r = inode_add(map, dev, &identity);
        }
        entered(map, dev, mount);
        return r;
}

/* A permutation of the numbers of one file system, and another one for each key. */
static uint64_t hashed(uint64_t key, ino_t ino) {
        return HASHED | mix_number(mix_number(key) + ino);
}

uint64_t inode_number(struct inode_map *map, dev_t dev, ino_t ino) {
        struct inode_system *system;

        if (dev == map->root_dev)
                return ino < NESTED ? ino : hashed(0, ino);
        if (dev == 0)
                return ino;
        MUTEX_SCOPE(&map->mutex);
        system = find_locked(map, dev);
        if (!system)
                return hashed(~(uint64_t)dev, ino);
        if (ino >> NARROW_BITS == 0)
                return NESTED | (uint64_t)system->narrow << NARROW_BITS | ino;
        return hashed(system->key, ino);
}

uint64_t inode_of_place(const char *place) {
        return hashed(1, mix_bytes(place, strlen(place)));
}

uint64_t inode_companion(uint64_t number, unsigned n) {
        return HASHED | mix_number(mix_number(number) + n);
}
