/*
 * Openings: how opens of one source wait together, are tried again, and are answered.
 *
 * An opening is run by a worker (attempt.c), first in the front pool, where nothing takes long, so that no
 * open has to wait for the copies of others. Opens that come before it begins to pin may join it; later ones
 * start their own, since its version may lack what was committed before they came (promise 1). One that meets
 * a lock of an application is queued again until its deadline, and holds no thread and no lock of its own
 * meanwhile.
 *
 * Invariants: an opening without tickets is wanted by nobody and ends at the next look; each ticket is
 * answered once, by the thread that takes it off the list under store->lock.
 */
#include "snapshot/opening.h"

#include "snapshot/attempt.h"
#include "snapshot/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Between two tries of an opening that meets a lock: the others of its pool have a turn. */
enum { PAUSE_NS = 2000000 };

/* How long room that others have just given up may take to come back: the kernel closes files behind the back
 * of those that closed them. */
enum { ROOM_NS = 100000000 };

/* ---- tickets ------------------------------------------------------------------------------------ */

void ticket_unref_locked(struct store_ticket *ticket) {
        mutex_assert_held(&ticket->store->lock);
        if (--ticket->refs == 0)
                free(ticket);
}

/*
 * Answers those whose deadline is not after until_ns: r 0 and a snapshot with what is shown of it, or -errno
 * and NULL. How many. Gives the lock up around each answer.
 */
static unsigned answer_locked(struct opening *opening, uint64_t until_ns, int r, struct snapshot *snapshot,
                              const struct stat *attr) {
        struct store_ticket *ticket = TAILQ_FIRST(&opening->tickets);
        unsigned n = 0;

        while (ticket) {
                if (ticket->deadline_ns > until_ns) {
                        ticket = TAILQ_NEXT(ticket, link);
                        continue;
                }
                TAILQ_REMOVE(&opening->tickets, ticket, link);
                ticket->opening = NULL;
                if (snapshot)
                        snapshot->refs++;
                mutex_unlock(&opening->store->lock);
                ticket->fn(ticket->userdata, r, snapshot, attr);
                mutex_lock(&opening->store->lock);
                ticket_unref_locked(ticket);
                ticket = TAILQ_FIRST(&opening->tickets);
                n++;
        }
        return n;
}

void opening_answer(struct opening *opening, struct snapshot *snapshot, const struct version *version) {
        struct stat attr;

        version_show(version, opening->store->config.racy, &attr);
        mutex_lock(&opening->store->lock);
        answer_locked(opening, UINT64_MAX, 0, snapshot, &attr);
        mutex_unlock(&opening->store->lock);
}

/* Hands all tickets over to another opening, which has not begun. */
static void join_locked(struct opening *opening, struct opening *other) {
        struct store_ticket *ticket;

        mutex_assert_held(&opening->store->lock);
        TAILQ_FOREACH (ticket, &opening->tickets, link)
                ticket->opening = other;
        TAILQ_CONCAT(&other->tickets, &opening->tickets, link);
        if (other->attempts < opening->attempts)
                other->attempts = opening->attempts;
}

/* ---- life --------------------------------------------------------------------------------------- */

int opening_new(struct opening **out, struct store *store, const struct store_file *file) {
        struct opening *opening = calloc(1, sizeof(*opening));

        if (!opening)
                return -ENOMEM;
        opening->store = store;
        opening->in_front = true;
        TAILQ_INIT(&opening->tickets);
        opening->file = file_copy(file);
        if (!opening->file) {
                int r = -errno;

                free(opening);
                return r;
        }
        *out = opening;
        return 0;
}

struct opening *opening_free(struct opening *opening) {
        if (!opening)
                return NULL;
        file_free(opening->file);
        free(opening);
        return NULL;
}

/* Answers the tickets that are left with an error, takes the opening off its source and frees it. No lock
 * held. */
static void end(struct opening *opening, int r) {
        struct store *store = opening->store;
        struct source *source = opening->source;

        mutex_lock(&store->lock);
        if (source->joinable == opening)
                source->joinable = NULL;
        opening->making = false;
        /* This lets go of the lock: until it is done, the opening keeps its source. */
        answer_locked(opening, UINT64_MAX, r, NULL, NULL);
        LIST_REMOVE(opening, link);
        source_put_locked(store, source);
        mutex_unlock(&store->lock);
        opening_free(opening);
}

bool opening_unwanted(struct opening *opening) {
        MUTEX_SCOPE(&opening->store->lock);

        return opening->store->closing || TAILQ_EMPTY(&opening->tickets);
}

/* ---- what is said of a failure ---------------------------------------------------------------------- */

static void log_failure(const struct opening *opening, int r) {
        const char *why = opening->why, *path = opening->file->path;

        if (r == -EBUSY && why)
                base_log(BASE_LOG_ERROR, "%s: busy: no consistent copy within %u ms: %s", path,
                         opening->store->config.busy_timeout_ms, why);
        else if (r == -EBUSY)
                base_log(BASE_LOG_ERROR, "%s: busy: locked by an application for longer than %u ms", path,
                         opening->store->config.busy_timeout_ms);
        else if (r == -ENOSPC)
                space_log_full(&opening->store->space, path, opening->size);
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
        opening->making = false; /* from here on the version is not the one that others may wait for */
        return true;
}

static void opening_run(struct work *work);

static void queue(struct opening *opening, uint64_t pause_ns) {
        struct store *store = opening->store;

        worker_submit(opening->in_front ? store->front
                      : opening->bulk   ? store->bulk
                                        : store->copies,
                      &opening->work, opening_run, pause_ns);
}

/* Queues it once more, and opens that come meanwhile may join it; or joins one that came meanwhile. */
static void come_again(struct opening *opening, uint64_t pause_ns) {
        bool joined;

        mutex_lock(&opening->store->lock);
        joined = opening->source->joinable != NULL;
        if (joined)
                join_locked(opening, opening->source->joinable);
        else
                opening->source->joinable = opening;
        mutex_unlock(&opening->store->lock);
        if (joined)
                end(opening, -ECANCELED);
        else
                queue(opening, pause_ns);
}

/* Those whose time is over are told; for the others it is tried once more. */
static void refused(struct opening *opening) {
        unsigned n_expired;

        opening->attempts++;
        mutex_lock(&opening->store->lock);
        n_expired = answer_locked(opening, base_now_ns(), -EBUSY, NULL, NULL);
        mutex_unlock(&opening->store->lock);
        if (n_expired > 0)
                log_failure(opening, -EBUSY);
        come_again(opening, PAUSE_NS);
}

/* Whether to try once more after -ENOSPC. */
static bool room_may_come(struct opening *opening) {
        uint64_t now = base_now_ns();

        if (keeper_purge(opening->store, NULL) > 0)
                return true;
        if (opening->room_until_ns == 0)
                opening->room_until_ns = now + ROOM_NS;
        return space_used(&opening->store->space) > 0 && now < opening->room_until_ns;
}

static void opening_run(struct work *work) {
        struct opening *opening = container_of(work, struct opening, work);
        int r;

        if (!begin(opening)) {
                end(opening, -ECANCELED);
                return;
        }
        r = attempt_run(opening);
        if (r == ATTEMPT_LATER) {
                come_again(opening, opening->pause_ns);
                return;
        }
        opening->in_front = false;
        if (r == ATTEMPT_MUST_COPY) {
                queue(opening, 0);
                return;
        }
        if (r == -EBUSY) {
                refused(opening);
                return;
        }
        /* Copies that nobody reads have descriptors, too. */
        if ((r == -ENOSPC && room_may_come(opening)) ||
            ((r == -EMFILE || r == -ENFILE) && keeper_purge(opening->store, NULL) > 0)) {
                come_again(opening, PAUSE_NS);
                return;
        }
        if (r < 0)
                log_failure(opening, r);
        end(opening, r == -EINTR ? -ECANCELED : r);
}

void opening_start(struct opening *opening) {
        queue(opening, 0);
}
