/*
 * The differential test: what snapshot/ gives for a database and its side files, held against what SQLite
 * itself makes of the same files.
 *
 * A pool holds the four files of many databases at many moments. A combination takes each file from some
 * state of the pool, perhaps of another time or of another database, and perhaps spoils it. It is put into a
 * directory, opened by ours first, which leaves it as it is, and then by SQLite, whose result is the verdict.
 *
 * Invariant: a seed and a number make the same combination each time.
 */
#pragma once

#include "tests/unit/opens.h"

enum role { ROLE_MAIN, ROLE_WAL, ROLE_JOURNAL, ROLE_SHM, N_ROLES };

extern const char *const role_names[N_ROLES]; /* "db", "db-wal"... */

/* ---- chance -------------------------------------------------------------------------------------- */

struct dice {
        uint64_t state;
};

struct dice dice_new(uint64_t seed, uint64_t number);
/* A number from 0 to sides - 1. */
uint64_t dice_roll(struct dice *dice, uint64_t sides);
bool dice_chance(struct dice *dice, unsigned percent);

/* ---- states -------------------------------------------------------------------------------------- */

struct state {
        const char *name;
        unsigned family;             /* which database it is a moment of */
        bool encrypted;              /* all of it, or all but the first 32 bytes */
        struct bytes files[N_ROLES]; /* data is NULL: there is no such file */
};

struct pool {
        struct state *states;
        size_t n;
};

/* The states of several databases, made by SQLite. */
void pool_init(struct pool *pool, uint64_t seed, uint64_t number);
void pool_deinit(struct pool *pool);
/* Encrypts what is in all its files: as a whole, or but for the header's first 32 bytes, by which SQLite
 * knows the file. */
void state_encrypt(struct state *state, uint32_t page_size, bool but_header);
typedef void (*page_fn)(uint8_t *page, uint32_t size, uint32_t number);
/* Makes the checksums of a WAL right, after change has been at each page of it (NULL: as it is). */
void wal_remake(struct bytes *wal, page_fn change);

/* ---- combinations -------------------------------------------------------------------------------- */

enum age { AGE_OLD, AGE_WHOLE_SECOND, AGE_ANCIENT, AGE_FUTURE, AGE_YOUNG, N_AGES };
enum super { SUPER_NONE, SUPER_HERE, SUPER_HERE_GONE, SUPER_ELSEWHERE, SUPER_ELSEWHERE_GONE, N_SUPERS };

struct combination {
        struct bytes files[N_ROLES];
        enum age age;
        enum super super; /* whether the journal names a super-journal, and whether that is there */
        char story[512];  /* where each file came from and what was done to it */
};

void combination_init(struct combination *combination, const struct pool *pool, struct dice *dice);
void combination_deinit(struct combination *combination);
/* Puts the files into a new directory, with a super-journal if one is to be there. */
void combination_write(struct combination *combination, const char *directory);
/* Gives the files the times of the combination's age: a young one gets those of now. */
void combination_touch(const struct combination *combination, const char *directory);
/* Whether the directory has these files, with these bytes, and no other but a super-journal. */
bool combination_untouched(const struct combination *combination, const char *directory);

/* ---- results ------------------------------------------------------------------------------------- */

/* A count in a header that was spoilt can make a file of terabytes, all holes: no more than this is looked
 * at. */
enum { MOST_BYTES = 32 << 20 };
/* What all snapshots together may hold. */
enum { ROOM_BYTES = 1 << 30 };

struct outcome {          /* ours */
        bool ordinary;    /* shown as an ordinary file */
        bool sides_amiss; /* a side file is shown beside a database, or hidden beside an ordinary file */
        int error;        /* 0 or -errno */
        struct bytes bytes;
        int64_t told; /* the size that lstat said before the open; -1: it was not asked */
};

struct verdict {             /* SQLite's */
        int code;            /* of the opening, recovery included */
        int checkpoint_code; /* of putting the WAL into the main file */
        struct bytes seen;   /* what a query would read, if it cannot be checkpointed */
        uint64_t file_size;  /* of the main file as SQLite leaves it */
        struct bytes bytes;  /* of the recovered and checkpointed database, cut to its pages; of one that is
                              * CORRUPT:  the same with the check of its size left out */
};

/* Lets SQLite open, recover and checkpoint what is in the directory, where it does so in place. */
struct verdict verdict_of(const char *directory);

enum { RESULT_EQUAL, RESULT_DIFFERENT, RESULT_RULES }; /* RESULT_RULES + i: allowed by rule i */

extern const size_t n_rules;
const char *rule_name(size_t rule);
const char *rule_reason(size_t rule);
int compare(const struct combination *combination, const struct outcome *outcome,
            const struct verdict *verdict);
/* In words, each in a static buffer of its own. */
const char *combination_text(const struct combination *combination);
const char *outcome_text(const struct outcome *outcome);
const char *verdict_text(const struct verdict *verdict);
