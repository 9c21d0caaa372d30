/*
 * Scanning a WAL.
 *
 * Invariant: the memory used is one batch of frames, and eight bytes for each frame whose page is asked for.
 */
#include "snapshot/wal.h"

#include "snapshot/base.h"

#include <errno.h>
#include <string.h>

enum { BATCH = 1 << 18 };

/* ---- which page is in which frame ------------------------------------------------------------------- */

/* By page; the last frame of each page first. */
static int compare(const void *a, const void *b) {
        const struct frame_page *x = a, *y = b;

        if (x->page != y->page)
                return x->page < y->page ? -1 : 1;
        return x->frame > y->frame ? -1 : x->frame < y->frame;
}

size_t frames_settle(struct frame_page *pages, size_t n, uint32_t page_count, uint32_t backfilled) {
        uint32_t last_page = 0;
        size_t kept = 0;

        if (n > 0)
                qsort(pages, n, sizeof(*pages), compare);
        for (size_t i = 0; i < n; i++) {
                /* Pages behind the end belong to a larger database that an earlier commit in this WAL had. */
                if (pages[i].page == last_page || pages[i].page > page_count)
                        continue;
                last_page = pages[i].page;
                if (pages[i].frame > backfilled)
                        pages[kept++] = pages[i];
        }
        return kept;
}

/* ---- the scan --------------------------------------------------------------------------------------- */

struct scan {
        struct format_wal wal;
        struct wal_summary *summary;
        struct frame_page *pages; /* one for each frame, if they are asked for */
        size_t room;
        uint32_t frame; /* the last one read */
        uint32_t first_frame;
        bool wanted;
};

/* Takes the next frame. 0; -EINVAL: the valid part has ended before; -ENOMEM. */
static int take_frame(struct scan *scan, const uint8_t *bytes) {
        struct format_frame frame;
        int r = format_wal_next(&scan->wal, bytes, bytes + FORMAT_WAL_FRAME_HEADER_SIZE, &frame);

        if (r < 0)
                return r;
        if (scan->wanted && scan->frame == scan->room) {
                size_t room = scan->room > 0 ? 2 * scan->room : 1024;
                struct frame_page *more = realloc(scan->pages, room * sizeof(*more));

                if (!more)
                        return -ENOMEM;
                scan->pages = more;
                scan->room = room;
        }
        if (scan->wanted)
                scan->pages[scan->frame] =
                        (struct frame_page){ .page = frame.page, .frame = scan->frame + 1 };
        scan->frame++;
        if (frame.page == 1)
                scan->first_frame = scan->frame;
        if (frame.commit > 0) {
                scan->summary->page_count = frame.commit;
                scan->summary->last_frame = scan->frame;
                scan->summary->first_frame = scan->first_frame;
        }
        return 0;
}

static int take_frames(struct scan *scan, int fd) {
        size_t frame_size = FORMAT_WAL_FRAME_HEADER_SIZE + scan->wal.page_size;
        _cleanup_(base_freep) uint8_t *batch = malloc(BATCH);
        uint64_t at = FORMAT_WAL_HEADER_SIZE;

        if (!batch)
                return -ENOMEM;
        for (;;) {
                ssize_t n = base_pread(fd, batch, BATCH / frame_size * frame_size, at);

                if (n < (ssize_t)frame_size)
                        return n < 0 ? (int)n : 0;
                for (uint8_t *p = batch; p + frame_size <= batch + n; p += frame_size) {
                        int r = take_frame(scan, p);

                        if (r < 0)
                                return r == -EINVAL ? 0 : r;
                }
                at += (uint64_t)n / frame_size * frame_size;
        }
}

int wal_scan(int fd, struct wal_summary *summary, struct frame_page **pages, size_t *n) {
        struct scan scan = { .summary = summary, .wanted = pages != NULL };
        ssize_t size;
        int r;

        *summary = (struct wal_summary){ .page_size = 0 };
        if (pages)
                *pages = NULL;
        size = base_pread(fd, summary->head, sizeof(summary->head), 0);
        if (size < 0)
                return (int)size;
        if (size < (ssize_t)sizeof(summary->head) || format_wal_parse(&scan.wal, summary->head) < 0)
                return 0;
        summary->page_size = scan.wal.page_size;
        r = take_frames(&scan, fd);
        if (pages && r == 0) {
                *pages = scan.pages;
                *n = frames_settle(scan.pages, summary->last_frame, summary->page_count, 0);
                scan.pages = NULL;
        }
        free(scan.pages);
        return r;
}
