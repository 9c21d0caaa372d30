/* What a WAL file holds that no connection has open: read and checked frame by frame, as recovery would. */
#pragma once

#include <stdint.h>

/* A first_page_count that page 1 does not say: then page_count holds. */
#define WAL_COUNT_UNSAID UINT32_MAX

struct wal_summary {
        uint32_t page_size;
        uint32_t page_count; /* of the database after the last commit in it; 0: no commit in it */
        /* What page 1 says of that after the last commit; 0: page 1 is not in the WAL. */
        uint32_t first_page_count;
};

/* Reads the whole valid part. 0 (also for an empty or foreign file: page_count 0) or -errno. Blocks. */
int wal_scan(int fd, struct wal_summary *summary);
