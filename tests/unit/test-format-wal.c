/* format.c, the WAL and the WAL-index: against files that SQLite writes, with each bit of them flipped once.
 */
#include "app.h"

#include "snapshot/format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum { PAGE = 512, FRAME = FORMAT_WAL_FRAME_HEADER_SIZE + PAGE };

/* A table of rows in a WAL that is not checkpointed: PAGE bytes a page, about two rows a page. */
static void fill(struct app *app, unsigned rows) {
        char text[512];

        snprintf(text, sizeof(text),
                 "PRAGMA page_size=%d; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE "
                 "t(a);"
                 "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%u)"
                 "INSERT INTO t SELECT randomblob(300) FROM n",
                 PAGE, rows);
        need(app_sql(app, text) == SQLITE_OK);
}

/* How many frames hold, and the last commit's page count. */
static unsigned walk(const struct bytes *bytes, uint32_t *page_count) {
        struct format_frame frame;
        struct format_wal wal;
        unsigned n = 0;

        *page_count = 0;
        if (bytes->size < FORMAT_WAL_HEADER_SIZE || format_wal_parse(&wal, bytes->data) < 0)
                return 0;
        for (size_t at = FORMAT_WAL_HEADER_SIZE; at + FRAME <= bytes->size; at += FRAME) {
                const uint8_t *p = bytes->data + at;

                if (format_wal_next(&wal, p, p + FORMAT_WAL_FRAME_HEADER_SIZE, &frame) < 0)
                        break;
                n++;
                if (frame.commit > 0)
                        *page_count = frame.commit;
        }
        return n;
}

static void test_real_wal(struct app *app, const struct bytes *wal) {
        uint32_t page_count;
        unsigned n = walk(wal, &page_count);

        is(n, (wal->size - FORMAT_WAL_HEADER_SIZE) / FRAME, "all frames of a WAL hold");
        is(page_count, app_int(app, "PRAGMA page_count"),
           "the last commit in it says how many pages there are");
        need(app_sql(app, "PRAGMA wal_checkpoint") == SQLITE_OK);
        is(n, atoll(strchr(app->text, '|') + 1),
           "SQLite counts the same frames (busy, frames, checkpointed: %s)", app->text);
}

/* Writes all checksums anew for the other byte order; SQLite is to say whether that is one. */
static void make_big_endian(const struct bytes *bytes) {
        uint32_t sum[2] = { 0, 0 };

        bytes->data[3] |= 1;
        format_wal_checksum(true, bytes->data, 24, sum);
        format_put_be32(bytes->data + 24, sum[0]);
        format_put_be32(bytes->data + 28, sum[1]);
        for (size_t at = FORMAT_WAL_HEADER_SIZE; at + FRAME <= bytes->size; at += FRAME) {
                uint8_t *p = bytes->data + at;

                format_wal_checksum(true, p, 8, sum);
                format_wal_checksum(true, p + FORMAT_WAL_FRAME_HEADER_SIZE, PAGE, sum);
                format_put_be32(p + 16, sum[0]);
                format_put_be32(p + 20, sum[1]);
        }
}

static void test_big_endian(const struct scratch *scratch, const struct bytes *wal, int64_t rows) {
        SCRATCH(aside);
        uint32_t page_count;
        unsigned n;

        scratch_copy_database(scratch, "db", &aside, "db");
        BYTES(other) = scratch_read(&aside, "db-wal");
        need(other.size == wal->size && !(other.data[3] & 1));
        n = walk(wal, &page_count);
        make_big_endian(&other);
        is(walk(&other, &page_count), n, "the same frames hold with big-endian checksums");
        scratch_write(&aside, "db-wal", other.data, other.size);
        is(sql_int(scratch_path(&aside, "db"), "SELECT count(*) FROM t"), rows, "and SQLite recovers them");
}

static void test_flips(const struct bytes *wal) {
        struct format_wal parsed, kept;
        struct format_frame frame;
        uint8_t *p = wal->data + FORMAT_WAL_HEADER_SIZE;
        unsigned n_taken = 0, n_moved = 0;

        for (unsigned bit = 0; bit < 8 * FORMAT_WAL_HEADER_SIZE; bit++) {
                wal->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
                n_taken += format_wal_parse(&parsed, wal->data) == 0;
                wal->data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        is(n_taken, 0, "a WAL header with any bit flipped is refused");
        need(format_wal_parse(&parsed, wal->data) == 0);
        for (unsigned i = 0; i < 2; i++, p += FRAME) {
                n_taken = 0;
                for (unsigned bit = 0; bit < 8 * FRAME; bit++) {
                        kept = parsed;
                        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
                        n_taken += format_wal_next(&parsed, p, p + FORMAT_WAL_FRAME_HEADER_SIZE, &frame) == 0;
                        n_moved += memcmp(&kept, &parsed, sizeof(kept)) != 0;
                        p[bit / 8] ^= (uint8_t)(1 << bit % 8);
                }
                is(n_taken, 0, "frame %u with any bit flipped is refused", i + 1);
                is(format_wal_next(&parsed, p, p + FORMAT_WAL_FRAME_HEADER_SIZE, &frame), 0,
                   "unflipped it is not");
        }
        is(n_moved, 0, "a refused frame leaves the checksum where it was");
}

static void test_page_zero(const struct bytes *wal) {
        struct format_wal parsed;
        struct format_frame frame;
        uint8_t copy[FRAME];
        uint32_t sum[2];

        need(format_wal_parse(&parsed, wal->data) == 0);
        memcpy(copy, wal->data + FORMAT_WAL_HEADER_SIZE, FRAME);
        format_put_be32(copy, 0);
        memcpy(sum, parsed.checksum, sizeof(sum));
        format_wal_checksum(parsed.big_endian, copy, 8, sum);
        format_wal_checksum(parsed.big_endian, copy + FORMAT_WAL_FRAME_HEADER_SIZE, PAGE, sum);
        format_put_be32(copy + 16, sum[0]);
        format_put_be32(copy + 20, sum[1]);
        is(format_wal_next(&parsed, copy, copy + FORMAT_WAL_FRAME_HEADER_SIZE, &frame), -EINVAL,
           "a frame of page 0 ends the WAL, as for SQLite, whatever its checksum");
}

static void test_index(struct app *app, const struct bytes *shm, unsigned n_frames) {
        struct format_index index;
        uint8_t head[FORMAT_INDEX_HEAD_SIZE];
        unsigned n_taken = 0;

        is(format_index_parse(&index, shm->data), 0, "the WAL-index of a live connection");
        is(index.page_size, PAGE, "its page size");
        is(index.page_count, app_int(app, "PRAGMA page_count"), "its page count");
        is(index.last_frame, n_frames, "its last frame");
        for (unsigned bit = 0; bit < 8 * FORMAT_INDEX_HEADER_SIZE; bit++) {
                for (unsigned copies = 1; copies <= 3; copies++) {
                        memcpy(head, shm->data, sizeof(head));
                        if (copies & 1)
                                head[bit / 8] ^= (uint8_t)(1 << bit % 8);
                        if (copies & 2)
                                head[FORMAT_INDEX_HEADER_SIZE + bit / 8] ^= (uint8_t)(1 << bit % 8);
                        n_taken += format_index_parse(&index, head) != -EAGAIN;
                }
        }
        is(n_taken, 0, "any bit flipped in one copy of its header, or in both: -EAGAIN");
        memset(head, 0, sizeof(head));
        is(format_index_parse(&index, head), -EAGAIN, "one that nobody has initialised: -EAGAIN");
        memcpy(head, shm->data, sizeof(head));
        memset(head + 2 * FORMAT_INDEX_HEADER_SIZE, 0xa5, sizeof(head) - 2 * FORMAT_INDEX_HEADER_SIZE);
        is(format_index_parse(&index, head), 0, "the checkpoint information behind it is no part of it");
}

static void test_index_pages(const struct bytes *wal, const struct bytes *shm, unsigned n_frames) {
        unsigned n_wrong = 0;

        for (uint32_t frame = 1; frame <= n_frames; frame++) {
                size_t region = format_index_region(frame);
                const uint8_t *header = wal->data + FORMAT_WAL_HEADER_SIZE + (size_t)(frame - 1) * FRAME;

                need((region + 1) * FORMAT_INDEX_REGION_SIZE <= shm->size);
                n_wrong += format_index_page(shm->data + region * FORMAT_INDEX_REGION_SIZE, frame) !=
                           format_be32(header);
        }
        is(n_wrong, 0, "the WAL-index gives each of %u frames the page of its own header", n_frames);
        is(format_index_region(1), 0, "frame 1 is in the first region");
        is(format_index_region(4062), 0, "as is 4062");
        is(format_index_region(4063), 1, "4063 is in the second");
        is(format_index_region(4062 + 4096), 1, "as is 8158");
        is(format_index_region(4063 + 4096), 2, "8159 is in the third");
}

static void test_index_of_large_pages(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        struct format_index index;

        need(app_sql(&app, "PRAGMA page_size=65536; PRAGMA journal_mode=WAL; CREATE TABLE t(a)") ==
             SQLITE_OK);
        BYTES(shm) = scratch_read(&scratch, "db-shm");
        need(shm.size >= FORMAT_INDEX_HEAD_SIZE);
        is(format_index_parse(&index, shm.data), 0, "a WAL-index of pages of 65536");
        is(index.page_size, 65536, "which do not fit its 16 bits");
}

int main(void) {
        SCRATCH(scratch);
        APP(app, scratch_path(&scratch, "db"));
        uint32_t page_count;
        unsigned n_frames;

        fill(&app, 10000);
        BYTES(wal) = scratch_read(&scratch, "db-wal");
        BYTES(shm) = scratch_read(&scratch, "db-shm");
        n_frames = walk(&wal, &page_count);
        ok(n_frames > 8192, "a WAL of more than 8192 frames (%u)", n_frames);
        test_big_endian(&scratch, &wal, 10000);
        test_flips(&wal);
        test_page_zero(&wal);
        test_index(&app, &shm, n_frames);
        test_index_pages(&wal, &shm, n_frames);
        test_real_wal(&app, &wal);
        test_index_of_large_pages();
        return tap_done();
}
