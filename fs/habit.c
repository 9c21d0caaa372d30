/*
 * Reading past the kernel's page cache costs one request for each read(), but no page. For 128 KiB and more
 * at a time (cp, cat, rsync, borg, restic) that takes half the time of reading through it; for 10 KiB (tar)
 * four times as long. Which of the two an open file does is settled by the reply to its OPEN, before anybody
 * knows how it will be read. So it is learned: a program is taken to read in bulk until it has been seen to
 * read in small pieces, and is known again by its executable.
 *
 * This is a guess about speed. Nothing but speed hangs on it.
 */
#include "fs/habit.h"

#include <stdio.h>
#include <sys/stat.h>

/* So many reads are judged, by their mean. */
enum { JUDGED = 32, BULK = 64 << 10 };

void habits_init(struct habits *habits) {
        habits->n = habits->next = 0;
        mutex_init(&habits->lock, MUTEX_RANK_LEAF);
}

void habits_deinit(struct habits *habits) {
        mutex_deinit(&habits->lock);
}

static bool is_small_locked(const struct habits *habits, const struct habit_program *program) {
        for (unsigned i = 0; i < habits->n; i++)
                if (habits->small[i].dev == program->dev && habits->small[i].ino == program->ino)
                        return true;
        return false;
}

bool habits_reads_in_bulk(struct habits *habits, pid_t pid, struct habit_program *program) {
        char path[64];
        struct stat st;

        *program = (struct habit_program){ .ino = 0 };
        mutex_assert_none_held();
        snprintf(path, sizeof(path), "/proc/%ld/exe", (long)pid);
        if (pid <= 0 || stat(path, &st) < 0)
                return false;
        *program = (struct habit_program){ .dev = st.st_dev, .ino = st.st_ino };
        MUTEX_SCOPE(&habits->lock);
        return !is_small_locked(habits, program);
}

void habits_count(struct habits *habits, struct habit_reads *reads, size_t size) {
        unsigned long long bytes = atomic_fetch_add(&reads->bytes, size) + size;

        if (atomic_fetch_add(&reads->count, 1) + 1 != JUDGED || bytes >= (unsigned long long)JUDGED * BULK)
                return;
        MUTEX_SCOPE(&habits->lock);
        if (is_small_locked(habits, &reads->program))
                return;
        habits->small[habits->next] = reads->program;
        habits->next = (habits->next + 1) % HABITS_MAX;
        if (habits->n < HABITS_MAX)
                habits->n++;
}
