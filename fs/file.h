/* Open files: OPEN, READ, RELEASE, LSEEK. */
#pragma once

#include "fs/handle.h"

/* Opens the ordinary file that node stands for. 0 with a handle in *out; -ESTALE: it is something else by
 * now. */
int file_open_ordinary(struct fs *fs, struct node *node, struct handle **out);
/* Replies to an open with the handle, and closes it again when nobody wants the reply. */
void file_reply_open(struct fs *fs, fuse_req_t req, struct fuse_file_info *fi, struct handle *handle);

void file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi);
void file_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void file_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi);
