/*
 * An open breaks a lease even if it does not wait for it, and what a file is can only be told by opening it.
 * So a lookup, which must not disturb a file server, first looks into /proc/locks. That has all locks of the
 * machine: it is read so seldom that it takes a hundredth of the time, and what came after that is missed.
 * A lease is then broken too early, which costs its holder a little work, no more.
 *
 * Files are compared by inode number alone: the device that /proc/locks has is not the one that stat() has
 * where file systems hide theirs (Btrfs, overlays). Taking one file too many for leased is no harm either.
 */
#include "fs/lease.h"

#include <stdio.h>
#include <string.h>

#define SELDOM 100

void leases_init(struct leases *leases) {
        *leases = (struct leases){ .n = 0 };
        mutex_init(&leases->lock, MUTEX_RANK_LEAF);
}

void leases_deinit(struct leases *leases) {
        free(leases->inos);
        mutex_deinit(&leases->lock);
}

/* Of the thread: it may have been kept waiting. */
static uint64_t work_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool add(ino_t **inos, size_t *n, size_t *room, ino_t ino) {
        if (*n == *room) {
                size_t more = *room ? 2 * *room : 16;
                ino_t *grown = realloc(*inos, more * sizeof(**inos));

                if (!grown)
                        return false;
                *inos = grown;
                *room = more;
        }
        (*inos)[(*n)++] = ino;
        return true;
}

/* Reads those that an open for reading breaks. */
static void see(ino_t **inos, size_t *n, size_t *room) {
        FILE *file = fopen("/proc/locks", "re");
        char line[256], kind[16], state[16], type[16];
        unsigned long long ino;

        *n = 0;
        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, "%*s %15s %15s %15s %*s %*x:%*x:%llu", kind, state, type, &ino) == 4 &&
                    (strcmp(kind, "LEASE") == 0 || strcmp(kind, "DELEG") == 0) &&
                    !(strcmp(state, "ACTIVE") == 0 && strcmp(type, "READ") == 0) && !add(inos, n, room, ino))
                        break;
        if (file)
                fclose(file);
}

static bool find_locked(const struct leases *leases, ino_t ino) {
        for (size_t i = 0; i < leases->n; i++)
                if (leases->inos[i] == ino)
                        return true;
        return false;
}

bool leases_has(struct leases *leases, ino_t ino) {
        uint64_t now = base_now_ns(), work;
        struct leases fresh = { .n = 0 };
        bool due, found;

        mutex_assert_none_held();
        mutex_lock(&leases->lock);
        due = now - leases->seen_ns >= SELDOM * leases->cost_ns;
        if (due)
                leases->seen_ns = now; /* no other thread looks meanwhile */
        found = find_locked(leases, ino);
        mutex_unlock(&leases->lock);
        if (!due)
                return found;
        work = work_ns();
        see(&fresh.inos, &fresh.n, &fresh.room);
        work = work_ns() - work;
        mutex_lock(&leases->lock);
        free(leases->inos);
        leases->inos = fresh.inos;
        leases->n = fresh.n;
        leases->room = fresh.room;
        leases->seen_ns = now;
        leases->cost_ns = work;
        found = find_locked(leases, ino);
        mutex_unlock(&leases->lock);
        return found;
}
