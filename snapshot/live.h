/* A pinned version read where it lies: in the main file and in the WAL of the source. */
#pragma once

#include "snapshot/engine.h"

/* All borrowed; good while the pin lives. */
struct live {
        const struct engine_job *job;
        const struct engine_copy *copy;
};

/*
 * Reads size bytes of the version from offset, neither of which goes beyond its end. size, or -EIO, -errno:
 * logged. Any number of threads at a time; blocks; no lock held.
 */
ssize_t live_read(const struct live *live, void *buffer, size_t size, uint64_t offset);
