/*
 * lstat of names that may be mount points, without asking what is mounted there: a network server may be
 * dead, an automounter would have to mount, and the mounted file system may be our own.
 */
#pragma once

#include <stdint.h>
#include <sys/stat.h>

struct look {
        struct stat st; /* as far as the kernel knows without asking */
        uint32_t mount; /* tells one mount from another; 0 before Linux 5.8 */
};

/*
 * What the kernel has in memory of name in dirfd, or of dirfd itself when name is "". Certain are st_dev, the
 * mount and, but for the root of a mount that was never asked, st_ino and the type; the rest is so on local
 * file systems. Of a file system that refuses to say more there is st_dev and a type. 0 or -errno. Waits for
 * no file system but that of the directory dirfd.
 */
int look_at(int dirfd, const char *name, struct look *look);
