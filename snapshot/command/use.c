/*
 * Whether somebody uses a file that is to be replaced. SQLite's locks tell of connections that are at work;
 * one in rollback mode that rests holds none, so it counts who has the file open, too: the kernel grants a
 * write lease only to the one process that has it (fcntl(2)), whatever container the others are in, but only
 * to the owner and to root; /proc knows them by name, as far as we may look.
 */
#include "snapshot/command/command.h"

#include "snapshot/lock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

static bool has_open(int proc, const char *pid, const struct stat *st) {
        char path[300];
        _cleanup_(base_closep) int fd = -1;
        struct dirent *entry;
        bool found = false;
        DIR *dir;

        snprintf(path, sizeof(path), "%s/fd", pid);
        fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        dir = fd >= 0 ? fdopendir(fd) : NULL;
        if (!dir)
                return false;
        fd = -1;
        while (!found && (entry = readdir(dir))) {
                struct stat other;

                found = fstatat(dirfd(dir), entry->d_name, &other, 0) == 0 && other.st_dev == st->st_dev &&
                        other.st_ino == st->st_ino;
        }
        closedir(dir);
        return found;
}

/* Finds a process other than this one that has the file open, and names it. */
static bool find_process(const struct stat *st, char *who, size_t size) {
        DIR *proc = opendir("/proc");
        struct dirent *entry;
        bool found = false;
        char self[32] = "";

        /* Not getpid(): /proc may be that of another process namespace. */
        if (readlink("/proc/self", self, sizeof(self) - 1) < 0)
                self[0] = 0;
        while (proc && !found && (entry = readdir(proc))) {
                char path[300], name[64] = "";
                _cleanup_(base_closep) int fd = -1;

                if (!isdigit((unsigned char)entry->d_name[0]) || strcmp(entry->d_name, self) == 0 ||
                    !has_open(dirfd(proc), entry->d_name, st))
                        continue;
                found = true;
                snprintf(path, sizeof(path), "%s/comm", entry->d_name);
                fd = openat(dirfd(proc), path, O_RDONLY | O_CLOEXEC);
                if (fd >= 0 && base_pread(fd, name, sizeof(name) - 1, 0) > 0)
                        name[strcspn(name, "\n")] = 0;
                snprintf(who, size, "process %s (%s)", entry->d_name, name);
        }
        if (proc)
                closedir(proc);
        return found;
}

int use_check(int fd, char *who, size_t size) {
        struct stat st;
        bool used;
        int r;

        if (fstat(fd, &st) < 0)
                return -errno;
        snprintf(who, size, "a process that cannot be seen from here");
        r = lock_exclusive(fd);
        used = r == -EBUSY;
        /* Somebody who opens it in this moment waits, and we are sent a signal that would end us. */
        signal(SIGIO, SIG_IGN);
        /* File systems without leases, and files of others: EINVAL, EACCES. */
        if (fcntl(fd, F_SETLEASE, F_WRLCK) == 0)
                fcntl(fd, F_SETLEASE, F_UNLCK);
        else
                used = used || errno == EAGAIN;
        return find_process(&st, who, size) || used;
}
