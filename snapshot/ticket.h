/*
 * Openings and the tickets of the opens that wait for them.
 *
 * An opening stands for one or more opens of a source which are answered together. How it is run is for
 * opening.c and attempt.c; here is what it is made of, and how its tickets are answered.
 */
#pragma once

#include "snapshot/registry.h"

struct store_ticket {
        TAILQ_ENTRY(store_ticket) link; /* in opening->tickets while opening is set */
        struct store *store;
        struct opening *opening; /* NULL once it is answered or cancelled; under store->lock */
        unsigned refs;           /* under store->lock */
        uint64_t deadline_ns;    /* for locks of applications */
        struct work work;        /* for the answer to a cancelled one */
        store_opened_fn fn;
        void *userdata;
};

struct opening {
        struct work work;
        LIST_ENTRY(opening) link;
        struct store *store;
        struct source *source;
        struct store_file file;             /* its own copies */
        TAILQ_HEAD(, store_ticket) tickets; /* who waits; under store->lock */
        bool in_front;                      /* queued for the front pool: may look but not copy */
        unsigned attempts;
        const char *why;        /* what the private way has met; NULL: nothing but a lock */
        uint64_t pause_ns;      /* what ATTEMPT_LATER asks for */
        uint64_t room_until_ns; /* when -ENOSPC is final; 0: not met yet */
        bool waited;            /* for the end of a second (STORE_RACY_WAIT) */
        bool making;            /* a snapshot of version that others may share; under store->lock */
        struct version version; /* constant while making is set */
        char *strings;
};

/* Answers all tickets with a snapshot (a reference each; the caller's stays its own) and what is shown of it.
 * Takes the lock. */
void ticket_answer_all(struct opening *opening, struct snapshot *snapshot);

/*
 * Answers those whose deadline is not after until_ns: r 0 and a snapshot, or -errno and NULL. How many. Gives
 * the lock up around each answer.
 */
unsigned ticket_answer_locked(struct opening *opening, uint64_t until_ns, int r, struct snapshot *snapshot);

/* Hands all tickets of an opening over to another, which has not begun. */
void ticket_join_locked(struct opening *opening, struct opening *other);

/* Takes a reference off; frees at the last. */
void ticket_unref_locked(struct store_ticket *ticket);

/* Of an opening that is in no list. Returns NULL. */
struct opening *opening_free(struct opening *opening);
/* Answers whoever is left, with an error, takes the opening off its source and frees it. No lock held. */
void opening_finish(struct opening *opening, int r);
