/*
 * The end of the daemon does not wait for ever: what hangs in the kernel (a dead network server below the
 * source) cannot be joined. Nothing that it leaves has a name, so it may just go.
 */
#pragma once

#include "snapshot/base.h"

#include <pthread.h>

#include "fs/fuse.h"

struct ending {
        struct mutex mutex;
        pthread_cond_t changed;
        pthread_t thread;
        struct fuse_session *session;
        int status;
        bool begun, over;
};

void ending_init(struct ending *ending);
/* After the session loop: if the end is not over in a few seconds, unmounts and leaves the process, with that
 * status. */
void ending_begin(struct ending *ending, struct fuse_session *session, int status);
/* The end is over, or was never begun. */
void ending_deinit(struct ending *ending);
