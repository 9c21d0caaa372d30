/*
 * The mountpoint.
 *
 * Mounts are known by the number that the kernel gives them, which /proc tells of a descriptor without asking
 * the file system: one that is dead answers nothing, and one that hangs would hang us.
 */
#include "fs/mountpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#define TYPE "fuse.litesnapfs"

/* In <linux/mount.h> since Linux 5.14. */
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

extern char **environ;

/* ---- the table of mounts ------------------------------------------------------------------------------- */

struct entry {
        int mount;
        char device[32]; /* "0:45" */
        char where[PATH_MAX];
        char type[64];
        char options[512]; /* the file system's own */
};

/* Names in the table have blanks and backslashes written as \ooo. */
static void unescape(char *text) {
        char *to = text;

        for (const char *from = text; *from; to++) {
                unsigned code;

                if (from[0] == '\\' && sscanf(from + 1, "%3o", &code) == 1) {
                        *to = (char)code;
                        from += 4;
                } else {
                        *to = *from++;
                }
        }
        *to = '\0';
}

static bool entry_parse(const char *line, struct entry *entry) {
        const char *rest;

        if (sscanf(line, "%d %*d %31s %*s %4095s", &entry->mount, entry->device, entry->where) != 3)
                return false;
        rest = strstr(line, " - ");
        if (!rest || sscanf(rest, " - %63s %*s %511s", entry->type, entry->options) != 2)
                return false;
        unescape(entry->where);
        return true;
}

/* Finds a mount by its number, or, when that is -1, by its device. */
static bool entry_find(int mount, const char *device, struct entry *entry) {
        FILE *table = fopen("/proc/self/mountinfo", "re");
        _cleanup_(base_freep) char *line = NULL;
        bool found = false;
        size_t room = 0;

        if (!table)
                return false;
        while (!found && getline(&line, &room, table) > 0)
                found = entry_parse(line, entry) &&
                        (mount >= 0 ? entry->mount == mount : strcmp(entry->device, device) == 0);
        fclose(table);
        return found;
}

/* What /proc says of a descriptor under that key, or -1. */
static int ask_descriptor(int fd, const char *key) {
        _cleanup_(base_freep) char *line = NULL;
        size_t room = 0, length = strlen(key);
        char path[64];
        int value = -1;
        FILE *info;

        snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        info = fopen(path, "re");
        if (!info)
                return -1;
        while (value < 0 && getline(&line, &room, info) > 0)
                if (strncmp(line, key, length) == 0 && line[length] == ':')
                        value = atoi(line + length + 1);
        fclose(info);
        return value;
}

/* ---- taking a mount away ------------------------------------------------------------------------------- */

/* An ordinary user's mounts are taken away by the program that made them. */
static int ask_fusermount(const char *path) {
        static char name[] = "fusermount3", flags[] = "-uzq", end[] = "--";
        char *const arguments[] = { name, flags, end, (char *)path, NULL };
        int status = 0;
        pid_t child;

        if (posix_spawnp(&child, arguments[0], NULL, NULL, arguments, environ) != 0)
                return -EPERM;
        while (waitpid(child, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return status == 0 ? 0 : -EPERM;
}

/* By name, so another mount that lies over this one keeps it. 0 or -errno. */
static int take_away(const struct entry *entry) {
        _cleanup_(base_closep) int fd = -1;

        fd = open(entry->where, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || ask_descriptor(fd, "mnt_id") != entry->mount)
                return -EBUSY;
        if (umount2(entry->where, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
                return 0;
        return errno == EPERM ? ask_fusermount(entry->where) : -errno;
}

/* ---- before the mount ---------------------------------------------------------------------------------- */

static bool is_dead(int fd) {
        struct statfs st;

        return fstatfs(fd, &st) < 0 && errno == ENOTCONN;
}

/* Looks at what is mounted at fd. 1: it was a dead mount of ours and is gone, look again; 0; or -errno,
 * logged. */
static int clear_place(const struct mountpoint *mountpoint, int fd) {
        struct entry entry;
        int r;

        if (!entry_find(ask_descriptor(fd, "mnt_id"), "", &entry) || strcmp(entry.type, TYPE) != 0 ||
            strcmp(entry.where, mountpoint->path) != 0)
                return 0;
        if (!is_dead(fd)) {
                base_log(BASE_LOG_ERROR,
                         "litesnapfs serves at '%s' already: unmount that first (umount, fusermount3 -u)",
                         mountpoint->path);
                return -EBUSY;
        }
        r = take_away(&entry);
        if (r < 0) {
                base_log(BASE_LOG_ERROR,
                         "a mount whose litesnapfs is dead is at '%s': take it away with umount -l (%s)",
                         mountpoint->path, strerror(-r));
                return r;
        }
        base_log(BASE_LOG_WARNING, "took away the mount of a litesnapfs that is dead from '%s'",
                 mountpoint->path);
        return 1;
}

/* The descriptor of a mount that the caller made. 0 or -errno, logged. */
static int adopt(struct mountpoint *mountpoint) {
        char device[32] = "";
        struct entry entry;
        int connection;

        if (fcntl(mountpoint->fd, F_SETFD, FD_CLOEXEC) < 0) {
                base_log(BASE_LOG_ERROR, "cannot use the mountpoint '%s': %s", mountpoint->path,
                         strerror(errno));
                return -EBADF;
        }
        connection = ask_descriptor(mountpoint->fd, "fuse_connection");
        snprintf(device, sizeof(device), "0:%d", connection);
        if (connection < 0 || !entry_find(-1, device, &entry))
                return 0;
        if (strstr(entry.options, "allow_other") && !strstr(entry.options, "default_permissions")) {
                base_log(BASE_LOG_ERROR,
                         "everybody could read everything at '%s': mount it with default_permissions, too",
                         entry.where);
                return -EPERM;
        }
        return 0;
}

int mountpoint_init(struct mountpoint *mountpoint, const char *path, int *place_fd) {
        _cleanup_(base_closep) int fd = -1;
        char rest;
        int r;

        *mountpoint = (struct mountpoint){ .fd = -1, .mount = -1 };
        *place_fd = -1;
        if (sscanf(path, "/dev/fd/%d%c", &mountpoint->fd, &rest) == 1 && mountpoint->fd >= 0) {
                mountpoint->path = strdup(path);
                return mountpoint->path ? adopt(mountpoint) : -ENOMEM;
        }
        mountpoint->fd = -1;
        do {
                base_closep(&fd);
                fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
                free(mountpoint->path);
                mountpoint->path = fd < 0 ? NULL : realpath(path, NULL);
                if (!mountpoint->path) {
                        r = -errno;
                        base_log(BASE_LOG_ERROR, "cannot use the mountpoint '%s': %s", path, strerror(errno));
                        return r;
                }
                r = clear_place(mountpoint, fd);
        } while (r > 0);
        if (r == 0)
                *place_fd = base_steal_fd(&fd);
        return r;
}

void mountpoint_deinit(struct mountpoint *mountpoint) {
        free(mountpoint->path);
}

/* ---- while it serves, and after ------------------------------------------------------------------------ */

/* Linux lets only root have it so; who asked for it must not be left without it. 0 or -errno, logged. */
static int follow_no_symlinks(int fd) {
        struct mount_attr attributes = { .attr_set = MOUNT_ATTR_NOSYMFOLLOW };
        int r;

        if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) == 0)
                return 0;
        r = -errno;
        base_log(BASE_LOG_ERROR, "cannot mount with nosymfollow: %s", strerror(errno));
        return r;
}

/* The number of the mount that a connection serves, or -1 where the kernel does not tell (Linux 6.17 does).
 */
static int mount_of_connection(int session_fd) {
        int connection = ask_descriptor(session_fd, "fuse_connection");
        char device[32] = "";
        struct entry entry;

        snprintf(device, sizeof(device), "0:%d", connection);
        return connection >= 0 && entry_find(-1, device, &entry) ? entry.mount : -1;
}

int mountpoint_mounted(struct mountpoint *mountpoint, int session_fd, bool nosymfollow) {
        _cleanup_(base_closep) int fd = -1;
        struct entry entry;

        if (mountpoint->fd >= 0) {
                mountpoint->mount = mount_of_connection(session_fd);
        } else {
                fd = open(mountpoint->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
                mountpoint->mount = fd < 0 ? -1 : ask_descriptor(fd, "mnt_id");
        }
        if (mountpoint->mount >= 0 && entry_find(mountpoint->mount, "", &entry))
                snprintf(mountpoint->device, sizeof(mountpoint->device), "%s", entry.device);
        else
                mountpoint->mount = -1;
        return nosymfollow && fd >= 0 ? follow_no_symlinks(fd) : 0;
}

static bool find_ours(const struct mountpoint *mountpoint, struct entry *entry) {
        return mountpoint->mount >= 0 && entry_find(mountpoint->mount, "", entry) &&
               strcmp(entry->device, mountpoint->device) == 0;
}

bool mountpoint_is_mounted(const struct mountpoint *mountpoint) {
        struct entry entry;

        return find_ours(mountpoint, &entry);
}

void mountpoint_leave(const struct mountpoint *mountpoint) {
        struct entry entry;
        int r;

        if (!find_ours(mountpoint, &entry))
                return;
        r = take_away(&entry);
        if (r < 0)
                base_log(BASE_LOG_WARNING, "the dead mount at '%s' is left: take it away with umount -l (%s)",
                         entry.where, strerror(-r));
}
