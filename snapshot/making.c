/*
 * From the answer on: a pin is held and read through, until the snapshot has to have bytes of its own.
 *
 * In rollback mode a pin stops commits, so copying begins with the first read, or very soon without one. In
 * WAL mode it blocks nobody, but the WAL cannot start anew while it lives: the pin is lent to readers for as
 * long as they are faster than a copy would be. Whoever is done by then (cp, rsync or borg on the same
 * machine) cost no copy at all. In either mode who reads nothing costs none (borg, file managers: F5).
 *
 * Invariant: the pin goes only when no read uses it any more, and its opening ends with it.
 */
#include "snapshot/making.h"

#include "snapshot/base.h"

#include <errno.h>

/*
 * How long a pin may wait for its first read, and how much longer for each byte that is read through it: 256
 * MiB/s, about a third of the speed of a copy on a disk. Who has read that much more than there is reads
 * again and again, and is better served from a copy.
 */
enum { IDLE_PIN_NS = 50000000, NS_PER_MIB = 4000000, READ_TWICE = 4 };

/*
 * How long a pin that stops commits may wait for a first read: for fstat and close, and little beside the
 * time that it takes a writer to commit.
 */
enum { IDLE_LOCK_NS = 2000000 };

/* ---- what engines ask and tell ------------------------------------------------------------------ */

static bool unwanted(void *userdata) {
        struct making *making = userdata;
        struct opening *opening = making->opening;

        if (making->snapshot)
                return snapshot_abandon(making->snapshot);
        MUTEX_SCOPE(&opening->store->lock);
        return opening->store->closing || TAILQ_EMPTY(&opening->tickets);
}

static void on_frontier(void *userdata, uint64_t frontier) {
        struct making *making = userdata;

        snapshot_advance(making->snapshot, frontier);
}

struct making *making_new(struct opening *opening) {
        struct making *making = calloc(1, sizeof(*making));

        if (!making)
                return NULL;
        making->opening = opening;
        making->main_fd = -1;
        making->job = (struct engine_job){ .file = &opening->file,
                                           .space = &opening->store->space,
                                           .main_fd = -1,
                                           .unwanted = unwanted,
                                           .userdata = making,
                                           .on_frontier = NULL,
                                           .out = SPACE_FILE_NULL };
        making->live = (struct live){ .job = &making->job, .copy = &making->copy };
        return making;
}

struct making *making_free(struct making *making) {
        if (!making)
                return NULL;
        engine_copy_deinit(&making->copy);
        pin_free(making->pin);
        base_closep(&making->main_fd);
        free(making);
        return NULL;
}

/* ---- the answer --------------------------------------------------------------------------------- */

int making_answer(struct making *making, enum engine engine, uint64_t frontier, bool sharable,
                  bool read_live) {
        struct opening *opening = making->opening;
        struct store *store = opening->store;
        struct snapshot *snapshot =
                snapshot_new(store, &opening->version, engine, &making->job.out, frontier);

        if (!snapshot) {
                space_file_deinit(&making->job.out);
                return -ENOMEM;
        }
        making->snapshot = snapshot;
        making->since_ns = base_now_ns();
        mutex_lock(&store->lock);
        snapshot->live = read_live ? &making->live : NULL;
        if (sharable)
                snapshot_attach_locked(snapshot, opening->source);
        opening->making = false;
        mutex_unlock(&store->lock);
        ticket_answer_all(opening, snapshot);
        /* Nobody will ask for an older version again. */
        snapshot_purge_lingering(store, opening->source);
        return 0;
}

/* ---- after it ----------------------------------------------------------------------------------- */

/* Copies what is to be copied. */
static void make(struct making *making) {
        struct snapshot *snapshot = making->snapshot;
        struct engine_job *job = &making->job;
        int r;

        job->out = snapshot->file;
        job->on_frontier = on_frontier;
        if (unwanted(making))
                r = -EINTR;
        else if (making->copy.pin)
                r = engine_copy_run(&making->copy, job, 0);
        else
                r = engine_backup(job, making->pin, making->opening->version.header.page_size);
        snapshot_finish(snapshot, r);
}

static void finish(struct making *making) {
        struct opening *opening = making->opening;

        snapshot_linger(making->snapshot);
        making_free(making);
        opening_finish(opening, 0);
}

/*
 * Waits a moment for somebody to read or to leave. The thread waits itself: in the queue it might have to let
 * others copy first, while the application cannot commit.
 */
static void await_interest(const struct making *making) {
        struct snapshot *snapshot = making->snapshot;
        uint64_t until = making->since_ns + IDLE_LOCK_NS;
        int r = 0;
        MUTEX_SCOPE(&snapshot->store->lock);

        while (r == 0 && !snapshot_unwanted_locked(snapshot) && snapshot->live_bytes == 0 && !snapshot->waits)
                r = mutex_wait(&snapshot->store->lock, &snapshot->stirred, until);
}

/* For how much longer the pin may be lent. */
static uint64_t lent_ns_locked(const struct making *making) {
        const struct snapshot *snapshot = making->snapshot;
        uint64_t until = making->since_ns + IDLE_PIN_NS, now = base_now_ns();

        if (snapshot_unwanted_locked(snapshot) || snapshot->waits ||
            snapshot->live_bytes > making->job.size + making->job.size / READ_TWICE)
                return 0;
        until += (snapshot->live_bytes >> 20) * NS_PER_MIB;
        return until > now ? until - now : 0;
}

static void on_time(struct work *work) {
        struct making *making = container_of(work, struct making, work);
        struct store *store = making->opening->store;
        uint64_t lent;

        mutex_lock(&store->lock);
        making->snapshot->held = NULL;
        lent = lent_ns_locked(making);
        if (lent > 0) {
                making->snapshot->held = work;
                worker_submit(store->copies, work, on_time, lent);
        }
        mutex_unlock(&store->lock);
        if (lent > 0)
                return;
        make(making);
        finish(making);
}

void making_go_on(struct making *making) {
        if (snapshot_complete(making->snapshot)) {
                finish(making);
        } else if (pin_stops_commits(making->pin)) {
                await_interest(making);
                make(making);
                finish(making);
        } else {
                on_time(&making->work);
        }
}
