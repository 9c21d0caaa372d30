/*
 * One attempt of an opening: look at the source, hold what is committed now, share the snapshot of it if
 * there is one, else lend the view to the readers or have it copied first.
 *
 * A view is lent, unless its source was written to once in spite of a lock: then there is a writer whose
 * locks are not seen, and it is copied, and the copy proven, before the answer, so that a writer that comes
 * in between costs another try and not a reader its file. So is a database in WAL mode that its application
 * has just closed: no lock keeps it from coming back and checkpointing.
 *
 * Invariant: whatever can fail for lack of room or rights has been done before the opens are answered: a tool
 * that meets an error in the middle of a file may keep what it has.
 */
#include "snapshot/attempt.h"

#include "snapshot/clock.h"
#include "snapshot/keeper.h"
#include "snapshot/lock.h"
#include "snapshot/private.h"
#include "snapshot/unsafe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/*
 * The first try takes what it gets. Later ones, which know that somebody writes, each wait a little for a gap
 * between two commits.
 */
enum { PATIENCE_NS = 20000000 };

/* How soon to look again for what another opening is making. */
enum { MAKER_NS = 5000000 };

/* A source that was written to within this time has a writer, whose locks may not be seen from here. */
#define CALM_NS UINT64_C(2000000000)

/* How long nothing was written to a database without a committed page before that counts as left by a crash.
 */
#define UNBORN_NS UINT64_C(60000000000)

/* A WAL of more that has to be scanned is not for the front pool. */
#define FRONT_SCAN (UINT64_C(8) << 20)

/* ---- snapshots ---------------------------------------------------------------------------------- */

/*
 * Answers with a snapshot of this version, if there is one: 0. ATTEMPT_LATER: somebody is about to make one.
 * ATTEMPT_ALONE: this opening is to make it, and if it is one that copies, later ones wait for it from now
 * on.
 */
static int share(struct opening *opening, const struct version *version) {
        struct snapshot *snapshot;
        struct opening *other;

        mutex_lock(&opening->store->lock);
        snapshot = snapshot_find_locked(opening->source, version);
        LIST_FOREACH (other, &opening->source->openings, link)
                if (!snapshot && other->making && version_equal(&other->version, version))
                        break;
        if (!snapshot && !other && !opening->in_front) {
                opening->version = *version;
                opening->making = true;
        }
        mutex_unlock(&opening->store->lock);
        if (!snapshot && other) {
                opening->pause_ns = MAKER_NS;
                return ATTEMPT_LATER;
        }
        if (!snapshot)
                return ATTEMPT_ALONE;
        opening_answer(opening, snapshot, version);
        snapshot_unref(snapshot);
        return 0;
}

/* Whether a writer may come at any moment whose locks are not seen. */
static bool in_a_hurry(const struct view *view) {
        return view->proof != PROOF_WAL &&
               (clock_age_ns(&view->main) < CALM_NS ||
                (view->version.wal.st_size > 0 && clock_age_ns(&view->version.wal) < CALM_NS));
}

/* Answers with a new snapshot, which later opens may find if it is sharable. Takes view, or file. 0 or
 * -ENOMEM. */
static int answer(struct opening *opening, const struct version *version, enum proof proof,
                  enum engine engine, struct view *view, struct space_file *file, bool sharable) {
        struct store *store = opening->store;
        struct snapshot *snapshot = snapshot_new(store, version, proof, engine, view, file);

        if (!snapshot) {
                view_free(view);
                return -ENOMEM;
        }
        mutex_lock(&store->lock);
        if (sharable)
                snapshot_attach_locked(snapshot, opening->source);
        if (view)
                keeper_lend_locked(snapshot, in_a_hurry(view));
        opening->making = false;
        mutex_unlock(&store->lock);
        /* The view, and what lies in it, may be gone by now. */
        opening_answer(opening, snapshot, &snapshot->version);
        /* Nobody will ask for an older version again. */
        keeper_purge(store, opening->source);
        if (view)
                snapshot_unref(snapshot);
        else
                keeper_linger(snapshot);
        return 0;
}

/* ---- a view ------------------------------------------------------------------------------------- */

/*
 * Whether the name is still that of the main file. A database that was replaced while it was being opened
 * would have been read with the side files of the other. 0 or -ESTALE.
 */
static int still_named(const struct opening *opening) {
        struct stat st;

        if (fstatat(opening->file->dirfd, opening->file->name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            st.st_dev != opening->source->key.dev || st.st_ino != opening->source->key.ino)
                return -ESTALE;
        return 0;
}

static bool unwanted(void *userdata) {
        return opening_unwanted(userdata);
}

/* Whether readers may have the view as it is. */
static bool may_lend(const struct opening *opening, const struct view *view) {
        struct store *store = opening->store;

        if (view->doubtful || store->config.engine != STORE_ENGINE_AUTO ||
            source_has_moved(store, &view->main))
                return false;
        /* An application that came and went just now may be back before it is noticed, and checkpoint. */
        if (view->proof == PROOF_STAT && in_a_hurry(view))
                return false;
        /* One that is likely to be copied needs room for that; without it the open fails, and not a read in
         * the middle. */
        return (view->proof != PROOF_WAL && !in_a_hurry(view)) || space_check(&store->space, view->size) == 0;
}

/* Copies the view, which it takes, and answers. */
static int copy_first(struct opening *opening, struct view *view, bool sharable) {
        struct copy_wish wish = { .unwanted = unwanted, .userdata = opening };
        struct space_file out = SPACE_FILE_NULL;
        enum engine engine;
        int r;

        opening->size = view->size;
        opening->bulk = view->size >= BULK_SIZE;
        if (opening->in_front)
                r = ATTEMPT_MUST_COPY;
        else
                r = keeper_copy(opening->store, view, &wish, &out, &engine);
        if (r == -ESTALE) {
                source_moved(opening->store, view);
                opening->why = "it is written to faster than it can be copied, and its writer's locks cannot "
                               "be seen from here";
                r = -EBUSY;
        } else if (r < 0 && r != -ENOSPC && r != -EINTR) {
                base_log(BASE_LOG_ERROR, "%s: copy: %s", view->file->path, strerror(-r));
        }
        if (r == 0)
                r = answer(opening, &view->version, view->proof, engine, NULL, &out, sharable);
        space_file_deinit(&out);
        view_free(view);
        return r;
}

static int run_held(struct opening *opening, struct view *view) {
        bool sharable = view_stops_commits(view)
                                ? !view->doubtful
                                : version_unchanged(&view->version, view->file, view->main_fd) &&
                                          version_provable(&view->version, view->main_fd);
        int r = still_named(opening);

        if (r == 0)
                r = sharable ? share(opening, &view->version) : ATTEMPT_ALONE;
        if (r != ATTEMPT_ALONE) {
                view_free(view);
                return r;
        }
        if (may_lend(opening, view))
                return answer(opening, &view->version, view->proof, ENGINE_VIEW, view, NULL, sharable);
        return copy_first(opening, view, sharable);
}

/* ---- the private way ---------------------------------------------------------------------------- */

static int run_private(struct opening *opening, const struct view *view) {
        struct copy_wish wish = { .unwanted = unwanted, .userdata = opening };
        struct private_job job = { .view = view,
                                   .space = &opening->store->space,
                                   .wish = &wish,
                                   .accept_quiet_s = opening->store->config.accept_quiet_s };
        bool sharable = version_provable(&view->version, view->main_fd);
        struct version version = view->version;
        int r = sharable ? share(opening, &version) : ATTEMPT_ALONE;

        if (r != ATTEMPT_ALONE)
                return r;
        opening->size = view->size + (uint64_t)version.wal.st_size;
        opening->bulk = opening->size >= BULK_SIZE;
        if (opening->in_front)
                return ATTEMPT_MUST_COPY;
        r = private_make(&job);
        if (r == 0)
                r = still_named(opening);
        if (r == 0) {
                if (job.proof == PROOF_QUIET)
                        base_log(BASE_LOG_WARNING,
                                 "%s: accepted because it was not written for %u s and passes "
                                 "integrity_check (accept_quiet); nothing "
                                 "proves that no transaction is open",
                                 view->file->path, opening->store->config.accept_quiet_s);
                version_set_size(&version, job.size);
                r = answer(opening, &version, job.proof, ENGINE_PRIVATE, NULL, &job.out, sharable);
        }
        space_file_deinit(&job.out);
        if (r == -EBUSY)
                opening->why = job.why;
        return r;
}

/*
 * Whether to try the private way on a source that is locked, by locking_mode=EXCLUSIVE perhaps. Soon in WAL
 * mode, where nothing else locks readers out for long; later in rollback mode, where a commit on a slow disk
 * does.
 */
static bool private_turn(const struct opening *opening, const struct view *view) {
        return opening->attempts >= (version_through_wal(&view->version) ? 3 : 8);
}

/* ---- one attempt -------------------------------------------------------------------------------- */

/* Whether this open has to wait for the end of a second in which there was a commit (STORE_RACY_WAIT). */
static bool second_to_wait_for(struct opening *opening, const struct version *version) {
        opening->pause_ns = version_second_left_ns(version);
        if (opening->store->config.racy != STORE_RACY_WAIT || opening->waited || opening->pause_ns == 0)
                return false;
        opening->waited = true;
        return true;
}

/* Says why the source cannot be looked at. The errno that the opens get. */
static int explain(const struct opening *opening, int r) {
        const char *path = opening->file->path;

        if (r == -EPERM)
                base_log(BASE_LOG_ERROR,
                         "%s: a -wal, -shm or -journal beside it is no regular file, or not everybody who "
                         "may read the database may read "
                         "it: it was not made by SQLite, and is not used",
                         path);
        else if (r != -ESTALE && r != -EBUSY && r != -EAGAIN)
                base_log(BASE_LOG_ERROR, "%s: cannot read it, or what lies beside it: %s", path,
                         strerror(-r));
        return r == -EPERM ? -EACCES : r;
}

/*
 * Nothing is committed yet. That is an empty file, if its first transaction was left by a crash; while an
 * application is at work on it, its end is worth waiting for. An application whose lock is not seen shows by
 * what it writes.
 */
static int run_unborn(struct opening *opening, const struct view *view) {
        int r = lock_shared(view->main_fd);

        if (r == 0)
                r = lock_reserved_held(view->main_fd);
        lock_unshare(view->main_fd);
        opening->why = "its first transaction has not committed yet";
        if (r == 0 && clock_age_ns(&view->version.main) >= UNBORN_NS)
                return answer(opening, &view->version, PROOF_JOURNAL, ENGINE_PRIVATE, NULL, NULL, false);
        return r < 0 ? r : -EBUSY;
}

/* What the look at a source has shown. Takes the view when it answers with it; then *taken is set. */
static int run(struct opening *opening, struct view *view, bool *taken) {
        struct store *store = opening->store;
        int r = unsafe_check(store, view->main_fd, view->file->path);

        if (r < 0)
                return r;
        if (view->version.foreign) {
                base_log(BASE_LOG_ERROR,
                         "%s: a database of a format that this SQLite does not know (wal2, MVCC), whose logs "
                         "cannot be read: refused",
                         view->file->path);
                return -EIO;
        }
        if (unsafe_is_stale(view->main_fd, &view->version.main, &view->version.wal)) {
                opening->why = "it lies on another host, its times and pages are shown as of a while ago "
                               "(sshfs keeps them for 20 s), and it "
                               "was written within the last minute: run litesnapfs on that host";
                return -EBUSY;
        }
        if (second_to_wait_for(opening, &view->version))
                return ATTEMPT_LATER;
        if (view->version.unborn)
                return run_unborn(opening, view);
        if (opening->in_front && view_scans(view, FRONT_SCAN))
                return ATTEMPT_MUST_COPY;
        r = view_hold(view, opening->attempts > 0 ? PATIENCE_NS : 0, &store->wals, &opening->why);
        /* Beside an application that comes and goes a copy of main and WAL can be proven where one of main
         * alone cannot. */
        if (r == 0 && view->proof == PROOF_STAT && private_turn(opening, view))
                return run_private(opening, view);
        if (r == 0) {
                *taken = true;
                return run_held(opening, view);
        }
        if (r == -EAGAIN || (r == -EBUSY && !opening->why && private_turn(opening, view)))
                return run_private(opening, view);
        return r == -EPERM ? explain(opening, r) : r;
}

int attempt_run(struct opening *opening) {
        struct view *view = NULL;
        bool taken = false;
        int r;

        r = view_new(&view, opening->file, opening->source->key.dev, opening->source->key.ino,
                     &opening->store->wals);
        if (r < 0)
                return explain(opening, r);
        r = run(opening, view, &taken);
        if (!taken)
                view_free(view);
        /* What goes wrong with two databases at once says nothing of either. */
        if (r < 0 && r != -EBUSY && still_named(opening) < 0)
                return -ESTALE;
        return r == -EAGAIN ? -EBUSY : r;
}
