/* store.h with its options: lingering, the current second, the facts of a version. */
#include "app.h"
#include "opens.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static struct store *store_with(const struct scratch *space, struct store_config config) {
        struct store *store = NULL;

        config.snapshot_dir = space->path;
        config.busy_timeout_ms = 60000;
        need(store_new(&store, &config) == 0);
        return store;
}

/* Opens, reads it all and lets go. 0 or -errno; *when: the snapshot's birth, so to say. */
static int read_once(struct store *store, const struct scratch *scratch, const char *name,
                     struct timespec *when) {
        struct snapshot *snapshot;
        struct stat st;
        int r = open_now(store, scratch, name, &snapshot);

        if (r < 0)
                return r;
        need(snapshot_completed(snapshot));
        need(fstat(snapshot_fd(snapshot), &st) == 0);
        *when = st.st_ctim;
        snapshot_unref(snapshot);
        return 0;
}

/* A snapshot stays for the next reader, until a newer version is made or its room is needed. */
static void test_linger(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        struct store_config config = {
                .engine = STORE_ENGINE_BACKUP, .linger_s = 600, .racy = STORE_RACY_OFF, .max_space = 5000000
        };
        struct timespec first, second, third, other;
        unsigned n_refused = 0;
        struct store *store;

        for (unsigned i = 0; i < 2; i++)
                need(sql(scratch_path(&scratch, i == 0 ? "db" : "other"),
                         "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(3000000))") == SQLITE_OK);
        store = store_with(&space, config);
        need(read_once(store, &scratch, "db", &first) == 0 && read_once(store, &scratch, "db", &second) == 0);
        is(base_timespec_compare(first, second), 0,
           "an unchanged database is read from the snapshot of the last reader");
        need(sql(scratch_path(&scratch, "db"), "PRAGMA busy_timeout=60000; CREATE TABLE u(a)") == SQLITE_OK);
        is(read_once(store, &scratch, "db", &third), 0,
           "of a changed one there is another, though there is room for one only");
        ok(base_timespec_compare(first, third) != 0, "(it is another)");
        /* Also when the one before has only just been let go. */
        for (unsigned i = 0; i < 100; i++)
                n_refused += read_once(store, &scratch, i % 2 ? "db" : "other", &other) != 0;
        is(n_refused, 0, "nor does one that lingers take the room of another database");
        store_free(store);
}

/* Room that somebody uses is waited for only as long as it may be on its way back. */
static void test_no_room(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        struct store *store = store_with(
                &space, (struct store_config){ .engine = STORE_ENGINE_BACKUP, .max_space = 5000000 });
        struct snapshot *used, *snapshot;

        for (unsigned i = 0; i < 2; i++)
                need(sql(scratch_path(&scratch, i == 0 ? "db" : "other"),
                         "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(3000000))") == SQLITE_OK);
        need(open_now(store, &scratch, "db", &used) == 0);
        is(open_now(store, &scratch, "other", &snapshot), -ENOSPC, "no room beside a snapshot that is used");
        snapshot_unref(used);
        is(open_now(store, &scratch, "other", &snapshot), 0, "when that is over there is");
        snapshot_unref(snapshot);
        store_free(store);
}

/* The second that the file system's clock is in. */
static time_t second_now(const struct scratch *scratch) {
        scratch_write(scratch, "clock", "x", 1);
        return scratch_stat(scratch, "clock").st_mtim.tv_sec;
}

/* Commits soon after a second has begun; the second. */
static time_t commit_early(const struct scratch *scratch) {
        const struct timespec pause = { .tv_nsec = 1000000 };
        time_t before = second_now(scratch);

        while (second_now(scratch) == before)
                nanosleep(&pause, NULL);
        need(sql(scratch_path(scratch, "db"), "PRAGMA busy_timeout=60000; INSERT INTO t VALUES(1)") ==
             SQLITE_OK);
        return scratch_stat(scratch, "db").st_mtim.tv_sec;
}

/* T1: what is committed in the current second must look different when that is over. */
static void test_smudge(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        struct store *store = store_with(&space, (struct store_config){ .racy = STORE_RACY_SMUDGE });
        struct snapshot *snapshot;
        struct stat shown, told;
        time_t second;

        need(sql(scratch_path(&scratch, "db"), "CREATE TABLE t(a)") == SQLITE_OK);
        /* A machine that stood still for the rest of the second has shown nothing. */
        do {
                second = commit_early(&scratch);
                need(open_shown(store, &scratch, "db", &snapshot, &shown) == 0);
                told = attr_of(store, &scratch, "db");
                snapshot_unref(snapshot);
        } while (second_now(&scratch) != second);
        is(shown.st_mtim.tv_sec, second - 1, "smudge: in the second of the commit the one before is shown");
        is(told.st_mtim.tv_sec, second - 1, "to lstat too");
        while (attr_of(store, &scratch, "db").st_mtim.tv_sec != second)
                need(second_now(&scratch) < second + 60);
        ok(second_now(&scratch) > second, "and what it is when it is over");
        store_free(store);
}

static void test_wait(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        struct store *store = store_with(&space, (struct store_config){ .racy = STORE_RACY_WAIT });
        struct snapshot *snapshot;
        struct stat shown;
        time_t second;

        need(sql(scratch_path(&scratch, "db"), "CREATE TABLE t(a)") == SQLITE_OK);
        second = commit_early(&scratch);
        need(open_shown(store, &scratch, "db", &snapshot, &shown) == 0);
        ok(second_now(&scratch) > second, "wait: the open waits for the end of the second");
        is(shown.st_mtim.tv_sec, second, "and shows what is");
        snapshot_unref(snapshot);
        store_free(store);
}

/* The value of a fact of a snapshot, or of what an open would now give. */
static const char *fact_of(struct store *store, const struct scratch *scratch,
                           const struct snapshot *snapshot, const char *name) {
        static char text[512];
        struct store_file file = scratch_file(scratch, "db");
        struct stat st = scratch_stat(scratch, "db");
        int r = snapshot ? snapshot_fact(snapshot, name, text, sizeof(text) - 1)
                         : store_fact(store, &file, &st, name, text, sizeof(text) - 1);

        snprintf(text + (r < 0 ? 0 : r), sizeof(text) - (size_t)(r < 0 ? 0 : r), "%s",
                 r < 0 ? strerror(-r) : "");
        return text;
}

#define FACT(snapshot, name, want)                                                                           \
        ok(strcmp(fact_of(store, &scratch, snapshot, name), want) == 0, "%s: %s", name, want)

static void test_facts(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct store *store = store_with(&space, (struct store_config){ .engine = STORE_ENGINE_AUTO });
        struct store_file file = scratch_file(&scratch, "db");
        char before[512], text[4];
        struct snapshot *snapshot;
        struct stat st;

        need(app_sql(&app, "PRAGMA page_size=1024; PRAGMA journal_mode=WAL; CREATE TABLE t(a); CREATE TABLE "
                           "u(a)") == SQLITE_OK);
        need(open_now(store, &scratch, "db", &snapshot) == 0);
        FACT(snapshot, "engine", "view");
        FACT(snapshot, "proof", "wal");
        FACT(snapshot, "pages", "3");
        FACT(snapshot, "page_size", "1024");
        FACT(snapshot, "journal_mode", "wal");
        FACT(snapshot, "nothing", strerror(ENODATA));
        FACT(NULL, "engine", "none");
        FACT(NULL, "pages", "3");
        ok(fact_of(store, &scratch, snapshot, "taken")[4] == '-', "taken: a date");
        snprintf(before, sizeof(before), "%s", fact_of(store, &scratch, snapshot, "source_state"));
        FACT(snapshot, "source_state", before);
        need(app_sql(&app, "INSERT INTO t VALUES(1)") == SQLITE_OK);
        FACT(snapshot, "source_state", before);
        ok(strcmp(fact_of(store, &scratch, NULL, "source_state"), before) != 0,
           "another state has another one");
        st = scratch_stat(&scratch, "db");
        is(store_fact(store, &file, &st, "page_size", text, 3), -ERANGE, "too little room: -ERANGE");
        is(store_fact(store, &file, &st, "page_size", NULL, 0), 4, "no room: how much it takes");
        snapshot_unref(snapshot);
        store_free(store);
}

int main(void) {
        base_log_to(tap_log, BASE_LOG_DEBUG);
        test_linger();
        test_no_room();
        test_smudge();
        test_wait();
        test_facts();
        return tap_done();
}
