/* File systems on which the locks of other hosts, or of the server, may not be seen (README, unsafe sources).
 */
#pragma once

#include "snapshot/registry.h"

/* The name of the file system that fd's file is on, if it is one of these; else NULL. */
const char *unsafe_name(int fd);

/*
 * Warns once for each such file system that fd's file is on; with require_locks refuses. 0 or -ENOLCK
 * (logged), -errno. Takes store->lock.
 */
int unsafe_check(struct store *store, int fd, const char *path);
