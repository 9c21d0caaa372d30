/*
 * How a view gets hold of the version that is the current one, in each state that a source can be in.
 *
 * Invariant: a view that is held has passed its own proof once.
 */
#include "snapshot/view_hold.h"

#include "snapshot/clock.h"
#include "snapshot/lock.h"
#include "snapshot/wal.h"

#include <errno.h>
#include <string.h>

/* What SQLite allows a file to lack, beside what its WAL has. */
enum { WAL_SLACK = 65536 };

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
        if (limit < FORMAT_HEADER_SIZE) {
                base_log(BASE_LOG_ERROR, "%s: corrupt: it ends within its header", view->file->path);
                return -EIO;
        }
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

/* Reads the beginning of page 1 out of that frame. 0, -ESTALE, -errno. */
static int first_of_frame(int wal_fd, uint32_t frame, uint32_t page_size, uint8_t first[FORMAT_HEADER_SIZE]) {
        ssize_t n = base_pread(wal_fd, first, FORMAT_HEADER_SIZE, frame_offset(frame, page_size));

        if (n < 0)
                return (int)n;
        return n == FORMAT_HEADER_SIZE ? 0 : -ESTALE;
}

/*
 * The pinned version of a live WAL. Its times stay those from before the pin: a commit between the two makes
 * a tool copy once too often; the other order would make it miss a commit.
 */
static int hold_index(struct view *view) {
        const struct pin *pin = view->pin;
        uint8_t first[FORMAT_HEADER_SIZE];
        int r;

        view->proof = PROOF_WAL;
        memcpy(view->version.index, pin->head, sizeof(pin->head));
        r = view_note_main(view);
        if (r == 0)
                r = pin_pages(pin, &view->pages, &view->n_pages);
        if (r < 0)
                return r;
        memcpy(first, view->head, sizeof(first));
        if (view->n_pages > 0)
                view->wal_fd = pin->wal_fd;
        if (view->n_pages > 0 && view->pages[0].page == 1)
                r = first_of_frame(view->wal_fd, view->pages[0].frame, pin->index.page_size, first);
        if (r == 0)
                r = set_size(view, first,
                             pin->index.page_count > 0
                                     ? (uint64_t)pin->index.page_count * pin->index.page_size
                                     : (uint64_t)view->main.st_size);
        return r == 0 ? view_verify_index(view) : r;
}

/* Rollback mode: no writer whose lock shows can commit now, so it is looked at once more, and is exact, times
 * and all. */
static int hold_rollback(struct view *view, struct cache *wals) {
        int r = view_note_main(view);

        if (r == 0)
                r = view_journal_is_hot(view);
        if (r > 0)
                return -EAGAIN;
        if (r == 0)
                r = version_look(&view->version, view->file, view->main_fd, &view->main, wals);
        if (r == 0 && version_through_wal(&view->version))
                r = -EBUSY;
        if (r == 0)
                r = set_size(view, view->head, (uint64_t)view->main.st_size);
        view->proof = PROOF_LOCK;
        view->doubtful = unsettled(view);
        return r;
}

/* The pages of a WAL that nobody has open. 0 or -errno. */
static int scan_wal(struct view *view) {
        struct wal_summary summary;
        uint8_t first[FORMAT_HEADER_SIZE];
        int fd, r;

        fd = file_side_open(view->file, "-wal", &view->main, NULL);
        if (fd < 0)
                return fd == -ENOENT ? 0 : fd;
        r = wal_scan(fd, &summary, &view->pages, &view->n_pages);
        if (r < 0 || summary.page_count == 0) {
                close(fd);
                return r;
        }
        view->wal_fd = fd;
        /* As walCheckpoint() judges it: there are pages that are neither in main nor in the WAL. */
        if ((uint64_t)view->main.st_size + WAL_SLACK + (uint64_t)summary.last_frame * summary.page_size <
            (uint64_t)summary.page_count * summary.page_size) {
                base_log(BASE_LOG_ERROR,
                         "%s: corrupt: its WAL counts %u pages, most of which are neither there nor in the "
                         "file",
                         view->file->path, summary.page_count);
                return -EIO;
        }
        memcpy(view->wal_head, summary.head, sizeof(summary.head));
        memcpy(first, view->head, sizeof(first));
        if (summary.first_frame > 0)
                r = first_of_frame(fd, summary.first_frame, summary.page_size, first);
        if (r == 0)
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
static int hold_still(struct view *view, const char **why) {
        int r = lock_in_use(view->main_fd);

        if (r > 0) {
                *why = "an application has it open, but its WAL is not beside this name: it was opened under "
                       "another name (a hard "
                       "link, a bind mount of this file alone), or the file was renamed, or its -wal or -shm "
                       "deleted, while it was "
                       "open; mount the directory that the application uses, or restart the application";
                return -EBUSY;
        }
        if (r == 0)
                r = view_note_main(view);
        if (r == 0)
                r = view_journal_is_hot(view);
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

bool view_scans(const struct view *view, uint64_t size) {
        return (uint64_t)view->version.wal.st_size > size &&
               pin_index_alive(view->file, &view->version.main) == 0;
}

int view_hold(struct view *view, uint64_t patience_ns, struct cache *wals, const char **why) {
        int r;

        mutex_assert_none_held();
        *why = NULL;
        r = lock_shared_within(view->main_fd, patience_ns);
        if (r < 0)
                return r;
        if (!version_through_wal(&view->version))
                return hold_rollback(view, wals);
        r = pin_new(&view->pin, view->file, &view->version.main);
        if (r == 0)
                r = hold_index(view);
        else if (r == -EAGAIN)
                return hold_still(view, why);
        return r == -ESTALE ? -EBUSY : r;
}
