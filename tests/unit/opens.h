/* Opens of a store, waited for: what a file system does with callbacks, as calls. */
#pragma once

#include "scratch.h"

struct open_wait {
        struct mutex lock; /* MUTEX_RANK_LEAF: all below */
        pthread_cond_t changed;
        unsigned n_answers;
        int result;
        struct snapshot *snapshot; /* of the last answer: the caller's */
        struct stat attr;          /* what is shown of it */
        struct store_ticket *ticket;
};

/* Asks for name; the answer comes to *wait, which must live until then. 0 or -errno. */
int open_start(struct open_wait *wait, struct store *store, const struct scratch *scratch, const char *name);
/* Waits for the answer, gives the ticket back. The result. */
int open_end(struct open_wait *wait, struct snapshot **snapshot);
/* Both. */
int open_now(struct store *store, const struct scratch *scratch, const char *name,
             struct snapshot **snapshot);

/* Both, with what is shown of the open file. */
int open_shown(struct store *store, const struct scratch *scratch, const char *name,
               struct snapshot **snapshot, struct stat *attr);

/* Waits until the snapshot has its bytes in its own file. False after a minute. */
bool snapshot_completed(const struct snapshot *snapshot);
/* All bytes. */
struct bytes snapshot_bytes(struct snapshot *snapshot);
struct store *store_in(const struct scratch *scratch, unsigned busy_timeout_ms, uint64_t max_space);
/* What lstat is to say of name. */
struct stat attr_of(struct store *store, const struct scratch *scratch, const char *name);
