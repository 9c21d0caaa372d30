/* Whether a directory may be shown at another. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * Both are O_PATH descriptors of directories. one_file_system: what is mounted inside the source is not
 * shown. 0, -ELOOP when one is, or is inside, the other, unless it is certain that the mount leaves itself
 * out; or another -errno.
 */
int place_check(int source_fd, int mountpoint_fd, bool one_file_system);
/*
 * The device number of the file system that is served through fuse_fd and is mounted at mountpoint, or 0 when
 * it cannot be told. Asks nothing of it.
 */
dev_t place_device(int fuse_fd, const char *mountpoint);
