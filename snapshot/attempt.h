/* One attempt of an opening. */
#pragma once

#include "snapshot/opening.h"

/* What attempt_run() may say besides 0 and -errno. */
enum {
        ATTEMPT_ALONE = 1, /* within attempt.c: nobody has made or is making this version */
        ATTEMPT_MUST_COPY, /* it has to be copied, or takes long to look at: come again in a pool that may */
        ATTEMPT_LATER,     /* come again after opening->pause_ns, for no lock's sake */
};

/*
 * Tries once to get a snapshot of what is committed now, and answers all tickets if it does. 0; ATTEMPT_*;
 * -EBUSY to come again; -errno. Blocks; no lock held.
 */
int attempt_run(struct opening *opening);
