/*
 * The proofs of the private way: when a copy made beside somebody who locks us out is one committed state.
 *
 * - WAL with content. Main is copied first, then the WAL; accepted if the WAL's inode and header (salts) are
 * the same before and after, and it did not shrink. A checkpoint writes only pages whose committed frames are
 * in the WAL copied after it, and a WAL that starts anew gets new salts first. Holds beside writers and
 * checkpoints, exclusive ones too.
 *
 * - WAL-flagged, no WAL content. Whoever writes makes a WAL first; accepted if there still is none and main's
 * stat is what it was, and old enough for coarse clocks.
 *
 * - Hot journal. Hot is judged under SHARED, the journal first and RESERVED after it (the other order is
 * wrong beside a PERSIST writer). Then main is copied, then the journal; accepted if the journal is the same
 * one before and after: as long as it is there it holds the old content of whatever was changed, even if
 * somebody is rolling it back meanwhile.
 *
 * - Rollback mode, locked by an application that never lets go (locking_mode=EXCLUSIVE). It keeps its journal
 * file and zeroes the header between transactions; accepted if that is so before and after, and main's stat
 * is what it was. With no journal file to go by (journal_mode MEMORY or OFF) nothing can prove it: then main
 * must have been quiet for a second too, and the copy must pass integrity_check.
 */
#include "snapshot/proof.h"

#include "snapshot/copy.h"
#include "snapshot/journal.h"
#include "snapshot/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int add_copy(struct engine_job *job, struct vfs_private *vfs, enum vfs_role role, int fd,
                    uint64_t size) {
        int r = vfs_private_add(vfs, role, size);

        if (r == 0)
                r = copy_bytes(job, fd, vfs->files[role].file.fd, size);
        if (r == 0)
                vfs->files[role].size = size;
        return r;
}

/* Copies main and accepts if its stat, and that of a WAL, is what version_look() saw. 0, -EBUSY, -errno. */
static int copy_still(struct engine_job *job, struct vfs_private *vfs, const struct version *version) {
        int r;

        if (cache_racy(&version->main) || !version_unchanged(version, job->file, job->main_fd))
                return -EBUSY;
        r = add_copy(job, vfs, VFS_ROLE_MAIN, job->main_fd, (uint64_t)version->main.st_size);
        if (r < 0)
                return r;
        return version_unchanged(version, job->file, job->main_fd) ? 0 : -EBUSY;
}

/* ---- WAL mode ----------------------------------------------------------------------------------- */

static int prove_without_wal(struct engine_job *job, struct vfs_private *vfs, const struct version *version,
                             const char **why) {
        int r;

        /* Its WAL, and with it what was committed, lies beside another name of this file. */
        if (version->main.st_nlink > 1 && lock_in_use(job->main_fd) > 0) {
                *why = "it is open under another of its hard links, and its WAL lies beside that name";
                return -EBUSY;
        }
        *why = "it changes all the time";
        r = copy_still(job, vfs, version);
        return r < 0 ? r : PROOF_NOTHING_TO_RECOVER;
}

static int open_wal(const struct engine_job *job) {
        char side[256];
        int r = vfs_source_side_name(side, job->file->name, "-wal");

        return r < 0 ? r : base_open_source(job->file->dirfd, side, 0);
}

/* Whether fd is still the WAL of that name, at least as long, with the header it had. */
static bool wal_kept(const struct engine_job *job, int fd, const struct stat *wal, const uint8_t *head) {
        uint8_t now[FORMAT_WAL_HEADER_SIZE];
        _cleanup_(base_closep) int again = open_wal(job);
        struct stat st;

        if (base_pread(fd, now, sizeof(now), 0) != (ssize_t)sizeof(now) ||
            memcmp(head, now, sizeof(now)) != 0)
                return false;
        return again >= 0 && fstat(again, &st) == 0 && st.st_ino == wal->st_ino && st.st_dev == wal->st_dev &&
               st.st_size >= wal->st_size;
}

static int prove_with_wal(struct engine_job *job, struct vfs_private *vfs, const char **why) {
        uint8_t head[FORMAT_WAL_HEADER_SIZE];
        _cleanup_(base_closep) int fd = open_wal(job);
        struct stat main, wal;
        int r;

        *why = "its WAL starts anew faster than it can be copied";
        if (fd < 0 && fd != -ENOENT)
                base_log(BASE_LOG_ERROR, "%s: cannot open its WAL: %s", job->file->path, strerror(-fd));
        if (fd < 0)
                return fd == -ENOENT ? -EBUSY : fd;
        if (base_pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) || fstat(job->main_fd, &main) < 0)
                return -EBUSY;
        r = add_copy(job, vfs, VFS_ROLE_MAIN, job->main_fd, (uint64_t)main.st_size);
        if (r < 0)
                return r;
        if (fstat(fd, &wal) < 0)
                return -errno;
        r = add_copy(job, vfs, VFS_ROLE_WAL, fd, (uint64_t)wal.st_size);
        if (r < 0)
                return r;
        return wal_kept(job, fd, &wal, head) ? PROOF_TO_RECOVER : -EBUSY;
}

/* ---- rollback mode ------------------------------------------------------------------------------ */

/* Whether the journal was left by a crash: 1, 0, -EBUSY while the database is locked, -errno. */
static int judge_hot(struct engine_job *job, struct journal *journal, int *fd) {
        int r, hot = 0;

        r = lock_shared(job->main_fd);
        if (r < 0)
                return r;
        r = journal_look(job->file, journal, fd);
        if (r == 0 && journal->starts) {
                r = lock_reserved_held(job->main_fd);
                hot = r == 0;
        }
        lock_unshare(job->main_fd);
        return r < 0 ? r : hot;
}

static int prove_hot(struct engine_job *job, struct vfs_private *vfs, const struct version *version,
                     const struct journal *journal, int fd, const char **why) {
        _cleanup_(base_closep) int again = -1;
        struct journal now;
        struct stat main;
        int r;

        if (journal->state == JOURNAL_UNKNOWN) {
                *why = "its hot journal names a super-journal that cannot be seen from here";
                return -EBUSY;
        }
        *why = "its hot journal is being rolled back";
        if (journal->state == JOURNAL_VALID) {
                if (fstat(job->main_fd, &main) < 0)
                        return -errno;
                r = add_copy(job, vfs, VFS_ROLE_MAIN, job->main_fd, (uint64_t)main.st_size);
                /* Without the super-journal's name: whether it exists has been judged, and there is none in
                 * private space. */
                if (r == 0)
                        r = add_copy(job, vfs, VFS_ROLE_JOURNAL, fd, journal->size_alone);
        } else {
                r = copy_still(job, vfs, version);
        }
        if (r == 0)
                r = journal_look(job->file, &now, &again);
        if (r < 0)
                return r;
        if (!journal_equal(journal, &now))
                return -EBUSY;
        return journal->state == JOURNAL_VALID ? PROOF_TO_RECOVER : PROOF_NOTHING_TO_RECOVER;
}

/* Whether main has not been written for a second. */
static bool quiet(const struct version *version) {
        struct timespec now, then = version->main.st_mtim;

        clock_gettime(CLOCK_REALTIME, &now);
        then.tv_sec++;
        return base_timespec_compare(then, now) <= 0;
}

static int prove_locked(struct engine_job *job, struct vfs_private *vfs, const struct version *version,
                        const char **why) {
        _cleanup_(base_closep) int fd = -1, again = -1;
        struct journal before, after;
        bool vouched;
        int r;

        r = journal_look(job->file, &before, &fd);
        if (r < 0)
                return r;
        *why = "it is locked by an application that is writing to it";
        if (before.starts)
                return -EBUSY;
        /* A commit writes main, then zeroes or truncates the journal: one that is older than main was left by
         * another application, and vouches for nothing. */
        vouched = before.exists && base_timespec_compare(before.mtime, version->main.st_mtim) >= 0;
        if (!vouched && !quiet(version)) {
                *why = "it is locked by an application that keeps no journal, and was written less than a "
                       "second ago";
                return -EBUSY;
        }
        r = copy_still(job, vfs, version);
        if (r == 0)
                r = journal_look(job->file, &after, &again);
        if (r < 0)
                return r;
        if (after.starts || before.exists != after.exists || before.ino != after.ino)
                return -EBUSY;
        return vouched ? PROOF_NOTHING_TO_RECOVER : PROOF_TO_CHECK;
}

static int prove_rollback(struct engine_job *job, struct vfs_private *vfs, const struct version *version,
                          const char **why) {
        _cleanup_(base_closep) int fd = -1;
        struct journal journal;
        int r;

        r = judge_hot(job, &journal, &fd);
        if (r == -EBUSY)
                return prove_locked(job, vfs, version, why);
        if (r > 0)
                return prove_hot(job, vfs, version, &journal, fd, why);
        /* Not locked and not hot: a pin will do. */
        return r < 0 ? r : -EBUSY;
}

int proof_copy(struct engine_job *job, struct vfs_private *vfs, const struct version *version,
               const char **why) {
        if (!version->header.wal)
                return prove_rollback(job, vfs, version, why);
        if (version->wal.st_size > FORMAT_WAL_HEADER_SIZE)
                return prove_with_wal(job, vfs, why);
        return prove_without_wal(job, vfs, version, why);
}
