/* Whether a directory may be shown at another. */
#pragma once

/* Both are O_PATH descriptors of directories. 0, -ELOOP when one is, or is inside, the other; or another
 * -errno. */
int place_check(int source_fd, int mountpoint_fd);
