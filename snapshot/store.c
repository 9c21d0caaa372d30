/*
 * The store: makes and ends everything else, takes opens and cancels.
 *
 * Invariant: each open that was taken is answered once, by an opening or after store_cancel().
 */
#include "snapshot/opening.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <string.h>

/*
 * Copies are bound by memory bandwidth and disk, so more than a few at a time only stretch the time that each
 * holds its lock; but one on a slow disk must not hold up all others, nor large ones the small.
 */
enum { FRONT_THREADS = 4, COPY_THREADS = 4, BULK_THREADS = 4 };

/* ---- the store ---------------------------------------------------------------------------------- */

static void store_dismantle(struct store *store) {
        worker_pool_free(store->bulk);
        worker_pool_free(store->copies);
        worker_pool_free(store->front);
        cache_deinit(&store->wals);
        cache_deinit(&store->sniffs);
        space_deinit(&store->space);
        mutex_deinit(&store->lock);
        free(store);
}

int store_new(struct store **out, const struct store_config *config) {
        struct store *store = calloc(1, sizeof(*store));
        int r;

        if (!store)
                return -ENOMEM;
        /* No accounting under a global lock, and no mutexes on connections that one thread at a time uses. */
        sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        sqlite3_initialize();
        store->config = *config;
        r = space_init(&store->space, config->snapshot_dir, config->max_space);
        if (r < 0) {
                free(store);
                return r;
        }
        mutex_init(&store->lock, MUTEX_RANK_STORE);
        TAILQ_INIT(&store->live);
        r = cache_init(&store->sniffs);
        if (r == 0)
                r = cache_init(&store->wals);
        if (r == 0)
                r = worker_pool_new(&store->front, FRONT_THREADS);
        if (r == 0)
                r = worker_pool_new(&store->copies, COPY_THREADS);
        if (r == 0)
                r = worker_pool_new(&store->bulk, BULK_THREADS);
        if (r < 0) {
                base_log(BASE_LOG_ERROR, "cannot start: %s", strerror(-r));
                store_dismantle(store);
                return r;
        }
        *out = store;
        return 0;
}

struct store *store_free(struct store *store) {
        if (!store)
                return NULL;
        mutex_lock(&store->lock);
        store->closing = true;
        mutex_unlock(&store->lock);
        /* Openings go from the front to the copies, and nothing comes back. */
        worker_pool_drain(store->front);
        worker_pool_drain(store->copies);
        worker_pool_drain(store->bulk);
        store_dismantle(store);
        return NULL;
}

/* ---- opens -------------------------------------------------------------------------------------- */

static int key_of(const struct store_file *file, struct source_key *key) {
        struct stat st, dir;

        if (fstatat(file->dirfd, file->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || fstat(file->dirfd, &dir) < 0)
                return errno == ENOENT ? -ESTALE : -errno;
        *key = (struct source_key){
                .dev = st.st_dev, .ino = st.st_ino, .dir_dev = dir.st_dev, .dir_ino = dir.st_ino
        };
        return 0;
}

/* Adds the ticket to an opening that has not begun, or to *fresh, which is then taken. */
static int enqueue_locked(struct store *store, const struct source_key *key, struct opening **fresh,
                          struct store_ticket *ticket) {
        struct opening *opening;
        struct source *source;

        source = source_get_locked(store, key, (*fresh)->file->name);
        if (!source)
                return -ENOMEM;
        opening = source->joinable;
        if (!opening) {
                opening = *fresh;
                *fresh = NULL;
                opening->source = source;
                source->joinable = opening;
                LIST_INSERT_HEAD(&source->openings, opening, link);
        }
        ticket->opening = opening;
        TAILQ_INSERT_TAIL(&opening->tickets, ticket, link);
        return 0;
}

int store_open(struct store *store, const struct store_file *file, store_opened_fn fn, void *userdata,
               struct store_ticket **out) {
        struct store_ticket *ticket;
        struct opening *opening = NULL, *fresh;
        struct source_key key;
        int r;

        mutex_assert_none_held();
        r = key_of(file, &key);
        if (r == 0)
                r = opening_new(&opening, store, file);
        if (r < 0)
                return r;
        ticket = calloc(1, sizeof(*ticket));
        if (!ticket) {
                opening_free(opening);
                return -ENOMEM;
        }
        *ticket = (struct store_ticket){
                .store = store,
                .refs = 2, /* the caller's, and that of the thread that answers */
                .fn = fn,
                .userdata = userdata,
        };
        fresh = opening;
        mutex_lock(&store->lock);
        r = enqueue_locked(store, &key, &fresh, ticket);
        mutex_unlock(&store->lock);
        if (r == 0)
                *out = ticket;
        else
                free(ticket);
        if (fresh)
                opening_free(fresh);
        else
                opening_start(opening);
        return r;
}

static void answer_cancelled(struct work *work) {
        struct store_ticket *ticket = container_of(work, struct store_ticket, work);

        ticket->fn(ticket->userdata, -EINTR, NULL, NULL);
        store_ticket_unref(ticket);
}

void store_cancel(struct store_ticket *ticket) {
        struct store *store = ticket->store;
        bool answer;

        mutex_lock(&store->lock);
        answer = ticket->opening != NULL;
        if (answer) {
                TAILQ_REMOVE(&ticket->opening->tickets, ticket, link);
                ticket->opening = NULL;
        }
        mutex_unlock(&store->lock);
        if (answer)
                worker_submit(store->front, &ticket->work, answer_cancelled, 0);
}

struct store_ticket *store_ticket_unref(struct store_ticket *ticket) {
        struct store *store;

        if (!ticket)
                return NULL;
        store = ticket->store;
        mutex_lock(&store->lock);
        ticket_unref_locked(ticket);
        mutex_unlock(&store->lock);
        return NULL;
}
