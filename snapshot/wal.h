/* What a WAL file holds that no connection has open: read and checked frame by frame, as recovery would. */
#pragma once

#include "snapshot/frames.h"

struct wal_summary {
        uint32_t page_size;
        uint32_t page_count;  /* of the database after the last commit in it; 0: no commit in it */
        uint32_t last_frame;  /* that of the last commit; 0 likewise */
        uint32_t first_frame; /* the last one up to there that holds page 1; 0: page 1 is not in the WAL */
        uint8_t head[FORMAT_WAL_HEADER_SIZE];
};

/*
 * Reads the whole valid part. pages: NULL, or gets the pages up to the last commit, to be freed, n of them,
 * by number (frames_settle()). 0 (also for an empty or foreign file: page_count 0) or -errno. Blocks.
 */
int wal_scan(int fd, struct wal_summary *summary, struct frame_page **pages, size_t *n);
