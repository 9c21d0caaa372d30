/*
 * A file of the source tree and the side files of its name: how it is called, how its -wal, -shm and -journal
 * are found and opened.
 *
 * A side file is used only if it is a regular file and everybody who may read the main file may read it too.
 * SQLite makes side files with the owner and the mode of the main file; one that says less was put there by
 * somebody else, who could have any file of another owner shown as pages of a database of his own. If it does
 * not begin as a side file does, it counts as none, as it does for SQLite; if it does, there is no telling
 * what is committed.
 */
#pragma once

#include <sys/stat.h>

/* One file of the source tree. Borrowed: a call copies what it keeps. */
struct store_file {
        int dirfd;        /* the directory that holds it: O_PATH or O_RDONLY */
        const char *name; /* its name there, not a path */
        const char *path; /* how to call it in the log */
};

/* A copy with a descriptor and strings of its own, for file_free(); NULL with errno set. */
struct store_file *file_copy(const struct store_file *file);
struct store_file *file_free(struct store_file *file);

/* Stats the side file with that suffix ("-wal"). 0; -ENOENT: there is none, or its name would be too long;
 * -errno. */
int file_side_stat(const struct store_file *file, const char *suffix, struct stat *st);
/*
 * Opens it for reading, beside a main file with that stat; st: NULL, or its stat. The descriptor; -ENOENT as
 * above; -EPERM: it is not to be trusted (above); -errno.
 */
int file_side_open(const struct store_file *file, const char *suffix, const struct stat *main,
                   struct stat *st);
