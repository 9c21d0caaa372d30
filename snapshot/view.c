/*
 * One version of a source, held, and read where it lies.
 *
 * Why bytes of the main file, with the pages over them that the version has in the WAL, are the version:
 *
 * - In rollback mode SHARED keeps writers out of the main file, and its times show whether it was written all
 * the same.
 * - In WAL mode only checkpoints write to the main file, and only pages whose frames are at or before the
 * read mark of every reader. So each page that one may be writing is among those that are read from the WAL.
 * The index tells of a checkpoint that goes further: it raises nBackfillAttempted before it writes a page,
 * and a WAL that starts anew gets new salts before a frame is overwritten (walCheckpoint() and
 * walRestartHdr() in SQLite's wal.c).
 * - A view that reads no page from the WAL is the main file alone, whose times show whether it was written.
 *
 * Invariant: a read gives its bytes only after view_verify().
 */
#include "snapshot/view.h"

#include "snapshot/lock.h"

#include <errno.h>
#include <string.h>

/* ---- life --------------------------------------------------------------------------------------- */

int view_new(struct view **out, const struct store_file *file, dev_t dev, ino_t ino, struct cache *wals) {
        struct view *view = calloc(1, sizeof(*view));
        struct stat st;
        int r = -ENOMEM;

        if (!view)
                return r;
        view->main_fd = view->wal_fd = -1;
        view->visitor_fd = -1;
        view->file = file_copy(file);
        if (!view->file)
                r = -errno;
        else
                r = view->main_fd = base_open_source(file->dirfd, file->name, 0);
        if (r == -ENOENT || r == -ELOOP || r == -ENXIO)
                r = -ESTALE;
        if (r >= 0 && fstat(view->main_fd, &st) < 0)
                r = -errno;
        else if (r >= 0 && (!S_ISREG(st.st_mode) || st.st_dev != dev || st.st_ino != ino))
                r = -ESTALE;
        if (r >= 0)
                r = version_look(&view->version, view->file, view->main_fd, &st, wals);
        if (r < 0) {
                view_free(view);
                return r;
        }
        view->size = (uint64_t)view->version.attr.st_size;
        view->page_size = view->version.header.page_size;
        *out = view;
        return 0;
}

struct view *view_free(struct view *view) {
        if (!view)
                return NULL;
        if (view->wal_fd >= 0 && !view->pin)
                close(view->wal_fd);
        pin_free(view->pin);
        if (view->visitor_fd >= 0)
                close(view->visitor_fd);
        base_closep(&view->main_fd);
        free(view->pages);
        file_free(view->file);
        free(view);
        return NULL;
}

/* ---- reading ------------------------------------------------------------------------------------ */

/* The first of the pages that end behind offset. */
static size_t first_page(const struct view *view, uint64_t offset) {
        size_t low = 0, high = view->n_pages;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if ((uint64_t)view->pages[middle].page * view->page_size <= offset)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* Lays that page over the bytes in the buffer, as far as it reaches into them. 0 or -errno. */
static int lay_over(const struct view *view, const struct frame_page *page, uint8_t *buffer, uint64_t offset,
                    uint64_t end) {
        uint64_t begins = (uint64_t)(page->page - 1) * view->page_size;
        uint64_t from = begins > offset ? begins : offset;
        uint64_t to = begins + view->page_size < end ? begins + view->page_size : end;
        ssize_t n = base_pread(view->wal_fd, buffer + (from - offset), (size_t)(to - from),
                               frame_offset(page->frame, view->page_size) + (from - begins));

        if (n < 0)
                return (int)n;
        return (uint64_t)n == to - from ? 0 : -ESTALE;
}

ssize_t view_read(const struct view *view, void *buffer, size_t size, uint64_t offset) {
        uint64_t end = offset + size;
        ssize_t n;
        int r = 0;

        mutex_assert_none_held();
        n = base_pread(view->main_fd, buffer, size, offset);
        if (n < 0)
                return n;
        /* What is behind the end of the main file is in the WAL, or was never written. */
        memset((uint8_t *)buffer + n, 0, size - (size_t)n);
        for (size_t i = first_page(view, offset); r == 0 && i < view->n_pages; i++) {
                if ((uint64_t)(view->pages[i].page - 1) * view->page_size >= end)
                        break;
                r = lay_over(view, &view->pages[i], buffer, offset, end);
        }
        if (r == 0)
                r = view_verify(view);
        return r < 0 ? r : (ssize_t)size;
}

/* ---- what the application does meanwhile -------------------------------------------------------- */

bool view_stops_commits(const struct view *view) {
        return !version_through_wal(&view->version);
}

bool view_writer_waits(const struct view *view) {
        return lock_reserved_held(view->main_fd) > 0;
}

/* Looks for an -shm, be it one that a crash left, and takes the lock that keeps checkpoints away from the
 * main file. */
static void guard(struct view *view) {
        int fd = file_side_open(view->file, "-shm", &view->main, NULL);

        if (fd < 0)
                return;
        /* A checkpoint writes to the main file only while it has the first read lock to itself
         * (walCheckpoint()). */
        if (lock_index_shared(fd, LOCK_INDEX_READ) == 0)
                atomic_store(&view->visitor_fd, fd);
        else
                close(fd);
}

bool view_meet_visitor(struct view *view) {
        int fd;

        if (view->pin || view_stops_commits(view))
                return false;
        if (atomic_load(&view->visitor_fd) < 0 && !atomic_flag_test_and_set(&view->meeting)) {
                if (atomic_load(&view->visitor_fd) < 0)
                        guard(view);
                atomic_flag_clear(&view->meeting);
        }
        fd = atomic_load(&view->visitor_fd);
        return fd >= 0 && lock_index_held(fd, LOCK_INDEX_DEAD_MAN) > 0;
}
