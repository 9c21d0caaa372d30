/*
 * Judges the bytes of one copy of torture-writer's database: is it whole, is it one committed state, and is it
 * one that an open() at that moment was allowed to see?
 *
 * The copy is opened in memory and alone: there is no side file that could mend it.
 */
#include "verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "torture.h"

void verdict_say(struct verdict *verdict, const char *format, ...) {
        size_t used = strlen(verdict->reason);
        va_list args;

        if (used && used + 2 < sizeof(verdict->reason)) {
                memcpy(verdict->reason + used, "; ", 3);
                used += 2;
        }
        va_start(args, format);
        vsnprintf(verdict->reason + used, sizeof(verdict->reason) - used, format, args);
        va_end(args);
}

static uint32_t verdict_be32(const unsigned char *bytes) {
        return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* What SQLite forgives but a backup must not: a header that disagrees with the file. */
static bool verdict_header(struct verdict *verdict, const unsigned char *bytes, size_t size, int wal) {
        uint32_t page_size, pages;

        if (size < 512 || memcmp(bytes, "SQLite format 3", 16)) {
                verdict_say(verdict, "no SQLite header in %zu bytes", size);
                return false;
        }
        page_size = (uint32_t)bytes[16] << 8 | bytes[17];
        if (page_size == 1)
                page_size = 65536;
        pages = verdict_be32(bytes + 28);
        if ((uint64_t)page_size * pages != size)
                verdict_say(verdict, "%zu bytes, but the header says %u pages of %u", size, pages, page_size);
        if (verdict_be32(bytes + 24) != verdict_be32(bytes + 92))
                verdict_say(verdict, "change counter %u, but version-valid-for %u", verdict_be32(bytes + 24),
                            verdict_be32(bytes + 92));
        if (wal >= 0 && (bytes[18] != 1 + wal || bytes[19] != 1 + wal))
                verdict_say(verdict, "journal mode bytes %u %u", bytes[18], bytes[19]);
        return true;
}

/* The first column of the first row; empty and a reason when there is none. */
static void verdict_ask(struct verdict *verdict, sqlite3 *db, const char *sql, char *answer, size_t size) {
        sqlite3_stmt *stmt = NULL;
        int rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

        *answer = '\0';
        if (rc == SQLITE_OK)
                rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW && sqlite3_column_text(stmt, 0))
                snprintf(answer, size, "%s", (const char *)sqlite3_column_text(stmt, 0));
        else
                verdict_say(verdict, "%s: %s", sql, sqlite3_errmsg(db));
        sqlite3_finalize(stmt);
}

static void verdict_data(struct verdict *verdict, sqlite3 *db) {
        static const struct {
                const char *sql;
                const char *expected; /* NULL: the sequence */
        } questions[] = {
                { "SELECT seq FROM second", NULL },
                { "SELECT seq FROM third", NULL },
                { "SELECT max(seq) FROM log", NULL },
                { "SELECT max(seq) FROM bulk", NULL },
                { "SELECT max(seq) - min(seq) + 1 - count(*) FROM log", "0" },
                { "SELECT min(count(*), 50) = min((SELECT seq FROM first), 50) FROM log", "1" },
                { "SELECT count(*) FROM accounts", "400" },
                { "SELECT sum(balance) FROM accounts", "400000" },
        };
        char answer[256], sequence[256];

        verdict_ask(verdict, db, "PRAGMA integrity_check", answer, sizeof(answer));
        if (strcmp(answer, "ok"))
                verdict_say(verdict, "integrity_check: %s", answer);
        verdict_ask(verdict, db, "SELECT seq FROM first", sequence, sizeof(sequence));
        verdict->sequence = strtoull(sequence, NULL, 10);
        for (size_t i = 0; i < sizeof(questions) / sizeof(*questions); ++i) {
                const char *expected = questions[i].expected ? questions[i].expected : sequence;

                verdict_ask(verdict, db, questions[i].sql, answer, sizeof(answer));
                if (strcmp(answer, expected))
                        verdict_say(verdict, "%s: %s, expected %s", questions[i].sql, answer, expected);
        }
}

void verdict_reach(struct verdict *verdict, unsigned char *bytes, size_t size, int wal, uint64_t acked_before,
                   uint64_t begun_after) {
        sqlite3 *db;

        if (!verdict_header(verdict, bytes, size, wal))
                return;
        bytes[18] = bytes[19] = 1;
        if (sqlite3_open(":memory:", &db) != SQLITE_OK ||
            sqlite3_deserialize(db, "main", bytes, (sqlite3_int64)size, (sqlite3_int64)size,
                                SQLITE_DESERIALIZE_READONLY) != SQLITE_OK)
                torture_die("deserialize: %s", sqlite3_errmsg(db));
        verdict_data(verdict, db);
        sqlite3_close(db);
        if (verdict->sequence < acked_before)
                verdict_say(verdict, "sequence %llu, but %llu was acknowledged before open()",
                            (unsigned long long)verdict->sequence, (unsigned long long)acked_before);
        if (verdict->sequence > begun_after)
                verdict_say(verdict, "sequence %llu, but only %llu had begun when open() returned",
                            (unsigned long long)verdict->sequence, (unsigned long long)begun_after);
}
