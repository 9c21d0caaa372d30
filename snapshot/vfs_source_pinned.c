/*
 * What a pinned version is made of: its WAL-index header, its first page, and which of its pages are in the
 * WAL.
 *
 * Invariant: under read lock 0 the whole WAL is in the main file and may be overwritten from its start at any
 * time, so nothing is read from it; under any other, its frames up to the pinned last one stay as they are.
 */
#include "snapshot/vfs_source.h"

#include "snapshot/base.h"
#include "snapshot/vfs_source_index.h"

#include <errno.h>
#include <string.h>

int vfs_source_index(const struct vfs_source *vfs, struct format_index *index,
                     uint8_t raw[FORMAT_INDEX_HEADER_SIZE]) {
        int r;

        if (vfs->read_lock < 0 || vfs->n_regions == 0)
                return 0;
        r = format_index_parse(index, vfs->regions[0]);
        if (r < 0)
                return r;
        memcpy(raw, vfs->regions[0], FORMAT_INDEX_HEADER_SIZE);
        return 1;
}

/* The number of the last frame to be read from the WAL, 0 for none, with *index; -errno. */
static int64_t last_frame(const struct vfs_source *vfs, struct format_index *index) {
        uint8_t raw[FORMAT_INDEX_HEADER_SIZE];
        int r = vfs_source_index(vfs, index, raw);

        if (r <= 0)
                return r;
        return vfs->read_lock > 0 ? index->last_frame : 0;
}

/* The page in a frame; 0 with *r set when its region cannot be read. */
static uint32_t page_of(struct vfs_source *vfs, uint32_t frame, int *r) {
        int region = (int)format_index_region(frame);

        if (region >= vfs->n_regions)
                *r = base_sqlite_error(vfs_source_index_load(vfs, region));
        return *r < 0 ? 0 : format_index_page(vfs->regions[region], frame);
}

int vfs_source_first_page(struct vfs_source *vfs, uint8_t *bytes, size_t size) {
        struct format_index index;
        int64_t frame = last_frame(vfs, &index);
        ssize_t n;
        int r = 0;

        while (frame > 0 && page_of(vfs, (uint32_t)frame, &r) != 1 && r == 0)
                frame--;
        if (frame < 0 || r < 0)
                return frame < 0 ? (int)frame : r;
        if (frame > 0)
                n = base_pread(vfs->wal_fd, bytes, size,
                               vfs_source_frame_offset((uint32_t)frame, index.page_size));
        else
                n = base_pread(vfs->main_fd, bytes, size, 0);
        if (n < 0)
                return (int)n;
        return n == (ssize_t)size ? 0 : -EIO;
}

/* By page; the last frame of each page first. */
static int compare(const void *a, const void *b) {
        const struct vfs_source_page *x = a, *y = b;

        if (x->page != y->page)
                return x->page < y->page ? -1 : 1;
        return x->frame > y->frame ? -1 : x->frame < y->frame;
}

int vfs_source_wal_pages(struct vfs_source *vfs, struct vfs_source_page **pages, size_t *n) {
        _cleanup_(base_freep) struct vfs_source_page *all = NULL;
        struct format_index index;
        int64_t last = last_frame(vfs, &index);
        size_t kept = 0;
        int r = 0;

        *pages = NULL;
        *n = 0;
        if (last <= 0)
                return (int)last;
        all = malloc((size_t)last * sizeof(*all));
        if (!all)
                return -ENOMEM;
        for (uint32_t frame = 1; frame <= last; frame++) {
                all[frame - 1] = (struct vfs_source_page){ .page = page_of(vfs, frame, &r), .frame = frame };
                if (r < 0)
                        return r;
        }
        qsort(all, (size_t)last, sizeof(*all), compare);
        for (int64_t i = 0; i < last; i++) {
                /* Pages behind the end belong to a larger database that an earlier commit in this WAL had. */
                if (all[i].page == 0 || all[i].page > index.page_count ||
                    (kept > 0 && all[kept - 1].page == all[i].page))
                        continue;
                /* Written to the main file by a checkpoint that is over, and by no later one: each begins
                 * where the one before ended (minFrame in walTryBeginRead(), and walCheckpoint(), in wal.c).
                 */
                if (all[i].frame <= index.backfilled)
                        continue;
                all[kept++] = all[i];
        }
        *pages = all;
        *n = kept;
        all = NULL;
        return 0;
}
