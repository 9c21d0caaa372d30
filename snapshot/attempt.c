/*
 * One attempt of an opening: pin what is committed now, share the snapshot of it if there is one, else have
 * one made (making.c).
 *
 * Invariant: whatever can fail for lack of room or rights has been done before the opens are answered (T3).
 */
#include "snapshot/attempt.h"

#include "snapshot/base.h"
#include "snapshot/making.h"
#include "snapshot/unsafe.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/*
 * The first try takes what it gets. Later ones, which know that somebody writes, each wait a little for a gap
 * between two commits.
 */
enum { PATIENCE_NS = 20000000 };

/*
 * How long an open may wait for a reflink to be complete, so that the kernel can read it by itself
 * (passthrough). One that takes longer, of a main file in many extents or with a large WAL, is answered from
 * meanwhile.
 */
enum { CLONE_FIRST_NS = 35000000 };

/* How soon to look again for what another opening is making. */
enum { MAKER_NS = 5000000 };

/* ---- snapshots ---------------------------------------------------------------------------------- */

/*
 * Answers with a snapshot of this version, if there is one: 0. ATTEMPT_LATER: somebody is about to make one.
 * ATTEMPT_ALONE: this opening is to make it, and if it is one that copies, later ones wait for it from now
 * on.
 */
static int share(struct opening *opening) {
        struct snapshot *snapshot;
        struct opening *other;

        mutex_lock(&opening->store->lock);
        snapshot = snapshot_find_locked(opening->source, &opening->version);
        LIST_FOREACH (other, &opening->source->openings, link)
                if (!snapshot && other->making && version_equal(&other->version, &opening->version))
                        break;
        opening->making = !snapshot && !other && !opening->in_front;
        mutex_unlock(&opening->store->lock);
        if (!snapshot && other) {
                opening->pause_ns = MAKER_NS;
                return ATTEMPT_LATER;
        }
        if (!snapshot)
                return ATTEMPT_ALONE;
        ticket_answer_all(opening, snapshot);
        snapshot_unref(snapshot);
        return 0;
}

/* ---- under a pin -------------------------------------------------------------------------------- */

/*
 * Whether the name is still that of the main file. A database that was replaced while it was being opened
 * would have been read with the side files of the other. 0 or -ESTALE.
 */
static int still_named(const struct opening *opening) {
        struct stat st;

        if (fstatat(opening->file.dirfd, opening->file.name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            st.st_dev != opening->source->key.dev || st.st_ino != opening->source->key.ino)
                return -ESTALE;
        return 0;
}

/*
 * Makes opening->version that of the pin. In rollback mode nobody can commit now, so it is looked at once
 * more, and is exact, times and all. In WAL mode its times stay those from before the pin, and the rest is
 * from within. 0 or -errno.
 */
static int version_of_pin(struct opening *opening, struct pin *pin, int main_fd) {
        struct version *version = &opening->version;
        uint8_t bytes[FORMAT_HEADER_SIZE];
        struct format_index index = { 0 };
        uint64_t limit;
        struct stat st;
        int r;

        r = vfs_source_first_page(&pin->vfs, bytes, sizeof(bytes));
        if (r == 0 && fstat(main_fd, &st) < 0)
                r = -errno;
        if (r == 0 && pin_stops_commits(pin))
                r = version_look(version, &opening->file, main_fd, &st, &opening->store->wals);
        if (r == 0)
                r = vfs_source_index(&pin->vfs, &index, version->index);
        if (r < 0)
                return r;
        if (format_header_parse(&version->header, bytes) < 0)
                return -ESTALE;
        limit = index.page_count > 0 ? (uint64_t)index.page_count * index.page_size : (uint64_t)st.st_size;
        version_set_size(version, format_header_size(&version->header, limit));
        return 0;
}

/* Makes the file of engine_backup(), with the first page in place. 0 or -errno. */
static int prepare_backup(struct engine_job *job, struct pin *pin, uint32_t page_size) {
        _cleanup_(base_freep) uint8_t *page = malloc(page_size);
        int r;

        if (!page)
                return -ENOMEM;
        r = space_file_init(&job->out, job->space, job->size);
        if (r < 0)
                return r;
        r = vfs_source_first_page(&pin->vfs, page, page_size);
        if (r == 0)
                r = base_pwrite(job->out.fd, page, page_size, 0);
        if (r == 0 && ftruncate(job->out.fd, (off_t)job->size) < 0)
                r = -errno;
        return r;
}

/* Whether reflinks of files of that device are worth a try. */
static bool may_share(struct store *store, dev_t dev) {
        MUTEX_SCOPE(&store->lock);

        return store->config.engine != STORE_ENGINE_BACKUP && store->unshared != dev;
}

/* Remembers what became of a reflink, and says once which engine is in use. */
static void note_reflink(struct store *store, const char *path, dev_t dev, int r) {
        bool first;

        if (r < 0 && r != -EOPNOTSUPP && r != -EXDEV)
                return;
        mutex_lock(&store->lock);
        if (r == -EXDEV)
                store->unshared = dev;
        first = store->reflink == 0;
        if (first)
                store->reflink = r < 0 ? r : 1;
        mutex_unlock(&store->lock);
        if (first && r == 0)
                base_log(BASE_LOG_INFO, "engine in use: reflink (%s and %s are on one file system)", path,
                         store->space.dir);
        else if (first)
                base_log(store->config.engine == STORE_ENGINE_REFLINK ? BASE_LOG_WARNING : BASE_LOG_INFO,
                         "engine in use: copy (no reflink of %s into %s)", path, store->space.dir);
}

/*
 * Begins the copy, by sharing extents if it can be. A share is complete before the answer if it can be soon,
 * but where a pin can be read through only if that was asked for: the pages of the source are in memory,
 * those of a share are not. 0 or -errno.
 */
static int begin_copy(struct making *making) {
        struct store *store = making->opening->store;
        uint64_t until = base_now_ns() + CLONE_FIRST_NS;
        uint32_t page_size = making->opening->version.header.page_size;
        bool at_once = pin_stops_commits(making->pin) || store->config.engine == STORE_ENGINE_REFLINK;
        dev_t dev = making->opening->source->key.dev;
        int r = -EXDEV;

        if (may_share(store, dev)) {
                r = engine_copy_init(&making->copy, &making->job, making->pin, page_size, true);
                note_reflink(store, making->opening->file.path, dev, r);
        }
        if (r == -EOPNOTSUPP || r == -EXDEV)
                r = engine_copy_init(&making->copy, &making->job, making->pin, page_size, false);
        else if (r == 0 && at_once)
                r = engine_copy_run(&making->copy, &making->job, until);
        return r < 0 ? r : 0;
}

/* The backup, where it was asked for. It would round up a file that does not consist of whole pages. */
static bool wants_backup(const struct opening *opening) {
        return opening->store->config.engine == STORE_ENGINE_BACKUP &&
               (uint64_t)opening->version.attr.st_size % opening->version.header.page_size == 0;
}

static int run_pinned(struct making *making) {
        struct opening *opening = making->opening;
        struct engine_job *job = &making->job;
        struct pin *pin = making->pin;
        uint32_t page_size;
        bool sharable;
        int r;

        r = still_named(opening);
        if (r == 0)
                r = version_of_pin(opening, pin, job->main_fd);
        if (r < 0)
                return r;
        /* In rollback mode each commit counts up in page 1, so times need not be old to prove anything (S3).
         */
        sharable = pin_stops_commits(pin) ||
                   (version_unchanged(&opening->version, &opening->file, job->main_fd) &&
                    version_provable(&opening->version));
        r = sharable ? share(opening) : ATTEMPT_ALONE;
        if (r != ATTEMPT_ALONE)
                return r;
        if (opening->in_front)
                return ATTEMPT_MUST_COPY;
        job->size = (uint64_t)opening->version.attr.st_size;
        page_size = opening->version.header.page_size;
        r = wants_backup(opening) ? prepare_backup(job, pin, page_size) : begin_copy(making);
        if (r < 0) {
                space_file_deinit(&job->out);
                return r;
        }
        if (!making->copy.pin)
                r = making_answer(making, ENGINE_BACKUP, page_size, sharable, false);
        else
                r = making_answer(making, making->copy.clone ? ENGINE_REFLINK : ENGINE_COPY, making->copy.at,
                                  sharable, making->copy.at < job->size);
        return r < 0 ? r : ATTEMPT_ANSWERED;
}

/* ---- the private way ---------------------------------------------------------------------------- */

static int run_private(struct making *making) {
        struct opening *opening = making->opening;
        struct engine_job *job = &making->job;
        bool sharable = version_provable(&opening->version);
        int r;

        r = sharable ? share(opening) : ATTEMPT_ALONE;
        if (r != ATTEMPT_ALONE)
                return r;
        if (opening->in_front)
                return ATTEMPT_MUST_COPY;
        r = engine_private(job, &opening->version, &opening->why);
        if (r == 0 && still_named(opening) < 0) {
                space_file_deinit(&job->out);
                r = -ESTALE;
        }
        if (r < 0)
                return r;
        mutex_lock(&opening->store->lock);
        opening->making = false;
        version_set_size(&opening->version, job->size);
        mutex_unlock(&opening->store->lock);
        r = making_answer(making, ENGINE_PRIVATE, job->size, sharable, false);
        return r < 0 ? r : ATTEMPT_ANSWERED;
}

/*
 * Whether to try the private way on a source that is locked, by locking_mode=EXCLUSIVE perhaps. Soon in WAL
 * mode, where nothing else locks readers out for long; later in rollback mode, where a commit on a slow disk
 * does.
 */
static bool private_turn(const struct opening *opening) {
        return opening->attempts >= (opening->version.header.wal ? 3 : 8);
}

/* ---- one attempt -------------------------------------------------------------------------------- */

static int open_main(const struct opening *opening, struct stat *st) {
        int fd = base_open_source(opening->file.dirfd, opening->file.name, 0);

        if (fd < 0) {
                if (fd == -ENOENT || fd == -ELOOP || fd == -ENXIO)
                        return -ESTALE;
                base_log(BASE_LOG_ERROR, "%s: cannot open: %s", opening->file.path, strerror(-fd));
                return fd;
        }
        if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode) || st->st_dev != opening->source->key.dev ||
            st->st_ino != opening->source->key.ino) {
                close(fd);
                return -ESTALE;
        }
        return fd;
}

/* Whether this open has to wait for the end of a second in which there was a commit (STORE_RACY_WAIT). */
static bool second_to_wait_for(struct opening *opening) {
        opening->pause_ns = version_second_left_ns(&opening->version);
        if (opening->store->config.racy != STORE_RACY_WAIT || opening->waited || opening->pause_ns == 0)
                return false;
        opening->waited = true;
        return true;
}

/* With a making for it, to be freed unless the result is ATTEMPT_ANSWERED. */
static int run(struct making *making) {
        struct opening *opening = making->opening;
        struct stat st;
        int r;

        making->main_fd = making->job.main_fd = open_main(opening, &st);
        if (making->main_fd < 0)
                return making->main_fd;
        r = unsafe_check(opening->store, making->main_fd, opening->file.path);
        if (r < 0)
                return r;
        r = version_look(&opening->version, &opening->file, making->main_fd, &st, &opening->store->wals);
        if (r < 0 && r != -ESTALE)
                base_log(BASE_LOG_ERROR, "%s: cannot read it, or what lies beside it: %s", opening->file.path,
                         strerror(-r));
        if (r < 0)
                return r;
        if (second_to_wait_for(opening))
                return ATTEMPT_LATER;
        r = pin_new(&making->pin, &opening->file, making->main_fd, opening->attempts > 0 ? PATIENCE_NS : 0);
        if (r == 0)
                return run_pinned(making);
        if (r == -EAGAIN || (r == -EBUSY && private_turn(opening)))
                return run_private(making);
        return r;
}

int attempt_run(struct opening *opening) {
        struct making *making = making_new(opening);
        int r;

        if (!making)
                return -ENOMEM;
        mutex_lock(&opening->store->lock);
        opening->making = false; /* from here on the version is not the one that others may wait for */
        mutex_unlock(&opening->store->lock);
        r = run(making);
        if (r == ATTEMPT_ANSWERED) {
                making_go_on(making);
                return r;
        }
        making_free(making);
        /* What goes wrong with two databases at once says nothing of either. */
        if (r < 0 && r != -EBUSY && still_named(opening) < 0)
                return -ESTALE;
        return r == -EAGAIN ? -EBUSY : r;
}
