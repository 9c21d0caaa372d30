/*
 * Combinations: which state each of the four files is taken from, and what is done to it.
 *
 * Invariant: all that is chosen is chosen here; only times and the path in a super-journal's name come later.
 */
#include "differential.h"

#include "snapshot/format.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const age_names[N_AGES] = { "", ", whole second", ", of 1970", ", of the future",
                                               ", young" };
static const char *const super_names[N_SUPERS] = { "", ", super-journal here",
                                                   ", super-journal gone from here",
                                                   ", super-journal elsewhere",
                                                   ", super-journal gone from elsewhere" };

static _printf_(2, 3) void tell(struct combination *combination, const char *format, ...) {
        size_t length = strlen(combination->story);
        va_list args;

        va_start(args, format);
        vsnprintf(combination->story + length, sizeof(combination->story) - length, format, args);
        va_end(args);
}

/* ---- spoiling ------------------------------------------------------------------------------------ */

/* Where a file of that role may well have been cut. */
static size_t boundary(const struct bytes *bytes, enum role role, struct dice *dice) {
        uint32_t page = 512u << dice_roll(dice, 4);
        struct format_journal journal;
        struct format_wal wal;

        switch (role) {
        case ROLE_MAIN:
                if (bytes->size >= FORMAT_HEADER_SIZE && dice_chance(dice, 80))
                        page = (uint32_t)bytes->data[16] << 8 | (uint32_t)bytes->data[17] << 16;
                return page > 0 ? (bytes->size / page > 0 ? dice_roll(dice, bytes->size / page) : 0) * page
                                : 100;
        case ROLE_WAL:
                if (bytes->size < FORMAT_WAL_HEADER_SIZE || format_wal_parse(&wal, bytes->data) < 0)
                        return FORMAT_WAL_HEADER_SIZE;
                page = wal.page_size + FORMAT_WAL_FRAME_HEADER_SIZE;
                return FORMAT_WAL_HEADER_SIZE + dice_roll(dice, bytes->size / page + 1) * page;
        case ROLE_JOURNAL:
                if (bytes->size < FORMAT_JOURNAL_HEADER_SIZE ||
                    format_journal_parse(&journal, bytes->data) < 0)
                        return FORMAT_JOURNAL_HEADER_SIZE;
                page = journal.page_size + 8;
                return journal.sector_size + dice_roll(dice, bytes->size / page + 1) * page;
        default:
                return dice_roll(dice, 2) * FORMAT_INDEX_REGION_SIZE;
        }
}

static void flip(struct bytes *bytes, size_t within, struct dice *dice) {
        unsigned n = 1 + (unsigned)dice_roll(dice, 6);

        for (unsigned i = 0; i < n && within > 0; i++)
                bytes->data[dice_roll(dice, within)] ^= (uint8_t)(1 << dice_roll(dice, 8));
}

static void cut(struct combination *combination, struct bytes *bytes, size_t size) {
        if (size < bytes->size)
                bytes->size = size;
        tell(combination, " cut to %zu", bytes->size);
}

/* A WAL that says something else, with checksums that are right: of its header, or of the header of a frame.
 */
static void remake(struct combination *combination, struct bytes *wal, struct dice *dice) {
        uint32_t page_size = wal->size >= FORMAT_WAL_HEADER_SIZE ? format_be32(wal->data + 8) : 0;
        size_t frames = page_size > 0 ? wal->size / (page_size + FORMAT_WAL_FRAME_HEADER_SIZE) : 0;
        /* Of the number of a page, and of the count in a commit, the lowest byte: what they make is not
         * large. */
        size_t at = dice_chance(dice, 20) ? 8 + dice_roll(dice, 16)
                                          : FORMAT_WAL_HEADER_SIZE + (dice_chance(dice, 50) ? 3 : 7);

        if (frames == 0)
                return;
        if (at >= FORMAT_WAL_HEADER_SIZE)
                at += dice_roll(dice, frames) * (page_size + FORMAT_WAL_FRAME_HEADER_SIZE);
        wal->data[at] = (uint8_t)(dice_chance(dice, 50) ? dice_roll(dice, 256) : dice_roll(dice, 4));
        wal_remake(wal, NULL);
        tell(combination, " remade at %zu", at);
}

/* Room behind the database, as an application reserves it. */
static void pad(struct combination *combination, struct bytes *bytes, struct dice *dice) {
        size_t more = dice_chance(dice, 70) ? 65536 : dice_roll(dice, 20000);

        bytes->data = realloc(bytes->data, bytes->size + more);
        need(bytes->data);
        memset(bytes->data + bytes->size, 0, more);
        bytes->size += more;
        tell(combination, " padded");
}

/* One of many ways to spoil a file that is there. */
static void spoil(struct combination *combination, enum role role, struct dice *dice) {
        struct bytes *bytes = &combination->files[role];
        size_t head = bytes->size < 100 ? bytes->size : 100;

        if (bytes->size == 0)
                return;
        switch (dice_roll(dice, 10)) {
        case 0:
                cut(combination, bytes, dice_roll(dice, bytes->size));
                break;
        case 1:
        case 2:
                cut(combination, bytes, boundary(bytes, role, dice));
                break;
        case 3:
                cut(combination, bytes, dice_roll(dice, 120));
                break;
        case 4:
                flip(bytes, bytes->size, dice);
                tell(combination, " flipped");
                break;
        case 5:
                flip(bytes, head, dice);
                tell(combination, " head flipped");
                break;
        case 6:
                memset(bytes->data, 0, role == ROLE_MAIN ? head : head < 28 ? head : 28);
                tell(combination, " head zeroed");
                break;
        case 7:
        case 8:
                if (role == ROLE_WAL)
                        remake(combination, bytes, dice);
                else if (role == ROLE_MAIN)
                        pad(combination, bytes, dice);
                break;
        default:
                if (role != ROLE_MAIN || head < 100) {
                        bytes->data[dice_roll(dice, head)] = (uint8_t)dice_roll(dice, 256);
                        tell(combination, " head byte set");
                } else {
                        bytes->data[18] = (uint8_t)dice_roll(dice, 4);
                        bytes->data[19] = (uint8_t)dice_roll(dice, 4);
                        tell(combination, " format %u/%u", bytes->data[18], bytes->data[19]);
                }
        }
}

/* ---- choosing ------------------------------------------------------------------------------------ */

static struct bytes copy_of(const struct bytes *bytes) {
        struct bytes copy = { .data = bytes->data ? malloc(bytes->size + 1) : NULL, .size = bytes->size };

        need(copy.data || !bytes->data);
        if (copy.data)
                memcpy(copy.data, bytes->data, bytes->size);
        return copy;
}

/* A state that has the file: of the same family, or of any. */
static const struct state *any_state(const struct pool *pool, enum role role, const struct state *kin,
                                     struct dice *dice) {
        for (int i = 0; i < 1000; i++) {
                const struct state *state = &pool->states[dice_roll(dice, pool->n)];

                if (state->files[role].data && (!kin || state->family == kin->family))
                        return state;
        }
        return kin ? any_state(pool, role, NULL, dice) : &pool->states[0];
}

static struct bytes random_bytes(struct dice *dice) {
        struct bytes bytes = { .size = 1 + dice_roll(dice, 40000) };

        bytes.data = malloc(bytes.size);
        need(bytes.data);
        for (size_t i = 0; i < bytes.size; i++)
                bytes.data[i] = (uint8_t)dice_roll(dice, 256);
        return bytes;
}

static void choose_file(struct combination *combination, const struct pool *pool, enum role role,
                        const struct state *base, struct dice *dice) {
        unsigned own = role == ROLE_MAIN ? 80 : 62, chance = (unsigned)dice_roll(dice, 100);
        struct bytes *out = &combination->files[role];
        const struct state *state = base;

        tell(combination, "%s%s=", role > 0 ? " " : "", role_names[role]);
        if (chance >= own + 18 && chance < own + 23) {
                *out = (struct bytes){ .data = calloc(1, 1) };
                need(out->data);
                tell(combination, "empty");
                return;
        }
        if (chance >= own + 23 && role == ROLE_MAIN)
                chance = own;
        if (chance >= own + 26) {
                tell(combination, "absent");
                return;
        }
        if (chance >= own + 23) {
                *out = random_bytes(dice);
                tell(combination, "random");
                return;
        }
        if (chance >= own)
                state = any_state(pool, role, chance < own + 12 ? base : NULL, dice);
        *out = copy_of(&state->files[role]);
        tell(combination, "%s/%u%s%s", state->name, state->family, state->encrypted ? " encrypted" : "",
             out->data ? "" : "(absent)");
        if (dice_chance(dice, 14))
                spoil(combination, role, dice);
}

void combination_init(struct combination *combination, const struct pool *pool, struct dice *dice) {
        const struct state *base = any_state(pool, ROLE_MAIN, NULL, dice);
        const struct bytes *journal = &combination->files[ROLE_JOURNAL];
        struct format_journal header;
        unsigned age = (unsigned)dice_roll(dice, 100);

        *combination = (struct combination){ .age = AGE_OLD };
        for (int role = 0; role < N_ROLES; role++)
                choose_file(combination, pool, (enum role)role, base, dice);
        if (age >= 80)
                combination->age = age < 86   ? AGE_WHOLE_SECOND
                                   : age < 90 ? AGE_ANCIENT
                                   : age < 94 ? AGE_FUTURE
                                              : AGE_YOUNG;
        if (journal->size >= FORMAT_JOURNAL_HEADER_SIZE &&
            format_journal_parse(&header, journal->data) == 0 && dice_chance(dice, 15))
                combination->super = (enum super)(1 + dice_roll(dice, N_SUPERS - 1));
        tell(combination, "%s%s", age_names[combination->age], super_names[combination->super]);
}

void combination_deinit(struct combination *combination) {
        for (int role = 0; role < N_ROLES; role++)
                bytes_deinit(&combination->files[role]);
}
