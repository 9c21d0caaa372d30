/*
 * The private way: a copy taken without SQLite, proven to be one state (proof.h), then recovered in private
 * space.
 *
 * Invariant: nothing of the source is opened but for reading; what SQLite recovers is the copy.
 */
#include "snapshot/engine.h"

#include "snapshot/base.h"
#include "snapshot/proof.h"

#include <errno.h>
#include <string.h>

/* ---- recovery ----------------------------------------------------------------------------------- */

static int first_word(void *userdata, int n, char **values, char **names) {
        *(bool *)userdata = n > 0 && values[0] && strcmp(values[0], "ok") == 0;
        return 0;
}

/*
 * Opens the copy with SQLite, which recovers it, and puts a WAL into its main file; check: runs
 * integrity_check on it. 0, -EBUSY: not ok; -errno, logged.
 */
static int recover(struct engine_job *job, struct vfs_private *vfs, bool check) {
        sqlite3 *db = NULL;
        bool ok = true;
        int code, r;

        code = vfs_connect(&vfs->vfs, SQLITE_OPEN_READWRITE, &db);
        if (code == SQLITE_OK)
                code = sqlite3_exec(
                        db,
                        "PRAGMA locking_mode=EXCLUSIVE; PRAGMA synchronous=OFF; PRAGMA cache_size=-256;"
                        "SELECT 1 FROM sqlite_schema LIMIT 1; PRAGMA wal_checkpoint(TRUNCATE)",
                        NULL, NULL, NULL);
        if (code == SQLITE_OK && check)
                code = sqlite3_exec(db, "PRAGMA integrity_check(1)", first_word, &ok, NULL);
        r = vfs->error != 0 ? vfs->error : base_sqlite_error(code);
        if (r < 0 && r != -ENOSPC)
                base_log(BASE_LOG_ERROR, "%s: recovery of a private copy: %s", job->file->path,
                         db ? sqlite3_errmsg(db) : "out of memory");
        sqlite3_close(db);
        if (r == 0 && !ok)
                return -EBUSY;
        return r == -EAGAIN || r == -EBUSY || r == -ESTALE ? -EIO : r;
}

/* Cuts the result to its pages; a database that lacks some is SQLITE_CORRUPT to SQLite, and EIO to us (S9).
 */
static int finish(struct engine_job *job, struct vfs_private *vfs, const struct version *version) {
        uint8_t bytes[FORMAT_HEADER_SIZE] = { 0 };
        struct format_header header;
        uint64_t pages;
        ssize_t n;
        int r;

        r = vfs_private_take(vfs, &job->out, &job->size);
        if (r < 0)
                return r;
        n = base_pread(job->out.fd, bytes, sizeof(bytes), 0);
        if (n < 0)
                return (int)n;
        if (!format_has_magic(bytes, (size_t)n) || format_header_parse(&header, bytes) < 0)
                return -ESTALE;
        /* Its journal mode was changed meanwhile, and what proves it is another thing. */
        if (header.wal != version->header.wal)
                return -EBUSY;
        pages = (uint64_t)header.page_count * header.page_size;
        if (header.version_valid_for == header.change_counter && pages > job->size) {
                base_log(BASE_LOG_ERROR, "%s: corrupt: its header counts %llu bytes of pages, there are %llu",
                         job->file->path, (unsigned long long)pages, (unsigned long long)job->size);
                return -EIO;
        }
        job->size = format_header_size(&header, job->size);
        return ftruncate(job->out.fd, (off_t)job->size) < 0 ? -errno : 0;
}

int engine_private(struct engine_job *job, const struct version *version, const char **why) {
        struct vfs_private vfs;
        int r, proof;

        job->out = (struct space_file)SPACE_FILE_NULL;
        r = vfs_private_init(&vfs, job->space);
        if (r < 0)
                return r;
        proof = proof_copy(job, &vfs, version, why);
        r = proof < 0 ? proof : 0;
        if (proof == PROOF_TO_RECOVER || proof == PROOF_TO_CHECK)
                r = recover(job, &vfs, proof == PROOF_TO_CHECK);
        if (r == 0)
                r = finish(job, &vfs, version);
        if (r < 0)
                space_file_deinit(&job->out);
        vfs_private_deinit(&vfs);
        return r;
}
