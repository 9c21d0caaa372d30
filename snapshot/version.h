/*
 * A version: one committed state of one source, as far as it can be known: what lstat shows of it, and what
 * tells it from another (promises 3 and 4).
 */
#pragma once

#include "snapshot/cache.h"
#include "snapshot/file.h"
#include "snapshot/format.h"
#include "snapshot/store.h"

struct version {
        struct stat attr; /* as shown */
        struct stat main; /* raw */
        struct stat wal;  /* raw; all zero when there is none */
        struct format_header header;
        bool foreign;           /* of a format that is not understood: never to be served */
        bool unborn;            /* nothing is committed yet: a rollback of its first transaction leaves
                                   nothing */
        struct timespec looked; /* wall time just before the look */
        uint8_t index[FORMAT_INDEX_HEADER_SIZE]; /* of the pinned WAL-index; all zero when none is pinned */
};

/*
 * Whether SQLite reads the database through a WAL: when its header says so, and whatever that says when a WAL
 * with content lies beside it (pagerOpenWalIfPresent() in SQLite's pager.c).
 */
static inline bool version_through_wal(const struct version *version) {
        return version->header.wal || version->wal.st_size > 0;
}

/*
 * Looks at a source, taking no lock: fills main (a given fstat or fstatat), wal, header and attr's times.
 * attr.st_size is the size of what is committed as far as it shows without a lock; version_pinned() sets the
 * exact one. main_fd: open for reading, or -1 to have it opened. wals: remembers what scans of WAL files
 * found. 0; -ESTALE: not a database; -EBUSY: being written, look again; -EPERM: a side file is not to be
 * trusted (file.h); -errno.
 */
int version_look(struct version *version, const struct store_file *file, int main_fd, const struct stat *main,
                 struct cache *wals);

/* Stats again and tells whether main and WAL are as version_look() saw them. */
bool version_unchanged(const struct version *version, const struct store_file *file, int main_fd);

/* Whether two stats are of one file that was not written in between, as far as times of their age prove it.
 */
bool version_same_bytes(const struct stat *a, const struct stat *b);

/* Sets attr's size, and its blocks after that. */
void version_set_size(struct version *version, uint64_t size);

/* What is shown of it: attr, under the rule of the current second. */
void version_show(const struct version *version, enum store_racy racy, struct stat *st);

/* How long until the second of its last commit is over, by the clock of looked; 0: it is over. Nanoseconds.
 */
uint64_t version_second_left_ns(const struct version *version);

/*
 * Whether equality with another version proves that they are one state: by the WAL-index, or by times that
 * are old enough. main_fd: of the main file, or -1.
 */
bool version_provable(const struct version *version, int main_fd);

/* Whether both are provably the same state with the same attributes. */
bool version_equal(const struct version *a, const struct version *b);
