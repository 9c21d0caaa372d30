/* File systems on which the locks of other hosts, or of the server, may not be seen (README, unsafe sources).
 */
#pragma once

#include "snapshot/registry.h"

/* The name of the file system that fd's file is on, if it is one of these; else NULL. */
const char *unsafe_name(int fd);

/*
 * Whether what that file system says of times and pages is of a while ago: one that keeps a remote server's
 * attributes in a program of its own, out of the kernel's reach (sshfs: 20 s by default). main and wal were
 * written long enough ago if that cannot matter. Reads /proc/self/mountinfo for FUSE.
 */
bool unsafe_is_stale(int fd, const struct stat *main, const struct stat *wal);

/*
 * Warns once for each such file system that fd's file is on; with require_locks refuses. 0 or -ENOLCK
 * (logged), -errno. Takes store->lock.
 */
int unsafe_check(struct store *store, int fd, const char *path);
