/* What is agreed with the kernel at INIT beyond what this libfuse knows of. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "fs/fuse.h"

/* Members are set before any request comes, but for the atomic ones. */
struct agreement {
        struct fuse_session *session;
        bool wants_passthrough;
        atomic_bool passthrough;  /* the kernel can read files by itself (Linux 6.9, root) */
        atomic_bool uncached_map; /* files that are read past the page cache can be mapped (Linux 6.6) */
        uint64_t init;            /* which request is INIT, while that is not answered; else 0 */
        uint32_t wanted;          /* those of the upper half of INIT's flags that are ours */
        uint32_t parallel;        /* FUSE_PARALLEL_DIROPS, where the kernel knows it */
};

/* Between mount and loop. userdata of the session: see agreement_of() in agreement.c. 0 or -errno. */
int agreement_attach(struct agreement *agreement, struct fuse_session *session, bool passthrough);
/* At INIT. */
void agreement_make(struct agreement *agreement, struct fuse_conn_info *conn);
