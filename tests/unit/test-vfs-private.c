/* vfs_private.c: SQLite can do to a nameless database what it does to any, and all of it can be taken out. */
#include "scratch.h"

#include "snapshot/vfs_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char work[] = "CREATE TABLE t(id INTEGER PRIMARY KEY, a); CREATE INDEX i ON t(a);"
                           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000)"
                           "INSERT INTO t(a) SELECT randomblob(abs(random()) % 1500) FROM n;"
                           "DELETE FROM t WHERE id % 3 = 0; UPDATE t SET a=randomblob(200) WHERE id % 7 = 1;"
                           "INSERT INTO t(a) SELECT zeroblob(300000) FROM t LIMIT 3";

/* Not without a journal: SQLite leaves a database in pieces then. */
static const char undone[] = "BEGIN; DELETE FROM t; INSERT INTO t(a) VALUES(zeroblob(2000000)); ROLLBACK";

/* Statements on a database made in the VFS; its bytes are taken out. A SQLite code. */
static int run(struct space *space, const char *pragmas, struct vfs_private *vfs, struct space_file *file,
               uint64_t *size, int64_t *rows) {
        sqlite3 *db = NULL;
        int code;

        need(vfs_private_init(vfs, space) == 0);
        code = vfs_private_add(vfs, VFS_ROLE_MAIN, 10000) < 0 ? SQLITE_FULL : SQLITE_OK;
        if (code == SQLITE_OK)
                code = vfs_private_connect(vfs, &db);
        if (code == SQLITE_OK)
                code = sqlite3_exec(db, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY", NULL, NULL,
                                    NULL);
        if (code == SQLITE_OK)
                code = sqlite3_exec(db, pragmas, NULL, NULL, NULL);
        if (code == SQLITE_OK)
                code = sqlite3_exec(db, work, NULL, NULL, NULL);
        if (code == SQLITE_OK && !strstr(pragmas, "OFF"))
                code = sqlite3_exec(db, undone, NULL, NULL, NULL);
        if (code == SQLITE_OK)
                *rows = db_int(db, "SELECT sum(length(a)) FROM t");
        need(sqlite3_close(db) == SQLITE_OK);
        if (code == SQLITE_OK)
                need(vfs_private_take(vfs, file, size) == 0);
        return code;
}

static void test_database(const char *pragmas) {
        SCRATCH(scratch);
        struct space space;
        struct space_file file = SPACE_FILE_NULL;
        struct vfs_private vfs;
        uint64_t size = 0;
        int64_t sum = 0;

        need(space_init(&space, scratch.path, 0) == 0);
        is(run(&space, pragmas, &vfs, &file, &size, &sum), SQLITE_OK, "a whole database, %s", pragmas);
        is(vfs.error, 0, "no error below SQLite");
        vfs_private_deinit(&vfs);
        {
                BYTES(bytes) = fd_read(file.fd);

                ok(bytes.size >= size && size > 0, "what is taken out has its size");
                bytes.size = size;
                ok(bytes_are_whole(&bytes, "SELECT sum(length(a)) FROM t", sum), "and is whole");
        }
        is(space.used, file.reserved, "only its room is still taken");
        space_file_deinit(&file);
        is(space.used, 0, "then none");
        space_deinit(&space);
}

static void test_full(void) {
        SCRATCH(scratch);
        struct space space;
        struct space_file file = SPACE_FILE_NULL;
        struct vfs_private vfs;
        uint64_t size;
        int64_t sum;

        need(space_init(&space, scratch.path, 1 << 20) == 0);
        is(run(&space, "PRAGMA journal_mode=OFF", &vfs, &file, &size, &sum), SQLITE_FULL,
           "past the budget: SQLITE_FULL");
        is(vfs.error, -ENOSPC, "with the errno behind it");
        vfs_private_deinit(&vfs);
        is(space.used, 0, "all is given back");
        space_deinit(&space);
}

/* ---- file methods against a model
 * ---------------------------------------------------------------------------------- */

enum { MODEL_SIZE = 6 << 20, LARGEST = 70000 };

struct model {
        sqlite3_file *file;
        uint8_t *bytes;
        size_t size;
        uint64_t seed;
        unsigned n_wrong;
};

static size_t random_below(struct model *model, size_t limit) {
        model->seed = model->seed * 6364136223846793005u + 1442695040888963407u;
        return (size_t)(model->seed >> 33) % limit;
}

static void model_write(struct model *model, size_t at, size_t n) {
        uint8_t *p = model->bytes + at;

        for (size_t i = 0; i < n; i++)
                p[i] = (uint8_t)(model->seed + i * 31);
        model->n_wrong +=
                model->file->pMethods->xWrite(model->file, p, (int)n, (sqlite3_int64)at) != SQLITE_OK;
        if (at + n > model->size)
                model->size = at + n;
}

static void model_read(struct model *model, size_t at, size_t n) {
        static uint8_t got[LARGEST];
        int code = model->file->pMethods->xRead(model->file, got, (int)n, (sqlite3_int64)at);

        model->n_wrong += code != (at + n <= model->size ? SQLITE_OK : SQLITE_IOERR_SHORT_READ);
        model->n_wrong += memcmp(got, model->bytes + at, n) != 0;
}

static void model_truncate(struct model *model, size_t size) {
        model->n_wrong += model->file->pMethods->xTruncate(model->file, (sqlite3_int64)size) != SQLITE_OK;
        if (size < model->size)
                memset(model->bytes + size, 0, model->size - size);
        model->size = size;
}

static void model_step(struct model *model) {
        size_t at = random_below(model, MODEL_SIZE - LARGEST), n = 1 + random_below(model, LARGEST - 1);
        sqlite3_int64 size;

        switch (random_below(model, 10)) {
        case 0:
                model_truncate(model, random_below(model, MODEL_SIZE - LARGEST));
                break;
        case 1:
                model->n_wrong += model->file->pMethods->xFileSize(model->file, &size) != SQLITE_OK ||
                                  size != (sqlite3_int64)model->size;
                break;
        case 2:
        case 3:
                model_read(model, at, n);
                break;
        case 4:
                model_write(model, at, n);
                break;
        default:
                /* Mostly in a row, which is what is gathered, and over some of it again. */
                for (unsigned i = 0; i < 25; i++, at += n)
                        if (at + n < MODEL_SIZE)
                                model_write(model, at, n);
                if (at >= 2 * n && at < MODEL_SIZE)
                        model_write(model, at - 2 * n, n);
        }
}

static void test_model(void) {
        SCRATCH(scratch);
        struct space space;
        struct vfs_private vfs;
        struct space_file file;
        struct model model = { .seed = 1, .bytes = calloc(1, MODEL_SIZE) };
        uint64_t size;

        need(model.bytes && space_init(&space, scratch.path, 0) == 0 && vfs_private_init(&vfs, &space) == 0);
        model.file = calloc(1, (size_t)vfs.base.szOsFile);
        need(model.file);
        need(vfs.base.xOpen(&vfs.base, "db", model.file,
                                SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                NULL) == SQLITE_OK);
        for (unsigned i = 0; i < 400 && model.n_wrong == 0; i++)
                model_step(&model);
        is(model.n_wrong, 0, "400 random writes, reads and truncations give what a model of bytes gives");
        need(model.file->pMethods->xClose(model.file) == SQLITE_OK &&
             vfs_private_take(&vfs, &file, &size) == 0);
        is(size, model.size, "in the end its size");
        {
                BYTES(bytes) = fd_read(file.fd);

                ok(bytes.size == size && memcmp(bytes.data, model.bytes, size) == 0, "and its bytes");
        }
        space_file_deinit(&file);
        vfs_private_deinit(&vfs);
        is(space.used, 0, "all is given back");
        space_deinit(&space);
        free(model.file);
        free(model.bytes);
}

int main(void) {
        base_log_to(tap_log, BASE_LOG_DEBUG);
        test_model();
        test_database("PRAGMA journal_mode=OFF; PRAGMA cache_size=16");
        test_database("PRAGMA journal_mode=DELETE; PRAGMA cache_size=5");
        test_database("PRAGMA journal_mode=TRUNCATE; PRAGMA cache_size=5; PRAGMA auto_vacuum=FULL");
        test_database("PRAGMA journal_mode=PERSIST; PRAGMA page_size=65536");
        test_database("PRAGMA page_size=512; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=50");
        test_full();
        return tap_done();
}
