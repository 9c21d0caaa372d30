/* format.c, the database header and the rollback journal's: judged as SQLite judges, which is asked each
 * time. */
#include "app.h"

#include "snapshot/format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

static void make(const struct scratch *scratch, const char *name, unsigned page_size, const char *more) {
        char text[512];

        snprintf(text, sizeof(text),
                 "PRAGMA page_size=%u; %s; CREATE TABLE t(a); INSERT INTO t VALUES(1);"
                 "UPDATE t SET a=2;",
                 page_size, more);
        need(sql(scratch_path(scratch, name), text) == SQLITE_OK);
}

static void test_page_sizes(void) {
        SCRATCH(scratch);

        for (unsigned size = 512; size <= 65536; size *= 2) {
                for (int wal = 0; wal < 2; wal++) {
                        struct format_header header;
                        char name[32];

                        snprintf(name, sizeof(name), "%u-%d", size, wal);
                        make(&scratch, name, size,
                             wal ? "PRAGMA journal_mode=WAL" : "PRAGMA journal_mode=DELETE");
                        BYTES(bytes) = scratch_read(&scratch, name);

                        need(bytes.size >= FORMAT_HEADER_SIZE);
                        ok(format_has_magic(bytes.data, bytes.size) &&
                                   format_header_parse(&header, bytes.data) == 0 &&
                                   header.page_size == size && header.wal == wal && header.page_count == 2 &&
                                   header.change_counter == header.version_valid_for &&
                                   header.change_counter >= 1,
                           "the header of a database with pages of %u in %s mode", size,
                           wal ? "WAL" : "rollback");
                        is(format_header_size(&header, bytes.size), bytes.size, "its size is its file's");
                }
        }
}

/* Bytes 16 to 23: page size, versions, reserved space, fractions. Each value of each. */
static void test_against_sqlite(unsigned page_size) {
        SCRATCH(scratch);
        unsigned n_differ = 0, n_refused = 0;

        make(&scratch, "db", page_size, "PRAGMA journal_mode=DELETE");
        BYTES(bytes) = scratch_read(&scratch, "db");
        for (unsigned at = 16; at < 24; at++) {
                uint8_t kept = bytes.data[at];

                for (unsigned value = 0; value < 256; value++) {
                        struct format_header header;
                        sqlite3 *db = NULL;
                        bool ours, theirs;

                        bytes.data[at] = (uint8_t)value;
                        scratch_write(&scratch, "db", bytes.data, bytes.size);
                        ours = format_header_parse(&header, bytes.data) < 0;
                        need(sqlite3_open(scratch_path(&scratch, "db"), &db) == SQLITE_OK);
                        theirs = sqlite3_exec(db, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL) ==
                                 SQLITE_NOTADB;
                        sqlite3_close(db);
                        n_refused += theirs;
                        if (ours != theirs) {
                                n_differ++;
                                tap_note("byte %u = %u: SQLite %s it", at, value,
                                         theirs ? "refuses" : "takes");
                        }
                }
                bytes.data[at] = kept;
        }
        ok(n_refused > 1000, "SQLite refuses most of 2048 headers with one byte changed (%u)", n_refused);
        is(n_differ, 0, "and exactly those are refused, pages of %u", page_size);
}

static void test_magic(void) {
        uint8_t bytes[FORMAT_HEADER_SIZE] = "SQLite format 3";
        unsigned n_taken = 0;

        for (size_t size = 0; size < FORMAT_MAGIC_SIZE; size++)
                n_taken += format_has_magic(bytes, size);
        is(n_taken, 0, "no magic in fewer than 16 bytes");
        ok(format_has_magic(bytes, FORMAT_MAGIC_SIZE), "16 bytes suffice");
        for (unsigned bit = 0; bit < 8 * FORMAT_MAGIC_SIZE; bit++) {
                bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
                n_taken += format_has_magic(bytes, sizeof(bytes));
                bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        is(n_taken, 0, "no bit of it may differ");
}

static void test_size(void) {
        struct format_header header = {
                .page_size = 4096, .page_count = 3, .change_counter = 7, .version_valid_for = 7
        };

        is(format_header_size(&header, 3 * 4096), 3 * 4096, "the page count's size");
        is(format_header_size(&header, 1 << 20), 3 * 4096, "without what is reserved behind it");
        is(format_header_size(&header, 2 * 4096), 2 * 4096, "never more than there is");
        header.version_valid_for = 6;
        is(format_header_size(&header, 1 << 20), 1 << 20,
           "a page count that a legacy writer left behind is not used");
        header.version_valid_for = 7;
        header.page_count = 0;
        is(format_header_size(&header, 1 << 20), 1 << 20, "nor is one of zero");
        header.page_count = 0xfffffffe;
        header.page_size = 65536;
        is(format_header_size(&header, (uint64_t)1 << 50), (int64_t)0xfffffffe * 65536, "in 64 bits");
}

static void test_journal(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        struct format_journal journal;
        int64_t pages;

        need(app_sql(&app, "PRAGMA page_size=1024; PRAGMA journal_mode=PERSIST; CREATE TABLE t(a);"
                           "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<500)"
                           "INSERT INTO t SELECT randomblob(500) FROM n") == SQLITE_OK);
        pages = app_int(&app, "PRAGMA page_count");
        {
                BYTES(idle) = scratch_read(&scratch, "db-journal");

                need(idle.size >= FORMAT_JOURNAL_HEADER_SIZE);
                is(format_journal_parse(&journal, idle.data), -EINVAL,
                   "a persistent journal between transactions is not hot");
        }
        /* A cache of a few pages spills, and a journal is complete before the first page is. */
        need(app_sql(&app, "PRAGMA cache_size=5; BEGIN; UPDATE t SET a=randomblob(900)") == SQLITE_OK);
        BYTES(bytes) = scratch_read(&scratch, "db-journal");
        need(bytes.size >= FORMAT_JOURNAL_HEADER_SIZE);
        is(format_journal_parse(&journal, bytes.data), 0, "the journal of a transaction under way");
        is(journal.page_count, pages, "notes the page count from before");
        is(journal.page_size, 1024, "and the page size");
        ok(journal.sector_size >= 512, "and a sector size");
        for (unsigned i = 0; i < 8; i++) {
                bytes.data[i] ^= 1;
                need(format_journal_parse(&journal, bytes.data) == -EINVAL);
                bytes.data[i] ^= 1;
        }
        ok(true, "no byte of its magic may differ");
}

int main(void) {
        base_log_to(tap_log, BASE_LOG_DEBUG);
        test_magic();
        test_page_sizes();
        test_against_sqlite(512);
        test_against_sqlite(4096);
        test_size();
        test_journal();
        return tap_done();
}
