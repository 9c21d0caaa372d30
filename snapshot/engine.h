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
 * The reflink (S8): shares the extents of the main file, then lays the pages over it that the pinned version
 * has in the WAL. 0 with job->out, the caller's, of job->size bytes; -EOPNOTSUPP: the snapshot directory and
 * the source are not on one file system that can (said by nobody); -ENOSPC, -EIO, -EINTR, -ENOMEM: logged as
 * above. Blocks; no lock held.
 */
int engine_reflink(struct engine_job *job, struct pin *pin, uint32_t page_size);

/*
 * The copy: of the main file, with the pages laid over it that the pinned version has in the WAL, part by
 * part. Into job->out, which has room for job->size bytes; on_frontier is told. 0; -EIO, -EINTR, -ENOSPC,
 * -ENOMEM: logged as above. Blocks; no lock held.
 */
int engine_copy(struct engine_job *job, struct pin *pin, uint32_t page_size);

/*
 * The private way (S7), for what SQLite cannot read without writing: copies main and WAL without a lock,
 * proves that the copy is one state, and lets SQLite recover the copy. version: looked at before the call. 0
 * with job->out, the caller's; -EBUSY: it changed meanwhile, come again, *why says what; -ENOSPC, -EIO,
 * -EINTR, ...: as above. Blocks; no lock held.
 */
int engine_private(struct engine_job *job, const struct version *version, const char **why);
