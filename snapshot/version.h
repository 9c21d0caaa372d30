/*
 * A version: one committed state of one source, as far as it can be known: what lstat shows of it, and what
 * tells it from another. Facts S3, S7, T1-T5; promises P3, P4.
 */
#pragma once

#include "snapshot/cache.h"
#include "snapshot/format.h"
#include "snapshot/store.h"

struct version {
        struct stat attr; /* as shown */
        struct stat main; /* raw */
        struct stat wal;  /* raw; all zero when there is none */
        struct format_header header;
        struct timespec looked;                  /* wall time just before the look */
        uint8_t index[FORMAT_INDEX_HEADER_SIZE]; /* of the pinned WAL-index; all zero when not live in WAL
                                                    mode */
};

/*
 * Looks at a source, taking no lock: fills main (a given fstat or fstatat), wal, header and attr's times.
 * attr.st_size is the size of what is committed as far as it shows without a lock; version_pinned() sets the
 * exact one. main_fd: open for reading, or -1 to have it opened. wals: remembers what scans of WAL files
 * found. 0, -ESTALE (not a database), -errno.
 */
int version_look(struct version *version, const struct store_file *file, int main_fd, const struct stat *main,
                 struct cache *wals);

/* Stats again and tells whether main and WAL are as version_look() saw them. */
bool version_unchanged(const struct version *version, const struct store_file *file, int main_fd);

/* Sets attr's size, and its blocks after that (T5). */
void version_set_size(struct version *version, uint64_t size);

/* What is shown of it: attr, under the rule of the current second (T1). */
void version_show(const struct version *version, enum store_racy racy, struct stat *st);

/* How long until the second of its last commit is over, by the clock of looked; 0: it is over. Nanoseconds.
 */
uint64_t version_second_left_ns(const struct version *version);

/* Whether equality with another version proves that they are one state: by the WAL-index, or by times that
 * are old enough. */
bool version_provable(const struct version *version);

/* Whether both are provably the same state with the same attributes. */
bool version_equal(const struct version *a, const struct version *b);
