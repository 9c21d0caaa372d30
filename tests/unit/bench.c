#include "bench.h"

#include <stdio.h>

static bool unwanted(void *userdata) {
        struct bench *bench = userdata;

        return bench->patience-- == 0;
}

void bench_init(struct bench *bench, struct scratch *scratch, const struct scratch *space, uint64_t max) {
        *bench = (struct bench){ .scratch = scratch,
                                 .file = scratch_file(scratch, "db"),
                                 .wish = { .unwanted = unwanted, .userdata = bench },
                                 .patience = UINT32_MAX };
        need(space_init(&bench->space, space->path, max) == 0 && cache_init(&bench->wals) == 0);
}

void bench_deinit(struct bench *bench) {
        cache_deinit(&bench->wals);
        is(bench->space.used, 0, "all room is given back");
        space_deinit(&bench->space);
}

struct view *bench_look(struct bench *bench, int *r) {
        struct stat st = scratch_stat(bench->scratch, "db");
        struct view *view = NULL;

        *r = view_new(&view, &bench->file, st.st_dev, st.st_ino, &bench->wals);
        return view;
}

struct view *bench_hold(struct bench *bench, int *r) {
        struct view *view;
        const char *why;

        scratch_settle(bench->scratch, "db");
        view = bench_look(bench, r);
        if (!view)
                return NULL;
        *r = view_hold(view, 0, &bench->wals, &why);
        return *r == 0 ? view : view_free(view);
}

bool bench_result_is(struct space_file *file, uint64_t size, const struct bytes *want) {
        BYTES(got) = fd_read(file->fd);
        bool equal = size <= got.size;

        got.size = size;
        equal = equal && bytes_equal(&got, want);
        space_file_deinit(file);
        return equal;
}

void bench_fill(struct app *app, const char *pragmas) {
        char text[1024];

        snprintf(text, sizeof(text),
                 "%s; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a); CREATE INDEX i ON t(a);"
                 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<500)"
                 "INSERT INTO t SELECT randomblob(i) FROM n;"
                 "PRAGMA user_version=17; PRAGMA application_id=99; DELETE FROM t WHERE rowid %% 3 = 0;"
                 "INSERT INTO t VALUES(randomblob(100000))",
                 pragmas);
        need(app_sql(app, text) == SQLITE_OK);
}

const char *const bench_kinds[BENCH_KINDS] = {
        "PRAGMA page_size=512",
        "PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL",
        "PRAGMA page_size=65536; PRAGMA auto_vacuum=FULL",
        "PRAGMA encoding='UTF-16be'; PRAGMA journal_mode=PERSIST",
        "PRAGMA page_size=512; PRAGMA journal_mode=WAL",
        "PRAGMA page_size=1024; PRAGMA auto_vacuum=FULL; PRAGMA journal_mode=WAL",
        "PRAGMA page_size=4096; PRAGMA journal_mode=WAL",
        "PRAGMA page_size=65536; PRAGMA journal_mode=WAL",
};
