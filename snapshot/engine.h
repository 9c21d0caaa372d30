/*
 * The engines: the ways by which the bytes of one version get into a nameless file.
 */
#pragma once

#include "snapshot/pin.h"
#include "snapshot/space.h"
#include "snapshot/store.h"
#include "snapshot/version.h"

struct engine_job {
        const struct store_file *file;
        int main_fd;
        struct space *space;
        bool (*unwanted)(void *userdata); /* asked every few MiB: nobody waits for the result any more */
        void *userdata;
        void (*on_frontier)(void *userdata, uint64_t frontier); /* NULL: nobody is told */
        struct space_file out;
        uint64_t size; /* bytes in out */
};

/*
 * The online backup: copies the pinned version through sqlite3_backup into job->out, which has room for
 * job->size bytes and the first page of the version in place already; page 1 of the copy is made that of the
 * source (S5). on_frontier is told how far the bytes are in place. 0; -EIO, -EINTR (unwanted), -ENOSPC,
 * -ENOMEM: logged but for -EINTR. Blocks; no lock held.
 */
int engine_backup(struct engine_job *job, struct pin *pin, uint32_t page_size);

/*
 * The copy: the main file, part by part from its beginning, and over each part the pages that the pinned
 * version has in the WAL. clone: the extents of the main file are shared, not copied (S8: FICLONE, XFS,
 * Btrfs).
 */
struct engine_copy {
        struct pin *pin;    /* borrowed */
        uint32_t page_size; /* bytes */
        bool clone;
        struct vfs_source_page *pages; /* to be laid over; n_done of them are */
        size_t n_pages, n_done;
        uint8_t *batch;
        uint64_t at; /* the bytes before are in place */
};

/*
 * Begins: makes job->out, the caller's, with room for job->size bytes, or when cloning for those that are not
 * shared. 0; -EXDEV: the snapshot directory and the source are not on one file system that can share;
 * -EOPNOTSUPP: this file cannot be shared (neither is said by anybody); -ENOSPC, -ENOMEM, -errno. Blocks; no
 * lock held.
 */
int engine_copy_init(struct engine_copy *copy, struct engine_job *job, struct pin *pin, uint32_t page_size,
                     bool clone);
void engine_copy_deinit(struct engine_copy *copy);
/*
 * Goes on, until until_ns of base_now_ns()'s clock, 0 for the end; tells on_frontier. 0: all is in place; 1:
 * not yet; -EIO, -EINTR, -ENOSPC, -ENOMEM: logged as above, but -ENOSPC only with on_frontier. Blocks; no
 * lock held.
 */
int engine_copy_run(struct engine_copy *copy, struct engine_job *job, uint64_t until_ns);

/*
 * The private way (S7), for what SQLite cannot read without writing: copies main and WAL without a lock,
 * proves that the copy is one state, and lets SQLite recover the copy. version: looked at before the call. 0
 * with job->out, the caller's; -EBUSY: it changed meanwhile, come again, *why says what; -ENOSPC, -EIO,
 * -EINTR, ...: as above. Blocks; no lock held.
 */
int engine_private(struct engine_job *job, const struct version *version, const char **why);
