/*
 * The SQLite file formats as pure functions over bytes: database header, WAL, WAL-index and rollback journal.
 * No I/O, no allocation, no state: fit for a fuzzer. Source: https://www.sqlite.org/fileformat2.html and
 * https://www.sqlite.org/walformat.html; section names are given at the functions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORMAT_MAGIC_SIZE  16
#define FORMAT_HEADER_SIZE 100

/* The page that holds this byte is never used: SQLite locks bytes in it ("The Lock-Byte Page"). */
#define FORMAT_LOCK_BYTE 0x40000000u

#define FORMAT_WAL_HEADER_SIZE       32
#define FORMAT_WAL_FRAME_HEADER_SIZE 24

/* The first region of the WAL-index opens with two copies of a 48-byte header, then checkpoint information.
 */
#define FORMAT_INDEX_HEADER_SIZE 48
#define FORMAT_INDEX_HEAD_SIZE   136
/* Where the checkpoint information begins, behind both copies. */
#define FORMAT_INDEX_INFO        (2 * FORMAT_INDEX_HEADER_SIZE)
#define FORMAT_INDEX_REGION_SIZE 32768

#define FORMAT_JOURNAL_HEADER_SIZE 28

static inline uint32_t format_be32(const uint8_t *p) {
        return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline void format_put_be32(uint8_t *p, uint32_t value) {
        p[0] = (uint8_t)(value >> 24);
        p[1] = (uint8_t)(value >> 16);
        p[2] = (uint8_t)(value >> 8);
        p[3] = (uint8_t)value;
}

/* ---- "The Database Header" ---------------------------------------------------------------------- */

struct format_header {
        uint32_t page_size; /* bytes: a power of two, 512 to 65536 */
        bool wal;           /* read version 2 */
        uint32_t change_counter;
        uint32_t page_count; /* as written; true only if version_valid_for == change_counter */
        uint32_t version_valid_for;
};

/* Whether the bytes open with the 16-byte magic of a SQLite database. */
bool format_has_magic(const uint8_t *bytes, size_t size);

/*
 * Reads a header whose magic is there, judging as SQLite's lockBtree() does. bytes: FORMAT_HEADER_SIZE,
 * zero-filled past the end of file. 0; -EINVAL where SQLite answers SQLITE_NOTADB: such a file is an ordinary
 * one; -EPROTONOSUPPORT: a database of another format (wal2, MVCC), which is in order but for a read version
 * above 2, and whose logs nothing here can read. *header is filled for that one too.
 */
int format_header_parse(struct format_header *header, const uint8_t *bytes);

/*
 * The size in bytes of a database without WAL content: its pages, without what an application with a chunk
 * size (SQLITE_FCNTL_CHUNK_SIZE: Firefox, Chromium) has reserved behind them. Without a valid page count in
 * the header
 * ("In-header database size") it is the file's.
 */
uint64_t format_header_size(const struct format_header *header, uint64_t file_size);

/* ---- "The WAL File" ----------------------------------------------------------------------------- */

struct format_wal {
        uint32_t page_size;
        uint32_t salt[2];
        uint32_t checksum[2]; /* running: of all that was accepted so far */
        bool big_endian;      /* how checksums read their input */
};

struct format_frame {
        uint32_t page;   /* page number, from 1 */
        uint32_t commit; /* the size of the database in pages after a commit; 0: not a commit frame */
};

/* Adds size bytes (a multiple of 8) to a running WAL checksum ("Checksum Algorithm"). */
void format_wal_checksum(bool big_endian, const uint8_t *bytes, size_t size, uint32_t sum[2]);

/* Reads and checks the 32-byte header. 0, or -EINVAL: SQLite ignores such a WAL. */
int format_wal_parse(struct format_wal *wal, const uint8_t *bytes);

/*
 * Reads and checks the next frame and advances wal->checksum. header: 24 bytes; page: wal->page_size bytes.
 * 0, or -EINVAL: the valid part of the WAL ends before this frame.
 */
int format_wal_next(struct format_wal *wal, const uint8_t *header, const uint8_t *page,
                    struct format_frame *frame);

/* ---- "The WAL-Index File" ----------------------------------------------------------------------- */

struct format_index {
        uint32_t page_size;  /* 0 while last_frame is */
        uint32_t last_frame; /* mxFrame: frames 1 to this are committed */
        uint32_t page_count; /* the size of the database in pages */
        uint32_t salt[2];
        uint32_t backfilled; /* nBackfill: frames 1 to this are in the main file */
        uint32_t attempted;  /* nBackfillAttempted: a checkpoint raises it before it writes a page to the main
                                file; 0 before SQLite 3.11 */
};

/*
 * Reads the WAL-index header from the first FORMAT_INDEX_HEAD_SIZE bytes of an -shm file. 0, or -EAGAIN when
 * its two copies differ, its checksum is wrong or it is not initialised: being written just now, or never.
 */
int format_index_parse(struct format_index *index, const uint8_t *bytes);

/* What of a WAL-index proves that a version still stands. */
struct format_index_look {
        uint32_t salt[2];
        uint32_t backfilled, attempted;
};

/*
 * Takes it from the checkpoint information (FORMAT_INDEX_INFO to FORMAT_INDEX_HEAD_SIZE), read twice, and
 * both copies of the header, read after that. 0; -EAGAIN: a recovery or a restart is under way, or the file
 * was cut off: it proves nothing. Recovery writes the header, then the counters, then the read marks, of
 * which it leaves the last three above 0: while these are 0 the counters are not to be believed.
 */
int format_index_look(struct format_index_look *look, const uint8_t *info_before, const uint8_t *info,
                      const uint8_t *header);

/*
 * The page number that frame (from 1) holds, out of the WAL-index region that format_index_region() names.
 * region: FORMAT_INDEX_REGION_SIZE bytes.
 */
uint32_t format_index_region(uint32_t frame);
uint32_t format_index_page(const uint8_t *region, uint32_t frame);

/* Read mark number i of the first FORMAT_INDEX_HEAD_SIZE bytes of an -shm file. */
#define FORMAT_INDEX_MARKS 5
uint32_t format_index_mark(const uint8_t *bytes, int i);

/* ---- "The Rollback Journal" --------------------------------------------------------------------- */

struct format_journal {
        uint32_t page_count; /* of the database before the transaction */
        uint32_t sector_size;
        uint32_t page_size;
};

/* Reads a journal header. 0, or -EINVAL: it undoes nothing (readJournalHdr() in SQLite's pager.c). */
int format_journal_parse(struct format_journal *journal, const uint8_t *bytes);
