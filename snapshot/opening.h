/*
 * Openings and the tickets of the opens that wait for them.
 *
 * An opening stands for one or more opens of a source which are answered together. How it is tried is for
 * attempt.c; here is what it is made of, how it is queued and tried again, and how its tickets are answered.
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
        struct store_file *file;            /* its own */
        TAILQ_HEAD(, store_ticket) tickets; /* that wait; under store->lock */
        bool in_front;                      /* queued for the front pool: may look but not copy */
        bool bulk;                          /* copies much */
        unsigned attempts;
        const char *why;        /* what else than a lock is in the way; NULL: nothing */
        uint64_t pause_ns;      /* what ATTEMPT_LATER asks for */
        uint64_t room_until_ns; /* when -ENOSPC is final; 0: not met yet */
        uint64_t size;          /* of the copy that did not fit */
        bool waited;            /* for the end of a second (STORE_RACY_WAIT) */
        bool making;            /* a snapshot of version that others may share; under store->lock */
        struct version version; /* constant while making is set */
};

/* Makes an opening of file, with nobody waiting yet; not in any list. 0 or -errno. */
int opening_new(struct opening **out, struct store *store, const struct store_file *file);
/* Of an opening that is in no list. Returns NULL. */
struct opening *opening_free(struct opening *opening);
/* Queues it. No lock held. */
void opening_start(struct opening *opening);
/*
 * Answers all tickets with a snapshot: a reference each, the caller's stays its own. version: equal to the
 * snapshot's, as it was looked at last, so that what is shown of it is as of now. Takes the lock.
 */
void opening_answer(struct opening *opening, struct snapshot *snapshot, const struct version *version);
/* Whether nobody waits for it any more. Takes the lock. */
bool opening_unwanted(struct opening *opening);
/* Takes a reference off; frees at the last. */
void ticket_unref_locked(struct store_ticket *ticket);
