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
        struct mutex mutex; /* guards the rest */
        struct inode_system *systems;
        void *odd; /* tsearch(3)'s tree of struct inode_odd */
        uint64_t odd_count;
};

void inode_map_init(struct inode_map *map, dev_t root_dev);
void inode_map_deinit(struct inode_map *map);

/*
 * Tells the map that name in dirfd is on another file system, dev, than its directory, before numbers of dev
 * are asked for. place: its path below the source. 0 or -errno. Does I/O, takes the map's mutex.
 */
int inode_enter(struct inode_map *map, int dirfd, const char *name, const char *place, dev_t dev);
/* The number that the mount shows for the file. Takes the map's mutex for files of nested mounts. */
uint64_t inode_number(struct inode_map *map, dev_t dev, ino_t ino);
/* A number for something that has no file: the n-th companion of the file with that (shown) number. */
uint64_t inode_companion(uint64_t number, unsigned n);
