/*
 * A pin: a reader of a live WAL, as SQLite's own connections are one: it holds a read lock of the WAL-index,
 * so that no checkpoint passes its version and the WAL does not start anew. It blocks no writer. So: short.
 *
 * Only shared locks are taken, and nothing is written: where SQLite would move a read mark to the last
 * commit, the largest mark that is there does, as it does for SQLite where the -shm is read-only
 * (walTryBeginRead() in wal.c). The -shm is read and never mapped: whoever truncates it cannot end us with
 * SIGBUS.
 */
#pragma once

#include "snapshot/file.h"
#include "snapshot/frames.h"

#include <stdbool.h>

struct pin {
        int shm_fd, wal_fd;
        int lock;                  /* the read lock, 0 to 4; 0: all frames are in the main file */
        struct format_index index; /* of the version */
        uint8_t head[FORMAT_INDEX_HEADER_SIZE]; /* its raw header */
};

/* Whether an application has a WAL-index beside this name, and uses it. main: of the main file. 1, 0, -EPERM
 * (file.h), -errno. */
int pin_index_alive(const struct store_file *file, const struct stat *main);

/*
 * Pins what is committed now. 0, or
 * - -EBUSY: the index is being written, or has no read mark that will do: come again;
 * - -EAGAIN: it is not alive, or has no WAL beside it;
 * - -EPERM (file.h), -errno.
 * Blocks; may sleep for some milliseconds; no lock held.
 */
int pin_new(struct pin **out, const struct store_file *file, const struct stat *main);
struct pin *pin_free(struct pin *pin);

/*
 * All pages of the version that are to be had from the WAL only, by number; none when the main file has them
 * all. 0 with *pages to be freed; -ESTALE: the index and the WAL do not belong together; -errno.
 */
int pin_pages(const struct pin *pin, struct frame_page **pages, size_t *n);

/* What the index says now, for a proof; one that is being written is looked at again. 0, -ESTALE, -errno. */
int pin_look(const struct pin *pin, struct format_index_look *look);
