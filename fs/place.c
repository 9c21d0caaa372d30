/*
 * A mirror that contains its own source, or is contained in it, is a mistake more often than not. Names do
 * not tell (symlinks, bind mounts), so this climbs from each of the two directories to the root and looks for
 * the other by (dev, ino). A bind mount shows a directory under a second parent, which the climb does not
 * see: for that the names, with all links resolved, are compared as well.
 *
 * A mountpoint inside the source is what who mirrors / has to have, and it is finite: the mount never shows
 * itself (fs.h: own_dev). So it is allowed where it can be seen to be meant: the mountpoint is on a file
 * system of its own, or what is mounted inside the source is not shown.
 */
#include "fs/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "fs/look.h"
#include "snapshot/base.h"

static bool same(const struct stat *a, const struct stat *b) {
        return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* Whether fd is the directory *wanted or has it among its ancestors: 1, 0 or -errno. */
static int is_below(int fd, const struct stat *wanted) {
        _cleanup_(base_closep) int at = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        struct stat st, up_st;

        if (at < 0 || fstat(at, &st) < 0)
                return -errno;
        while (!same(&st, wanted)) {
                int up = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);

                if (up < 0)
                        return -errno;
                base_closep(&at);
                at = up;
                if (fstat(at, &up_st) < 0)
                        return -errno;
                if (same(&up_st, &st))
                        return 0;
                st = up_st;
        }
        return 1;
}

/* The kernel's name of the directory, with a slash at its end. 0 or -errno. */
static int name_of(int fd, char *buffer, size_t size) {
        char link[64];
        ssize_t n;

        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, buffer, size - 2);
        if (n < 0)
                return -errno;
        if (n == 0 || buffer[n - 1] != '/')
                buffer[n++] = '/';
        buffer[n] = '\0';
        return 0;
}

int place_check(int source_fd, int mountpoint_fd, bool one_file_system) {
        char source_name[PATH_MAX + 2], mountpoint_name[PATH_MAX + 2];
        struct stat source, mountpoint;
        int r;

        if (fstat(source_fd, &source) < 0 || fstat(mountpoint_fd, &mountpoint) < 0)
                return -errno;
        r = is_below(source_fd, &mountpoint);
        if (r != 0)
                return r > 0 ? -ELOOP : r;
        if (one_file_system || mountpoint.st_dev != source.st_dev)
                return 0;
        r = is_below(mountpoint_fd, &source);
        if (r != 0)
                return r > 0 ? -ELOOP : r;
        r = name_of(source_fd, source_name, sizeof(source_name));
        if (r == 0)
                r = name_of(mountpoint_fd, mountpoint_name, sizeof(mountpoint_name));
        /* A name too long for the kernel to tell has been judged by the climb. */
        if (r < 0)
                return r == -ENAMETOOLONG ? 0 : r;
        if (strncmp(source_name, mountpoint_name, strlen(source_name)) == 0 ||
            strncmp(source_name, mountpoint_name, strlen(mountpoint_name)) == 0)
                return -ELOOP;
        return 0;
}

/* The number that newer kernels tell of /dev/fuse (Linux 6.14). */
static dev_t connection_of(int fuse_fd) {
        char path[64], line[128];
        unsigned number = 0;
        FILE *info;

        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fuse_fd);
        info = fopen(path, "re");
        if (!info)
                return 0;
        while (number == 0 && fgets(line, sizeof(line), info))
                sscanf(line, "fuse_connection: %u", &number);
        fclose(info);
        /* The kernel's own form of a device number. */
        return number == 0 ? 0 : makedev(number >> 20, number & 0xfffff);
}

dev_t place_device(int fuse_fd, const char *mountpoint) {
        dev_t dev = connection_of(fuse_fd);
        struct look look;

        /* A mountpoint like /dev/fd/3 is no place, but then somebody else has mounted. */
        if (dev == 0 && strncmp(mountpoint, "/dev/fd/", strlen("/dev/fd/")) != 0 &&
            look_at(AT_FDCWD, mountpoint, &look) == 0)
                dev = look.st.st_dev;
        return dev;
}
