/*
 * The committed page 1 of a database, and the size that lstat shows.
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
#include "snapshot/wal.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

enum { LIVE_TRIES = 3, JOURNAL_RECORDS = 4096, FRAMES_MOST = 1 << 20 };

/* Whether the WAL, or the journal, begins as SQLite would begin it; then *journal is its header. */
static bool begins(const struct store_file *file, const struct stat *main, const char *suffix,
                   struct format_journal *journal) {
        uint8_t bytes[FORMAT_WAL_HEADER_SIZE];
        _cleanup_(base_closep) int fd = file_side_open(file, suffix, main, NULL);
        struct format_wal header;

        static_assert(FORMAT_JOURNAL_HEADER_SIZE <= FORMAT_WAL_HEADER_SIZE, "one buffer does for both");
        if (fd < 0 || base_pread(fd, bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
                return false;
        return (journal ? format_journal_parse(journal, bytes) : format_wal_parse(&header, bytes)) == 0;
}

bool visible_side(const struct store_file *file, const struct stat *main) {
        struct format_journal journal;

        return begins(file, main, "-wal", NULL) || begins(file, main, "-journal", &journal);
}

/* The committed page 1, and how many pages there are at the most. */
struct first_page {
        uint8_t bytes[FORMAT_HEADER_SIZE];
        uint64_t limit; /* bytes */
};

/* ---- a WAL that is alive ------------------------------------------------------------------------ */

/*
 * The last frame that holds page 1; 0 if none does; -errno. What the index says is believed no further than
 * the WAL has frames, and FRAMES_MOST: a file that says more costs no more.
 */
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

/* Reads page 1 out of that frame of the WAL. 0, -EAGAIN, -errno. */
static int first_in_frame(int wal_fd, uint32_t frame, uint32_t page_size, struct first_page *first) {
        ssize_t n = base_pread(wal_fd, first->bytes, sizeof(first->bytes), frame_offset(frame, page_size));

        if (n < 0)
                return (int)n;
        return n == (ssize_t)sizeof(first->bytes) ? 0 : -EAGAIN;
}

/* One look at a live WAL. 1 with *first, 0: it is not alive; -EAGAIN: it changed meanwhile; -errno. */
static int look_live(const struct version *version, const struct store_file *file, int shm_fd,
                     struct first_page *first) {
        uint8_t head[FORMAT_INDEX_HEAD_SIZE], again[FORMAT_INDEX_HEADER_SIZE];
        _cleanup_(base_closep) int wal_fd = -1;
        struct format_header header;
        struct format_index index;
        int64_t frame;
        int r;

        if (base_pread(shm_fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
            format_index_parse(&index, head) < 0 || index.page_count == 0)
                return 0;
        first->limit = (uint64_t)index.page_count * index.page_size;
        /* The usual case: main's page 1 counts as many, or the index says more than the WAL has room for. */
        if ((format_has_magic(first->bytes, sizeof(first->bytes)) &&
             format_header_parse(&header, first->bytes) == 0 && header.page_count == index.page_count &&
             format_header_size(&header, first->limit) == first->limit) ||
            index.last_frame > FRAMES_MOST ||
            frame_offset(index.last_frame, index.page_size) > (uint64_t)version->wal.st_size)
                return 1;
        frame = find_first_page(shm_fd, index.last_frame);
        if (frame < 0)
                return (int)frame;
        if (frame > 0) {
                wal_fd = file_side_open(file, "-wal", &version->main, NULL);
                if (wal_fd < 0)
                        return wal_fd == -ENOENT ? 0 : wal_fd;
                r = first_in_frame(wal_fd, (uint32_t)frame, index.page_size, first);
                if (r < 0)
                        return r;
        }
        if (base_pread(shm_fd, again, sizeof(again), 0) != (ssize_t)sizeof(again) ||
            memcmp(head, again, sizeof(again)) != 0)
                return -EAGAIN;
        return 1;
}

static int first_in_live(const struct version *version, const struct store_file *file,
                         struct first_page *first) {
        _cleanup_(base_closep) int fd = file_side_open(file, "-shm", &version->main, NULL);
        int r;

        if (fd < 0)
                return fd == -ENOENT || fd == -EACCES ? 0 : fd;
        r = lock_index_held(fd, LOCK_INDEX_DEAD_MAN);
        if (r <= 0)
                return r;
        for (int try = 0; try < LIVE_TRIES; try++) {
                r = look_live(version, file, fd, first);
                if (r != -EAGAIN)
                        return r;
        }
        /* A writer that is faster than us: what it shows is out of date at once, whatever it is. */
        return 1;
}

/* ---- a WAL that nobody has open ----------------------------------------------------------------- */

static int first_in_dead(const struct version *version, const struct store_file *file, struct cache *wals,
                         struct first_page *first) {
        struct wal_summary summary;
        uint8_t head[FORMAT_WAL_HEADER_SIZE];
        struct format_wal wal;
        struct stat st;
        uint64_t known;
        _cleanup_(base_closep) int fd = file_side_open(file, "-wal", &version->main, &st);
        int r;

        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        if (base_pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
            format_wal_parse(&wal, head) < 0)
                return 0;
        if (!cache_get(wals, &st, &known)) {
                r = wal_scan(fd, &summary, NULL, NULL);
                if (r < 0)
                        return r;
                known = (uint64_t)summary.first_frame << 32 | summary.page_count;
                cache_put(wals, &st, known);
        }
        if ((uint32_t)known == 0)
                return 0;
        first->limit = (known & UINT32_MAX) * wal.page_size;
        r = known >> 32 > 0 ? first_in_frame(fd, (uint32_t)(known >> 32), wal.page_size, first) : 0;
        return r < 0 ? r : 1;
}

/* ---- a rollback journal ------------------------------------------------------------------------- */

/* The checksum of a record (pager_cksum() in SQLite's pager.c). */
static uint32_t record_sum(const uint8_t *page, uint32_t page_size, uint32_t nonce) {
        for (uint32_t i = page_size - 200; (int32_t)i > 0; i -= 200)
                nonce += page[i];
        return nonce;
}

/*
 * Looks for page 1 among the records that a rollback would play back: those of each segment that its header
 * counts, up to the first whose checksum does not hold. Behind these lie others, of earlier transactions.
 */
static void journal_first_page(int fd, const struct journal *journal, struct first_page *first) {
        uint32_t page_size = journal->header.page_size, sector = journal->header.sector_size;
        _cleanup_(base_freep) uint8_t *record = malloc((size_t)page_size + 8);
        uint64_t size = (uint64_t)page_size + 8, at = 0;
        uint8_t head[FORMAT_JOURNAL_HEADER_SIZE];
        struct format_journal header;
        int seen = 0;

        while (record && base_pread(fd, head, sizeof(head), at) == (ssize_t)sizeof(head) &&
               format_journal_parse(&header, head) == 0) {
                uint32_t n = format_be32(&head[8]), nonce = format_be32(&head[12]);

                at += sector;
                for (; n > 0 && seen < JOURNAL_RECORDS; n--, seen++, at += size) {
                        if (base_pread(fd, record, size, at) != (ssize_t)size ||
                            record_sum(record + 4, page_size, nonce) != format_be32(record + 4 + page_size))
                                return;
                        if (format_be32(record) == 1) {
                                memcpy(first->bytes, record + 4, sizeof(first->bytes));
                                return;
                        }
                }
                if (n > 0)
                        return;
                at = (at + sector - 1) / sector * sector;
        }
}

/*
 * A rollback journal with its header in place belongs to a transaction that has not committed, of a live
 * application or of one that crashed. 1 with *first, 0, -errno.
 */
static int first_in_journal(const struct version *version, const struct store_file *file,
                            struct first_page *first) {
        _cleanup_(base_closep) int fd = -1;
        struct format_header header;
        struct journal journal;
        int r = journal_look(file, &version->main, &journal, &fd);

        if (r < 0)
                return r;
        if (journal.state != JOURNAL_VALID && journal.state != JOURNAL_UNKNOWN)
                return 0;
        first->limit = (uint64_t)journal.header.page_count * journal.header.page_size;
        if (!format_has_magic(first->bytes, sizeof(first->bytes)) ||
            format_header_parse(&header, first->bytes) < 0 ||
            header.page_count != journal.header.page_count || header.page_size != journal.header.page_size)
                journal_first_page(fd, &journal, first);
        return 1;
}

/* ---- page 1 ------------------------------------------------------------------------------------- */

int visible_look(struct version *version, const struct store_file *file, const uint8_t *bytes,
                 struct cache *wals, uint64_t *size) {
        struct first_page first = { .limit = (uint64_t)version->main.st_size };
        int journal = 0, wal = 0, r;

        memcpy(first.bytes, bytes, sizeof(first.bytes));
        if (version->main.st_size > 0)
                journal = first_in_journal(version, file, &first);
        /* When nothing is left of main, SQLite deletes the WAL. */
        if (journal >= 0 && version->wal.st_size > 0 && !(journal > 0 && first.limit == 0)) {
                wal = first_in_live(version, file, &first);
                if (wal == 0)
                        wal = first_in_dead(version, file, wals, &first);
        }
        if (journal < 0 || wal < 0)
                return journal < 0 ? journal : wal;
        *size = 0;
        version->unborn = first.limit == 0 && version->main.st_size > 0;
        if (version->unborn)
                return 0;
        if (!format_has_magic(first.bytes, sizeof(first.bytes)))
                return -ESTALE;
        r = format_header_parse(&version->header, first.bytes);
        version->foreign = r == -EPROTONOSUPPORT;
        if (r < 0 && !version->foreign)
                return -ESTALE;
        *size = format_header_size(&version->header, first.limit);
        return 0;
}
