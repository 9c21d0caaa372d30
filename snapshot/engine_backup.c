/*
 * The online backup of a pinned version.
 *
 * Invariant: the backup never restarts, since the source connection is inside the read transaction of its pin
 * (S2).
 */
#include "snapshot/engine.h"

#include "snapshot/base.h"
#include "snapshot/vfs_private.h"

#include <errno.h>
#include <string.h>

enum { STEP_BYTES = 4 << 20 };

static int step_all(struct engine_job *job, sqlite3_backup *backup, int pages) {
        int code;

        do {
                if (job->unwanted(job->userdata))
                        return SQLITE_INTERRUPT;
                code = sqlite3_backup_step(backup, pages);
        } while (code == SQLITE_OK);
        return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int copy_pages(struct engine_job *job, struct pin *pin, sqlite3 *copy, int pages) {
        sqlite3_backup *backup;
        int code, end;

        /* Nobody else sees the copy and nothing of it outlives us: no journal, no sync. A tiny cache sends
         * pages to the file soon and in order. */
        code = sqlite3_exec(copy,
                            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA locking_mode=EXCLUSIVE;"
                            "PRAGMA cache_size=16",
                            NULL, NULL, NULL);
        if (code != SQLITE_OK)
                return code;
        backup = sqlite3_backup_init(copy, "main", pin->db, "main");
        if (!backup)
                return sqlite3_extended_errcode(copy);
        code = step_all(job, backup, pages);
        end = sqlite3_backup_finish(backup);
        return code != SQLITE_OK ? code : end;
}

/* What a code of SQLite's means here: what is transient for an open is final in the middle of a pinned copy.
 */
static int translate(const struct engine_job *job, const struct vfs_private *vfs, int code) {
        int r = vfs->error != 0 ? vfs->error : base_sqlite_error(code);

        if (r == 0 || r == -EINTR)
                return r;
        base_log(BASE_LOG_ERROR, "%s: backup: %s (%s)", job->file->path, sqlite3_errstr(code), strerror(-r));
        return r == -EAGAIN || r == -ESTALE || r == -EBUSY ? -EIO : r;
}

int engine_backup(struct engine_job *job, struct pin *pin, uint32_t page_size) {
        uint8_t header[FORMAT_HEADER_SIZE];
        struct vfs_private vfs;
        sqlite3 *copy = NULL;
        int code, r;

        r = vfs_source_first_page(&pin->vfs, header, sizeof(header));
        if (r == 0)
                r = vfs_private_init(&vfs, job->space);
        if (r < 0)
                return r;
        vfs_private_lend(&vfs, &job->out, header, page_size, job->on_frontier, job->userdata);
        code = vfs_connect(&vfs.vfs, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &copy);
        if (code == SQLITE_OK)
                code = copy_pages(job, pin, copy, STEP_BYTES / (int)page_size);
        sqlite3_close(copy);
        r = translate(job, &vfs, code);
        if (r == 0 && vfs.files[VFS_ROLE_MAIN].size != job->size) {
                base_log(BASE_LOG_ERROR, "%s: backup: %llu bytes where %llu were announced", job->file->path,
                         (unsigned long long)vfs.files[VFS_ROLE_MAIN].size, (unsigned long long)job->size);
                r = -EIO;
        }
        vfs_private_deinit(&vfs);
        return r;
}
