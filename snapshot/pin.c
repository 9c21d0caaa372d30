/*
 * Read locks on a live WAL.
 *
 * Invariants:
 *
 * - Of the WAL-index's locks only read locks and the dead man's switch are taken, and those shared: on its
 * write and recovery locks even a shared one held for a moment makes an application see SQLITE_BUSY.
 * - The -shm is used only while another connection holds the dead man's switch, that is: while it is alive.
 * - The version is what the header said before the lock was got and said again after it. In between lies
 * nothing that takes long: beside a writer that commits without a pause, no try would ever come out even.
 * - The checkpoint information is read before the header. The other way round a commit and a checkpoint in
 * between would make frames count as written to the main file that the header does not know of, and older
 * pages be taken from there.
 */
#include "snapshot/pin.h"

#include "snapshot/base.h"
#include "snapshot/lock.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* So many tries to begin, and looks at an index that is being written; pauses after the first tries, as in
 * SQLite. */
enum { TRIES = 64, TRIES_AT_ONCE = 16, LOOKS = 8 };

int pin_index_alive(const struct store_file *file, const struct stat *main) {
        _cleanup_(base_closep) int fd = file_side_open(file, "-shm", main, NULL);

        if (fd < 0)
                return fd == -ENOENT || fd == -EACCES ? 0 : fd;
        return lock_index_held(fd, LOCK_INDEX_DEAD_MAN);
}

/* Reads the first bytes of the -shm, in the order of the invariant. 0, -EAGAIN: it is not there in full;
 * -errno. */
static int read_head(int shm_fd, uint8_t head[FORMAT_INDEX_HEAD_SIZE]) {
        ssize_t n = base_pread(shm_fd, head + FORMAT_INDEX_INFO, FORMAT_INDEX_HEAD_SIZE - FORMAT_INDEX_INFO,
                               FORMAT_INDEX_INFO);

        atomic_thread_fence(memory_order_seq_cst);
        if (n == FORMAT_INDEX_HEAD_SIZE - FORMAT_INDEX_INFO)
                n = base_pread(shm_fd, head, FORMAT_INDEX_INFO, 0);
        if (n < 0)
                return (int)n;
        return n == FORMAT_INDEX_INFO ? 0 : -EAGAIN;
}

/* ---- beginning ---------------------------------------------------------------------------------- */

/* Which read lock is for a version whose index this is: 0, or the one with the largest mark that is not
 * beyond it; -EAGAIN. */
static int choose_lock(const uint8_t *head, const struct format_index *index) {
        uint32_t best_mark = 0;
        int best = -EAGAIN;

        if (index->backfilled == index->last_frame)
                return 0;
        for (int i = 1; i < FORMAT_INDEX_MARKS; i++) {
                uint32_t mark = format_index_mark(head, i);

                if (mark <= index->last_frame && mark >= best_mark) {
                        best = i;
                        best_mark = mark;
                }
        }
        return best;
}

/* One try. 0; -EAGAIN: try again; -errno. */
static int try_begin(struct pin *pin) {
        uint8_t head[FORMAT_INDEX_HEAD_SIZE], again[FORMAT_INDEX_HEAD_SIZE];
        int which, r;

        r = read_head(pin->shm_fd, head);
        if (r == 0)
                r = format_index_parse(&pin->index, head);
        if (r < 0)
                return r;
        /* Left by a writer that was killed between the new header and the counters. */
        if (r == 0 && pin->index.backfilled > pin->index.last_frame)
                r = -EAGAIN;
        which = r < 0 ? r : choose_lock(head, &pin->index);
        if (which < 0)
                return which;
        r = lock_index_shared(pin->shm_fd, LOCK_INDEX_READ + which);
        if (r < 0)
                return r == -EBUSY ? -EAGAIN : r;
        /* The mark must still be there, and the version be the last one. A checkpoint may have gone on
         * meanwhile, up to it. */
        r = read_head(pin->shm_fd, again);
        if (r == 0 && (memcmp(head, again, FORMAT_INDEX_INFO) != 0 || choose_lock(again, &pin->index) < 0 ||
                       (which > 0 && format_index_mark(head, which) != format_index_mark(again, which))))
                r = -EAGAIN;
        if (r == 0)
                r = format_index_parse(&pin->index, again);
        if (r == 0 && which == 0 && pin->index.backfilled != pin->index.last_frame)
                r = -EAGAIN;
        if (r < 0) {
                lock_index_unshare(pin->shm_fd, LOCK_INDEX_READ + which);
                return r;
        }
        pin->lock = which;
        memcpy(pin->head, again, sizeof(pin->head));
        return 0;
}

static int begin(struct pin *pin) {
        const struct timespec pause = { .tv_nsec = 100000 };
        int r = -EAGAIN;

        for (int try = 0; r == -EAGAIN && try < TRIES; try++) {
                if (try >= TRIES_AT_ONCE)
                        nanosleep(&pause, NULL);
                r = try_begin(pin);
        }
        return r == -EAGAIN ? -EBUSY : r;
}

/* Opens the side files. 0, or -errno as pin_new(). */
static int open_sides(struct pin *pin, const struct store_file *file, const struct stat *main) {
        int r;

        pin->shm_fd = file_side_open(file, "-shm", main, NULL);
        if (pin->shm_fd < 0)
                return pin->shm_fd == -ENOENT ? -EAGAIN : pin->shm_fd;
        r = lock_index_held(pin->shm_fd, LOCK_INDEX_DEAD_MAN);
        if (r > 0)
                r = lock_index_shared(pin->shm_fd, LOCK_INDEX_DEAD_MAN);
        else if (r == 0)
                r = -EAGAIN;
        if (r < 0)
                return r;
        pin->wal_fd = file_side_open(file, "-wal", main, NULL);
        if (pin->wal_fd < 0)
                return pin->wal_fd == -ENOENT ? -EAGAIN : pin->wal_fd;
        return 0;
}

int pin_new(struct pin **out, const struct store_file *file, const struct stat *main) {
        struct pin *pin = calloc(1, sizeof(*pin));
        int r;

        mutex_assert_none_held();
        if (!pin)
                return -ENOMEM;
        pin->shm_fd = pin->wal_fd = -1;
        r = open_sides(pin, file, main);
        if (r == 0)
                r = begin(pin);
        if (r < 0) {
                pin_free(pin);
                return r;
        }
        *out = pin;
        return 0;
}

struct pin *pin_free(struct pin *pin) {
        if (!pin)
                return NULL;
        /* The close of the only descriptor of this open file gives its locks up. */
        base_closep(&pin->shm_fd);
        base_closep(&pin->wal_fd);
        free(pin);
        return NULL;
}

/* ---- what is pinned ----------------------------------------------------------------------------- */

/* Notes which page each frame holds. 0, -ESTALE, -errno. */
static int read_pages(const struct pin *pin, struct frame_page *pages) {
        _cleanup_(base_freep) uint8_t *region = malloc(FORMAT_INDEX_REGION_SIZE);
        uint32_t loaded = UINT32_MAX;

        if (!region)
                return -ENOMEM;
        for (uint32_t frame = 1; frame <= pin->index.last_frame; frame++) {
                uint32_t wanted = format_index_region(frame);

                if (wanted != loaded) {
                        ssize_t n = base_pread(pin->shm_fd, region, FORMAT_INDEX_REGION_SIZE,
                                               (uint64_t)wanted * FORMAT_INDEX_REGION_SIZE);

                        if (n != FORMAT_INDEX_REGION_SIZE)
                                return n < 0 ? (int)n : -ESTALE;
                }
                loaded = wanted;
                pages[frame - 1] =
                        (struct frame_page){ .page = format_index_page(region, frame), .frame = frame };
        }
        return 0;
}

int pin_pages(const struct pin *pin, struct frame_page **pages, size_t *n) {
        uint32_t last = pin->index.last_frame;
        struct stat st;
        int r;

        *pages = NULL;
        *n = 0;
        if (pin->lock == 0)
                return 0;
        /* No more frames than the WAL has room for: an index that says more is not that of this WAL. */
        if (fstat(pin->wal_fd, &st) < 0)
                return -errno;
        if (frame_offset(last, pin->index.page_size) + pin->index.page_size > (uint64_t)st.st_size)
                return -ESTALE;
        *pages = malloc((size_t)last * sizeof(**pages));
        if (!*pages)
                return -ENOMEM;
        r = read_pages(pin, *pages);
        /* A frame up to nBackfill is in the main file: each checkpoint begins where the one before ended
         * (minFrame in walTryBeginRead(), and walCheckpoint(), in wal.c). */
        if (r == 0)
                *n = frames_settle(*pages, last, pin->index.page_count, pin->index.backfilled);
        return r;
}

/*
 * The checkpoint information twice, then the header. A restart writes the header first and the counters after
 * it, so a counter that was read first and fell since comes with new salts. 0; -EAGAIN: it is being written;
 * -errno.
 */
static int look_once(const struct pin *pin, struct format_index_look *look) {
        uint8_t before[FORMAT_INDEX_HEAD_SIZE - FORMAT_INDEX_INFO], head[FORMAT_INDEX_HEAD_SIZE];
        ssize_t n = base_pread(pin->shm_fd, before, sizeof(before), FORMAT_INDEX_INFO);
        int r;

        atomic_thread_fence(memory_order_seq_cst);
        if (n != (ssize_t)sizeof(before))
                return n < 0 ? (int)n : -EAGAIN;
        r = read_head(pin->shm_fd, head);
        return r < 0 ? r : format_index_look(look, before, head + FORMAT_INDEX_INFO, head);
}

int pin_look(const struct pin *pin, struct format_index_look *look) {
        int r = -EAGAIN;

        for (int i = 0; r == -EAGAIN && i < LOOKS; i++)
                r = look_once(pin, look);
        return r == -EAGAIN ? -ESTALE : r;
}
