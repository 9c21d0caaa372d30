#include "bench.h"

#include <fcntl.h>
#include <stdio.h>

static bool unwanted(void *userdata) {
        struct bench *bench = userdata;

        return bench->patience-- == 0;
}

static void on_frontier(void *userdata, uint64_t frontier) {
        struct bench *bench = userdata;

        bench->retreated |= frontier < bench->frontier || frontier > bench->job.size;
        bench->frontier = frontier;
}

void bench_init(struct bench *bench, struct scratch *scratch, const struct scratch *space, uint64_t max) {
        *bench = (struct bench){ .scratch = scratch,
                                 .file = scratch_file(scratch, "db"),
                                 .patience = UINT32_MAX };
        need(space_init(&bench->space, space->path, max) == 0 && cache_init(&bench->wals) == 0);
        bench->job = (struct engine_job){ .file = &bench->file,
                                          .main_fd = scratch_open(scratch, "db", O_RDONLY),
                                          .space = &bench->space,
                                          .unwanted = unwanted,
                                          .userdata = bench,
                                          .on_frontier = on_frontier };
}

void bench_deinit(struct bench *bench) {
        close(bench->job.main_fd);
        cache_deinit(&bench->wals);
        is(bench->space.used, 0, "all room is given back");
        space_deinit(&bench->space);
}

bool bench_result_is(struct bench *bench, const struct bytes *want) {
        BYTES(got) = fd_read(bench->job.out.fd);
        bool equal = bench->job.size <= got.size;

        got.size = bench->job.size;
        equal = equal && bytes_equal(&got, want);
        space_file_deinit(&bench->job.out);
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
