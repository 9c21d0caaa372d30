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
#include <sys/stat.h>

/*
 * What is done at a time. FIRST_PART: so little that the first read need not wait for it. All are multiples
 * of every page size and of every block size.
 */
enum { BATCH = 1 << 18, FIRST_PART = 1 << 18, CLONE_PART = 8 << 20, BLOCK_MAX = 1 << 16 };

/* ---- the pages of the WAL ----------------------------------------------------------------------- */

/*
 * Reads as many frames as follow each other in the WAL, up to a batch, beginning with that of the first page,
 * and strips them of their headers. How many, or -errno. A transaction writes its pages in order, so there
 * may be many.
 */
static ssize_t read_frames(const struct engine_copy *copy, const struct vfs_source_page *pages, size_t n) {
        size_t stride = copy->page_size + FORMAT_WAL_FRAME_HEADER_SIZE, count = 1, size;
        ssize_t got;

        while (count < n && pages[count].frame == pages[0].frame + count && (count + 1) * stride <= BATCH)
                count++;
        size = count * stride - FORMAT_WAL_FRAME_HEADER_SIZE;
        got = base_pread(copy->pin->vfs.wal_fd, copy->batch, size,
                         vfs_source_frame_offset(pages[0].frame, copy->page_size));
        if (got != (ssize_t)size)
                return got < 0 ? got : -EIO;
        for (size_t i = 1; i < count; i++)
                memmove(copy->batch + i * copy->page_size, copy->batch + i * stride, copy->page_size);
        return (ssize_t)count;
}

/* Writes pages out of the batch, those that follow each other in one. 0 or -errno. */
static int write_pages(const struct engine_copy *copy, int fd, const struct vfs_source_page *pages,
                       size_t n) {
        size_t size = copy->page_size;
        int r = 0;

        for (size_t i = 0, run; i < n && r == 0; i += run) {
                for (run = 1; i + run < n && pages[i + run].page == pages[i].page + run;)
                        run++;
                r = base_pwrite(fd, copy->batch + i * size, run * size, (uint64_t)(pages[i].page - 1) * size);
        }
        return r;
}

/* Lays over out the pages that begin before end, and have not been before. 0 or -errno. */
static int lay_over(struct engine_copy *copy, const struct engine_job *job, uint64_t end) {
        size_t last = copy->n_done;

        while (last < copy->n_pages && (uint64_t)(copy->pages[last].page - 1) * copy->page_size < end)
                last++;
        if (last > copy->n_done && !copy->batch && !(copy->batch = malloc(BATCH)))
                return -ENOMEM;
        while (copy->n_done < last) {
                const struct vfs_source_page *pages = copy->pages + copy->n_done;
                ssize_t n = read_frames(copy, pages, last - copy->n_done);
                int r = n < 0 ? (int)n : write_pages(copy, job->out.fd, pages, (size_t)n);

                if (r < 0)
                        return r;
                copy->n_done += (size_t)n;
        }
        return 0;
}

/* ---- parts of the main file --------------------------------------------------------------------- */

/*
 * Shares the bytes from at up to end, or to the end of the main file; at the end perhaps a block more. A
 * checkpoint may cut the main file off meanwhile, behind the pinned version. 0 or -errno.
 */
static int clone_range(const struct engine_job *job, uint64_t at, uint64_t end) {
        struct file_clone_range range = { .src_fd = job->main_fd, .src_offset = at, .dest_offset = at };
        uint64_t seen = 0;
        struct stat st;

        end = (end + BLOCK_MAX - 1) / BLOCK_MAX * BLOCK_MAX;
        for (;;) {
                if (fstat(job->main_fd, &st) < 0)
                        return -errno;
                if ((uint64_t)st.st_size <= at)
                        return 0;
                /* Whole blocks; a length of 0 is up to the end of the file, which need not be that of one. */
                range.src_length = (uint64_t)st.st_size <= end ? 0 : end - at;
                if (ioctl(job->out.fd, FICLONERANGE, &range) == 0)
                        return 0;
                if (errno != EINTR && (errno != EINVAL || (uint64_t)st.st_size == seen))
                        return errno == EOPNOTSUPP ? -EXDEV : -errno;
                seen = (uint64_t)st.st_size;
        }
}

static int take_part(struct engine_copy *copy, struct engine_job *job, uint64_t end) {
        int64_t reached;

        /* The first part was shared to see whether that is possible. */
        if (copy->clone)
                return copy->at > 0 ? clone_range(job, copy->at, end) : 0;
        reached = copy_range(job->main_fd, job->out.fd, copy->at, end);
        if (reached < 0)
                return (int)reached;
        /* Under SHARED no writer of SQLite's can have cut it off; in WAL mode what is behind the end of the
         * main file is in the WAL, or was never written. */
        return (uint64_t)reached < end && pin_stops_commits(copy->pin) ? -EIO : 0;
}

static int next_part(struct engine_copy *copy, struct engine_job *job) {
        uint64_t part = copy->at == 0 ? FIRST_PART : copy->clone ? CLONE_PART : COPY_CHUNK;
        uint64_t end = job->size - copy->at < part ? job->size : copy->at + part;
        int r;

        r = take_part(copy, job, end);
        if (r == 0)
                r = lay_over(copy, job, end);
        /* The main file may end before the part does, and no page be laid over its last ones; or it has grown
         * while it was shared. */
        if (r == 0 && copy->clone && ftruncate(job->out.fd, (off_t)end) < 0)
                r = -errno;
        if (r == 0)
                copy->at = end;
        return r;
}

/* ---- the engine --------------------------------------------------------------------------------- */

int engine_copy_init(struct engine_copy *copy, struct engine_job *job, struct pin *pin, uint32_t page_size,
                     bool clone) {
        int r;

        mutex_assert_none_held();
        *copy = (struct engine_copy){ .pin = pin, .page_size = page_size, .clone = clone };
        r = space_file_init(&job->out, job->space, clone ? 0 : job->size);
        if (r < 0)
                return r;
        if (clone)
                r = clone_range(job, 0, FIRST_PART);
        else if (ftruncate(job->out.fd, (off_t)job->size) < 0)
                r = -errno;
        if (clone && r < 0 && r != -EXDEV)
                r = r == -ENOSPC || r == -EDQUOT ? -ENOSPC : -EOPNOTSUPP;
        if (r == 0)
                r = vfs_source_wal_pages(&pin->vfs, &copy->pages, &copy->n_pages);
        if (r == 0 && clone)
                r = space_file_charge(&job->out, (uint64_t)copy->n_pages * page_size);
        if (r < 0) {
                engine_copy_deinit(copy);
                space_file_deinit(&job->out);
        }
        return r;
}

void engine_copy_deinit(struct engine_copy *copy) {
        free(copy->pages);
        free(copy->batch);
        copy->pages = NULL;
        copy->batch = NULL;
}

int engine_copy_run(struct engine_copy *copy, struct engine_job *job, uint64_t until_ns) {
        int r = 0;

        mutex_assert_none_held();
        while (r == 0 && copy->at < job->size) {
                if (job->unwanted(job->userdata))
                        return -EINTR;
                if (until_ns > 0 && base_now_ns() >= until_ns)
                        return 1;
                r = next_part(copy, job);
                if (r == 0 && job->on_frontier)
                        job->on_frontier(job->userdata, copy->at);
        }
        /* Without room before the answer the open fails, and it is said there. */
        if (r < 0 && (r != -ENOSPC || job->on_frontier))
                base_log(BASE_LOG_ERROR, "%s: %s: %s", job->file->path, copy->clone ? "reflink" : "copy",
                         strerror(-r));
        return r;
}
