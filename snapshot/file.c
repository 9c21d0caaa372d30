/*
 * Files of the source tree and their side files.
 *
 * Invariant: the only place that makes a side file's name and opens it.
 */
#include "snapshot/file.h"

#include "snapshot/base.h"
#include "snapshot/format.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

struct store_file *file_copy(const struct store_file *file) {
        size_t name_size = strlen(file->name) + 1, path_size = strlen(file->path) + 1;
        struct store_file *copy = malloc(sizeof(*copy) + name_size + path_size);
        char *strings = (char *)(copy + 1);
        int error;

        if (!copy)
                return NULL;
        copy->dirfd = fcntl(file->dirfd, F_DUPFD_CLOEXEC, 3);
        if (copy->dirfd < 0) {
                error = errno;
                free(copy);
                errno = error;
                return NULL;
        }
        copy->name = memcpy(strings, file->name, name_size);
        copy->path = memcpy(strings + name_size, file->path, path_size);
        return copy;
}

struct store_file *file_free(struct store_file *file) {
        if (!file)
                return NULL;
        close(file->dirfd);
        free(file);
        return NULL;
}

static int side_name(char out[NAME_MAX + 1], const struct store_file *file, const char *suffix) {
        return snprintf(out, NAME_MAX + 1, "%s%s", file->name, suffix) <= NAME_MAX ? 0 : -ENOENT;
}

int file_side_stat(const struct store_file *file, const char *suffix, struct stat *st) {
        char name[NAME_MAX + 1];
        int r = side_name(name, file, suffix);

        if (r < 0)
                return r;
        return fstatat(file->dirfd, name, st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* Whether everybody who may read a file with the stat main may read the other too. */
static bool readable_alike(const struct stat *main, const struct stat *side) {
        mode_t needed = main->st_mode & (S_IRUSR | S_IRGRP | S_IROTH);

        if (side->st_mode & S_IROTH)
                needed &= ~(mode_t)(S_IRUSR | S_IRGRP);
        else if (side->st_uid != main->st_uid || ((needed & S_IRGRP) && side->st_gid != main->st_gid))
                return false;
        return (side->st_mode & needed) == needed;
}

/* Whether the file begins as SQLite would begin a side file with that suffix; if not, it has nothing to say.
 */
static bool begins_validly(int fd, const char *suffix) {
        uint8_t bytes[FORMAT_INDEX_HEAD_SIZE] = { 0 };
        struct format_journal journal;
        struct format_index index;
        struct format_wal wal;

        if (base_pread(fd, bytes, sizeof(bytes), 0) < 0)
                return true;
        if (strcmp(suffix, "-wal") == 0)
                return format_wal_parse(&wal, bytes) == 0;
        if (strcmp(suffix, "-shm") == 0)
                return format_index_parse(&index, bytes) == 0;
        return format_journal_parse(&journal, bytes) == 0;
}

int file_side_open(const struct store_file *file, const char *suffix, const struct stat *main,
                   struct stat *st) {
        char name[NAME_MAX + 1];
        struct stat own;
        int r, fd;

        r = side_name(name, file, suffix);
        if (r < 0)
                return r;
        fd = base_open_source(file->dirfd, name, 0);
        if (fd < 0)
                return fd == -ELOOP || fd == -ENXIO ? -EPERM : fd;
        if (!st)
                st = &own;
        if (fstat(fd, st) < 0)
                r = -errno;
        else if (!S_ISREG(st->st_mode))
                r = -EPERM;
        else if (!readable_alike(main, st))
                r = begins_validly(fd, suffix) ? -EPERM : -ENOENT;
        if (r < 0) {
                close(fd);
                return r;
        }
        return fd;
}
