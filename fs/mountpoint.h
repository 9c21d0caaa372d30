/* The mountpoint before, while and after we are mounted there. */
#pragma once

#include "snapshot/base.h"

struct mountpoint {
        char *path; /* absolute, or /dev/fd/N when the caller has mounted already */
        int fd;     /* N, or -1 */
        int mount;  /* the kernel's number of the mount, or -1 */
        char device[32];
};

/*
 * Looks at the place and makes it fit to be mounted on: it is a directory, or the descriptor of a mounted
 * /dev/fuse as /dev/fd/N; a dead mount that an earlier run left there is taken away. 0 with *place_fd the
 * directory (-1 for a descriptor), or -errno, logged: -EBUSY when litesnapfs serves there. To be given back
 * in any case.
 */
int mountpoint_init(struct mountpoint *mountpoint, const char *path, int *place_fd);
void mountpoint_deinit(struct mountpoint *mountpoint);
/* Once mounted, session_fd being the connection: remembers which mount it is. 0 or -errno, logged. */
int mountpoint_mounted(struct mountpoint *mountpoint, int session_fd, bool nosymfollow);
/* Whether that mount is still where processes can see it. */
bool mountpoint_is_mounted(const struct mountpoint *mountpoint);
/* Takes it away if it is still there, whoever uses it. */
void mountpoint_leave(const struct mountpoint *mountpoint);
