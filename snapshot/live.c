/*
 * Reading a pinned version where it lies.
 *
 * As long as a pin lives, its version needs no copy: bytes of the main file, and over them the pages that the
 * version has in the WAL, are the version's; why, is said at the top of engine_copy.c. So who reads faster
 * than a copy could be written gets the bytes from here, and when he is done before the pin has to go, no
 * copy is ever made.
 *
 * Invariant: nothing here is called after the pin has gone (snapshot_finish() sees to that).
 */
#include "snapshot/live.h"

#include "snapshot/base.h"

#include <errno.h>
#include <string.h>

/* The first of the pages that end behind offset. */
static size_t first_page(const struct engine_copy *copy, uint64_t offset) {
        size_t low = 0, high = copy->n_pages;

        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if ((uint64_t)copy->pages[middle].page * copy->page_size <= offset)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* Lays that page over the bytes in the buffer, as far as it reaches into them. 0 or -errno. */
static int lay_over(const struct engine_copy *copy, const struct vfs_source_page *page, uint8_t *buffer,
                    uint64_t offset, uint64_t end) {
        uint64_t begins = (uint64_t)(page->page - 1) * copy->page_size;
        uint64_t from = begins > offset ? begins : offset;
        uint64_t to = begins + copy->page_size < end ? begins + copy->page_size : end;
        ssize_t n = base_pread(copy->pin->vfs.wal_fd, buffer + (from - offset), (size_t)(to - from),
                               vfs_source_frame_offset(page->frame, copy->page_size) + (from - begins));

        if (n < 0)
                return (int)n;
        return (uint64_t)n == to - from ? 0 : -EIO;
}

ssize_t live_read(const struct live *live, void *buffer, size_t size, uint64_t offset) {
        const struct engine_copy *copy = live->copy;
        uint64_t end = offset + size;
        ssize_t n;
        int r = 0;

        mutex_assert_none_held();
        n = base_pread(live->job->main_fd, buffer, size, offset);
        if (n < 0)
                r = (int)n;
        else if ((size_t)n < size && pin_stops_commits(copy->pin))
                r = -EIO; /* under SHARED no writer of SQLite's can have cut it off */
        else if ((size_t)n < size)
                /* What is behind the end of the main file is in the WAL, or was never written. */
                memset((uint8_t *)buffer + n, 0, size - (size_t)n);
        for (size_t i = first_page(copy, offset); r == 0 && i < copy->n_pages; i++) {
                if ((uint64_t)(copy->pages[i].page - 1) * copy->page_size >= end)
                        break;
                r = lay_over(copy, &copy->pages[i], buffer, offset, end);
        }
        if (r < 0) {
                base_log(BASE_LOG_ERROR, "%s: read at %llu: %s", live->job->file->path,
                         (unsigned long long)offset, strerror(-r));
                return r;
        }
        return (ssize_t)size;
}
