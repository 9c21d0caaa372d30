/*
 * What becomes of snapshots after they were answered.
 *
 * A view is lent for as long as that harms nobody:
 *
 * - In rollback mode it stops commits. Once a writer prepares one, it is copied, and the writer waits for
 * that copy and no longer.
 * - In WAL mode it blocks nobody, but the WAL cannot start anew while it lives. It is lent for as long as it
 * is read faster than a copy could be made, then copied.
 * - One that was written just now has a writer whose locks may not be seen. It is copied from the first read
 * on, which goes on meanwhile: a copy is done sooner than most readers, and what is read after that cannot be
 * disturbed any more.
 * - A database that nobody has open costs nothing to lend. When an application comes, one of the rules above
 * holds.
 *
 * So a reader that is done by then (cp, rsync or borg on the same machine), and one that reads nothing, cost
 * no copy at all.
 *
 * Invariants: a snapshot is in store->live exactly while its view is lent; the work that copies it holds a
 * reference.
 */
#include "snapshot/keeper.h"

#include <errno.h>
#include <string.h>

/*
 * How long a pin may wait for its first read, and how much longer for each byte that is read through it: 256
 * MiB/s, about a third of the speed of a copy on a disk. A reader that has read a quarter more than there is
 * reads again and again, and is better served from a copy.
 */
enum { IDLE_PIN_NS = 50000000, NS_PER_MIB = 4000000, READ_TWICE = 4 };

/* How often lent views are looked at, and how much longer the pause is for each of them. */
enum { TICK_NS = 5000000, TICK_MORE_NS = 100000, TICK_LINGERING_NS = 500000000 };

/* Copies that nobody reads: no more than so many, and none while less of the file system is free. */
enum { LINGERING_MOST = 64, FREE_PERCENT = 10 };

/* ---- copying ------------------------------------------------------------------------------------ */

/* Whether reflinks of files of that device are worth a try. */
static bool may_share(struct store *store, dev_t dev) {
        MUTEX_SCOPE(&store->lock);

        return store->unshared != dev;
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

int keeper_copy(struct store *store, const struct view *view, const struct copy_wish *wish,
                struct space_file *out, enum engine *engine) {
        dev_t dev = view->main.st_dev;
        struct copy copy;
        int r = -EXDEV;

        if (may_share(store, dev)) {
                r = copy_init(&copy, view, &store->space, true);
                note_reflink(store, view->file->path, dev, r);
        }
        if (r == -EXDEV || r == -EOPNOTSUPP)
                r = copy_init(&copy, view, &store->space, false);
        if (r < 0)
                return r;
        r = copy_run(&copy, wish, 0);
        if (r == 0) {
                *engine = copy.clone ? ENGINE_REFLINK : ENGINE_COPY;
                *out = copy.out;
                copy.out = (struct space_file)SPACE_FILE_NULL;
        }
        copy_deinit(&copy);
        return r;
}

/* Once it says so the copy will not come, so no later open may find the snapshot. */
static bool unwanted(void *userdata) {
        struct snapshot *snapshot = userdata;
        MUTEX_SCOPE(&snapshot->store->lock);

        if (snapshot->refs > 1 && !snapshot->store->closing)
                return false;
        snapshot_detach_locked(snapshot);
        return true;
}

static void say_why(struct snapshot *snapshot, int r) {
        const struct view *view = snapshot->view;

        if (r == -ENOSPC)
                space_log_full(&snapshot->store->space, view->file->path, view->size);
        else if (r == -ESTALE)
                base_log(BASE_LOG_ERROR,
                         "%s: was written to while it was copied, in spite of our lock: its readers get an "
                         "error",
                         view->file->path);
        else if (r != -EINTR)
                base_log(BASE_LOG_ERROR, "%s: copy: %s", view->file->path, strerror(-r));
        if (r == -ESTALE)
                source_moved(snapshot->store, view);
}

static void copy_now(struct work *work) {
        struct snapshot *snapshot = container_of(work, struct snapshot, copying);
        struct copy_wish wish = { .unwanted = unwanted, .userdata = snapshot };
        struct space_file out = SPACE_FILE_NULL;
        enum engine engine = ENGINE_COPY;
        int r = unwanted(snapshot) ? -EINTR
                                   : keeper_copy(snapshot->store, snapshot->view, &wish, &out, &engine);

        if (r == -ENOSPC && keeper_purge(snapshot->store, NULL) > 0)
                r = keeper_copy(snapshot->store, snapshot->view, &wish, &out, &engine);
        if (r < 0)
                say_why(snapshot, r);
        snapshot_settle(snapshot, r, engine, &out);
        if (r == 0)
                keeper_linger(snapshot);
        else
                snapshot_unref(snapshot);
}

/* Takes it off the list and has it copied. */
static void copy_soon_locked(struct snapshot *snapshot) {
        struct store *store = snapshot->store;

        keeper_drop_locked(snapshot);
        snapshot->refs++;
        worker_submit(snapshot_size(snapshot) < BULK_SIZE ? store->copies : store->bulk, &snapshot->copying,
                      copy_now, 0);
}

/* ---- looking after them ------------------------------------------------------------------------- */

/* What a look at the source says of a view that is lent. */
struct look {
        bool pinned;  /* by a read transaction in a WAL */
        bool writer;  /* one waits for the view to go */
        bool visitor; /* an application has come */
};

/* Whether it may be lent no longer. */
static bool has_to_go_locked(struct snapshot *snapshot, const struct look *look) {
        uint64_t total = snapshot_size(snapshot), now = base_now_ns();

        if (look->writer)
                return true;
        if (!look->pinned && !look->visitor) {
                snapshot->since_ns = now;
                snapshot->bytes = 0;
                return false;
        }
        return snapshot->bytes > total + total / READ_TWICE ||
               now >= snapshot->since_ns + IDLE_PIN_NS + (snapshot->bytes >> 20) * NS_PER_MIB;
}

/* The next one of this round, which goes to the end of the list, with its view in use as by a read; NULL when
 * all were looked at. */
static struct snapshot *next_live_locked(struct store *store) {
        struct snapshot *snapshot = TAILQ_FIRST(&store->live);

        if (!snapshot || snapshot->round == store->round)
                return NULL;
        TAILQ_REMOVE(&store->live, snapshot, live_link);
        TAILQ_INSERT_TAIL(&store->live, snapshot, live_link);
        snapshot->round = store->round;
        snapshot->refs++;
        snapshot->reads++;
        return snapshot;
}

static struct look look_at(struct view *view) {
        bool rollback = view_stops_commits(view);

        return (struct look){ .pinned = view->pin != NULL,
                              .writer = rollback && view_writer_waits(view),
                              .visitor = !rollback && view_meet_visitor(view) };
}

/* One round over the views that are lent. The list may change whenever the lock is let go. */
static void look_after_live(struct store *store) {
        struct snapshot *snapshot;

        mutex_lock(&store->lock);
        store->round++;
        while ((snapshot = next_live_locked(store))) {
                struct view *view = snapshot->view;
                struct look look;

                mutex_unlock(&store->lock);
                look = look_at(view);
                mutex_lock(&store->lock);
                if (--snapshot->reads == 0)
                        pthread_cond_signal(&snapshot->idle);
                if (snapshot->live && snapshot->refs > 1 &&
                    (has_to_go_locked(snapshot, &look) || store->closing))
                        copy_soon_locked(snapshot);
                mutex_unlock(&store->lock);
                snapshot_unref(snapshot);
                mutex_lock(&store->lock);
        }
        mutex_unlock(&store->lock);
}

/* Lets go of copies whose time is over. */
static void look_after_lingering(struct store *store) {
        struct snapshot *snapshot, *next;
        uint64_t now = base_now_ns();

        mutex_lock(&store->lock);
        for (snapshot = LIST_FIRST(&store->lingering); snapshot; snapshot = next) {
                next = LIST_NEXT(snapshot, lingering_link);
                if (snapshot->refs > 1 ||
                    (now < snapshot->linger_until_ns && snapshot->source && !store->closing))
                        continue;
                keeper_drop_locked(snapshot);
                mutex_unlock(&store->lock);
                snapshot_unref(snapshot);
                mutex_lock(&store->lock);
                next = LIST_FIRST(&store->lingering);
        }
        mutex_unlock(&store->lock);
}

static void keep(struct work *work) {
        struct store *store = container_of(work, struct store, keeper);
        uint64_t pause;

        look_after_live(store);
        look_after_lingering(store);
        mutex_lock(&store->lock);
        pause = store->n_live > 0 ? TICK_NS + (uint64_t)store->n_live * TICK_MORE_NS : TICK_LINGERING_NS;
        store->keeping = (store->n_live > 0 || store->n_lingering > 0) && !store->closing;
        if (store->keeping)
                worker_submit(store->front, work, keep, pause);
        mutex_unlock(&store->lock);
}

static void wake_locked(struct store *store, uint64_t pause) {
        mutex_assert_held(&store->lock);
        if (store->keeping)
                worker_hasten(store->front, &store->keeper);
        else if (!store->closing)
                worker_submit(store->front, &store->keeper, keep, pause);
        store->keeping = true;
}

void keeper_read_locked(struct snapshot *snapshot) {
        if (snapshot->live && snapshot->hurry)
                copy_soon_locked(snapshot);
}

void keeper_lend_locked(struct snapshot *snapshot, bool hurry) {
        struct store *store = snapshot->store;

        snapshot->hurry = hurry;
        snapshot->live = true;
        TAILQ_INSERT_TAIL(&store->live, snapshot, live_link);
        if (store->n_live++ == 0)
                wake_locked(store, TICK_NS);
}

void keeper_drop_locked(struct snapshot *snapshot) {
        struct store *store = snapshot->store;

        mutex_assert_held(&store->lock);
        if (snapshot->live) {
                TAILQ_REMOVE(&store->live, snapshot, live_link);
                store->n_live--;
        }
        if (snapshot->lingering) {
                LIST_REMOVE(snapshot, lingering_link);
                store->n_lingering--;
        }
        snapshot->live = snapshot->lingering = false;
}

void keeper_linger(struct snapshot *snapshot) {
        struct store *store = snapshot->store;
        uint64_t linger_ns = (uint64_t)store->config.linger_s * 1000000000;
        bool room = space_free_percent(&store->space) >= FREE_PERCENT, stays;

        mutex_lock(&store->lock);
        stays = linger_ns > 0 && room && snapshot->source && !store->closing &&
                store->n_lingering < LINGERING_MOST;
        if (stays) {
                snapshot->lingering = true;
                snapshot->linger_until_ns = base_now_ns() + linger_ns;
                LIST_INSERT_HEAD(&store->lingering, snapshot, lingering_link);
                if (store->n_lingering++ == 0 && store->n_live == 0)
                        wake_locked(store, TICK_LINGERING_NS);
        }
        mutex_unlock(&store->lock);
        if (!stays)
                snapshot_unref(snapshot);
}

unsigned keeper_purge(struct store *store, const struct source *source) {
        struct snapshot *snapshot, *next;
        unsigned n = 0;

        mutex_lock(&store->lock);
        for (snapshot = LIST_FIRST(&store->lingering); snapshot; snapshot = next) {
                next = LIST_NEXT(snapshot, lingering_link);
                if (snapshot->refs > 1 || (source && snapshot->source != source))
                        continue;
                keeper_drop_locked(snapshot);
                mutex_unlock(&store->lock);
                snapshot_unref(snapshot);
                n++;
                mutex_lock(&store->lock);
                next = LIST_FIRST(&store->lingering);
        }
        mutex_unlock(&store->lock);
        return n;
}
