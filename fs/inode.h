/*
 * Inode numbers. The mount is one st_dev, the source may be several: files of the source's own file system
 * keep their numbers, files of others mounted inside it get numbers of a range of their own.
 */
#pragma once

#include "snapshot/base.h"

#include <stdint.h>
#include <sys/types.h>

struct inode_system;

struct inode_map {
        dev_t root_dev;
        uint32_t root_mount;
        struct mutex mutex; /* guards the rest */
        struct inode_system *systems;
};

/* The source's own file system, and by which mount (struct look's) it is reached. */
void inode_map_init(struct inode_map *map, dev_t root_dev, uint32_t root_mount);
void inode_map_deinit(struct inode_map *map);

struct system_identity;

/*
 * Tells the map that name in dirfd is on another file system, dev, than its directory, before numbers of dev
 * are asked for. place: its path below the source; mount: struct look's. 0 or -errno. Does I/O, takes the
 * map's mutex.
 */
int inode_enter(struct inode_map *map, int dirfd, const char *name, const char *place, dev_t dev,
                uint32_t mount);
/* The same when it is known already by what dev is known again. 0 or -ENOMEM. Takes the map's mutex. */
int inode_add(struct inode_map *map, dev_t dev, const struct system_identity *identity);
/* Whether the map has been told of dev. Takes the map's mutex. */
bool inode_is_known(struct inode_map *map, dev_t dev);
/*
 * Whether dev is a file system of this machine's own disks or memory, as far as the map was told: nobody else
 * is to be waited for. mount: where it is to be entered, since a device number may have passed to another
 * file system, or 0 for what was entered. Takes the map's mutex.
 */
bool inode_is_local(struct inode_map *map, dev_t dev, uint32_t mount);
/* The number that the mount shows for the file; dev 0 means that ino is such a number. Takes the map's mutex
 * for files of nested mounts. */
uint64_t inode_number(struct inode_map *map, dev_t dev, ino_t ino);
/* The number of an empty directory that is shown at place instead of what is mounted there. */
uint64_t inode_of_place(const char *place);
/* A number for something that has no file: the n-th companion of the file with that (shown) number. */
uint64_t inode_companion(uint64_t number, unsigned n);
