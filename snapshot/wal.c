/*
 * Scanning a WAL.
 *
 * Invariant: the memory used is one batch of frames, whatever the size of the WAL.
 */
#include "snapshot/wal.h"

#include "snapshot/base.h"
#include "snapshot/format.h"

#include <errno.h>

enum { BATCH = 1 << 18 };

/* What page 1 says of the page count. */
static uint32_t count_in(const uint8_t *page) {
        struct format_header header;

        if (format_header_parse(&header, page) < 0 || header.version_valid_for != header.change_counter)
                return WAL_COUNT_UNSAID;
        return header.page_count > 0 ? header.page_count : WAL_COUNT_UNSAID;
}

int wal_scan(int fd, struct wal_summary *summary) {
        uint8_t head[FORMAT_WAL_HEADER_SIZE];
        _cleanup_(base_freep) uint8_t *batch = NULL;
        uint64_t at = FORMAT_WAL_HEADER_SIZE;
        struct format_wal wal;
        uint32_t first = 0;
        size_t frame_size;
        ssize_t n;

        *summary = (struct wal_summary){ .page_size = 0 };
        n = base_pread(fd, head, sizeof(head), 0);
        if (n < 0)
                return (int)n;
        if (n < (ssize_t)sizeof(head) || format_wal_parse(&wal, head) < 0)
                return 0;
        summary->page_size = wal.page_size;
        frame_size = FORMAT_WAL_FRAME_HEADER_SIZE + wal.page_size;
        batch = malloc(BATCH);
        if (!batch)
                return -ENOMEM;
        for (;;) {
                n = base_pread(fd, batch, BATCH / frame_size * frame_size, at);
                if (n < 0)
                        return (int)n;
                if ((size_t)n < frame_size)
                        return 0;
                for (uint8_t *p = batch; p + frame_size <= batch + n; p += frame_size) {
                        struct format_frame frame;

                        if (format_wal_next(&wal, p, p + FORMAT_WAL_FRAME_HEADER_SIZE, &frame) < 0)
                                return 0;
                        if (frame.page == 1)
                                first = count_in(p + FORMAT_WAL_FRAME_HEADER_SIZE);
                        if (frame.commit > 0) {
                                summary->page_count = frame.commit;
                                summary->first_page_count = first;
                        }
                }
                at += (uint64_t)n / frame_size * frame_size;
        }
}
