/* IOCTL: the flags of a file. */
#pragma once

#include "fs/fs.h"

void ioctl_serve(fuse_req_t req, fuse_ino_t ino, unsigned command, void *argument, struct fuse_file_info *fi,
                 unsigned flags, const void *in, size_t in_size, size_t out_size);
