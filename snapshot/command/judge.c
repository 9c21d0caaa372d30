/*
 * integrity_check of bytes that anybody may have written. They come to SQLite through a VFS that can read one
 * file and nothing else. It passes for writable, since SQLite leaves out CHECK constraints where it may not
 * write, and for a database in rollback mode, since it would want a WAL-index otherwise.
 *
 * Whoever can write a database can write its schema, and integrity_check evaluates parts of that: so no
 * function with effects (trusted_schema), no views, triggers or extensions, limits on what is parsed, and a
 * bound on memory. What remains is time, and a signal ends that.
 */
#include "snapshot/command/command.h"

#include "snapshot/format.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <string.h>

#define HEAP_PER_CHECK (UINT64_C(512) << 20)
#define PROGRESS_OPS   100
#define HEADER_MODES   18 /* where the header has the write and the read version: 2 is WAL mode */
#define HEADER_WRITER  96 /* where the header has the version of the SQLite that wrote last */
#define MESSAGES       10

struct judge_bytes {
        ssize_t (*read)(void *userdata, void *buffer, size_t size, uint64_t offset); /* count or -errno */
        void *userdata;
        uint64_t size;
};

struct judge_vfs {
        sqlite3_vfs base;
        char name[32]; /* under which it is registered */
        const struct judge_bytes *bytes;
        int error; /* the first -errno of a read */
};

struct judge_handle {
        sqlite3_file base;
        struct judge_vfs *vfs;
};

/* ---- the VFS ------------------------------------------------------------------------------------ */

static int file_close(sqlite3_file *base) {
        return SQLITE_OK;
}

static int file_read(sqlite3_file *base, void *buffer, int amount, sqlite3_int64 offset) {
        struct judge_vfs *vfs = ((struct judge_handle *)base)->vfs;
        const struct judge_bytes *bytes = vfs->bytes;
        ssize_t n = command_interrupted()
                            ? -EINTR
                            : bytes->read(bytes->userdata, buffer, (size_t)amount, (uint64_t)offset);

        if (n < 0) {
                vfs->error = vfs->error ? vfs->error : (int)n;
                return SQLITE_IOERR_READ;
        }
        for (sqlite3_int64 at = HEADER_MODES; at < HEADER_MODES + 2; at++)
                if (offset <= at && at < offset + n && ((char *)buffer)[at - offset] == 2)
                        ((char *)buffer)[at - offset] = 1;
        if (n == amount)
                return SQLITE_OK;
        memset((char *)buffer + n, 0, (size_t)(amount - n));
        return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *buffer, int amount, sqlite3_int64 offset) {
        return SQLITE_READONLY;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size) {
        return SQLITE_READONLY;
}

static int file_nothing(sqlite3_file *base, int flags) {
        return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size) {
        *size = (sqlite3_int64)((struct judge_handle *)base)->vfs->bytes->size;
        return SQLITE_OK;
}

static int file_check_reserved_lock(sqlite3_file *base, int *held) {
        *held = 0;
        return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int op, void *arg) {
        return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *base) {
        return 4096;
}

static int file_device_characteristics(sqlite3_file *base) {
        return 0;
}

static const sqlite3_io_methods methods = {
        .iVersion = 1,
        .xClose = file_close,
        .xRead = file_read,
        .xWrite = file_write,
        .xTruncate = file_truncate,
        .xSync = file_nothing,
        .xFileSize = file_size,
        .xLock = file_nothing,
        .xUnlock = file_nothing,
        .xCheckReservedLock = file_check_reserved_lock,
        .xFileControl = file_control,
        .xSectorSize = file_sector_size,
        .xDeviceCharacteristics = file_device_characteristics,
};

static int judge_open(sqlite3_vfs *base, const char *name, sqlite3_file *out, int flags, int *out_flags) {
        struct judge_handle *handle = (struct judge_handle *)out;

        handle->base.pMethods = NULL;
        if (!(flags & SQLITE_OPEN_MAIN_DB))
                return SQLITE_CANTOPEN;
        handle->vfs = container_of(base, struct judge_vfs, base);
        handle->base.pMethods = &methods;
        if (out_flags)
                *out_flags = flags;
        return SQLITE_OK;
}

static int judge_delete(sqlite3_vfs *base, const char *name, int sync) {
        return SQLITE_IOERR_DELETE;
}

static int judge_access(sqlite3_vfs *base, const char *name, int flags, int *result) {
        *result = 0;
        return SQLITE_OK;
}

static int judge_full_pathname(sqlite3_vfs *base, const char *name, int size, char *out) {
        snprintf(out, (size_t)size, "%s", name);
        return SQLITE_OK;
}

/* Registers it under a name of its own, with time and randomness from SQLite's own. A SQLite code. */
static int judge_register(struct judge_vfs *vfs, const struct judge_bytes *bytes) {
        static atomic_uint serial;
        sqlite3_vfs *system = sqlite3_vfs_find(NULL);

        *vfs = (struct judge_vfs){ .base = *system, .bytes = bytes };
        snprintf(vfs->name, sizeof(vfs->name), "litesnap-%u", atomic_fetch_add(&serial, 1));
        vfs->base.iVersion = 1;
        vfs->base.szOsFile = sizeof(struct judge_handle);
        vfs->base.pNext = NULL;
        vfs->base.zName = vfs->name;
        vfs->base.xOpen = judge_open;
        vfs->base.xDelete = judge_delete;
        vfs->base.xAccess = judge_access;
        vfs->base.xFullPathname = judge_full_pathname;
        return sqlite3_vfs_register(&vfs->base, 0);
}

/* ---- the check ---------------------------------------------------------------------------------- */

void judge_limit(unsigned jobs) {
        sqlite3_hard_heap_limit64((sqlite3_int64)(jobs * HEAP_PER_CHECK));
}

static int on_progress(void *userdata) {
        return command_interrupted();
}

static void distrust(sqlite3 *db) {
        static const int limits[][2] = {
                { SQLITE_LIMIT_ATTACHED, 0 },
                { SQLITE_LIMIT_EXPR_DEPTH, 200 },
                { SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000 },
                { SQLITE_LIMIT_SQL_LENGTH, 4000000 },
                { SQLITE_LIMIT_TRIGGER_DEPTH, 10 },
                { SQLITE_LIMIT_VDBE_OP, 50000000 },
                { SQLITE_LIMIT_WORKER_THREADS, 0 },
        };
        static const int configs[][2] = {
                { SQLITE_DBCONFIG_DEFENSIVE, 1 },
                { SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
                { SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
                { SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
                { SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
                sqlite3_limit(db, limits[i][0], limits[i][1]);
        for (size_t i = 0; i < ARRAY_SIZE(configs); i++)
                sqlite3_db_config(db, configs[i][0], configs[i][1], NULL);
        sqlite3_progress_handler(db, PROGRESS_OPS, on_progress, NULL);
}

/* Adds a line to *why. */
static void add(char **why, const char *text) {
        char *longer = NULL;

        if (asprintf(&longer, "%s%s%s", *why ? *why : "", *why ? "\n" : "", text) < 0)
                return;
        free(*why);
        *why = longer;
}

/* Whether the last writer was a newer SQLite than ours, whose syntax we need not understand. */
static bool written_by_newer(const struct judge_bytes *bytes) {
        uint8_t header[FORMAT_HEADER_SIZE];

        return bytes->read(bytes->userdata, header, sizeof(header), 0) == (ssize_t)sizeof(header) &&
               format_be32(header + HEADER_WRITER) > (uint32_t)sqlite3_libversion_number();
}

/* Runs the check. The SQLite code it ended with; *bad: it found something. */
static int ask(sqlite3 *db, bool quick, bool *bad, char **why) {
        sqlite3_stmt *stmt = NULL;
        char sql[64];
        int code;

        snprintf(sql, sizeof(sql), "PRAGMA %s(%d)", quick ? "quick_check" : "integrity_check", MESSAGES);
        code = sqlite3_exec(db, "PRAGMA temp_store = MEMORY; PRAGMA cell_size_check = ON", NULL, NULL, NULL);
        if (code == SQLITE_OK)
                code = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
        while (code == SQLITE_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
                const char *text = (const char *)sqlite3_column_text(stmt, 0);

                code = SQLITE_OK;
                if (text && strcmp(text, "ok") == 0)
                        continue;
                *bad = true;
                add(why, text ? text : "?");
        }
        if (code != SQLITE_DONE)
                add(why, sqlite3_errmsg(db));
        sqlite3_finalize(stmt);
        return code;
}

static int judge(const struct judge_bytes *bytes, bool quick, char **why) {
        struct judge_vfs vfs;
        sqlite3 *db = NULL;
        bool bad = false;
        int code, r;

        *why = NULL;
        code = judge_register(&vfs, bytes);
        if (code == SQLITE_OK)
                code = sqlite3_open_v2("db", &db,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                                       vfs.name);
        if (code == SQLITE_OK) {
                distrust(db);
                code = ask(db, quick, &bad, why);
        }
        sqlite3_close(db);
        sqlite3_vfs_unregister(&vfs.base);
        r = base_sqlite_error(code);
        if (vfs.error < 0)
                return vfs.error;
        if (r == -ENOMEM || r == -EINTR)
                return r;
        /* A schema that cannot be read is bad, unless it may be only too new for us. */
        if (r < 0 && !bad && *why && strncmp(*why, "malformed database schema", 25) == 0 &&
            written_by_newer(bytes)) {
                add(why, "written by a newer SQLite than this program has (" SQLITE_VERSION ")");
                return -EOPNOTSUPP;
        }
        return bad || r < 0;
}

/* ---- whose bytes -------------------------------------------------------------------------------- */

static ssize_t read_snapshot(void *userdata, void *buffer, size_t size, uint64_t offset) {
        return snapshot_read(userdata, buffer, size, offset);
}

int judge_snapshot(struct snapshot *snapshot, bool quick, char **why) {
        struct judge_bytes bytes = { read_snapshot, snapshot, snapshot_size(snapshot) };

        return judge(&bytes, quick, why);
}

static ssize_t read_file(void *userdata, void *buffer, size_t size, uint64_t offset) {
        return base_pread(*(int *)userdata, buffer, size, offset);
}

int judge_file(int fd, uint64_t size, bool quick, char **why) {
        struct judge_bytes bytes = { read_file, &fd, size };

        return judge(&bytes, quick, why);
}
