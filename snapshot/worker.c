/*
 * A pool of threads over one queue sorted by due time.
 *
 * Invariants: a struct work is in at most one queue, once; queue is sorted by due_ns, equal ones in the order
 * they came.
 */
#include "snapshot/worker.h"

#include "snapshot/base.h"

#include <errno.h>
#include <signal.h>

struct worker_pool {
        struct mutex lock; /* MUTEX_RANK_WORKER: all below */
        pthread_cond_t changed;
        struct work *queue;
        bool draining; /* nothing is delayed */
        bool ending;   /* the threads leave when the queue is empty */
        unsigned n_threads;
        unsigned n_busy;
        pthread_t threads[];
};

/* The next piece that is due, waiting for it; NULL when the pool is drained. */
static struct work *next_work_locked(struct worker_pool *pool) {
        for (;;) {
                struct work *work = pool->queue;

                if (work && (pool->draining || work->due_ns <= base_now_ns())) {
                        pool->queue = work->next;
                        work->next = NULL;
                        return work;
                }
                if (pool->ending && !work && pool->n_busy == 0)
                        return NULL;
                mutex_wait(&pool->lock, &pool->changed, work ? work->due_ns : 0);
        }
}

static void *worker_main(void *userdata) {
        struct worker_pool *pool = userdata;
        struct work *work;

        mutex_lock(&pool->lock);
        while ((work = next_work_locked(pool))) {
                pool->n_busy++;
                mutex_unlock(&pool->lock);
                work->fn(work);
                mutex_lock(&pool->lock);
                pool->n_busy--;
                if (pool->draining)
                        pthread_cond_broadcast(&pool->changed);
        }
        mutex_unlock(&pool->lock);
        return NULL;
}

int worker_pool_new(struct worker_pool **out, unsigned n_threads) {
        struct worker_pool *pool = calloc(1, sizeof(*pool) + n_threads * sizeof(pthread_t));
        sigset_t all, before;
        pthread_attr_t attr;
        int r = 0;

        if (!pool)
                return -ENOMEM;
        mutex_init(&pool->lock, MUTEX_RANK_WORKER);
        mutex_cond_init(&pool->changed);
        /* Signals are the main thread's; SQLite and our own frames need far less stack than the usual 8 MiB.
         */
        pthread_attr_init(&attr);
        pthread_attr_setstacksize(&attr, 1 << 20);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        while (r == 0 && pool->n_threads < n_threads) {
                r = -pthread_create(&pool->threads[pool->n_threads], &attr, worker_main, pool);
                if (r == 0)
                        pool->n_threads++;
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attr);
        if (r < 0) {
                worker_pool_free(pool);
                return r;
        }
        *out = pool;
        return 0;
}

void worker_pool_drain(struct worker_pool *pool) {
        MUTEX_SCOPE(&pool->lock);

        pool->draining = true;
        pthread_cond_broadcast(&pool->changed);
        while (pool->queue || pool->n_busy > 0)
                mutex_wait(&pool->lock, &pool->changed, 0);
}

struct worker_pool *worker_pool_free(struct worker_pool *pool) {
        if (!pool)
                return NULL;
        mutex_lock(&pool->lock);
        pool->draining = pool->ending = true;
        pthread_cond_broadcast(&pool->changed);
        mutex_unlock(&pool->lock);
        for (unsigned i = 0; i < pool->n_threads; i++)
                pthread_join(pool->threads[i], NULL);
        pthread_cond_destroy(&pool->changed);
        mutex_deinit(&pool->lock);
        free(pool);
        return NULL;
}

static void insert_locked(struct worker_pool *pool, struct work *work) {
        struct work **at = &pool->queue;

        while (*at && (*at)->due_ns <= work->due_ns)
                at = &(*at)->next;
        work->next = *at;
        *at = work;
        /* A sleeper may be waiting for a later one than this; in worker_pool_drain() one waits for none. */
        if (pool->draining)
                pthread_cond_broadcast(&pool->changed);
        else
                pthread_cond_signal(&pool->changed);
}

void worker_submit(struct worker_pool *pool, struct work *work, work_fn fn, uint64_t delay_ns) {
        MUTEX_SCOPE(&pool->lock);

        work->fn = fn;
        work->due_ns = base_now_ns() + delay_ns;
        insert_locked(pool, work);
}

void worker_hasten(struct worker_pool *pool, struct work *work) {
        MUTEX_SCOPE(&pool->lock);
        struct work **at = &pool->queue;

        while (*at && *at != work)
                at = &(*at)->next;
        if (!*at)
                return;
        *at = work->next;
        work->due_ns = base_now_ns();
        insert_locked(pool, work);
}
