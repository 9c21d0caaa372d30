/*
 * The tickets of opens that wait.
 *
 * Invariant: each ticket is answered once, by whoever takes it off its opening's list under store->lock.
 */
#include "snapshot/ticket.h"

#include "snapshot/base.h"

void ticket_unref_locked(struct store_ticket *ticket) {
        mutex_assert_held(&ticket->store->lock);
        if (--ticket->refs == 0)
                free(ticket);
}

unsigned ticket_answer_locked(struct opening *opening, uint64_t until_ns, int r, struct snapshot *snapshot) {
        struct store_ticket *ticket = TAILQ_FIRST(&opening->tickets);
        struct stat attr = { .st_size = 0 };
        unsigned n = 0;

        if (snapshot)
                version_show(&opening->version, opening->store->config.racy, &attr);
        while (ticket) {
                if (ticket->deadline_ns > until_ns) {
                        ticket = TAILQ_NEXT(ticket, link);
                        continue;
                }
                TAILQ_REMOVE(&opening->tickets, ticket, link);
                ticket->opening = NULL;
                if (snapshot)
                        snapshot->refs++;
                mutex_unlock(&opening->store->lock);
                ticket->fn(ticket->userdata, r, snapshot, snapshot ? &attr : NULL);
                mutex_lock(&opening->store->lock);
                ticket_unref_locked(ticket);
                ticket = TAILQ_FIRST(&opening->tickets);
                n++;
        }
        return n;
}

void ticket_answer_all(struct opening *opening, struct snapshot *snapshot) {
        mutex_lock(&opening->store->lock);
        ticket_answer_locked(opening, UINT64_MAX, 0, snapshot);
        mutex_unlock(&opening->store->lock);
}

void ticket_join_locked(struct opening *opening, struct opening *other) {
        struct store_ticket *ticket;

        mutex_assert_held(&opening->store->lock);
        TAILQ_FOREACH (ticket, &opening->tickets, link)
                ticket->opening = other;
        TAILQ_CONCAT(&other->tickets, &opening->tickets, link);
        if (other->attempts < opening->attempts)
                other->attempts = opening->attempts;
}

/* ---- the end of an opening ---------------------------------------------------------------------- */

struct opening *opening_free(struct opening *opening) {
        if (!opening)
                return NULL;
        if (opening->strings)
                base_closep(&opening->file.dirfd);
        free(opening->strings);
        free(opening);
        return NULL;
}

void opening_finish(struct opening *opening, int r) {
        struct store *store = opening->store;
        struct source *source = opening->source;

        mutex_lock(&store->lock);
        if (source->joinable == opening)
                source->joinable = NULL;
        opening->making = false;
        /* This lets go of the lock: until it is done, the opening keeps its source. */
        ticket_answer_locked(opening, UINT64_MAX, r, NULL);
        LIST_REMOVE(opening, link);
        source_put_locked(store, source);
        mutex_unlock(&store->lock);
        opening_free(opening);
}
