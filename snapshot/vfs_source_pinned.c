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
                n = base_pread(vfs->wal_fd, bytes, size, frame_offset((uint32_t)frame, index.page_size));
        else
                n = base_pread(vfs->main_fd, bytes, size, 0);
        if (n < 0)
                return (int)n;
        return n == (ssize_t)size ? 0 : -EIO;
}

int vfs_source_wal_pages(struct vfs_source *vfs, struct frame_page **pages, size_t *n) {
        _cleanup_(base_freep) struct frame_page *all = NULL;
        struct format_index index;
        int64_t last = last_frame(vfs, &index);
        struct stat st;
        int r = 0;

        *pages = NULL;
        *n = 0;
        if (last <= 0)
                return (int)last;
        /* No more frames than the WAL has room for: what the index says is another file's. */
        if (fstat(vfs->wal_fd, &st) < 0)
                return -errno;
        if (frame_offset((uint32_t)last, index.page_size) + index.page_size > (uint64_t)st.st_size)
                return -EIO;
        all = malloc((size_t)last * sizeof(*all));
        if (!all)
                return -ENOMEM;
        for (uint32_t frame = 1; frame <= (uint32_t)last; frame++) {
                all[frame - 1] = (struct frame_page){ .page = page_of(vfs, frame, &r), .frame = frame };
                if (r < 0)
                        return r;
        }
        /* A frame up to nBackfill is in the main file: each checkpoint begins where the one before ended
         * (minFrame in walTryBeginRead(), and walCheckpoint(), in wal.c). */
        *n = frames_settle(all, (size_t)last, index.page_count, index.backfilled);
        *pages = all;
        all = NULL;
        return 0;
}
