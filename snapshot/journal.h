/* What the rollback journal beside a database says ("The Rollback Journal" of fileformat2.html, pager.c). */
#pragma once

#include "snapshot/file.h"
#include "snapshot/format.h"

#include <stdbool.h>
#include <time.h>

enum journal_state {
        JOURNAL_NONE,    /* absent, empty, or without a valid header: it undoes nothing */
        JOURNAL_VALID,   /* of a transaction in progress, or of one that a crash cut off */
        JOURNAL_STALE,   /* names a super-journal that is gone: its transaction has committed */
        JOURNAL_UNKNOWN, /* names a super-journal where we cannot look: nobody can tell */
};

struct journal {
        enum journal_state state;
        bool exists;
        bool starts; /* its first byte is not zero: hot to SQLite, unless RESERVED is held */
        ino_t ino;
        struct timespec mtime;
        uint64_t size;                            /* bytes */
        uint64_t size_alone;                      /* without the record that names a super-journal */
        uint8_t head[FORMAT_JOURNAL_HEADER_SIZE]; /* with the nonce of its transaction */
        struct format_journal header;             /* if valid */
};

/* Reads it, beside a main file with that stat; takes no lock. *fd: an open descriptor of it or -1, the
 * caller's. 0, -EPERM (file.h) or -errno. Blocks. */
int journal_look(const struct store_file *file, const struct stat *main, struct journal *journal, int *fd);

/* Whether both are the same journal of the same transaction, in the same state. */
bool journal_equal(const struct journal *a, const struct journal *b);
