/* What tells one file system that is mounted inside the source from another, today and after a reboot. */
#pragma once

#include "snapshot/base.h"

#include <stdint.h>
#include <sys/types.h>

struct system_identity {
        uint64_t fsid;  /* as statfs says: good until it is unmounted */
        uint64_t place; /* a hash of where it is mounted */
        uint64_t key;   /* a hash of what stays the same for longest */
        bool local;     /* on disks or in memory of this machine: nobody else is to be waited for */
};

/* Fills in fsid and local. name in dirfd is on the file system. 0 or -errno. Does I/O. */
int system_see(struct system_identity *identity, int dirfd, const char *name);
/* Fills in the rest. place: the name's path below the source; dev: its st_dev. Does I/O. */
void system_identify(struct system_identity *identity, int dirfd, const char *name, const char *place,
                     dev_t dev);
