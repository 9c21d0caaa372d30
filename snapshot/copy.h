/* Copying bytes of a source into a nameless file, as fast as the kernel can, for as long as somebody wants
 * it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct engine_job;

/* What is copied between two looks at whether it is still wanted: about a millisecond. */
#define COPY_CHUNK (4 << 20)

/*
 * Copies the bytes from at up to end to the same place in to, sharing extents where the file system does that
 * (copy_file_range(2)). Returns end, or where from ended before it; -ENOSPC, -errno. Blocks.
 */
int64_t copy_range(int from, int to, uint64_t at, uint64_t end);

/*
 * Copies the first size bytes. 0, -EBUSY when the source ended before, -EINTR when unwanted, -ENOSPC, -errno.
 * Blocks.
 */
int copy_bytes(const struct engine_job *job, int from, int to, uint64_t size);
