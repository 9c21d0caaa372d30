/* GETXATTR, LISTXATTR: those of the source's file; a database's are its main file's. */
#pragma once

#include "fs/fs.h"

void xattr_get(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void xattr_list(fuse_req_t req, fuse_ino_t ino, size_t size);
