/*
 * The SQLite file formats as pure functions over bytes.
 *
 * Invariant: nothing is read past the sizes that the header states, whatever the bytes say.
 */
#include "snapshot/format.h"

#include <errno.h>
#include <string.h>

static const uint8_t magic[FORMAT_MAGIC_SIZE] = "SQLite format 3";
static const uint8_t journal_magic[8] = { 0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7 };

enum {
        HEADER_PAGE_SIZE = 16,
        HEADER_READ_VERSION = 19,
        HEADER_RESERVED = 20,
        HEADER_FRACTIONS = 21,
        HEADER_CHANGE_COUNTER = 24,
        HEADER_PAGE_COUNT = 28,
        HEADER_VERSION_VALID_FOR = 92,
};

static bool page_size_valid(uint32_t size) {
        return size >= 512 && size <= 65536 && (size & (size - 1)) == 0;
}

/* ---- database header ---------------------------------------------------------------------------- */

bool format_has_magic(const uint8_t *bytes, size_t size) {
        return size >= sizeof(magic) && memcmp(bytes, magic, sizeof(magic)) == 0;
}

int format_header_parse(struct format_header *header, const uint8_t *bytes) {
        static const uint8_t fractions[3] = { 64, 32, 32 };
        uint32_t page_size = (uint32_t)bytes[HEADER_PAGE_SIZE] << 8 | (uint32_t)bytes[HEADER_PAGE_SIZE + 1]
                                                                              << 16;

        /* lockBtree() of SQLite's btree.c: each of these is SQLITE_NOTADB. The two bytes of the page size are
         * read in the order that makes 0x0001 the 65536 which does not fit them. */
        if (memcmp(&bytes[HEADER_FRACTIONS], fractions, sizeof(fractions)) != 0)
                return -EINVAL;
        if (!page_size_valid(page_size) || page_size - bytes[HEADER_RESERVED] < 480)
                return -EINVAL;
        *header = (struct format_header){
                .page_size = page_size,
                .wal = bytes[HEADER_READ_VERSION] == 2,
                .change_counter = format_be32(&bytes[HEADER_CHANGE_COUNTER]),
                .page_count = format_be32(&bytes[HEADER_PAGE_COUNT]),
                .version_valid_for = format_be32(&bytes[HEADER_VERSION_VALID_FOR]),
        };
        return bytes[HEADER_READ_VERSION] > 2 ? -EPROTONOSUPPORT : 0;
}

uint64_t format_header_size(const struct format_header *header, uint64_t file_size) {
        uint64_t size = (uint64_t)header->page_count * header->page_size;

        if (header->page_count == 0 || header->version_valid_for != header->change_counter ||
            size > file_size)
                return file_size;
        return size;
}

/* ---- WAL ---------------------------------------------------------------------------------------- */

static uint32_t word(bool big_endian, const uint8_t *p) {
        return big_endian ? format_be32(p)
                          : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

void format_wal_checksum(bool big_endian, const uint8_t *bytes, size_t size, uint32_t sum[2]) {
        uint32_t s0 = sum[0], s1 = sum[1];

        for (size_t i = 0; i + 8 <= size; i += 8) {
                s0 += word(big_endian, &bytes[i]) + s1;
                s1 += word(big_endian, &bytes[i + 4]) + s0;
        }
        sum[0] = s0;
        sum[1] = s1;
}

int format_wal_parse(struct format_wal *wal, const uint8_t *bytes) {
        uint32_t number = format_be32(&bytes[0]);
        struct format_wal parsed = {
                .page_size = format_be32(&bytes[8]),
                .salt = { format_be32(&bytes[16]), format_be32(&bytes[20]) },
                .big_endian = number & 1,
        };

        if ((number & ~(uint32_t)1) != 0x377f0682 || format_be32(&bytes[4]) != 3007000)
                return -EINVAL;
        if (!page_size_valid(parsed.page_size))
                return -EINVAL;
        format_wal_checksum(parsed.big_endian, bytes, 24, parsed.checksum);
        if (parsed.checksum[0] != format_be32(&bytes[24]) || parsed.checksum[1] != format_be32(&bytes[28]))
                return -EINVAL;
        *wal = parsed;
        return 0;
}

int format_wal_next(struct format_wal *wal, const uint8_t *header, const uint8_t *page,
                    struct format_frame *frame) {
        uint32_t sum[2] = { wal->checksum[0], wal->checksum[1] };
        uint32_t number = format_be32(&header[0]);

        if (number == 0 || format_be32(&header[8]) != wal->salt[0] ||
            format_be32(&header[12]) != wal->salt[1])
                return -EINVAL;
        format_wal_checksum(wal->big_endian, header, 8, sum);
        format_wal_checksum(wal->big_endian, page, wal->page_size, sum);
        if (sum[0] != format_be32(&header[16]) || sum[1] != format_be32(&header[20]))
                return -EINVAL;
        wal->checksum[0] = sum[0];
        wal->checksum[1] = sum[1];
        *frame = (struct format_frame){ .page = number, .commit = format_be32(&header[4]) };
        return 0;
}

/* ---- WAL-index ---------------------------------------------------------------------------------- */

/* The WAL-index is in the byte order of the machine that shares it, which is this one. */
static uint32_t native32(const uint8_t *p) {
        uint32_t value;

        memcpy(&value, p, sizeof(value));
        return value;
}

enum {
        INDEX_VERSION = 0,
        INDEX_IS_INIT = 12,
        INDEX_PAGE_SIZE = 14,
        INDEX_LAST_FRAME = 16,
        INDEX_PAGE_COUNT = 20,
        INDEX_SALT = 32,
        INDEX_CHECKSUM = 40,
        INDEX_BACKFILLED = FORMAT_INDEX_INFO,
        INDEX_ATTEMPTED = FORMAT_INDEX_INFO + 32,
        INDEX_FIRST_REGION_PAGES = 4062, /* 4096 less the 136 bytes at the start of the first region */
        INDEX_REGION_PAGES = 4096,
};

int format_index_parse(struct format_index *index, const uint8_t *bytes) {
        const uint16_t probe = 1;
        bool big_endian = *(const uint8_t *)&probe == 0;
        uint32_t sum[2] = { 0, 0 };
        uint32_t page_size;
        uint16_t coded;

        if (memcmp(bytes, bytes + FORMAT_INDEX_HEADER_SIZE, FORMAT_INDEX_HEADER_SIZE) != 0 ||
            !bytes[INDEX_IS_INIT])
                return -EAGAIN;
        format_wal_checksum(big_endian, bytes, INDEX_CHECKSUM, sum);
        if (sum[0] != native32(&bytes[INDEX_CHECKSUM]) || sum[1] != native32(&bytes[INDEX_CHECKSUM + 4]))
                return -EAGAIN;
        if (native32(&bytes[INDEX_VERSION]) != 3007000)
                return -EAGAIN;
        memcpy(&coded, &bytes[INDEX_PAGE_SIZE], sizeof(coded));
        page_size = ((uint32_t)coded & 0xfe00) | ((uint32_t)(coded & 1) << 16);
        /* Of a WAL that nothing has been written to yet, nothing is known but that. */
        if (!page_size_valid(page_size) && (page_size != 0 || native32(&bytes[INDEX_LAST_FRAME]) != 0))
                return -EAGAIN;
        *index = (struct format_index){
                .page_size = page_size,
                .last_frame = native32(&bytes[INDEX_LAST_FRAME]),
                .page_count = native32(&bytes[INDEX_PAGE_COUNT]),
                .salt = { format_be32(&bytes[INDEX_SALT]), format_be32(&bytes[INDEX_SALT + 4]) },
                .backfilled = native32(&bytes[INDEX_BACKFILLED]),
                .attempted = native32(&bytes[INDEX_ATTEMPTED]),
        };
        return 0;
}

int format_index_look(struct format_index_look *look, const uint8_t *info_before, const uint8_t *info,
                      const uint8_t *header) {
        enum {
                BACKFILLED = 0,
                LAST_MARKS = 12,
                N_LAST_MARKS = 3,
                ATTEMPTED = INDEX_ATTEMPTED - INDEX_BACKFILLED
        };

        for (int i = 0; i < N_LAST_MARKS; i++)
                if (native32(&info[LAST_MARKS + 4 * i]) == 0)
                        return -EAGAIN;
        if (native32(&info_before[ATTEMPTED]) != native32(&info[ATTEMPTED]) ||
            memcmp(&header[INDEX_SALT], &header[FORMAT_INDEX_HEADER_SIZE + INDEX_SALT], 8) != 0)
                return -EAGAIN;
        *look = (struct format_index_look){
                .salt = { format_be32(&header[INDEX_SALT]), format_be32(&header[INDEX_SALT + 4]) },
                .backfilled = native32(&info[BACKFILLED]),
                .attempted = native32(&info[ATTEMPTED]),
        };
        return 0;
}

uint32_t format_index_region(uint32_t frame) {
        return (frame + INDEX_REGION_PAGES - INDEX_FIRST_REGION_PAGES - 1) / INDEX_REGION_PAGES;
}

uint32_t format_index_page(const uint8_t *region, uint32_t frame) {
        if (frame <= INDEX_FIRST_REGION_PAGES)
                return native32(&region[FORMAT_INDEX_HEAD_SIZE + 4 * (size_t)(frame - 1)]);
        return native32(&region[4 * (size_t)((frame - INDEX_FIRST_REGION_PAGES - 1) % INDEX_REGION_PAGES)]);
}

uint32_t format_index_mark(const uint8_t *bytes, int i) {
        return native32(&bytes[FORMAT_INDEX_INFO + 4 + 4 * i]);
}

/* ---- rollback journal --------------------------------------------------------------------------- */

int format_journal_parse(struct format_journal *journal, const uint8_t *bytes) {
        uint32_t sector_size = format_be32(&bytes[20]), page_size = format_be32(&bytes[24]);

        if (memcmp(bytes, journal_magic, sizeof(journal_magic)) != 0 || !page_size_valid(page_size) ||
            sector_size < 32 || sector_size > 65536 || (sector_size & (sector_size - 1)) != 0)
                return -EINVAL;
        *journal = (struct format_journal){
                .page_count = format_be32(&bytes[16]),
                .sector_size = sector_size,
                .page_size = page_size,
        };
        return 0;
}
