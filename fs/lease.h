/*
 * Leases: a file server's word with the kernel (Samba's oplocks, knfsd's delegations) that it will be told,
 * and waited for, before anybody else opens a file.
 */
#pragma once

#include "snapshot/base.h"

#include <sys/types.h>

/* What was last seen of the leases on this machine. */
struct leases {
        struct mutex lock; /* MUTEX_RANK_LEAF: the rest */
        ino_t *inos;
        size_t n, room;
        uint64_t seen_ns; /* on base_now_ns()'s clock */
        uint64_t cost_ns; /* how long it took to look */
};

void leases_init(struct leases *leases);
void leases_deinit(struct leases *leases);
/* Whether opening the file with that number for reading may break a lease. May do I/O. */
bool leases_has(struct leases *leases, ino_t ino);
