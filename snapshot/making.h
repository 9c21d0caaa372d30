/* What an attempt holds of its source, and what becomes of it once the opens are answered. */
#pragma once

#include "snapshot/live.h"
#include "snapshot/ticket.h"

struct making {
        struct work work;
        struct opening *opening;
        int main_fd; /* -1 until it is open */
        struct pin *pin;
        struct engine_job job;
        struct engine_copy copy; /* not begun while copy.pin is NULL: then engine_backup() makes it */
        struct live live;
        struct snapshot *snapshot; /* a reference, once there is one */
        uint64_t since_ns;         /* when the opens were answered */
};

/* For one attempt of the opening. NULL without memory. */
struct making *making_new(struct opening *opening);
/* Gives the pin and everything else back, but not the opening. Returns NULL. */
struct making *making_free(struct making *making);

/*
 * Makes the snapshot of opening->version out of making->job.out, which is taken, and answers all tickets with
 * it. sharable: opens to come may find it; read_live: it may be read through the pin before its bytes are in
 * place. 0 or -ENOMEM.
 */
int making_answer(struct making *making, enum engine engine, uint64_t frontier, bool sharable,
                  bool read_live);
/*
 * Sees to it that the snapshot gets its bytes, now or later, unless nobody wants them any more; then ends the
 * opening. Takes both.
 */
void making_go_on(struct making *making);
