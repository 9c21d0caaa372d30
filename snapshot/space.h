/*
 * Nameless files and the room they take (P7, T3): each is made without a name, mode 0600, its space is
 * reserved before anything is promised, and given back when it is closed. A kill -9 leaves nothing: the
 * kernel frees them.
 */
#pragma once

#include "snapshot/base.h"

struct space {
        struct mutex lock; /* MUTEX_RANK_LEAF: used */
        int dirfd;
        char *dir;
        uint64_t max; /* bytes; 0: unbounded */
        uint64_t used;
};

/* dir: NULL for $TMPDIR or /var/tmp. 0, or -errno when no nameless file can be made there (logged). */
int space_init(struct space *space, const char *dir, uint64_t max);
void space_deinit(struct space *space);

/* Bytes that are taken now. */
uint64_t space_used(struct space *space);

/* How much of the file system is free for us, in percent. */
unsigned space_free_percent(const struct space *space);
/* 0, or -ENOSPC when size bytes more do not fit now. Reserves nothing. */
int space_check(struct space *space, uint64_t size);
/* Says that a snapshot of that size does not fit, and why: the budget or the file system. */
void space_log_full(struct space *space, const char *path, uint64_t size);

struct space_file {
        struct space *space;
        int fd;
        uint64_t reserved; /* bytes, of the budget and of the file system */
        uint64_t charged;  /* bytes, of the budget only */
};

#define SPACE_FILE_NULL                                                                                      \
        { .space = NULL, .fd = -1 }

/* Makes an empty nameless file with size bytes reserved behind it. 0, -ENOSPC, -errno. Blocks. */
int space_file_init(struct space_file *file, struct space *space, uint64_t size);
/* Reserves up to size bytes in all; no-op when that much is reserved already. 0, -ENOSPC, -errno. Blocks. */
int space_file_reserve(struct space_file *file, uint64_t size);
/* Counts size bytes more as taken, which the file system finds room for by itself. 0 or -ENOSPC. */
int space_file_charge(struct space_file *file, uint64_t size);
/* Closes the file and gives its room back. */
void space_file_deinit(struct space_file *file);
