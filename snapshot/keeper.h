/*
 * The keeper: for how long views are lent to readers, and copies kept for the next one. One piece of work for
 * all of them.
 */
#pragma once

#include "snapshot/copy.h"
#include "snapshot/registry.h"

/* From this size on a copy goes to the pool of the large ones. */
#define BULK_SIZE (UINT64_C(64) << 20)

/* The snapshot has a view, which is lent from now on; hurry: until the first read, with which it begins to be
 * copied. */
void keeper_lend_locked(struct snapshot *snapshot, bool hurry);
/* That read has come. */
void keeper_read_locked(struct snapshot *snapshot);
/* The last reference has gone. */
void keeper_drop_locked(struct snapshot *snapshot);
/* Gives up the reference of the caller to a snapshot with a copy: it stays for linger_s after its last
 * reader. */
void keeper_linger(struct snapshot *snapshot);
/* Frees the room of all copies that nobody reads, or of those of one source (NULL: all). How many. Takes the
 * lock. */
unsigned keeper_purge(struct store *store, const struct source *source);
/* Makes a copy of a view, by sharing extents where that can be. 0 with out, the caller's, and *engine;
 * otherwise as copy_run(). Blocks. */
int keeper_copy(struct store *store, const struct view *view, const struct copy_wish *wish,
                struct space_file *out, enum engine *engine);
