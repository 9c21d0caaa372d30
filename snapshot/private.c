/*
 * Copies that are made beside somebody who locks us out, or of what has to be recovered. What makes each one
 * state:
 *
 * - A whole rollback journal, of a crash (hot) or of a transaction that is still open. Main is copied, then
 * the journal; accepted if the journal is the same one before and after. As long as it is there it holds the
 * old content of whatever was changed in main, so that SQLite rolls the copy back to the last commit, even if
 * somebody writes or rolls back meanwhile.
 * - A WAL with content. Main is copied first, then the WAL; accepted if the WAL is the same file with the
 * same header (salts) before and after, and did not shrink. A checkpoint writes only pages whose committed
 * frames are in the WAL copied after it, and a WAL that starts anew gets new salts first.
 * - Locked by an application that never lets go (locking_mode=EXCLUSIVE). In rollback mode it keeps its
 * journal file and zeroes the header between transactions; accepted if that is so before and after, and main
 * was not written. In WAL mode with an empty WAL: if main was not written.
 * - With no journal to go by (journal_mode MEMORY or OFF, or one beside another name of the file) nothing can
 * prove it: an open transaction may have written half of its pages and pause. Refused, unless accept_quiet
 * allows it after so many seconds without a write and with a passed integrity_check.
 *
 * Invariant: nothing of the source is opened but for reading; what SQLite recovers is the copy.
 */
#include "snapshot/private.h"

#include "snapshot/clock.h"
#include "snapshot/journal.h"
#include "snapshot/lock.h"
#include "snapshot/vfs_private.h"

#include <errno.h>
#include <string.h>

/* ---- copying ------------------------------------------------------------------------------------ */

static int add_copy(struct private_job *job, struct vfs_private *vfs, enum vfs_role role, int fd,
                    uint64_t size) {
        int r = vfs_private_add(vfs, role, size);

        if (r == 0)
                r = copy_bytes(job->wish, fd, vfs->files[role].file.fd, size);
        if (r == 0)
                vfs->files[role].size = size;
        return r;
}

static int add_main(struct private_job *job, struct vfs_private *vfs) {
        struct stat st;

        if (fstat(job->view->main_fd, &st) < 0)
                return -errno;
        return add_copy(job, vfs, VFS_ROLE_MAIN, job->view->main_fd, (uint64_t)st.st_size);
}

/* Copies main and accepts if its stat, and that of a WAL, is what was seen at the look. 0, -EBUSY, -errno. */
static int add_still_main(struct private_job *job, struct vfs_private *vfs) {
        const struct version *version = &job->view->version;
        int fd = job->view->main_fd, r;

        if (!version_provable(version, fd) || !version_unchanged(version, job->view->file, fd))
                return -EBUSY;
        r = add_main(job, vfs);
        if (r == 0 && !version_unchanged(version, job->view->file, fd))
                r = -EBUSY;
        return r;
}

/* ---- with a journal, a WAL, or both ------------------------------------------------------------- */

/* A WAL as it was before main was copied. fd -1: there is none with content. */
struct wal_before {
        int fd;
        uint8_t head[FORMAT_WAL_HEADER_SIZE];
        struct stat st;
};

static int wal_before(const struct private_job *job, struct wal_before *wal) {
        ssize_t n;

        wal->fd = -1;
        if (job->view->version.wal.st_size <= FORMAT_WAL_HEADER_SIZE)
                return 0;
        wal->fd = file_side_open(job->view->file, "-wal", &job->view->version.main, NULL);
        if (wal->fd < 0)
                return wal->fd == -ENOENT ? -EBUSY : wal->fd;
        n = base_pread(wal->fd, wal->head, sizeof(wal->head), 0);
        if (n < 0)
                return (int)n;
        return n == (ssize_t)sizeof(wal->head) ? 0 : -EBUSY;
}

/* Copies it after main. */
static int add_wal(struct private_job *job, struct vfs_private *vfs, struct wal_before *wal) {
        if (wal->fd < 0)
                return 0;
        if (fstat(wal->fd, &wal->st) < 0)
                return -errno;
        return add_copy(job, vfs, VFS_ROLE_WAL, wal->fd, (uint64_t)wal->st.st_size);
}

/* Whether it is still the WAL of that name, at least as long, with the header it had. */
static bool wal_kept(const struct private_job *job, const struct wal_before *wal) {
        uint8_t now[FORMAT_WAL_HEADER_SIZE];
        struct stat st;

        return wal->fd < 0 ||
               (base_pread(wal->fd, now, sizeof(now), 0) == (ssize_t)sizeof(now) &&
                memcmp(wal->head, now, sizeof(now)) == 0 &&
                file_side_stat(job->view->file, "-wal", &st) == 0 && st.st_ino == wal->st.st_ino &&
                st.st_dev == wal->st.st_dev && st.st_size >= wal->st.st_size);
}

/*
 * Main, then the journal and the WAL, as far as they have something to say. SQLite takes them up in that
 * order, whatever main's header says: a hot journal is rolled back, then a WAL that is not empty is read over
 * the result.
 */
static int make_with_sides(struct private_job *job, struct vfs_private *vfs, const struct journal *journal,
                           int fd) {
        _cleanup_(base_closep) int again = -1;
        const struct view *view = job->view;
        bool undoes = journal->state == JOURNAL_VALID;
        struct journal now;
        struct wal_before wal;
        int r;

        job->proof = undoes ? PROOF_JOURNAL : PROOF_WAL;
        job->why = "its hot journal names a super-journal that cannot be seen from here: let an application "
                   "open the database once";
        if (journal->state == JOURNAL_UNKNOWN)
                return -EBUSY;
        job->why = undoes ? "its journal does not stand still"
                          : "its WAL starts anew faster than it can be copied";
        r = wal_before(job, &wal);
        if (r == 0)
                r = undoes || wal.fd >= 0 ? add_main(job, vfs) : add_still_main(job, vfs);
        /* Without the super-journal's name: whether that exists has been judged, and there is none in private
         * space. */
        if (r == 0 && undoes)
                r = add_copy(job, vfs, VFS_ROLE_JOURNAL, fd, journal->size_alone);
        if (r == 0)
                r = add_wal(job, vfs, &wal);
        if (r == 0)
                r = journal_look(view->file, &view->version.main, &now, &again);
        if (r == 0 && (!journal_equal(journal, &now) || !wal_kept(job, &wal)))
                r = -EBUSY;
        base_closep(&wal.fd);
        return r;
}

/* ---- neither ------------------------------------------------------------------------------------ */

/* In WAL mode, without a WAL of content. locked: by an application that lets nobody else read it. */
static int make_without_wal(struct private_job *job, struct vfs_private *vfs, bool locked) {
        struct stat wal;

        job->why = "an application keeps it locked, and its WAL is not beside this name: it was opened under "
                   "another name";
        if (locked && file_side_stat(job->view->file, "-wal", &wal) < 0)
                return -EBUSY;
        job->why = "it changes all the time";
        job->proof = PROOF_STAT;
        return add_still_main(job, vfs);
}

/* A database that is locked, with a journal that does not begin, or none. */
static int make_locked(struct private_job *job, struct vfs_private *vfs, const struct journal *before) {
        const struct view *view = job->view;
        const struct version *version = &view->version;
        _cleanup_(base_closep) int again = -1;
        uint64_t quiet_ns = (uint64_t)job->accept_quiet_s * 1000000000;
        struct journal after;
        bool vouched;
        int r;

        /* A commit writes main, then zeroes or truncates the journal: one that is older than main was left by
         * another application, and vouches for nothing. */
        vouched = before->exists && base_timespec_compare(before->mtime, version->main.st_mtim) >= 0;
        job->proof = vouched ? PROOF_STAT : PROOF_QUIET;
        job->why = vouched ? "an application has it locked and writes to it"
                           : "an application has it locked, and keeps no journal that would show an open "
                             "transaction "
                             "(journal_mode MEMORY or OFF), or keeps it beside another name of the file; "
                             "accept_quiet=SECONDS "
                             "takes the risk";
        if (!vouched && (quiet_ns == 0 || clock_age_ns(&version->main) < quiet_ns))
                return -EBUSY;
        r = add_still_main(job, vfs);
        if (r == 0)
                r = journal_look(view->file, &version->main, &after, &again);
        if (r < 0)
                return r;
        return after.starts || before->exists != after.exists || before->ino != after.ino ? -EBUSY : 0;
}

static int make(struct private_job *job, struct vfs_private *vfs) {
        const struct view *view = job->view;
        _cleanup_(base_closep) int fd = -1;
        struct journal journal;
        int r;

        r = journal_look(view->file, &view->version.main, &journal, &fd);
        if (r < 0)
                return r;
        if (journal.state != JOURNAL_NONE || view->version.wal.st_size > FORMAT_WAL_HEADER_SIZE)
                return make_with_sides(job, vfs, &journal, fd);
        r = lock_shared(view->main_fd);
        if (r == 0)
                lock_unshare(view->main_fd);
        else if (r != -EBUSY)
                return r;
        if (version_through_wal(&view->version))
                return make_without_wal(job, vfs, r < 0);
        if (r < 0)
                return make_locked(job, vfs, &journal);
        /* Not locked. A journal that begins with something else than a header undoes nothing: SQLite would
         * delete it. */
        if (journal.starts)
                return make_with_sides(job, vfs, &journal, fd);
        /* Not hot either: a view will do. */
        return -EBUSY;
}

/* ---- recovery ----------------------------------------------------------------------------------- */

static int first_word(void *userdata, int n, char **values, char **names) {
        *(bool *)userdata = n > 0 && values[0] && strcmp(values[0], "ok") == 0;
        return 0;
}

static int still_wanted(void *userdata) {
        const struct copy_wish *wish = userdata;

        return wish->unwanted(wish->userdata);
}

/* What it interprets as SQL is a stranger's: that may not reach anything else, and ends when nobody waits any
 * more. */
static int check(sqlite3 *db, const struct copy_wish *wish, bool *ok) {
        enum { STEPS = 10000, LONGEST_VALUE = 16 << 20 };

        sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
        sqlite3_limit(db, SQLITE_LIMIT_LENGTH, LONGEST_VALUE);
        sqlite3_progress_handler(db, STEPS, still_wanted, (void *)wish);
        return sqlite3_exec(db, "PRAGMA integrity_check(1)", first_word, ok, NULL);
}

/* Opens the copy with SQLite, which recovers it, and puts a WAL into its main file. 0, -EBUSY: not ok;
 * -errno, logged. */
static int recover(struct private_job *job, struct vfs_private *vfs) {
        sqlite3 *db = NULL;
        bool ok = true;
        int code, r;

        code = vfs_private_connect(vfs, &db);
        if (code == SQLITE_OK) /* neither parses the schema */
                code = sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA schema_version", NULL, NULL,
                                    NULL);
        if (code == SQLITE_OK)
                code = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        if (code == SQLITE_OK && job->proof == PROOF_QUIET)
                code = check(db, job->wish, &ok);
        r = vfs->error != 0 ? vfs->error : base_sqlite_error(code);
        if (r < 0 && r != -ENOSPC && r != -EINTR)
                base_log(BASE_LOG_ERROR, "%s: recovery of a private copy: %s", job->view->file->path,
                         db ? sqlite3_errmsg(db) : "out of memory");
        sqlite3_close(db);
        if (r == 0 && !ok)
                return -EBUSY;
        return r == -EAGAIN || r == -EBUSY || r == -ESTALE ? -EIO : r;
}

/* Cuts the result to its pages; a database that lacks some is corrupt to SQLite, and an error here. */
static int finish(struct private_job *job, struct vfs_private *vfs) {
        uint8_t bytes[FORMAT_HEADER_SIZE] = { 0 };
        struct format_header header;
        uint64_t pages;
        ssize_t n;
        int r;

        r = vfs_private_take(vfs, &job->out, &job->size);
        if (r < 0 || job->size == 0) /* the first transaction was rolled back */
                return r;
        n = base_pread(job->out.fd, bytes, sizeof(bytes), 0);
        if (n < 0)
                return (int)n;
        if (!format_has_magic(bytes, (size_t)n) || format_header_parse(&header, bytes) < 0)
                return -ESTALE;
        pages = (uint64_t)header.page_count * header.page_size;
        if (header.version_valid_for == header.change_counter && pages >= job->size + header.page_size) {
                base_log(BASE_LOG_ERROR, "%s: corrupt: its header counts %llu bytes of pages, there are %llu",
                         job->view->file->path, (unsigned long long)pages, (unsigned long long)job->size);
                return -EIO;
        }
        job->size = format_header_size(&header, job->size);
        return ftruncate(job->out.fd, (off_t)job->size) < 0 ? -errno : 0;
}

int private_make(struct private_job *job) {
        struct vfs_private vfs;
        int r;

        mutex_assert_none_held();
        job->out = (struct space_file)SPACE_FILE_NULL;
        r = vfs_private_init(&vfs, job->space);
        if (r < 0)
                return r;
        r = make(job, &vfs);
        if (r == 0)
                r = recover(job, &vfs);
        if (r == 0)
                r = finish(job, &vfs);
        if (r < 0)
                space_file_deinit(&job->out);
        vfs_private_deinit(&vfs);
        return r;
}
