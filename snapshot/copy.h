/* Copying bytes of a source into a nameless file, as fast as the kernel can, for as long as somebody wants
 * it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct engine_job;

/*
 * Copies the first size bytes of from to to, sharing extents where the file system does that
 * (copy_file_range(2)). 0, -EBUSY when the source ended before, -EINTR when unwanted, -ENOSPC, -errno.
 * Blocks.
 */
int copy_bytes(const struct engine_job *job, int from, int to, uint64_t size);
