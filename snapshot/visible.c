/*
 * The size that lstat shows of a database.
 *
 * The page count of a WAL, its index or a journal is SQLite's pager's, which counts what an application has
 * reserved behind the database (SQLITE_FCNTL_CHUNK_SIZE) when that was there first. What counts the pages of
 * the database is page 1 of the committed version, so that is looked for whenever the two differ.
 *
 * Invariant: what is read beside a writer is used only if the WAL-index header was the same before and after.
 */
#include "snapshot/visible.h"

#include "snapshot/journal.h"
#include "snapshot/lock.h"
#include "snapshot/vfs_source.h"
#include "snapshot/wal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { LIVE_TRIES = 3, JOURNAL_RECORDS = 4096 };

/* Opens a side file. -ENOENT when there is none. */
static int open_side(const struct store_file *file, const char *suffix) {
        char side[256];
        int r = vfs_source_side_name(side, file->name, suffix);

        return r < 0 ? r : base_open_source(file->dirfd, side, 0);
}

/* Whether the WAL, or the journal, begins as SQLite would begin it. */
static bool begins(const struct store_file *file, const char *suffix, bool wal) {
        uint8_t bytes[FORMAT_WAL_HEADER_SIZE];
        _cleanup_(base_closep) int fd = open_side(file, suffix);
        struct format_journal journal;
        struct format_wal header;

        static_assert(FORMAT_JOURNAL_HEADER_SIZE <= FORMAT_WAL_HEADER_SIZE, "one buffer does for both");
        if (fd < 0 || base_pread(fd, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
                return false;
        return (wal ? format_wal_parse(&header, bytes) : format_journal_parse(&journal, bytes)) == 0;
}

bool visible_side(const struct store_file *file) {
        return begins(file, "-wal", true) || begins(file, "-journal", false);
}

/* ---- a WAL that is alive ------------------------------------------------------------------------ */

/* The last frame that holds page 1; 0 if none does; -errno. */
static int64_t find_first_page(int shm_fd, uint32_t last_frame) {
        _cleanup_(base_freep) uint8_t *region = malloc(FORMAT_INDEX_REGION_SIZE);
        uint32_t loaded = UINT32_MAX;

        if (!region)
                return -ENOMEM;
        for (uint32_t frame = last_frame; frame > 0; frame--) {
                uint32_t wanted = format_index_region(frame);

                if (wanted != loaded &&
                    base_pread(shm_fd, region, FORMAT_INDEX_REGION_SIZE,
                               (uint64_t)wanted * FORMAT_INDEX_REGION_SIZE) != FORMAT_INDEX_REGION_SIZE)
                        return -EAGAIN;
                loaded = wanted;
                if (format_index_page(region, frame) == 1)
                        return frame;
        }
        return 0;
}

/* One look at a live WAL. 1 with *size, 0: it is not alive; -EAGAIN: it changed meanwhile; -errno. */
static int look_live(const struct store_file *file, const struct format_header *header, int shm_fd,
                     uint64_t *size) {
        uint8_t head[FORMAT_INDEX_HEAD_SIZE], again[FORMAT_INDEX_HEADER_SIZE], bytes[FORMAT_HEADER_SIZE];
        _cleanup_(base_closep) int wal_fd = -1;
        struct format_header first = *header;
        struct format_index index;
        int64_t frame;

        if (base_pread(shm_fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
            format_index_parse(&index, head) < 0 || index.page_count == 0)
                return 0;
        *size = (uint64_t)index.page_count * index.page_size;
        if (format_header_size(header, *size) == *size && header->page_count == index.page_count)
                return 1;
        frame = find_first_page(shm_fd, index.last_frame);
        if (frame < 0)
                return (int)frame;
        if (frame > 0) {
                wal_fd = open_side(file, "-wal");
                if (wal_fd < 0)
                        return wal_fd == -ENOENT ? 0 : wal_fd;
                if (base_pread(wal_fd, bytes, sizeof(bytes),
                               vfs_source_frame_offset((uint32_t)frame, index.page_size)) !=
                            (ssize_t)sizeof(bytes) ||
                    format_header_parse(&first, bytes) < 0)
                        return -EAGAIN;
        }
        if (base_pread(shm_fd, again, sizeof(again), 0) != (ssize_t)sizeof(again) ||
            memcmp(head, again, sizeof(again)) != 0)
                return -EAGAIN;
        *size = format_header_size(&first, *size);
        return 1;
}

static int live_size(const struct store_file *file, const struct format_header *header, uint64_t *size) {
        _cleanup_(base_closep) int fd = open_side(file, "-shm");
        int r;

        if (fd < 0)
                return fd == -ENOENT || fd == -EACCES ? 0 : fd;
        r = lock_index_held(fd, LOCK_INDEX_DEAD_MAN);
        if (r <= 0)
                return r;
        for (int try = 0; try < LIVE_TRIES; try++) {
                r = look_live(file, header, fd, size);
                if (r != -EAGAIN)
                        return r;
        }
        /* A writer that is faster than us: what it shows is out of date at once, whatever it is. */
        return 1;
}

/* ---- a WAL that nobody has open ----------------------------------------------------------------- */

static int dead_size(const struct store_file *file, const struct format_header *header, struct cache *wals,
                     uint64_t *size) {
        _cleanup_(base_closep) int fd = open_side(file, "-wal");
        struct format_header first = *header;
        struct wal_summary summary;
        struct stat st;
        uint64_t counts;
        int r;

        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!cache_get(wals, &st, &counts)) {
                r = wal_scan(fd, &summary);
                if (r < 0)
                        return r;
                counts = (uint64_t)summary.first_page_count << 32 | summary.page_count;
                cache_put(wals, &st, counts);
        }
        if ((uint32_t)counts == 0)
                return 0;
        if (counts >> 32 > 0) {
                first.page_count = counts >> 32 == WAL_COUNT_UNSAID ? 0 : (uint32_t)(counts >> 32);
                first.version_valid_for = first.change_counter;
        }
        *size = format_header_size(&first, (counts & UINT32_MAX) * header->page_size);
        return 1;
}

/* ---- a rollback journal ------------------------------------------------------------------------- */

/* Looks for page 1 in the journal's first segment. Whether it is there, with *first. */
static bool journal_first_page(int fd, const struct journal *journal, struct format_header *first) {
        uint32_t n = format_be32(&journal->head[8]);
        uint64_t record = (uint64_t)journal->header.page_size + 8, at = journal->header.sector_size;

        for (uint32_t i = 0; i < n && i < JOURNAL_RECORDS && at + record <= journal->size;
             i++, at += record) {
                uint8_t bytes[4 + FORMAT_HEADER_SIZE];

                if (base_pread(fd, bytes, sizeof(bytes), at) != (ssize_t)sizeof(bytes))
                        return false;
                if (format_be32(bytes) == 1)
                        return format_header_parse(first, bytes + 4) == 0;
        }
        return false;
}

/*
 * A rollback journal with its header in place belongs to a transaction that has not committed, of a live
 * application or of one that crashed. 1 with *size, 0, -errno.
 */
static int journal_size(const struct store_file *file, const struct format_header *header, uint64_t *size) {
        _cleanup_(base_closep) int fd = -1;
        struct format_header first = *header;
        struct journal journal;
        int r = journal_look(file, &journal, &fd);

        if (r < 0)
                return r;
        if ((journal.state != JOURNAL_VALID && journal.state != JOURNAL_UNKNOWN) ||
            journal.header.page_count == 0)
                return 0;
        if (header->page_count != journal.header.page_count)
                journal_first_page(fd, &journal, &first);
        *size = format_header_size(&first, (uint64_t)journal.header.page_count * header->page_size);
        return 1;
}

int visible_size(const struct store_file *file, const struct format_header *header, uint64_t main_size,
                 bool has_wal, struct cache *wals, uint64_t *size) {
        int r = 0;

        *size = format_header_size(header, main_size);
        if (!header->wal)
                r = journal_size(file, header, size);
        if (header->wal && has_wal) {
                r = live_size(file, header, size);
                if (r == 0)
                        r = dead_size(file, header, wals, size);
        }
        return r < 0 ? r : 0;
}
