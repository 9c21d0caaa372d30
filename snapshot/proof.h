/*
 * The proofs of the private way (fact S7): each copies main and what belongs to it into private space without
 * disturbing anybody, and accepts the copy only if it is certain to be one state, once SQLite has recovered
 * it.
 */
#pragma once

#include "snapshot/engine.h"
#include "snapshot/vfs_private.h"

enum proof {
        PROOF_NOTHING_TO_RECOVER, /* the copy is the state as it is */
        PROOF_TO_RECOVER,         /* SQLite has to recover the copy first */
        PROOF_TO_CHECK,           /* no more than likely: only with a passed integrity_check */
};

/*
 * Copies into vfs and proves. version: looked at before. An enum proof; -EBUSY: it is no proof, come again,
 * *why says what; -EINTR, -ENOSPC, -EIO, ... Blocks; holds at most SHARED on the source for the time of two
 * reads.
 */
int proof_copy(struct engine_job *job, struct vfs_private *vfs, const struct version *version,
               const char **why);
