/* Which programs read in small pieces. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "snapshot/base.h"

#define HABITS_MAX 64

struct habits {
        struct mutex lock;          /* MUTEX_RANK_LEAF: all below */
        uint64_t small[HABITS_MAX]; /* programs */
        unsigned n, next;
};

/* How one open file has been read so far. By any thread, without a lock. */
struct habit_reads {
        uint64_t program;
        atomic_uint count;
        atomic_ullong bytes;
};

void habits_init(struct habits *habits);
void habits_deinit(struct habits *habits);
/*
 * Whether that process may be expected to read in large pieces: then its reads are best served past the
 * kernel's page cache. *program: what to count them for. False when nothing can be told of it.
 */
bool habits_reads_in_bulk(struct habits *habits, pid_t pid, uint64_t *program);
/* Counts a read past the page cache of so many bytes, and remembers whoever reads in small pieces. */
void habits_count(struct habits *habits, struct habit_reads *reads, size_t size);
