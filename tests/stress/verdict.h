/* Judges the bytes of one copy of torture-writer's database; see verdict.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct verdict {
        uint64_t sequence;
        char reason[512]; /* why the copy is bad; empty: it is good */
};

/* The bytes are changed: the header's WAL flag is cleared, for SQLite to open them in memory. wal: 1 or 0 for the journal
 * mode that the header must tell, -1 to leave that unchecked. */
void verdict_reach(struct verdict *verdict, unsigned char *bytes, size_t size, int wal, uint64_t acked_before,
                   uint64_t begun_after);
void verdict_say(struct verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));
