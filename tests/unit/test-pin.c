/*
 * pin.c: what is pinned is one commit, whole, and stays; beside writers that never rest, and whatever they do between two of our
 * reads. Linked with --wrap=pread64, which lets a test act there.
 */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>

/* ---- acting between two reads ------------------------------------------------------------------- */

static void (*between)(off_t offset);

ssize_t __real_pread64(int fd, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *buffer, size_t size, off_t offset) {
        ssize_t n = __real_pread64(fd, buffer, size, offset);

        if (between)
                between(offset);
        return n;
}

static struct app *actor;
static unsigned n_acts, n_reads_before;

/* After so many reads: a commit, and a checkpoint of it. */
static void commit_and_checkpoint(off_t offset) {
        if (n_reads_before-- > 0)
                return;
        between = NULL;
        n_acts++;
        need(app_sql(actor, "UPDATE t SET a=a+1; PRAGMA wal_checkpoint") == SQLITE_OK);
}

/* Both rows of t, which lie pages apart, of one commit. */
#define TOGETHER "SELECT count(DISTINCT a) FROM t"
#define FAR_APART                                                                                            \
        "PRAGMA page_size=512; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a, b);"  \
        "INSERT INTO t VALUES(1, randomblob(30000)), (1, randomblob(30000))"

static struct bytes bytes_of(const struct view *view) {
        struct bytes bytes = { .data = malloc(view->size), .size = view->size };

        need(bytes.data);
        if (view_read(view, bytes.data, bytes.size, 0) != (ssize_t)bytes.size)
                bytes.size = 0;
        return bytes;
}

static void test_between_reads(void) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        struct bench bench;
        const char *why;
        int r;

        need(app_sql(&app, FAR_APART) == SQLITE_OK);
        actor = &app;
        bench_init(&bench, &scratch, &space, 0);
        /* At each of the reads of a pin in turn. */
        for (unsigned act = 0; act < 6; act++) {
                struct view *view = bench_look(&bench, &r);
                int64_t before = app_int(&app, "SELECT max(a) FROM t"), at;

                need(view);
                n_acts = 0;
                n_reads_before = act;
                between = commit_and_checkpoint;
                r = view_hold(view, 0, &bench.wals, &why);
                between = NULL;
                if (!is(r, 0, "a pin with a commit and a checkpoint in the middle of its look, %u", act))
                        break;
                {
                        BYTES(bytes) = bytes_of(view);

                        ok(bytes.size > 0 && bytes_are_whole(&bytes, TOGETHER, 1), "is one commit, whole");
                        at = bytes_are_whole(&bytes, "SELECT max(a) FROM t", before) ||
                             bytes_are_whole(&bytes, "SELECT max(a) FROM t", before + 1);
                        ok(n_acts == 1 && at, "of before or after it");
                }
                view_free(view);
        }
        bench_deinit(&bench);
}

/* ---- the locks ---------------------------------------------------------------------------------- */

static void test_locks(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        struct store_file file = scratch_file(&scratch, "db");
        struct pin *pin = NULL;
        struct stat st;

        need(app_sql(&app, FAR_APART) == SQLITE_OK);
        st = scratch_stat(&scratch, "db");
        need(pin_new(&pin, &file, &st) == 0);
        ok(pin->lock > 0, "a WAL that is not in the main file yet: read lock %d", pin->lock);
        need(app_sql(&app, "UPDATE t SET a=2; PRAGMA wal_checkpoint(TRUNCATE)") == SQLITE_OK);
        is(app.text[0], '1', "under which it cannot start anew");
        pin_free(pin);
        need(app_sql(&app, "PRAGMA wal_checkpoint(TRUNCATE)") == SQLITE_OK);
        is(app.text[0], '0', "until it is given up");
        need(pin_new(&pin, &file, &st) == 0);
        is(pin->lock, 0, "one that is in the main file: read lock 0");
        need(app_sql(&app, "UPDATE t SET a=3") == SQLITE_OK);
        ok(true, "which no writer minds");
        need(app_sql(&app, "PRAGMA wal_checkpoint") == SQLITE_OK);
        ok(app.text[4] == '0', "but checkpoints do: %s", app.text);
        pin_free(pin);
        app_kill(&app);
        is(pin_new(&pin, &file, &st), -EAGAIN, "nobody has it open: not alive");
        is(pin_index_alive(&file, &st), 0, "so it says");
}

/* A -shm that says anything costs no more than the WAL has. */
static void test_forged(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        struct store_file file = scratch_file(&scratch, "db");
        uint32_t frames[] = { 1u << 30, UINT32_MAX, 5000 };
        struct frame_page *pages = NULL;
        struct pin *pin = NULL;
        struct stat st;
        size_t n;

        need(app_sql(&app, FAR_APART) == SQLITE_OK);
        st = scratch_stat(&scratch, "db");
        need(pin_new(&pin, &file, &st) == 0);
        for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
                pin->index.last_frame = frames[i];
                is(pin_pages(pin, &pages, &n), -ESTALE, "%u frames that are not there", frames[i]);
                free(pages);
        }
        pin_free(pin);
}

/* ---- beside a writer ---------------------------------------------------------------------------- */

static void test_storm(const char *statements) {
        SCRATCH(scratch);
        SCRATCH(space);
        APP(app, scratch_path(&scratch, "db"));
        unsigned n_pins = 0, n_torn = 0;
        struct bench bench;
        int r;

        need(app_sql(&app, FAR_APART) == SQLITE_OK);
        bench_init(&bench, &scratch, &space, 0);
        app_loop(&app, statements);
        app_wait_rounds(&app, 2);
        for (unsigned i = 0; i < 300; i++) {
                struct view *view = bench_look(&bench, &r);
                const char *why;

                if (view && view_hold(view, 1000000, &bench.wals, &why) == 0) {
                        BYTES(bytes) = bytes_of(view);

                        n_pins++;
                        n_torn += bytes.size == 0 || !bytes_are_whole(&bytes, TOGETHER, 1);
                }
                view_free(view);
        }
        need(app_sql(&app, "SELECT 1") == SQLITE_OK);
        is(n_torn, 0, "%u pins beside '%s': none torn", n_pins, statements);
        ok(n_pins >= 250, "nearly each came to be");
        bench_deinit(&bench);
}

int main(void) {
        base_log_to(tap_log, BASE_LOG_DEBUG);
        test_between_reads();
        test_locks();
        test_forged();
        test_storm("UPDATE t SET a=a+1");
        test_storm("UPDATE t SET a=a+1; PRAGMA wal_checkpoint");
        test_storm("UPDATE t SET a=a+1; PRAGMA wal_checkpoint(RESTART)");
        test_storm("UPDATE t SET a=a+1; PRAGMA wal_checkpoint(TRUNCATE)");
        return tap_done();
}
