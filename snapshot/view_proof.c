/*
 * What proves that the version of a view still stands; the argument is at the top of view.c.
 *
 * Invariant: everything that is compared was noted before or under the lock that holds the version, never
 * after; and is looked at after the bytes were read that it vouches for.
 */
#include "snapshot/view_hold.h"

#include "snapshot/journal.h"
#include "snapshot/lock.h"

#include <errno.h>
#include <string.h>

/* Reads the head of the main file; what lies behind its end is zeros, as to SQLite. 0 or -errno. */
static int read_head(const struct view *view, uint8_t head[FORMAT_HEADER_SIZE]) {
        ssize_t n = base_pread(view->main_fd, head, FORMAT_HEADER_SIZE, 0);

        if (n < 0)
                return (int)n;
        memset(head + n, 0, FORMAT_HEADER_SIZE - (size_t)n);
        return 0;
}

int view_note_main(struct view *view) {
        return fstat(view->main_fd, &view->main) < 0 ? -errno : read_head(view, view->head);
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
 * A live WAL: its index shows no checkpoint beyond the version, and no new beginning. Main is looked at
 * before the index: what a checkpoint that begins in between writes is then no reason to doubt.
 */
int view_verify_index(const struct view *view) {
        const struct pin *pin = view->pin;
        struct format_index_look now;
        struct stat st;
        int r;

        if (fstat(view->main_fd, &st) < 0)
                return -errno;
        r = pin_look(pin, &now);
        if (r < 0)
                return r;
        if (memcmp(now.salt, pin->index.salt, sizeof(now.salt)) != 0 ||
            now.attempted > pin->index.last_frame || now.attempted < pin->index.attempted)
                return -ESTALE;
        if (!still_named(view, "-wal", pin->wal_fd) || !still_named(view, "-shm", pin->shm_fd))
                return -ESTALE;
        /* No checkpoint was under way, none has begun: then nothing may have been written to main. It was if
         * somebody copied another file over it. */
        if (pin->index.backfilled == pin->index.attempted && now.attempted == pin->index.attempted &&
            now.backfilled == pin->index.backfilled && !version_same_bytes(&view->main, &st))
                return -ESTALE;
        return 0;
}

int view_verify(const struct view *view) {
        mutex_assert_none_held();
        if (view->wal_fd < 0)
                return verify_main(view);
        return view->pin ? view_verify_index(view) : verify_scanned(view);
}

int view_journal_is_hot(const struct view *view) {
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
        int r = view_journal_is_hot(view);

        if (r == 0)
                r = view_verify(view);
        return r > 0 ? -ESTALE : r;
}
