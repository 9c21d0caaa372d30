/*
 * Reading past the kernel's page cache costs one request for each read(), but no page. For 128 KiB and more
 * at a time (cp, cat, rsync, borg, restic) that takes half the time of reading through it; for 10 KiB (tar)
 * four times as long. Which of the two an open file does is settled by the reply to its OPEN, before anybody
 * knows how it will be read. So it is learned: a program is taken to read in bulk until it has been seen to
 * read in small pieces, and is known again by the path of its executable, which is not looked at: it may lie
 * on this very mount.
 *
 * This is a guess about speed. Nothing but speed hangs on it.
 */
#include "fs/habit.h"

#include <limits.h>
#include <stdio.h>

/* So many reads are judged, by their mean. */
enum { JUDGED = 32, BULK = 64 << 10 };

void habits_init(struct habits *habits) {
        habits->n = habits->next = 0;
        mutex_init(&habits->lock, MUTEX_RANK_LEAF);
}

void habits_deinit(struct habits *habits) {
        mutex_deinit(&habits->lock);
}

static bool is_small_locked(const struct habits *habits, uint64_t program) {
        for (unsigned i = 0; i < habits->n; i++)
                if (habits->small[i] == program)
                        return true;
        return false;
}

/* FNV-1a: two programs that meet in it share a habit, no more. */
static uint64_t hash(const char *bytes, size_t size) {
        uint64_t value = 0xcbf29ce484222325;

        for (size_t i = 0; i < size; i++)
                value = (value ^ (unsigned char)bytes[i]) * 0x100000001b3;
        return value;
}

bool habits_reads_in_bulk(struct habits *habits, pid_t pid, uint64_t *program) {
        char link[64], path[PATH_MAX];
        ssize_t n;

        *program = 0;
        mutex_assert_none_held();
        snprintf(link, sizeof(link), "/proc/%ld/exe", (long)pid);
        n = pid > 0 ? readlink(link, path, sizeof(path)) : -1;
        if (n <= 0)
                return false;
        *program = hash(path, (size_t)n);
        MUTEX_SCOPE(&habits->lock);
        return !is_small_locked(habits, *program);
}

void habits_count(struct habits *habits, struct habit_reads *reads, size_t size) {
        unsigned long long bytes = atomic_fetch_add(&reads->bytes, size) + size;

        if (atomic_fetch_add(&reads->count, 1) + 1 != JUDGED || bytes >= (unsigned long long)JUDGED * BULK)
                return;
        MUTEX_SCOPE(&habits->lock);
        if (is_small_locked(habits, reads->program))
                return;
        habits->small[habits->next] = reads->program;
        habits->next = (habits->next + 1) % HABITS_MAX;
        if (habits->n < HABITS_MAX)
                habits->n++;
}
