/*
 * Files that are made anew from others: encrypted ones, and WALs that say something else. Their checksums are
 * right, so that what is behind these is reached. And the dice.
 */
#include "differential.h"

#include "snapshot/format.h"

struct dice dice_new(uint64_t seed, uint64_t number) {
        struct dice dice = { .state = seed * UINT64_C(0x9e3779b97f4a7c15) ^
                                      number * UINT64_C(0xd1b54a32d192ed03) };

        dice_roll(&dice, 1);
        return dice;
}

uint64_t dice_roll(struct dice *dice, uint64_t sides) {
        uint64_t x = dice->state += UINT64_C(0x9e3779b97f4a7c15);

        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
        return (x ^ x >> 31) % sides;
}

bool dice_chance(struct dice *dice, unsigned percent) {
        return dice_roll(dice, 100) < percent;
}

/* ---- encryption ---------------------------------------------------------------------------------- */

static void scramble_from(uint8_t *page, uint32_t size, uint32_t number, uint32_t from) {
        struct dice key = dice_new(number, 77);

        for (uint32_t i = number == 1 ? from : 0; i < size; i++)
                page[i] ^= (uint8_t)dice_roll(&key, 256);
}

static void scramble(uint8_t *page, uint32_t size, uint32_t number) {
        scramble_from(page, size, number, 0);
}

/* As where SQLite itself is still to know the file by its header. */
static void scramble_but_header(uint8_t *page, uint32_t size, uint32_t number) {
        scramble_from(page, size, number, 32);
}

void wal_remake(struct bytes *wal, page_fn change) {
        uint8_t *p = wal->data;
        uint32_t sum[2] = { 0, 0 }, page_size;
        bool big_endian;

        if (wal->size < FORMAT_WAL_HEADER_SIZE)
                return;
        big_endian = p[3] & 1;
        page_size = format_be32(p + 8);
        format_wal_checksum(big_endian, p, 24, sum);
        format_put_be32(p + 24, sum[0]);
        format_put_be32(p + 28, sum[1]);
        p += FORMAT_WAL_HEADER_SIZE;
        for (size_t frame = FORMAT_WAL_FRAME_HEADER_SIZE + (size_t)page_size;
             p + frame <= wal->data + wal->size; p += frame) {
                if (change)
                        change(p + FORMAT_WAL_FRAME_HEADER_SIZE, page_size, format_be32(p));
                format_wal_checksum(big_endian, p, 8, sum);
                format_wal_checksum(big_endian, p + FORMAT_WAL_FRAME_HEADER_SIZE, page_size, sum);
                format_put_be32(p + 16, sum[0]);
                format_put_be32(p + 20, sum[1]);
        }
}

static void encrypt_journal(struct bytes *journal, uint32_t page_size, page_fn change) {
        struct format_journal header;

        if (journal->size < FORMAT_JOURNAL_HEADER_SIZE || format_journal_parse(&header, journal->data) < 0)
                return;
        for (uint8_t *p = journal->data + header.sector_size;
             p + 8 + page_size <= journal->data + journal->size; p += 8 + page_size) {
                uint32_t sum = format_be32(journal->data + 12);

                change(p + 4, page_size, format_be32(p));
                for (int i = (int)page_size - 200; i > 0; i -= 200)
                        sum += p[4 + i];
                format_put_be32(p + 4 + page_size, sum);
        }
}

void state_encrypt(struct state *state, uint32_t page_size, bool but_header) {
        page_fn change = but_header ? scramble_but_header : scramble;
        struct bytes *main = &state->files[ROLE_MAIN];

        state->encrypted = true;
        for (size_t at = 0; at + page_size <= main->size; at += page_size)
                change(main->data + at, page_size, (uint32_t)(at / page_size) + 1);
        wal_remake(&state->files[ROLE_WAL], change);
        encrypt_journal(&state->files[ROLE_JOURNAL], page_size, change);
}
