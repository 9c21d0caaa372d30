/* One attempt of an opening. */
#pragma once

#include "snapshot/ticket.h"

/* What attempt_run() may say besides 0 and -errno. */
enum {
        ATTEMPT_ALONE = 1, /* within attempt.c: nobody has made or is making this version */
        ATTEMPT_MUST_COPY, /* there is nothing to share: come again in the pool that copies */
        ATTEMPT_LATER,     /* come again after opening->pause_ns, for no lock's sake */
        ATTEMPT_ANSWERED,  /* a snapshot is there or being made (making.h), which ends the opening itself */
};

/*
 * Tries once to get a snapshot of what is committed now, and answers all tickets if it does. 0: with one that
 * was there; ATTEMPT_*; -EBUSY to come again; -errno. Blocks; no lock held.
 */
int attempt_run(struct opening *opening);
