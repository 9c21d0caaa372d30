/* What is committed in a database, as far as it shows without a lock: its first page's header and its size.
 */
#pragma once

#include "snapshot/version.h"

/* Whether there is a WAL or a rollback journal with a valid header beside the file with that stat. */
bool visible_side(const struct store_file *file, const struct stat *main);

/*
 * Finds the committed page 1 where SQLite would: in the rollback journal of an unfinished transaction, in a
 * WAL that is alive, in one that nobody has open, or in the main file; and the size in bytes of the pages
 * that it counts. version: with main and wal; bytes: the first FORMAT_HEADER_SIZE of the main file; wals:
 * what scans of dead WALs found. Sets header, foreign, unborn and *size. 0; -ESTALE: not a database; -EPERM
 * (file.h); -errno. Blocks; takes no lock.
 */
int visible_look(struct version *version, const struct store_file *file, const uint8_t *bytes,
                 struct cache *wals, uint64_t *size);
