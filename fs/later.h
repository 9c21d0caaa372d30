/* What has to be tried again in a moment, without a request's thread that waits for it. */
#pragma once

#include "snapshot/base.h"

#include "fs/list.h"

/* The caller's, who does not touch it until fn is called. */
struct later {
        struct list link;
        void (*fn)(struct later *later);
};

struct laters {
        struct mutex lock; /* MUTEX_RANK_LEAF: the rest */
        struct list waiting;
        bool ending;
        pthread_cond_t changed;
        pthread_t thread;
};

/* Starts a thread. 0 or -errno. */
int laters_init(struct laters *laters);
/* Calls what still waits, and ends the thread: what is put off from then on is called at once. */
void laters_end(struct laters *laters);
/* After laters_end(). */
void laters_deinit(struct laters *laters);
/* Has fn called once, soon, on a thread that may do I/O which does not wait. No mutex held. */
void later_do(struct laters *laters, struct later *later, void (*fn)(struct later *later));
