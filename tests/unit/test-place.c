/* place.c and look.c: which mountpoints are finite, and what is seen of a name without asking. */
#include "tap.h"

#include "fs/look.h"
#include "fs/place.h"
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>

static int open_directory(const char *path) {
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

        need(fd >= 0);
        return fd;
}

static int check(const char *source, const char *mountpoint, bool one_file_system) {
        int source_fd = open_directory(source), mountpoint_fd = open_directory(mountpoint);
        int r = place_check(source_fd, mountpoint_fd, one_file_system);

        close(source_fd);
        close(mountpoint_fd);
        return r;
}

static void test_apart(void) {
        need(mkdir("source", 0755) == 0 && mkdir("source/inside", 0755) == 0 && mkdir("mount", 0755) == 0);
        need(symlink("source/inside", "link") == 0);
        is(check("source", "mount", false), 0, "two directories beside each other");
        is(check("source", "source", false), -ELOOP, "one is the other");
        is(check("source", "source", true), -ELOOP, "and so it is on one file system");
        is(check("source", "source/inside", false), -ELOOP, "a mountpoint inside the source");
        is(check("source", "link", false), -ELOOP, "by another name, too");
        is(check("source", "source/inside", true), 0, "is finite if nothing is shown that is mounted inside");
        is(check("source/inside", "source", false), -ELOOP, "a source inside the mountpoint");
        is(check("source/inside", "source", true), -ELOOP, "would be hidden by it");
        is(check("/", "mount", true), 0, "so / can be the source");
        is(check("/", "/proc", false), 0, "also when the mountpoint is on a file system of its own");
}

static void test_look(void) {
        struct look look, inside;
        struct stat st;

        need(fstatat(AT_FDCWD, "source", &st, 0) == 0);
        need(look_at(AT_FDCWD, "source", &look) == 0);
        ok(look.st.st_dev == st.st_dev && look.st.st_ino == st.st_ino && look.st.st_mode == st.st_mode &&
                   look.st.st_mtim.tv_nsec == st.st_mtim.tv_nsec && look.st.st_nlink == st.st_nlink,
           "a look says what lstat says");
        is(look_at(AT_FDCWD, "nothing", &look), -ENOENT, "of what is not there it says so");
        need(look_at(AT_FDCWD, "link", &look) == 0);
        ok(S_ISLNK(look.st.st_mode), "it follows no symlink");
        if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("source", "mount", NULL, MS_BIND, NULL) < 0) {
                tap_skip("no privileges", "a directory at two mounts");
                return;
        }
        need(look_at(AT_FDCWD, "source", &look) == 0 && look_at(AT_FDCWD, "mount", &inside) == 0);
        ok(look.st.st_ino == inside.st.st_ino && (look.mount == 0 || look.mount != inside.mount),
           "a directory at two mounts is one directory, at two");
        umount("mount");
}

int main(void) {
        SCRATCH(scratch);

        base_log_to(tap_log, BASE_LOG_WARNING);
        need(fchdir(scratch.dirfd) == 0);
        test_apart();
        test_look();
        return tap_done();
}
