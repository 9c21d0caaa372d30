/*
 * Copies.
 *
 * Invariants: whether a copy is still wanted is asked at least every CHUNK; a copy is done only when its view
 * was verified after the last byte was read.
 */
#include "snapshot/copy.h"

#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/*
 * What is done at a time. CHUNK takes about a millisecond; FIRST_CLONE shows whether extents can be shared.
 * All are multiples of every page size and of every block size.
 */
enum { BUFFER = 1 << 18, CHUNK = 4 << 20, FIRST_CLONE = 1 << 18, CLONE_CHUNK = 8 << 20, BLOCK_MAX = 1 << 16 };

/* ---- bytes as they lie there -------------------------------------------------------------------- */

/* For file systems between which the kernel does not copy. Count, 0 at end of file, -errno. */
static ssize_t copy_bounced(int from, int to, uint64_t at, size_t want) {
        _cleanup_(base_freep) uint8_t *buffer = malloc(BUFFER);
        ssize_t n;
        int r;

        if (!buffer)
                return -ENOMEM;
        n = base_pread(from, buffer, want < BUFFER ? want : BUFFER, at);
        if (n <= 0)
                return n;
        r = base_pwrite(to, buffer, (size_t)n, at);
        return r < 0 ? r : n;
}

/* Behind the last data of the file: end, or where the file ends before it; -errno. */
static int64_t only_hole_left(int from, uint64_t end) {
        struct stat st;

        if (fstat(from, &st) < 0)
                return -errno;
        return (uint64_t)st.st_size < end ? st.st_size : (int64_t)end;
}

/*
 * Copies the bytes from at up to end to the same place in to, which is empty there: holes stay holes, and
 * cost nothing. Returns end, or where from ended before it; -ENOSPC, -errno.
 */
static int64_t copy_range(int from, int to, uint64_t at, uint64_t end) {
        mutex_assert_none_held();
        while (at < end) {
                off_t data = lseek(from, (off_t)at, SEEK_DATA), hole;
                loff_t in, out;
                ssize_t n;

                if (data < 0 && errno == ENXIO)
                        return only_hole_left(from, end);
                if (data > (off_t)at) {
                        at = (uint64_t)data < end ? (uint64_t)data : end;
                        continue;
                }
                hole = lseek(from, (off_t)at, SEEK_HOLE);
                in = out = (loff_t)at;
                n = copy_file_range(
                        from, &in, to, &out,
                        (size_t)((hole > (off_t)at && (uint64_t)hole < end ? (uint64_t)hole : end) - at), 0);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
                        return errno == EDQUOT ? -ENOSPC : -errno;
                if (n < 0)
                        n = copy_bounced(from, to, at, (size_t)(end - at));
                if (n < 0)
                        return n;
                if (n == 0)
                        break;
                at += (uint64_t)n;
        }
        return (int64_t)at;
}

int copy_bytes(const struct copy_wish *wish, int from, int to, uint64_t size) {
        uint64_t at = 0;

        while (at < size) {
                uint64_t end = size - at < CHUNK ? size : at + CHUNK;
                int64_t reached;

                if (wish->unwanted(wish->userdata))
                        return -EINTR;
                reached = copy_range(from, to, at, end);
                if (reached < 0)
                        return (int)reached;
                if ((uint64_t)reached < end)
                        return -EBUSY;
                at = end;
        }
        return ftruncate(to, (off_t)size) < 0 ? -errno : 0;
}

/* ---- the pages of the WAL ----------------------------------------------------------------------- */

/*
 * Reads as many frames as follow each other in the WAL, up to a batch, beginning with that of the first page,
 * and strips them of their headers. How many, or -errno. A transaction writes its pages in order, so there
 * may be many.
 */
static ssize_t read_frames(const struct copy *copy, const struct frame_page *pages, size_t n) {
        size_t page_size = copy->view->page_size, stride = page_size + FORMAT_WAL_FRAME_HEADER_SIZE,
               count = 1, size;
        ssize_t got;

        while (count < n && pages[count].frame == pages[0].frame + count && (count + 1) * stride <= BUFFER)
                count++;
        size = count * stride - FORMAT_WAL_FRAME_HEADER_SIZE;
        got = base_pread(copy->view->wal_fd, copy->batch, size,
                         frame_offset(pages[0].frame, copy->view->page_size));
        if (got != (ssize_t)size)
                return got < 0 ? got : -ESTALE;
        for (size_t i = 1; i < count; i++)
                memmove(copy->batch + i * page_size, copy->batch + i * stride, page_size);
        return (ssize_t)count;
}

/* Writes pages out of the batch, those that follow each other in one. 0 or -errno. */
static int write_pages(const struct copy *copy, const struct frame_page *pages, size_t n) {
        size_t size = copy->view->page_size;
        int r = 0;

        for (size_t i = 0, run; i < n && r == 0; i += run) {
                for (run = 1; i + run < n && pages[i + run].page == pages[i].page + run;)
                        run++;
                r = base_pwrite(copy->out.fd, copy->batch + i * size, run * size,
                                (uint64_t)(pages[i].page - 1) * size);
        }
        return r;
}

/* Lays over out the pages that begin before end, and have not been before. 0 or -errno. */
static int lay_over(struct copy *copy, uint64_t end) {
        const struct view *view = copy->view;
        size_t last = copy->n_done;

        while (last < view->n_pages && (uint64_t)(view->pages[last].page - 1) * view->page_size < end)
                last++;
        if (last > copy->n_done && !copy->batch && !(copy->batch = malloc(BUFFER)))
                return -ENOMEM;
        while (copy->n_done < last) {
                const struct frame_page *pages = view->pages + copy->n_done;
                ssize_t n = read_frames(copy, pages, last - copy->n_done);
                int r = n < 0 ? (int)n : write_pages(copy, pages, (size_t)n);

                if (r < 0)
                        return r;
                copy->n_done += (size_t)n;
        }
        return 0;
}

/* ---- parts of a view ---------------------------------------------------------------------------- */

/*
 * Shares the bytes from at up to end, or to the end of the main file; at the end perhaps a block more. A
 * checkpoint may cut the main file off meanwhile, behind the version. 0 or -errno.
 */
static int clone_range(const struct copy *copy, uint64_t at, uint64_t end) {
        struct file_clone_range range = { .src_fd = copy->view->main_fd,
                                          .src_offset = at,
                                          .dest_offset = at };
        uint64_t seen = 0;
        struct stat st;

        end = (end + BLOCK_MAX - 1) / BLOCK_MAX * BLOCK_MAX;
        for (;;) {
                if (fstat(copy->view->main_fd, &st) < 0)
                        return -errno;
                if ((uint64_t)st.st_size <= at)
                        return 0;
                /* Whole blocks; a length of 0 is up to the end of the file, which need not be that of one. */
                range.src_length = (uint64_t)st.st_size <= end ? 0 : end - at;
                if (ioctl(copy->out.fd, FICLONERANGE, &range) == 0)
                        return 0;
                if (errno != EINTR && (errno != EINVAL || (uint64_t)st.st_size == seen))
                        return errno == EOPNOTSUPP ? -EXDEV : -errno;
                seen = (uint64_t)st.st_size;
        }
}

static int next_part(struct copy *copy) {
        const struct view *view = copy->view;
        uint64_t part = copy->clone ? (copy->at == 0 ? FIRST_CLONE : CLONE_CHUNK) : CHUNK;
        uint64_t end = view->size - copy->at < part ? view->size : copy->at + part;
        int64_t reached;
        int r = 0;

        if (!copy->clone) {
                /* What is behind the end of the main file is in the WAL, or was never written. */
                reached = copy_range(view->main_fd, copy->out.fd, copy->at, end);
                r = reached < 0 ? (int)reached : 0;
        } else if (copy->at > 0) { /* the first part was shared to see whether that is possible */
                r = clone_range(copy, copy->at, end);
        }
        if (r == 0)
                r = lay_over(copy, end);
        /* The main file may have grown while it was shared. */
        if (r == 0 && copy->clone && ftruncate(copy->out.fd, (off_t)end) < 0)
                r = -errno;
        if (r == 0)
                copy->at = end;
        return r;
}

/*
 * Reads the main file once more and compares: of a file whose times prove nothing, two readings that agree,
 * with the same change counter before and after and no transaction begun, are of one state. 0, -ESTALE,
 * -EINTR, -errno.
 */
static int read_again(const struct copy *copy, const struct copy_wish *wish) {
        _cleanup_(base_freep) uint8_t *both = malloc(2 * BUFFER);
        uint64_t at = 0;

        if (!both)
                return -ENOMEM;
        while (at < copy->view->size) {
                ssize_t n = base_pread(copy->out.fd, both, BUFFER, at), m;

                if (wish->unwanted(wish->userdata))
                        return -EINTR;
                if (n <= 0)
                        return n < 0 ? (int)n : -EIO;
                m = base_pread(copy->view->main_fd, both + BUFFER, (size_t)n, at);
                if (m < 0)
                        return (int)m;
                if (m != n || memcmp(both, both + BUFFER, (size_t)n) != 0)
                        return -ESTALE;
                at += (uint64_t)n;
        }
        return 0;
}

/* ---- a whole view ------------------------------------------------------------------------------- */

/* How much of the file system a copy of the view takes at the most. */
static uint64_t room_for(const struct view *view) {
        uint64_t allocated = (uint64_t)view->main.st_blocks * 512 + (uint64_t)view->n_pages * view->page_size;

        return allocated < view->size ? allocated : view->size;
}

int copy_init(struct copy *copy, const struct view *view, struct space *space, bool clone) {
        uint64_t room = room_for(view);
        int r;

        mutex_assert_none_held();
        *copy = (struct copy){ .view = view, .clone = clone };
        /* A file with holes gets its blocks where they are written. */
        r = space_file_init(&copy->out, space, clone || room < view->size ? 0 : view->size);
        if (r < 0)
                return r;
        if (clone)
                r = clone_range(copy, 0, FIRST_CLONE);
        else if (ftruncate(copy->out.fd, (off_t)view->size) < 0)
                r = -errno;
        if (clone && r < 0 && r != -EXDEV)
                r = r == -ENOSPC || r == -EDQUOT ? -ENOSPC : -EOPNOTSUPP;
        if (r == 0 && clone)
                r = space_file_charge(&copy->out, (uint64_t)view->n_pages * view->page_size);
        else if (r == 0 && room < view->size)
                r = space_file_charge(&copy->out, room);
        if (r < 0)
                copy_deinit(copy);
        return r;
}

void copy_deinit(struct copy *copy) {
        free(copy->batch);
        copy->batch = NULL;
        space_file_deinit(&copy->out);
}

int copy_run(struct copy *copy, const struct copy_wish *wish, uint64_t until_ns) {
        int r = 0;

        mutex_assert_none_held();
        while (r == 0 && copy->at < copy->view->size) {
                if (wish->unwanted(wish->userdata))
                        return -EINTR;
                if (until_ns > 0 && base_now_ns() >= until_ns)
                        return 1;
                r = next_part(copy);
                if (r == 0)
                        r = view_verify(copy->view);
        }
        if (r == 0 && copy->view->doubtful)
                r = view_undisturbed(copy->view);
        if (r == 0 && copy->view->doubtful)
                r = read_again(copy, wish);
        if (r == 0 && copy->view->doubtful)
                r = view_undisturbed(copy->view);
        return r;
}
