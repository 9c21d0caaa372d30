/*
 * A bounded pool of threads with a queue in the order of time. What has to wait (for an application's lock,
 * say) asks to be run again later and holds no thread meanwhile (F6).
 */
#pragma once

#include <stdint.h>

struct work;
struct worker_pool;

/* Runs a piece of work; may free it or submit it again. No lock is held. */
typedef void (*work_fn)(struct work *work);

/* Embedded in what is to be done. */
struct work {
        work_fn fn;
        uint64_t due_ns; /* on base_now_ns()'s clock */
        struct work *next;
};

/* Starts n_threads threads. 0 or -errno. */
int worker_pool_new(struct worker_pool **out, unsigned n_threads);
/*
 * Runs everything that is queued, now, whenever it was due, and whatever that submits; from then on nothing
 * is delayed any more. Returns when nothing is left. Not from a thread of the pool.
 */
void worker_pool_drain(struct worker_pool *pool);
/* Drains, then joins the threads. Returns NULL. */
struct worker_pool *worker_pool_free(struct worker_pool *pool);
/* Has fn(work) called once by some thread, after delay_ns at the earliest. Never waits, never fails. */
void worker_submit(struct worker_pool *pool, struct work *work, work_fn fn, uint64_t delay_ns);
/*
 * Has work that was submitted with a delay called as soon as its turn comes. Nothing happens if it is not in
 * the queue any more, but the caller sees to it that it was not freed. Never waits.
 */
void worker_hasten(struct worker_pool *pool, struct work *work);
