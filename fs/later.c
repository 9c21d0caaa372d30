/*
 * One thread for all that is tried again: an open that a file server's lease stands against. The kernel tells
 * nobody when a lease is given back, but it has begun to take it back at the first try.
 */
#include "fs/later.h"

#include <signal.h>

/* Between two tries. */
#define PAUSE_NS UINT64_C(20000000)

/* Calls all that wait now; what they put off again waits for the next time. */
static void call_all(struct laters *laters) {
        struct list taken;

        list_init(&taken);
        mutex_lock(&laters->lock);
        while (!list_empty(&laters->waiting)) {
                struct list *link = laters->waiting.next;

                list_remove(link);
                list_append(&taken, link);
        }
        mutex_unlock(&laters->lock);
        while (!list_empty(&taken)) {
                struct later *later = container_of(taken.next, struct later, link);

                list_remove(&later->link);
                later->fn(later);
        }
}

static void *run(void *userdata) {
        struct laters *laters = userdata;
        uint64_t until;

        mutex_lock(&laters->lock);
        while (!laters->ending) {
                if (list_empty(&laters->waiting)) {
                        mutex_wait(&laters->lock, &laters->changed, 0);
                        continue;
                }
                until = base_now_ns() + PAUSE_NS;
                while (!laters->ending && base_now_ns() < until)
                        mutex_wait(&laters->lock, &laters->changed, until);
                mutex_unlock(&laters->lock);
                call_all(laters);
                mutex_lock(&laters->lock);
        }
        mutex_unlock(&laters->lock);
        call_all(laters);
        return NULL;
}

int laters_init(struct laters *laters) {
        sigset_t all, old;
        int r;

        *laters = (struct laters){ .ending = false };
        list_init(&laters->waiting);
        mutex_init(&laters->lock, MUTEX_RANK_LEAF);
        mutex_cond_init(&laters->changed);
        /* Signals are for the thread that waits for the session. */
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &old);
        r = pthread_create(&laters->thread, NULL, run, laters);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        if (r != 0) {
                pthread_cond_destroy(&laters->changed);
                mutex_deinit(&laters->lock);
        }
        return -r;
}

void laters_end(struct laters *laters) {
        mutex_lock(&laters->lock);
        laters->ending = true;
        pthread_cond_signal(&laters->changed);
        mutex_unlock(&laters->lock);
        pthread_join(laters->thread, NULL);
}

void laters_deinit(struct laters *laters) {
        pthread_cond_destroy(&laters->changed);
        mutex_deinit(&laters->lock);
}

void later_do(struct laters *laters, struct later *later, void (*fn)(struct later *later)) {
        bool ending;

        mutex_assert_none_held();
        later->fn = fn;
        list_init(&later->link);
        mutex_lock(&laters->lock);
        ending = laters->ending;
        if (!ending) {
                list_append(&laters->waiting, &later->link);
                pthread_cond_signal(&laters->changed);
        }
        mutex_unlock(&laters->lock);
        if (ending)
                fn(later);
}
