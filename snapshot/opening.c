/*
 * Openings: how opens of one source wait together, are tried again, and are answered.
 *
 * An opening is run by a worker (attempt.c). Whoever comes before it begins to pin may join it; later ones
 * start their own, since its version may lack what was committed before they came (P1). One that meets a lock
 * of an application is queued again until its deadline, and holds no thread and no lock of its own meanwhile
 * (F6).
 *
 * Invariants: an opening without tickets is wanted by nobody and ends at the next look; each ticket is
 * answered once, by whoever takes it off the list under store->lock.
 */
#include "snapshot/opening.h"

#include "snapshot/attempt.h"
#include "snapshot/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Between two tries of an opening that meets a lock: the others of its pool have a turn. */
enum { PAUSE_NS = 2000000 };

/* How long room that others have just given up may take to come back: the kernel closes files behind the back
 * of whoever closed them. */
enum { ROOM_NS = 100000000 };

int opening_new(struct opening **out, struct store *store, const struct store_file *file) {
        struct opening *opening = calloc(1, sizeof(*opening));
        size_t name_size = strlen(file->name) + 1, path_size = strlen(file->path) + 1;

        if (!opening)
                return -ENOMEM;
        opening->store = store;
        TAILQ_INIT(&opening->tickets);
        opening->strings = malloc(name_size + path_size);
        opening->file.dirfd = opening->strings ? fcntl(file->dirfd, F_DUPFD_CLOEXEC, 3) : -1;
        if (opening->file.dirfd < 0) {
                int r = opening->strings ? -errno : -ENOMEM;

                opening_free(opening);
                return r;
        }
        opening->file.name = memcpy(opening->strings, file->name, name_size);
        opening->file.path = memcpy(opening->strings + name_size, file->path, path_size);
        *out = opening;
        return 0;
}

/* ---- what is said of a failure ---------------------------------------------------------------------- */

static void log_failure(const struct opening *opening, int r) {
        const char *why = opening->why, *path = opening->file.path;

        if (r == -EBUSY && why)
                base_log(BASE_LOG_ERROR, "%s: busy: no consistent copy within %u ms: %s", path,
                         opening->store->config.busy_timeout_ms, why);
        else if (r == -EBUSY)
                base_log(BASE_LOG_ERROR, "%s: busy: locked by an application for longer than %u ms", path,
                         opening->store->config.busy_timeout_ms);
        else if (r == -ENOSPC)
                base_log(BASE_LOG_ERROR, "%s: no space in %s for a snapshot of %llu bytes", path,
                         opening->store->space.dir, (unsigned long long)opening->version.attr.st_size);
}

/* ---- running ------------------------------------------------------------------------------------ */

/* Whether the opening may go on; then nobody joins it any more. */
static bool begin(struct opening *opening) {
        MUTEX_SCOPE(&opening->store->lock);
        struct store_ticket *ticket;
        uint64_t deadline = base_now_ns() + (uint64_t)opening->store->config.busy_timeout_ms * 1000000;

        if (opening->store->closing || TAILQ_EMPTY(&opening->tickets))
                return false;
        if (opening->source->joinable == opening)
                opening->source->joinable = NULL;
        /* The time that passed in the queue is not the application's. */
        TAILQ_FOREACH (ticket, &opening->tickets, link)
                if (ticket->deadline_ns == 0)
                        ticket->deadline_ns = deadline;
        return true;
}

static void opening_run(struct work *work);

/* Queues it once more, and whoever comes meanwhile may join it; or joins one that came meanwhile. */
static void come_again(struct opening *opening, uint64_t pause_ns) {
        bool joined;

        mutex_lock(&opening->store->lock);
        joined = opening->source->joinable != NULL;
        if (joined)
                ticket_join_locked(opening, opening->source->joinable);
        else
                opening->source->joinable = opening;
        mutex_unlock(&opening->store->lock);
        if (joined)
                opening_finish(opening, -ECANCELED);
        else
                worker_submit(opening->store->copies, &opening->work, opening_run, pause_ns);
}

/* Those whose time is over are told; for the others it is tried once more. */
static void refused(struct opening *opening) {
        unsigned n_expired;

        opening->attempts++;
        mutex_lock(&opening->store->lock);
        n_expired = ticket_answer_locked(opening, base_now_ns(), -EBUSY, NULL);
        mutex_unlock(&opening->store->lock);
        if (n_expired > 0)
                log_failure(opening, -EBUSY);
        come_again(opening, PAUSE_NS);
}

/* Whether to try once more after -ENOSPC. */
static bool room_may_come(struct opening *opening) {
        uint64_t now = base_now_ns();

        if (snapshot_purge_lingering(opening->store, NULL) > 0)
                return true;
        if (opening->room_until_ns == 0)
                opening->room_until_ns = now + ROOM_NS;
        return space_used(&opening->store->space) > 0 && now < opening->room_until_ns;
}

static void opening_run(struct work *work) {
        struct opening *opening = container_of(work, struct opening, work);
        int r;

        if (!begin(opening)) {
                opening_finish(opening, -ECANCELED);
                return;
        }
        r = attempt_run(opening);
        if (r == ATTEMPT_ANSWERED)
                return;
        opening->in_front = false;
        switch (r) {
        case ATTEMPT_MUST_COPY:
                worker_submit(opening->store->copies, &opening->work, opening_run, 0);
                return;
        case ATTEMPT_LATER:
                come_again(opening, opening->pause_ns);
                return;
        case -EBUSY:
                refused(opening);
                return;
        case -ENOSPC:
                if (room_may_come(opening)) {
                        come_again(opening, PAUSE_NS);
                        return;
                }
                log_failure(opening, r);
                break;
        case -EINTR:
                r = -ECANCELED;
                break;
        default:
                if (r < 0)
                        log_failure(opening, r);
        }
        opening_finish(opening, r);
}

void opening_start(struct opening *opening) {
        struct store *store = opening->store;

        mutex_lock(&store->lock);
        opening->in_front = !LIST_EMPTY(&opening->source->snapshots);
        mutex_unlock(&store->lock);
        worker_submit(opening->in_front ? store->front : store->copies, &opening->work, opening_run, 0);
}
