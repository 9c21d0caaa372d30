/* Reads of files that may become databases while they are open. */
#pragma once

#include "fs/handle.h"

/* A file of less than so many bytes may become anything: handles on it are guarded. */
enum { GUARDED_BELOW = 16 };

/* Replies to a READ of a guarded handle: -EIO (logged) once its file is a database. */
void guard_read(struct fs *fs, fuse_req_t req, const struct handle *handle, size_t size, off_t offset);
