/*
 * A read transaction held on a source through vfs_source.
 *
 * Nothing of the schema is parsed: that takes long where it is large, and fails where an application has a
 * newer SQLite. "PRAGMA schema_version" reads one field of page 1.
 *
 * Invariant: a pin that exists has seen page 1 of its version, so the lock (rollback mode:
 * SHARED) or the read mark (WAL mode) that keeps this version readable is held.
 */
#include "snapshot/pin.h"

#include "snapshot/base.h"

#include <errno.h>
#include <string.h>

/* What a failure of SQLite's on the source means to the caller of pin_new(). */
static int translate(const struct pin *pin, int code, const char *path) {
        int r = base_sqlite_error(code);

        /* An error below SQLite, in our VFS, knows more. A side file that has gone is an application that has
         * closed; one that we may not read leaves the private way, which needs fewer of them. */
        if ((r == -EAGAIN || r == -EIO) && pin->vfs.error != 0)
                r = pin->vfs.error == -ENOENT || pin->vfs.error == -EACCES ? -EAGAIN : pin->vfs.error;
        if (r == -EBUSY || r == -EAGAIN || r == -ESTALE || r == -EPERM)
                return r;
        base_log(BASE_LOG_ERROR, "%s: cannot read: %s (%s)", path,
                 pin->db ? sqlite3_errmsg(pin->db) : "out of memory", strerror(-r));
        return r;
}

int pin_new(struct pin **out, const struct store_file *file, int main_fd, uint64_t patience_ns) {
        struct pin *pin = calloc(1, sizeof(*pin));
        int code, r;

        if (!pin)
                return -ENOMEM;
        r = vfs_source_init(&pin->vfs, file, main_fd);
        if (r < 0) {
                free(pin);
                return r;
        }
        r = vfs_source_share(&pin->vfs, patience_ns);
        if (r < 0) {
                if (r != -EBUSY)
                        base_log(BASE_LOG_ERROR, "%s: cannot lock: %s", file->path, strerror(-r));
                pin_free(pin);
                return r;
        }
        code = vfs_connect(&pin->vfs.vfs, SQLITE_OPEN_READONLY, &pin->db);
        if (code == SQLITE_OK)
                code = sqlite3_exec(pin->db, "BEGIN; PRAGMA schema_version", NULL, NULL, NULL);
        if (code != SQLITE_OK) {
                r = translate(pin, code, file->path);
                pin_free(pin);
                return r;
        }
        vfs_source_freeze(&pin->vfs);
        *out = pin;
        return 0;
}

struct pin *pin_free(struct pin *pin) {
        if (!pin)
                return NULL;
        mutex_assert_none_held();
        sqlite3_close(pin->db);
        vfs_source_deinit(&pin->vfs);
        free(pin);
        return NULL;
}
