/*
 * The judge: what SQLite makes of the four files, and what may differ from that.
 *
 * "What SQLite makes of them" ends at its pager: recovery, the look at the header, and the checkpoint. The
 * schema is not parsed, since an application may have encrypted it, or have written it for a newer SQLite.
 */
#include "differential.h"

#include "snapshot/format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* ---- SQLite -------------------------------------------------------------------------------------- */

/* The size of the pages, as SQLite counts them (lockBtree() in its btree.c), but no more than there is. */
static void cut_to_pages(struct bytes *bytes) {
        uint64_t page_size, pages;

        if (bytes->size < 32)
                return;
        page_size = (uint64_t)bytes->data[16] << 8 | (uint64_t)bytes->data[17] << 16;
        pages = format_be32(bytes->data + 28);
        if (pages == 0 || bytes->size < 96 || memcmp(bytes->data + 24, bytes->data + 92, 4) != 0)
                return;
        if (pages * page_size < bytes->size)
                bytes->size = pages * page_size;
}

static struct bytes read_most(const char *path, uint64_t *size) {
        _cleanup_(base_closep) int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct bytes bytes;
        struct stat st;
        ssize_t n;

        need(fd >= 0 && fstat(fd, &st) == 0);
        *size = (uint64_t)st.st_size;
        bytes.size = st.st_size < MOST_BYTES ? (size_t)st.st_size : MOST_BYTES;
        bytes.data = malloc(bytes.size + 1);
        need(bytes.data);
        n = base_pread(fd, bytes.data, bytes.size, 0);
        need(n == (ssize_t)bytes.size);
        return bytes;
}

/* Opens, recovers, checkpoints, closes; anyway: where the size of the file is not that of the header, too. */
static void open_once(const char *path, bool anyway, int *code, int *checkpoint_code, struct bytes *seen) {
        sqlite3 *db = NULL;

        *code = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
        /* A snapshot that was given back lets go of its lock a moment later. */
        if (*code == SQLITE_OK)
                *code = sqlite3_busy_timeout(db, 10000);
        if (*code == SQLITE_OK && anyway)
                *code = sqlite3_db_config(db, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
        if (*code == SQLITE_OK)
                *code = sqlite3_exec(db, "BEGIN; PRAGMA schema_version; COMMIT", NULL, NULL, NULL);
        *checkpoint_code = SQLITE_OK;
        if (*code == SQLITE_OK)
                *checkpoint_code =
                        sqlite3_wal_checkpoint_v2(db, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        if (*checkpoint_code != SQLITE_OK) {
                sqlite3_int64 size = 0;
                unsigned char *all = sqlite3_serialize(db, "main", &size, 0);

                if (all && size < MOST_BYTES) {
                        bytes_deinit(seen);
                        *seen = (struct bytes){ .data = malloc((size_t)size + 1), .size = (size_t)size };
                        need(seen->data);
                        memcpy(seen->data, all, seen->size);
                }
                sqlite3_free(all);
        }
        sqlite3_close(db);
}

struct verdict verdict_of(const char *directory) {
        struct verdict verdict = { .code = SQLITE_OK };
        char path[512];
        int code;

        snprintf(path, sizeof(path), "%s/db", directory);
        open_once(path, false, &verdict.code, &verdict.checkpoint_code, &verdict.seen);
        if ((verdict.code & 0xff) == SQLITE_CORRUPT)
                open_once(path, true, &code, &verdict.checkpoint_code, &verdict.seen);
        verdict.bytes = read_most(path, &verdict.file_size);
        cut_to_pages(&verdict.bytes);
        return verdict;
}

/* ---- what may differ ----------------------------------------------------------------------------- */

static bool same_bytes(const struct bytes *a, const struct bytes *b) {
        return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
}

static bool not_a_database(const struct verdict *verdict) {
        return (verdict->code & 0xff) == SQLITE_NOTADB;
}

static bool told_wrong(const struct outcome *outcome) {
        size_t size = outcome->told < MOST_BYTES ? (size_t)outcome->told : MOST_BYTES;

        return outcome->error == 0 && outcome->told >= 0 && size != outcome->bytes.size;
}

/* Whether a side file has content that SQLite would look at. */
static bool has_side(const struct combination *combination) {
        const struct bytes *journal = &combination->files[ROLE_JOURNAL];

        return combination->files[ROLE_WAL].size > 0 || (journal->size > 0 && journal->data[0] != 0);
}

static bool refused_by_both(const struct combination *combination, const struct outcome *outcome,
                            const struct verdict *verdict) {
        return outcome->error < 0 && verdict->code != SQLITE_OK && !not_a_database(verdict);
}

static bool corrupt_verbatim(const struct combination *combination, const struct outcome *outcome,
                             const struct verdict *verdict) {
        return outcome->error == 0 && (verdict->code & 0xff) == SQLITE_CORRUPT &&
               same_bytes(&outcome->bytes, &verdict->bytes);
}

static bool no_checkpoint(const struct combination *combination, const struct outcome *outcome,
                          const struct verdict *verdict) {
        return outcome->error < 0 && verdict->code == SQLITE_OK && verdict->checkpoint_code != SQLITE_OK;
}

static bool no_checkpoint_needed(const struct combination *combination, const struct outcome *outcome,
                                 const struct verdict *verdict) {
        return outcome->error == 0 && verdict->code == SQLITE_OK && verdict->checkpoint_code != SQLITE_OK &&
               verdict->seen.size <= combination->files[ROLE_MAIN].size &&
               same_bytes(&outcome->bytes, &verdict->seen);
}

static bool has_magic(const struct bytes *main) {
        return main->data && format_has_magic(main->data, main->size);
}

static bool torn_header(const struct combination *combination, const struct outcome *outcome,
                        const struct verdict *verdict) {
        return outcome->error < 0 && not_a_database(verdict) && has_side(combination) &&
               has_magic(&combination->files[ROLE_MAIN]);
}

/* Never left by SQLite: pages are written whole. */
static bool cut_page(const struct combination *combination, const struct outcome *outcome,
                     const struct verdict *verdict) {
        const struct bytes *bytes = &verdict->bytes;
        uint32_t page_size =
                bytes->size < 18 ? 0 : (uint32_t)bytes->data[16] << 8 | (uint32_t)bytes->data[17] << 16;

        return outcome->error == -EIO && verdict->code == SQLITE_OK && has_magic(bytes) &&
               (page_size == 0 || bytes->size % page_size != 0);
}

static bool other_format(const struct combination *combination, const struct outcome *outcome,
                         const struct verdict *verdict) {
        const struct bytes *main = &combination->files[ROLE_MAIN];
        struct format_header header;
        uint8_t head[FORMAT_HEADER_SIZE];

        if (outcome->error == 0 || main->size < FORMAT_HEADER_SIZE ||
            (main->data[18] <= 2 && main->data[19] <= 2))
                return false;
        memcpy(head, main->data, sizeof(head));
        head[18] = head[19] = 1;
        return format_has_magic(head, sizeof(head)) && format_header_parse(&header, head) == 0;
}

static bool super_elsewhere(const struct combination *combination, const struct outcome *outcome,
                            const struct verdict *verdict) {
        return outcome->error == -EBUSY && combination->super == SUPER_ELSEWHERE_GONE;
}

static bool in_birth(const struct combination *combination, const struct outcome *outcome,
                     const struct verdict *verdict) {
        return outcome->error < 0 && verdict->code == SQLITE_OK && verdict->bytes.size == 0 &&
               combination->files[ROLE_MAIN].size > 0;
}

/* The journal may say so, and a WAL cut it again. */
static bool too_large(const struct combination *combination, const struct outcome *outcome,
                      const struct verdict *verdict) {
        const struct bytes *bytes = &combination->files[ROLE_JOURNAL];
        struct format_journal journal = { .page_count = 0 };

        if (bytes->size >= FORMAT_JOURNAL_HEADER_SIZE)
                format_journal_parse(&journal, bytes->data);
        return outcome->error == -ENOSPC &&
               (verdict->file_size > ROOM_BYTES || (uint64_t)journal.page_count * 65536 > ROOM_BYTES);
}

static const struct {
        const char *name, *reason;
        bool (*holds)(const struct combination *combination, const struct outcome *outcome,
                      const struct verdict *verdict);
} rules[] = {
        { "refused-by-both", "SQLite gives an error as well, other than that it is no database",
          refused_by_both },
        { "corrupt-verbatim",
          "a backup copies corruption as it is: SQLite refuses, the bytes are the committed ones",
          corrupt_verbatim },
        { "no-checkpoint",
          "SQLite reads it, but cannot put its WAL into the main file: there are no bytes to give",
          no_checkpoint },
        { "no-checkpoint-needed",
          "the same, but page 1 counts no more pages than main has: these are what SQLite reads",
          no_checkpoint_needed },
        { "torn-header",
          "no database to SQLite, but beside a side file page 1 may be half written: never raw",
          torn_header },
        { "cut-page",
          "it ends within a page: SQLite goes on with zeros, a copy of it would hide that something is gone",
          cut_page },
        { "other-format",
          "bytes 18 and 19 name a format that this SQLite does not write: a live database of another",
          other_format },
        { "super-journal-elsewhere",
          "its super-journal is gone from a directory that is not ours: perhaps never seen",
          super_elsewhere },
        { "too-large", "recovered it is larger than the room for snapshots, most of it holes", too_large },
        { "in-birth", "SQLite rolls it back to nothing: its first transaction has not committed", in_birth },
};

const size_t n_rules = ARRAY_SIZE(rules);

const char *rule_name(size_t rule) {
        return rules[rule].name;
}

const char *rule_reason(size_t rule) {
        return rules[rule].reason;
}

static bool equal(const struct combination *combination, const struct outcome *outcome,
                  const struct verdict *verdict) {
        if (outcome->error < 0)
                return false;
        if (not_a_database(verdict))
                return outcome->ordinary && same_bytes(&outcome->bytes, &combination->files[ROLE_MAIN]);
        return verdict->code == SQLITE_OK && verdict->checkpoint_code == SQLITE_OK &&
               same_bytes(&outcome->bytes, &verdict->bytes);
}

int compare(const struct combination *combination, const struct outcome *outcome,
            const struct verdict *verdict) {
        if (outcome->sides_amiss)
                return RESULT_DIFFERENT;
        if (told_wrong(outcome))
                return RESULT_DIFFERENT;
        if (equal(combination, outcome, verdict))
                return RESULT_EQUAL;
        for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
                if (rules[i].holds(combination, outcome, verdict))
                        return RESULT_RULES + (int)i;
        return RESULT_DIFFERENT;
}

/* ---- in words ------------------------------------------------------------------------------------ */

const char *outcome_text(const struct outcome *outcome) {
        static char text[128];
        const char *kind = outcome->ordinary ? "ordinary file" : "database";
        const char *amiss = outcome->sides_amiss ? ", side files amiss" : "";

        if (outcome->error < 0)
                snprintf(text, sizeof(text), "%s, %s%s", kind, strerrorname_np(-outcome->error), amiss);
        else if (told_wrong(outcome))
                snprintf(text, sizeof(text), "%s, lstat told %lld bytes, %zu bytes%s", kind,
                         (long long)outcome->told, outcome->bytes.size, amiss);
        else
                snprintf(text, sizeof(text), "%s, %zu bytes%s", kind, outcome->bytes.size, amiss);
        return text;
}

const char *verdict_text(const struct verdict *verdict) {
        static char text[128];

        if (verdict->code != SQLITE_OK)
                snprintf(text, sizeof(text), "%s", sqlite3_errstr(verdict->code));
        else if (verdict->checkpoint_code != SQLITE_OK)
                snprintf(text, sizeof(text), "ok, checkpoint: %s", sqlite3_errstr(verdict->checkpoint_code));
        else
                snprintf(text, sizeof(text), "ok, %zu bytes", verdict->bytes.size);
        return text;
}

static const char *wal_text(const struct bytes *wal) {
        struct format_wal header;

        if (wal->size == 0)
                return wal->data ? "empty" : "none";
        return wal->size >= FORMAT_WAL_HEADER_SIZE && format_wal_parse(&header, wal->data) == 0 ? "valid"
                                                                                                : "invalid";
}

static const char *journal_text(const struct bytes *journal) {
        struct format_journal header;

        if (journal->size == 0)
                return journal->data ? "empty" : "none";
        if (journal->data[0] == 0)
                return "cold";
        return journal->size >= FORMAT_JOURNAL_HEADER_SIZE &&
                               format_journal_parse(&header, journal->data) == 0
                       ? "hot"
                       : "hot, invalid";
}

const char *combination_text(const struct combination *combination) {
        const struct bytes *main = &combination->files[ROLE_MAIN];
        uint8_t head[FORMAT_HEADER_SIZE] = { 0 };
        struct format_header header;
        const char *kind = "no magic";
        static char text[128];

        if (main->size > 0)
                memcpy(head, main->data, main->size < sizeof(head) ? main->size : sizeof(head));
        if (format_has_magic(head, main->size))
                kind = format_header_parse(&header, head) < 0 ? "torn header"
                       : header.wal                           ? "WAL"
                                                              : "rollback";
        snprintf(text, sizeof(text), "main: %s, %zu bytes; WAL: %s; journal: %s", kind, main->size,
                 wal_text(&combination->files[ROLE_WAL]), journal_text(&combination->files[ROLE_JOURNAL]));
        return text;
}
