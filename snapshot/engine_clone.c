/*
 * The engines that take the main file as it lies there, under a pin, and lay the pages over it that the
 * pinned version has in the WAL.
 *
 * Why that is one state: in rollback mode SHARED keeps writers out of the main file. In WAL mode only
 * checkpoints write to it, and only pages whose frames are at or before the read mark of the pin, so each
 * page that one may be writing while it is copied is among those that are then laid over it from the WAL;
 * under read lock 0 no checkpoint can run at all. (walCheckpoint() in SQLite's wal.c: mxSafeFrame.)
 *
 * Invariant: the pages laid over are frames of the pinned version, which stay as they are while the pin
 * lives; no byte is announced before its page has been laid over.
 */
#include "snapshot/engine.h"

#include "snapshot/base.h"
#include "snapshot/copy.h"

#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>

/* FIRST_PART: so little that the first read need not wait for it. All are multiples of every page size. */
enum { OVERLAY_BATCH = 1 << 18, FIRST_PART = 1 << 18 };

/* Reads frames from i on, whose pages follow each other, as far as the batch goes. How many, or -errno. */
static ssize_t read_run(struct vfs_source *vfs, const struct vfs_source_page *pages, size_t n,
                        uint32_t page_size, uint8_t *batch) {
        size_t i;

        for (i = 0; i < n && (i + 1) * page_size <= OVERLAY_BATCH && pages[i].page == pages[0].page + i;
             i++) {
                ssize_t got = base_pread(vfs->wal_fd, batch + i * page_size, page_size,
                                         vfs_source_frame_offset(pages[i].frame, page_size));

                if (got != (ssize_t)page_size)
                        return got < 0 ? got : -EIO;
        }
        return (ssize_t)i;
}

static int lay_over(struct engine_job *job, struct vfs_source *vfs, const struct vfs_source_page *pages,
                    size_t n, uint32_t page_size) {
        _cleanup_(base_freep) uint8_t *batch = malloc(OVERLAY_BATCH);

        if (!batch)
                return -ENOMEM;
        while (n > 0) {
                ssize_t run = read_run(vfs, pages, n, page_size, batch);
                int r;

                if (run < 0)
                        return (int)run;
                if (job->unwanted(job->userdata))
                        return -EINTR;
                r = base_pwrite(job->out.fd, batch, (size_t)run * page_size,
                                (uint64_t)(pages[0].page - 1) * page_size);
                if (r < 0)
                        return r;
                pages += run;
                n -= (size_t)run;
        }
        return 0;
}

int engine_reflink(struct engine_job *job, struct pin *pin, uint32_t page_size) {
        _cleanup_(base_freep) struct vfs_source_page *pages = NULL;
        size_t n;
        int r;

        mutex_assert_none_held();
        r = space_file_init(&job->out, job->space, 0);
        if (r < 0)
                return r;
        if (ioctl(job->out.fd, FICLONE, job->main_fd) < 0) {
                r = errno == ENOSPC || errno == EDQUOT ? -ENOSPC : -EOPNOTSUPP;
                space_file_deinit(&job->out);
                return r;
        }
        r = vfs_source_wal_pages(&pin->vfs, &pages, &n);
        if (r == 0)
                r = space_file_charge(&job->out, (uint64_t)n * page_size);
        if (r == 0)
                r = lay_over(job, &pin->vfs, pages, n, page_size);
        if (r == 0 && ftruncate(job->out.fd, (off_t)job->size) < 0)
                r = -errno;
        if (r < 0) {
                if (r != -EINTR && r != -ENOSPC)
                        base_log(BASE_LOG_ERROR, "%s: reflink: %s", job->file->path, strerror(-r));
                space_file_deinit(&job->out);
        }
        return r;
}

/* How many of the pages, which are in order, begin before end. */
static size_t n_pages_before(const struct vfs_source_page *pages, size_t n, uint64_t end,
                             uint32_t page_size) {
        size_t i = 0;

        while (i < n && (uint64_t)(pages[i].page - 1) * page_size < end)
                i++;
        return i;
}

/* Part after part, so that reads are answered meanwhile. */
static int copy_parts(struct engine_job *job, struct pin *pin, uint32_t page_size,
                      const struct vfs_source_page *pages, size_t n) {
        uint64_t at = 0, part = FIRST_PART;

        while (at < job->size) {
                uint64_t end = job->size - at < part ? job->size : at + part;
                size_t n_here = n_pages_before(pages, n, end, page_size);
                int64_t reached;
                int r;

                if (job->unwanted(job->userdata))
                        return -EINTR;
                reached = copy_range(job->main_fd, job->out.fd, at, end);
                if (reached < 0)
                        return (int)reached;
                /* Under SHARED no writer of SQLite's can have cut it off; in WAL mode what is behind the end
                 * of the main file is in the WAL, or was never written. */
                if ((uint64_t)reached < end && pin->vfs.read_lock < 0)
                        return -EIO;
                r = lay_over(job, &pin->vfs, pages, n_here, page_size);
                if (r < 0)
                        return r;
                job->on_frontier(job->userdata, end);
                pages += n_here;
                n -= n_here;
                at = end;
                part = COPY_CHUNK;
        }
        return 0;
}

int engine_copy(struct engine_job *job, struct pin *pin, uint32_t page_size) {
        _cleanup_(base_freep) struct vfs_source_page *pages = NULL;
        size_t n;
        int r;

        mutex_assert_none_held();
        r = vfs_source_wal_pages(&pin->vfs, &pages, &n);
        if (r == 0)
                r = copy_parts(job, pin, page_size, pages, n);
        if (r < 0 && r != -EINTR)
                base_log(BASE_LOG_ERROR, "%s: copy: %s", job->file->path, strerror(-r));
        return r;
}
