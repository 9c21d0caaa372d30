/* What the kernel says of mounted file systems, without asking them. */
#pragma once

#include <sys/types.h>

#define MOUNTS_TYPE_MAX 64

/* The type of the file system with that device number as mount(8) shows it ("ext4", "fuse.sshfs"), "" if it
 * is not found. */
void mounts_type(dev_t dev, char type[MOUNTS_TYPE_MAX]);
