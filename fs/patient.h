/* OPENs of ordinary files that have to wait. */
#pragma once

#include "fs/fs.h"

/* Replies to an open of a shared node's regular file, which a lease stands against, as soon as that is given
 * back. No mutex held. */
void patient_open(struct fs *fs, fuse_req_t req, struct node *node, const struct fuse_file_info *fi);
