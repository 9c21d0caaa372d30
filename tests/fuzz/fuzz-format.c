/*
 * Fuzzes format.c: any bytes, taken for each kind of thing it reads. What it accepts must be what it says:
 * page sizes that are powers of two, and a WAL frame that is accepted must be refused with any one bit of it
 * flipped.
 */
#include "fuzz.h"

#include "snapshot/format.h"

#include <stdlib.h>
#include <string.h>

static void must(bool holds) {
        if (!holds)
                abort();
}

static bool page_size_holds(uint32_t size) {
        return size >= 512 && size <= 65536 && (size & (size - 1)) == 0;
}

static void fuzz_header(const uint8_t *bytes, size_t size) {
        uint8_t padded[FORMAT_HEADER_SIZE] = { 0 };
        struct format_header header;

        memcpy(padded, bytes, size < sizeof(padded) ? size : sizeof(padded));
        format_has_magic(bytes, size);
        if (format_header_parse(&header, padded) < 0)
                return;
        must(page_size_holds(header.page_size));
        for (uint64_t file_size = 0; file_size < UINT64_MAX / 8; file_size = file_size * 7 + 511)
                must(format_header_size(&header, file_size) <= file_size);
}

static void fuzz_wal(const uint8_t *bytes, size_t size) {
        uint8_t copy[FORMAT_WAL_FRAME_HEADER_SIZE];
        struct format_frame frame;
        struct format_wal wal;

        if (size < FORMAT_WAL_HEADER_SIZE || format_wal_parse(&wal, bytes) < 0)
                return;
        must(page_size_holds(wal.page_size));
        bytes += FORMAT_WAL_HEADER_SIZE;
        size -= FORMAT_WAL_HEADER_SIZE;
        for (; size >= FORMAT_WAL_FRAME_HEADER_SIZE + wal.page_size;
             bytes += FORMAT_WAL_FRAME_HEADER_SIZE + wal.page_size,
             size -= FORMAT_WAL_FRAME_HEADER_SIZE + wal.page_size) {
                struct format_wal before = wal, again;

                if (format_wal_next(&wal, bytes, bytes + FORMAT_WAL_FRAME_HEADER_SIZE, &frame) < 0) {
                        must(memcmp(&before, &wal, sizeof(wal)) == 0);
                        return;
                }
                must(frame.page > 0);
                for (unsigned bit = 0; bit < 8 * FORMAT_WAL_FRAME_HEADER_SIZE; bit++) {
                        memcpy(copy, bytes, sizeof(copy));
                        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
                        again = before;
                        must(format_wal_next(&again, copy, bytes + FORMAT_WAL_FRAME_HEADER_SIZE, &frame) < 0);
                }
        }
}

static void fuzz_index(const uint8_t *bytes, size_t size) {
        uint8_t *head = calloc(1, FORMAT_INDEX_HEAD_SIZE), *region = calloc(1, FORMAT_INDEX_REGION_SIZE);
        struct format_index index;

        must(head && region);
        memcpy(head, bytes, size < FORMAT_INDEX_HEAD_SIZE ? size : FORMAT_INDEX_HEAD_SIZE);
        memcpy(region, bytes, size < FORMAT_INDEX_REGION_SIZE ? size : FORMAT_INDEX_REGION_SIZE);
        if (format_index_parse(&index, head) == 0) {
                must(page_size_holds(index.page_size));
                for (uint32_t frame = index.last_frame, n = 0; frame > 0 && n < 10000; frame--, n++) {
                        must(format_index_region(frame) <= frame / 4096 + 1);
                        format_index_page(region, frame);
                }
        }
        free(head);
        free(region);
}

static void fuzz_journal(const uint8_t *bytes, size_t size) {
        struct format_journal journal;
        uint8_t *head;

        if (size < FORMAT_JOURNAL_HEADER_SIZE)
                return;
        head = malloc(FORMAT_JOURNAL_HEADER_SIZE);
        must(head);
        memcpy(head, bytes, FORMAT_JOURNAL_HEADER_SIZE);
        format_journal_parse(&journal, head);
        free(head);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
        fuzz_header(bytes, size);
        fuzz_wal(bytes, size);
        fuzz_index(bytes, size);
        fuzz_journal(bytes, size);
        return 0;
}
