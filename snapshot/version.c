/*
 * What lstat shows of a database and what tells one version from the next.
 *
 * Invariant: times are taken before the state they are shown with is pinned, so they are never younger than
 * it: a backup tool may copy once too often, and never misses a commit (P4).
 */
#include "snapshot/version.h"

#include "snapshot/clock.h"
#include "snapshot/lock.h"
#include "snapshot/visible.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Stats the WAL; no WAL is all zeros. */
static int stat_wal(const struct store_file *file, struct stat *wal) {
        int r = file_side_stat(file, "-wal", wal);

        if (r < 0)
                memset(wal, 0, sizeof(*wal));
        return r == -ENOENT ? 0 : r;
}

/* By st_blksize cp, cat and stdio choose how much they read at a time: of a large database as much as the
 * kernel passes on in one request. */
enum { LARGE_READ = 1 << 20 };

void version_set_size(struct version *version, uint64_t size) {
        version->attr.st_size = (off_t)size;
        version->attr.st_blksize = size >= LARGE_READ ? LARGE_READ : version->main.st_blksize;
        version->attr.st_blocks = (blkcnt_t)((size + 511) / 512);
}

/*
 * The times of main and of a WAL that is not empty, since a commit may reach the WAL only; never the WAL's
 * ctime, which moves when a reader that is root opens it (SQLite then sets its owner).
 */
static void set_times(struct version *version) {
        version->attr = version->main;
        version->attr.st_nlink = 1;
        if (version->wal.st_size == 0)
                return;
        version->attr.st_mtim = base_timespec_max(version->main.st_mtim, version->wal.st_mtim);
        version->attr.st_ctim = base_timespec_max(version->main.st_ctim, version->wal.st_mtim);
}

/* What was written within this time may have been read in the middle of a write: it is worth another look. */
#define BEING_WRITTEN_NS UINT64_C(1000000000)

/* Whether an application holds SQLite's locks on a file that begins with zeros: its first transaction,
 * without a journal on disk. */
static bool is_being_born(int main_fd, const uint8_t *bytes) {
        static const uint8_t zeros[FORMAT_MAGIC_SIZE];

        return memcmp(bytes, zeros, sizeof(zeros)) == 0 &&
               (lock_reserved_held(main_fd) > 0 || lock_in_use(main_fd) > 0);
}

int version_look(struct version *version, const struct store_file *file, int main_fd, const struct stat *main,
                 struct cache *wals) {
        uint8_t bytes[FORMAT_HEADER_SIZE] = { 0 };
        _cleanup_(base_closep) int own_fd = -1;
        uint64_t size;
        ssize_t n;
        int r;

        *version = (struct version){ .main = *main };
        clock_gettime(CLOCK_REALTIME, &version->looked);
        r = stat_wal(file, &version->wal);
        set_times(version);
        if (r < 0)
                return r;
        if (main_fd < 0)
                main_fd = own_fd = base_open_source(file->dirfd, file->name, 0);
        if (main_fd < 0)
                return main_fd;
        n = base_pread(main_fd, bytes, sizeof(bytes), 0);
        if (n < 0)
                return (int)n;
        r = visible_look(version, file, bytes, wals, &size);
        if (r == 0)
                version_set_size(version, size);
        if (r == -ESTALE && is_being_born(main_fd, bytes)) {
                version->unborn = true;
                version_set_size(version, 0);
                return 0;
        }
        /* To SQLite it is no database; with a side file it is one whose first page was torn, and no ordinary
         * file. */
        if (r == -ESTALE && format_has_magic(bytes, (size_t)n) && visible_side(file, main))
                return clock_age_ns(main) < BEING_WRITTEN_NS || clock_age_ns(&version->wal) < BEING_WRITTEN_NS
                               ? -EBUSY
                               : -EIO;
        return r;
}

bool version_same_bytes(const struct stat *a, const struct stat *b) {
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
               base_timespec_compare(a->st_mtim, b->st_mtim) == 0;
}

static bool same_stat(const struct stat *a, const struct stat *b) {
        return version_same_bytes(a, b) && a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
               a->st_gid == b->st_gid && base_timespec_compare(a->st_ctim, b->st_ctim) == 0;
}

bool version_unchanged(const struct version *version, const struct store_file *file, int main_fd) {
        struct stat main, wal;

        if (fstat(main_fd, &main) < 0 || stat_wal(file, &wal) < 0)
                return false;
        return same_stat(&version->main, &main) && version_same_bytes(&version->wal, &wal);
}

bool version_equal(const struct version *a, const struct version *b) {
        return same_stat(&a->main, &b->main) && version_same_bytes(&a->wal, &b->wal) &&
               a->header.change_counter == b->header.change_counter && a->attr.st_size == b->attr.st_size &&
               memcmp(a->index, b->index, sizeof(a->index)) == 0;
}

/* ---- the rule of the current second ------------------------------------------------------------- */

/* A file system's clock may lag by a tick behind the one that we read (before Linux 6.13). */
enum { COARSE_NS = 20000000 };

uint64_t version_second_left_ns(const struct version *version) {
        int64_t left = ((int64_t)version->attr.st_mtim.tv_sec + 1 - version->looked.tv_sec) * 1000000000 +
                       COARSE_NS - version->looked.tv_nsec;

        /* The WAL is looked at after the clock, so its second may be the next one. A time further in the
         * future, of another clock than ours, tells nothing. */
        return left > 0 && left <= 2000000000 + COARSE_NS ? (uint64_t)left : 0;
}

/* How far apart two commits must be to get different ctimes, at the least. */
static int64_t ctime_grain_ns(const struct version *version) {
        uint64_t grain = clock_grain_ns(-1, &version->main);

        return grain > COARSE_NS ? (int64_t)grain : COARSE_NS;
}

/* Whether a commit just after the look could have got the same ctime. */
static bool ctime_may_repeat(const struct version *version) {
        int64_t age = ((int64_t)version->looked.tv_sec - version->attr.st_ctim.tv_sec) * 1000000000 +
                      version->looked.tv_nsec - version->attr.st_ctim.tv_nsec;
        int64_t grain = ctime_grain_ns(version);

        return age > -grain && age < grain;
}

/*
 * mtime is for rsync, which compares whole seconds. ctime is for borg and restic, which compare nanoseconds,
 * and for tar -g, which skips a file when both its times are older than the start of the last dump: a ctime
 * moved back by a second would hide a commit that came after that start (measured: half of all commits
 * between dumps a few ms apart). So it is moved by one nanosecond, and only while a clock tick could still be
 * shared.
 */
void version_show(const struct version *version, enum store_racy racy, struct stat *st) {
        *st = version->attr;
        if (racy != STORE_RACY_SMUDGE)
                return;
        if (version_second_left_ns(version) > 0)
                st->st_mtim =
                        (struct timespec){ .tv_sec = version->attr.st_mtim.tv_sec - 1, .tv_nsec = 999999999 };
        if (!ctime_may_repeat(version))
                return;
        /* Whole seconds are all that some file systems keep: then it goes back into the second before. */
        if (st->st_ctim.tv_nsec-- == 0) {
                st->st_ctim.tv_sec--;
                st->st_ctim.tv_nsec = 999999999;
        }
}

bool version_provable(const struct version *version, int main_fd) {
        uint8_t head[FORMAT_INDEX_HEAD_SIZE] = { 0 };
        struct format_index index;

        memcpy(head, version->index, FORMAT_INDEX_HEADER_SIZE);
        memcpy(head + FORMAT_INDEX_HEADER_SIZE, version->index, FORMAT_INDEX_HEADER_SIZE);
        if (format_index_parse(&index, head) == 0 && index.last_frame > 0)
                return true;
        return !clock_unsettled(&version->main, clock_grain_ns(main_fd, &version->main)) &&
               (version->wal.st_ino == 0 ||
                !clock_unsettled(&version->wal, clock_grain_ns(main_fd, &version->wal)));
}
