/*
 * Copying into a nameless file: bytes of a source as they lie there, and the version that a view shows. As
 * fast as the kernel can, for as long as somebody wants it.
 */
#pragma once

#include "snapshot/space.h"
#include "snapshot/view.h"

/* Whether anybody still waits for the copy; asked every few MiB. */
struct copy_wish {
        bool (*unwanted)(void *userdata);
        void *userdata;
};

/* Copies the first size bytes. 0, -EBUSY when the source ended before, -EINTR when unwanted, -ENOSPC, -errno.
 * Blocks. */
int copy_bytes(const struct copy_wish *wish, int from, int to, uint64_t size);

/* A copy of a view that is being made: of the main file, part by part from its beginning, and over each part
 * the pages of the WAL. */
struct copy {
        const struct view *view; /* borrowed */
        struct space_file out;   /* the caller's when it is done */
        bool clone;              /* the extents of the main file are shared, not copied (XFS, Btrfs) */
        uint64_t at;             /* the bytes before are in place */
        size_t n_done;           /* pages of the WAL */
        uint8_t *batch;
};

/*
 * Begins: makes out with room for what is to be written. clone: 0; -EXDEV: the snapshot directory and the
 * source are not on one file system that can share; -EOPNOTSUPP: this file cannot be shared. -ENOSPC,
 * -ENOMEM, -errno. Nothing is logged. Blocks; no lock held.
 */
int copy_init(struct copy *copy, const struct view *view, struct space *space, bool clone);
/* Gives back out, too, unless it was taken (SPACE_FILE_NULL). */
void copy_deinit(struct copy *copy);
/*
 * Goes on, until until_ns of base_now_ns()'s clock, 0 for the end. 0: all is in place, and proven; 1: not
 * yet; -ESTALE: the version does not stand any more; -EINTR: unwanted; -ENOSPC, -EIO, -errno. Nothing is
 * logged. Blocks; no lock held.
 */
int copy_run(struct copy *copy, const struct copy_wish *wish, uint64_t until_ns);
