/*
 * The private way, for what SQLite cannot read without writing or waiting: a hot journal, a database that its
 * application keeps locked, a WAL without an index that is being written. Main and what belongs to it are
 * copied without disturbing anybody, the copy is accepted only if it is certain to be one state, and SQLite
 * recovers the copy.
 */
#pragma once

#include "snapshot/copy.h"

struct private_job {
        const struct view *view; /* looked at, but not held */
        struct space *space;
        const struct copy_wish *wish;
        unsigned accept_quiet_s; /* 0: never */
        /* Results: */
        struct space_file out; /* the caller's */
        uint64_t size;         /* bytes in it */
        enum proof proof;
        const char *why; /* for -EBUSY */
};

/*
 * 0 with the results; -EBUSY: it is no proof, come again, why says what; -EINTR: unwanted; -ENOSPC, -EIO,
 * ...: logged but for -ENOSPC. Blocks; holds at most SHARED on the source for the time of two reads; no lock
 * held.
 */
int private_make(struct private_job *job);
