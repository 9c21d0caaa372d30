/*
 * Which pages of a version are in its WAL, and where.
 */
#pragma once

#include "snapshot/format.h"

struct frame_page {
        uint32_t page;  /* number, from 1 */
        uint32_t frame; /* the last one that holds it, from 1 */
};

/* Where the bytes of that frame's page begin in the WAL. */
static inline uint64_t frame_offset(uint32_t frame, uint32_t page_size) {
        return FORMAT_WAL_HEADER_SIZE + FORMAT_WAL_FRAME_HEADER_SIZE +
               (uint64_t)(frame - 1) * (FORMAT_WAL_FRAME_HEADER_SIZE + page_size);
}

/*
 * Sorts pages by number and keeps the last frame of each, of those numbers from 1 to page_count whose last
 * frame is after backfilled. Returns how many are left.
 */
size_t frames_settle(struct frame_page *pages, size_t n, uint32_t page_count, uint32_t backfilled);
