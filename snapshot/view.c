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
 * Invariant: everything that view_verify() compares was noted before or under the lock that holds the
 * version, never after.
 */
#include "snapshot/view.h"

#include "snapshot/clock.h"
#include "snapshot/journal.h"
#include "snapshot/lock.h"
#include "snapshot/wal.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* How often an index that is being written is looked at before it counts as one that proves nothing. */
enum { LOOKS = 8 };

/* ---- life --------------------------------------------------------------------------------------- */

int view_new(struct view **out, const struct store_file *file, dev_t dev, ino_t ino, struct cache *wals) {
        struct view *view = calloc(1, sizeof(*view));
        struct stat st;
        int r = -ENOMEM;

        if (!view)
                return r;
        view->main_fd = view->wal_fd = view->visitor_fd = -1;
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
        if (view->shared)
                lock_unshare(view->main_fd);
        base_closep(&view->visitor_fd);
        base_closep(&view->main_fd);
        free(view->pages);
        file_free(view->file);
        free(view);
        return NULL;
}

/* ---- proof -------------------------------------------------------------------------------------- */

/* Reads the head of the main file; what lies behind its end is zeros, as to SQLite. 0 or -errno. */
static int read_head(const struct view *view, uint8_t head[FORMAT_HEADER_SIZE]) {
        ssize_t n = base_pread(view->main_fd, head, FORMAT_HEADER_SIZE, 0);

        if (n < 0)
                return (int)n;
        memset(head + n, 0, FORMAT_HEADER_SIZE - (size_t)n);
        return 0;
}

/* Whether the main file was not written since it was noted. A new ctime alone is a new mode, owner or link.
 */
static int verify_main(const struct view *view) {
        uint8_t head[FORMAT_HEADER_SIZE];
        struct stat st;
        int r;

        if (fstat(view->main_fd, &st) < 0)
                return -errno;
        if (!version_same_bytes(&view->main, &st))
                return -ESTALE;
        /* Where times are too coarse to show every commit, its change counter does. */
        r = read_head(view, head);
        if (r < 0)
                return r;
        return memcmp(head, view->head, sizeof(head)) == 0 ? 0 : -ESTALE;
}

/* Whether the descriptor is still what the side file's name says. */
static bool still_named(const struct view *view, const char *suffix, int fd) {
        struct stat named, st;

        return file_side_stat(view->file, suffix, &named) == 0 && fstat(fd, &st) == 0 &&
               named.st_dev == st.st_dev && named.st_ino == st.st_ino;
}

/* A WAL that nobody had open: unchanged as far as it was scanned. */
static int verify_scanned(const struct view *view) {
        uint8_t head[FORMAT_WAL_HEADER_SIZE];
        struct stat st;

        if (base_pread(view->wal_fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
            memcmp(head, view->wal_head, sizeof(head)) != 0 || fstat(view->wal_fd, &st) < 0 ||
            st.st_size < view->version.wal.st_size || !still_named(view, "-wal", view->wal_fd))
                return -ESTALE;
        return verify_main(view);
}

/*
 * Reads what the index says now, in the order that makes it a proof: the checkpoint information twice, then
 * the header. A restart writes the header first and the counters after it, so a counter that was read first
 * and fell since comes with new salts. 0; -EAGAIN: it is being written; -errno.
 */
static int read_index(int shm_fd, struct format_index_look *look) {
        uint8_t info[2][FORMAT_INDEX_HEAD_SIZE - FORMAT_INDEX_INFO], head[FORMAT_INDEX_INFO];
        ssize_t n = sizeof(info[0]);

        for (int i = 0; i < 2 && n == (ssize_t)sizeof(info[0]); i++) {
                n = base_pread(shm_fd, info[i], sizeof(info[i]), FORMAT_INDEX_INFO);
                atomic_thread_fence(memory_order_seq_cst);
        }
        if (n == (ssize_t)sizeof(info[0]))
                n = base_pread(shm_fd, head, sizeof(head), 0);
        if (n < 0)
                return (int)n;
        if (n != (ssize_t)sizeof(head))
                return -EAGAIN;
        return format_index_look(look, info[0], info[1], head);
}

/* What the index says now; a checkpoint that begins in the middle of a look is looked at once more. */
static int look_at_index(const struct view *view, struct format_index_look *look) {
        int r = -EAGAIN;

        for (int try = 0; r == -EAGAIN && try < LOOKS; try++)
                r = read_index(view->pin->vfs.shm_fd, look);
        return r == -EAGAIN ? -ESTALE : r;
}

/* A live WAL: its index shows no checkpoint beyond the version, and no new beginning. */
static int verify_index(const struct view *view) {
        struct format_index_look now;
        struct stat st;
        int r = look_at_index(view, &now);

        if (r < 0)
                return r;
        if (memcmp(now.salt, view->index.salt, sizeof(now.salt)) != 0 ||
            now.attempted > view->index.last_frame || now.attempted < view->index.attempted)
                return -ESTALE;
        if (!still_named(view, "-wal", view->pin->vfs.wal_fd) ||
            !still_named(view, "-shm", view->pin->vfs.shm_fd))
                return -ESTALE;
        /* No checkpoint was under way, none has begun: then nothing may have been written to the main file.
         * It was if somebody copied another file over it. */
        if (view->index.backfilled == view->index.attempted && now.attempted == view->index.attempted &&
            now.backfilled == view->index.backfilled) {
                if (fstat(view->main_fd, &st) < 0)
                        return -errno;
                return version_same_bytes(&view->main, &st) ? 0 : -ESTALE;
        }
        return 0;
}

int view_verify(const struct view *view) {
        mutex_assert_none_held();
        if (view->wal_fd < 0)
                return verify_main(view);
        return view->pin ? verify_index(view) : verify_scanned(view);
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

/* ---- holding a version -------------------------------------------------------------------------- */

/* Notes what view_verify() goes by. 0 or -errno. */
static int note_main(struct view *view) {
        return fstat(view->main_fd, &view->main) < 0 ? -errno : read_head(view, view->head);
}

static bool unsettled(const struct view *view) {
        return clock_unsettled(&view->main, clock_grain_ns(view->main_fd, &view->main));
}

/*
 * Sets what follows from page 1 of the version, and the size: at most limit. 0; -ESTALE: not a database;
 * -EIO, logged: it lacks pages, so that SQLite calls it corrupt (lockBtree() in btree.c; a page that has
 * begun counts).
 */
static int set_size(struct view *view, const uint8_t *first, uint64_t limit) {
        struct version *version = &view->version;
        uint64_t counted;

        if (!format_has_magic(first, FORMAT_HEADER_SIZE) || format_header_parse(&version->header, first) < 0)
                return -ESTALE;
        view->page_size = version->header.page_size;
        counted = (uint64_t)version->header.page_count * view->page_size;
        if (version->header.version_valid_for == version->header.change_counter &&
            counted >= limit + view->page_size) {
                base_log(BASE_LOG_ERROR, "%s: corrupt: its header counts %llu bytes of pages, there are %llu",
                         view->file->path, (unsigned long long)counted, (unsigned long long)limit);
                return -EIO;
        }
        view->size = format_header_size(&version->header, limit);
        version_set_size(version, view->size);
        return 0;
}

/*
 * The pinned version of a live WAL. Its times stay those from before the pin: a commit between the two makes
 * a tool copy once too often; the other order would make it miss a commit.
 */
static int hold_index(struct view *view) {
        struct vfs_source *vfs = &view->pin->vfs;
        uint8_t first[FORMAT_HEADER_SIZE];
        int r;

        r = vfs_source_index(vfs, &view->index, view->version.index);
        if (r == 0)
                r = -EBUSY;
        if (r > 0)
                r = vfs_source_first_page(vfs, first, sizeof(first));
        if (r == 0)
                r = note_main(view);
        if (r == 0)
                r = set_size(view, first,
                             view->index.page_count > 0
                                     ? (uint64_t)view->index.page_count * view->index.page_size
                                     : (uint64_t)view->main.st_size);
        if (r == 0)
                r = vfs_source_wal_pages(vfs, &view->pages, &view->n_pages);
        if (r == 0 && vfs->wal_fd >= 0)
                r = verify_index(view);
        view->wal_fd = view->n_pages > 0 ? vfs->wal_fd : -1;
        view->proof = PROOF_WAL;
        return r == -ESTALE ? -EBUSY : r;
}

/* Whether a journal is there that undoes something: of a crash, or of a transaction that does not show its
 * lock. 1, 0, -errno. */
static int journal_is_hot(const struct view *view) {
        _cleanup_(base_closep) int fd = -1;
        struct journal journal;
        int r = journal_look(view->file, &view->main, &journal, &fd);

        if (r < 0 || !journal.starts)
                return r;
        /* The journal first: the other order is wrong beside an application that keeps its journal file. */
        r = lock_reserved_held(view->main_fd);
        return r < 0 ? r : r == 0;
}

int view_undisturbed(const struct view *view) {
        int r = journal_is_hot(view);

        if (r == 0)
                r = view_verify(view);
        return r > 0 ? -ESTALE : r;
}

/* Rollback mode: no writer whose lock shows can commit now, so it is looked at once more, and is exact, times
 * and all. */
static int hold_rollback(struct view *view, struct cache *wals) {
        int r = note_main(view);

        if (r == 0)
                r = version_look(&view->version, view->file, view->main_fd, &view->main, wals);
        if (r == 0 && version_through_wal(&view->version))
                r = -EBUSY;
        if (r == 0)
                r = set_size(view, view->head, (uint64_t)view->main.st_size);
        if (r == 0)
                r = journal_is_hot(view);
        view->proof = PROOF_LOCK;
        view->doubtful = unsettled(view);
        return r > 0 ? -EAGAIN : r;
}

/* The pages of a WAL that nobody has open. 0 or -errno. */
static int scan_wal(struct view *view) {
        struct wal_summary summary;
        uint8_t first[FORMAT_HEADER_SIZE];
        ssize_t n = sizeof(first);
        int fd, r;

        fd = file_side_open(view->file, "-wal", &view->main, NULL);
        if (fd < 0)
                return fd == -ENOENT ? -EBUSY : fd;
        r = wal_scan(fd, &summary, &view->pages, &view->n_pages);
        if (r < 0 || summary.page_count == 0) {
                close(fd);
                return r;
        }
        view->wal_fd = fd;
        memcpy(view->wal_head, summary.head, sizeof(summary.head));
        memcpy(first, view->head, sizeof(first));
        if (summary.first_frame > 0)
                n = base_pread(fd, first, sizeof(first),
                               frame_offset(summary.first_frame, summary.page_size));
        if (n != (ssize_t)sizeof(first))
                return n < 0 ? (int)n : -EBUSY;
        r = set_size(view, first, (uint64_t)summary.page_count * summary.page_size);
        if (r == 0 && view->page_size != summary.page_size) {
                base_log(BASE_LOG_ERROR,
                         "%s: its -wal has pages of %u bytes, the database of %u: the -wal belongs to "
                         "another database; remove it "
                         "if that is so",
                         view->file->path, summary.page_size, view->page_size);
                return -EIO;
        }
        return r;
}

/* A database in WAL mode whose index is not alive: main, and what a WAL holds that nobody has open. */
static int hold_still(struct view *view, uint64_t patience_ns, const char **why) {
        int r = lock_shared_within(view->main_fd, patience_ns);

        if (r < 0)
                return r;
        view->shared = true;
        r = lock_in_use(view->main_fd);
        if (r > 0) {
                *why = "an application has it open, but its WAL is not beside this name: it was opened under "
                       "another name (a hard "
                       "link, a bind mount of this file alone), or the file was renamed, or its -wal or -shm "
                       "deleted, while it was "
                       "open; mount the directory that the application uses, or restart the application";
                return -EBUSY;
        }
        if (r == 0)
                r = note_main(view);
        if (r == 0)
                r = journal_is_hot(view);
        if (r > 0)
                return -EAGAIN;
        if (r == 0 && view->version.wal.st_size > 0)
                r = scan_wal(view);
        if (r == 0 && view->wal_fd < 0)
                r = set_size(view, view->head, (uint64_t)view->main.st_size);
        if (r < 0)
                return r;
        view->proof = PROOF_STAT;
        /* It was written just now; soon its times will prove that it is not written any more. */
        if (unsettled(view) || !version_unchanged(&view->version, view->file, view->main_fd) ||
            view_verify(view) < 0)
                return -EBUSY;
        return 0;
}

/* Whether the application has a live WAL-index beside this name. 1, 0, -errno. */
static int index_is_alive(const struct view *view) {
        _cleanup_(base_closep) int fd = file_side_open(view->file, "-shm", &view->version.main, NULL);

        if (fd < 0)
                return fd == -ENOENT || fd == -EACCES ? 0 : fd;
        return lock_index_held(fd, LOCK_INDEX_DEAD_MAN);
}

bool view_scans(const struct view *view, uint64_t size) {
        return (uint64_t)view->version.wal.st_size > size && index_is_alive(view) == 0;
}

int view_hold(struct view *view, uint64_t patience_ns, struct cache *wals, const char **why) {
        int r = version_through_wal(&view->version) ? index_is_alive(view) : 1;

        mutex_assert_none_held();
        *why = NULL;
        if (r < 0)
                return r;
        if (r > 0)
                r = pin_new(&view->pin, view->file, view->main_fd, patience_ns);
        else
                return hold_still(view, patience_ns, why);
        if (r == -EAGAIN && version_through_wal(&view->version))
                return hold_still(view, patience_ns, why);
        if (r < 0)
                return r;
        return pin_stops_commits(view->pin) ? hold_rollback(view, wals) : hold_index(view);
}

/* ---- what the application does meanwhile -------------------------------------------------------- */

bool view_stops_commits(const struct view *view) {
        return view->pin && pin_stops_commits(view->pin);
}

bool view_writer_waits(const struct view *view) {
        return lock_reserved_held(view->main_fd) > 0;
}

bool view_meet_visitor(struct view *view) {
        if (view->pin || view->visitor_fd >= 0)
                return view->visitor_fd >= 0;
        view->visitor_fd = file_side_open(view->file, "-shm", &view->main, NULL);
        if (view->visitor_fd < 0)
                return false;
        /* A checkpoint writes to the main file only while it has the first read lock to itself
         * (walCheckpoint()). */
        if (lock_index_shared(view->visitor_fd, LOCK_INDEX_READ) == 0)
                return true;
        base_closep(&view->visitor_fd);
        return false;
}
