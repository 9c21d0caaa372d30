/*
 * The mount namespace of a command.
 *
 * A FUSE connection belongs to the user namespace in which its device was opened, so that comes after
 * namespace_acquire(). The one that serves the mirrors stays outside of the mount namespace: inside, the
 * source, and maybe the place for snapshots, are covered by the mirrors.
 */
#include "fs/namespace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* What is started while the others are being ended needs another round; more than this is not a program's
 * doing. */
#define ROUNDS_MAX 100

static int fail(const char *what) {
        int r = -errno;

        base_log(BASE_LOG_ERROR, "%s: %s", what, strerror(errno));
        return r;
}

static bool may_mount(void) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

        return syscall(SYS_capget, &header, data) == 0 &&
               data[CAP_TO_INDEX(CAP_SYS_ADMIN)].effective & CAP_TO_MASK(CAP_SYS_ADMIN);
}

static int write_file(const char *path, const char *text) {
        _cleanup_(base_closep) int fd = -1;

        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0 || write(fd, text, strlen(text)) < 0)
                return -errno;
        return 0;
}

int namespace_acquire(bool *as_user) {
        uid_t uid = geteuid();
        gid_t gid = getegid();
        char map[64];

        *as_user = !may_mount();
        if (!*as_user)
                return 0;
        if (unshare(CLONE_NEWUSER) < 0)
                return fail("cannot make a user namespace, which an ordinary user's mount needs");
        snprintf(map, sizeof(map), "%u %u 1\n", uid, uid);
        if (write_file("/proc/self/uid_map", map) < 0)
                return fail("cannot be oneself in a user namespace");
        snprintf(map, sizeof(map), "%u %u 1\n", gid, gid);
        if (write_file("/proc/self/setgroups", "deny") < 0 || write_file("/proc/self/gid_map", map) < 0)
                return fail("cannot keep the group in a user namespace");
        return 0;
}

int namespace_renounce(void) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

        return syscall(SYS_capset, &header, none) < 0 ? fail("cannot give up rights") : 0;
}

int namespace_enter(struct namespace *out) {
        struct stat before, st;

        if (stat("/proc/self/ns/mnt", &before) < 0)
                return fail("/proc is not mounted");
        if (unshare(CLONE_NEWNS) < 0)
                return fail("cannot make a mount namespace");
        if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
                return fail("cannot keep mounts to ourselves (a chroot must be a mountpoint: mount --bind it "
                            "to itself)");
        if (stat("/proc/self/ns/mnt", &st) < 0)
                return fail("/proc is not mounted");
        /* All that is in there will be ended: it must not be the caller's. */
        if (st.st_dev == before.st_dev && st.st_ino == before.st_ino) {
                base_log(BASE_LOG_ERROR, "the mount namespace is the old one");
                return -EINVAL;
        }
        *out = (struct namespace){ .dev = st.st_dev, .ino = st.st_ino };
        return 0;
}

int namespace_mount(const char *source, const char *where, unsigned max_read, bool as_user) {
        _cleanup_(base_closep) int fd = -1;
        char options[256];
        int r;

        fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
        if (fd < 0)
                return fail("cannot use /dev/fuse");
        /* A user namespace knows the user's own groups only in part: there his rights are judged when a file
         * is opened for him, by him. */
        snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=%u,group_id=%u,allow_other%s", fd,
                 geteuid(), getegid(), as_user ? "" : ",default_permissions");
        if (max_read > 0)
                snprintf(options + strlen(options), sizeof(options) - strlen(options), ",max_read=%u",
                         max_read);
        if (mount(source, where, "fuse.litesnapfs", MS_RDONLY | MS_NOSUID | MS_NODEV, options) < 0) {
                r = -errno;
                base_log(BASE_LOG_ERROR, "cannot mount at '%s': %s", where, strerror(errno));
                return r;
        }
        return base_steal_fd(&fd);
}

/* Ends the process if it is in there. The process that is looked at is the one that is ended. */
static bool kill_if_inside(pid_t pid, const struct namespace *namespace) {
        _cleanup_(base_closep) int fd = -1;
        char path[64];
        struct stat st;

        fd = (int)syscall(SYS_pidfd_open, pid, 0);
        snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
        if (fd < 0 || stat(path, &st) < 0 || st.st_dev != namespace->dev || st.st_ino != namespace->ino)
                return false;
        return syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) == 0;
}

static bool kill_all(const struct namespace *namespace) {
        DIR *processes = opendir("/proc");
        struct dirent *entry;
        bool any = false;

        if (!processes)
                return false;
        while ((entry = readdir(processes))) {
                pid_t pid = atoi(entry->d_name);

                if (pid > 0 && pid != getpid() && kill_if_inside(pid, namespace))
                        any = true;
        }
        closedir(processes);
        return any;
}

void namespace_kill(const struct namespace *namespace) {
        for (unsigned i = 0; i < ROUNDS_MAX && kill_all(namespace); i++)
                sched_yield();
}
