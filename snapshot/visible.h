/* The size of what is committed in a database, as far as it shows without a lock. */
#pragma once

#include "snapshot/cache.h"
#include "snapshot/format.h"
#include "snapshot/store.h"

/* Whether there is a WAL or a rollback journal with a valid header beside the file. */
bool visible_side(const struct store_file *file);

/*
 * The size in bytes that a snapshot taken now would have: of the pages that page 1 counts, wherever the
 * committed page 1 is: in the main file, in a WAL that is alive, in one that nobody has open, or in a
 * rollback journal. header: of the main file's page 1; main_size: of that file; has_wal: its WAL is not
 * empty; wals: what scans of dead WALs found. 0 or -errno. Blocks; takes no lock.
 */
int visible_size(const struct store_file *file, const struct format_header *header, uint64_t main_size,
                 bool has_wal, struct cache *wals, uint64_t *size);
