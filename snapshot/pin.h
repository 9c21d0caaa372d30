/*
 * A pin: one read transaction of SQLite's own on one source. While it lives, the version it sees stays
 * readable; in WAL mode no writer is blocked but the WAL cannot be reset, in rollback mode no writer can
 * commit. So: short.
 */
#pragma once

#include "snapshot/vfs_source.h"

#include <stdbool.h>

struct pin {
        struct vfs_source vfs;
        sqlite3 *db;
};

/*
 * Pins what is committed now. file and main_fd are borrowed for the life of the pin; patience_ns: how long to
 * try for SHARED, sleeping. 0, or
 * - -EBUSY: an application holds a lock just now: come again;
 * - -EAGAIN: SQLite cannot read this source without writing to it: it takes the private way ;
 * - -ESTALE: not a database in SQLite's eyes;
 * - -EPERM: a side file is not to be trusted (file.h);
 * - -EIO (corrupt), -EACCES, -ENOMEM...: logged.
 * Blocks; no lock held.
 */
int pin_new(struct pin **out, const struct store_file *file, int main_fd, uint64_t patience_ns);
struct pin *pin_free(struct pin *pin);

/* Whether it is SHARED of rollback mode that is held, so that nobody can commit (P6). */
static inline bool pin_stops_commits(const struct pin *pin) {
        return pin->vfs.read_lock < 0;
}
