/*
 * Times of directories.
 *
 * An application that opens and closes its databases makes and removes side files, which the mount hides;
 * their directory's times, size and links move nevertheless, and a tool that compares them before and after
 * it read the directory says that it changed (tar: "file changed as we read it", exit 1). So a process that
 * has a directory open is told what it showed when it was opened, and everybody else what it shows now. While
 * the two differ the kernel, which has one memory for all, must not remember either.
 *
 * tar looks before it opens, and the kernel answers for FS_TIMEOUT from what it was told. Hence the other
 * invariant: an open that comes while somebody may remember what was told, freezes that; and for FS_TIMEOUT
 * the same is told to everybody, so that there is one thing to remember.
 *
 * Whether only side files came and went since the last look cannot be known without reading the directory and
 * remembering it over remounts; so between two openings the times are the source's.
 */
#include "fs/dirtime.h"

#include <stdio.h>

#include "fs/fs.h"

#define SECOND_NS UINT64_C(1000000000)
/* How long the kernel believes, and how long after that an open may follow a look. */
#define TOLD_NS   ((uint64_t)(FS_TIMEOUT * SECOND_NS))
#define LOOKED_NS (TOLD_NS + SECOND_NS)

/* So many that have a directory open are told from others by their processes; with more of them the rest must
 * ask with the thread that opened it. */
#define PROCESSES_MAX 8

void dirtime_init(struct dirtime *times) {
        *times = (struct dirtime){ .told_ns = 0 };
        list_init(&times->opens);
}

static struct dirtime_values values_of(const struct stat *st) {
        return (struct dirtime_values){ .mtim = st->st_mtim,
                                        .ctim = st->st_ctim,
                                        .size = st->st_size,
                                        .blocks = st->st_blocks,
                                        .links = st->st_nlink };
}

static bool equal(const struct dirtime_values *a, const struct dirtime_values *b) {
        return base_timespec_compare(a->mtim, b->mtim) == 0 && base_timespec_compare(a->ctim, b->ctim) == 0 &&
               a->size == b->size && a->blocks == b->blocks && a->links == b->links;
}

static void put(struct stat *st, const struct dirtime_values *values) {
        st->st_mtim = values->mtim;
        st->st_ctim = values->ctim;
        st->st_size = values->size;
        st->st_blocks = values->blocks;
        st->st_nlink = values->links;
}

static bool told_within(const struct dirtime *times, uint64_t span) {
        return times->told_ns != 0 && base_now_ns() - times->told_ns < span;
}

/* What somebody who does not have the directory open is told. */
static void show_others_locked(struct dirtime *times, struct stat *st) {
        if (told_within(times, TOLD_NS)) {
                put(st, &times->told);
                return;
        }
        times->told = values_of(st);
        times->told_ns = base_now_ns();
}

/* The directory as it was opened, in a way that differs from *st. */
struct holders {
        struct dirtime_open opens[PROCESSES_MAX];
        unsigned n;
        bool differ;
};

static void collect_locked(const struct dirtime *times, const struct stat *st, pid_t pid,
                           struct holders *holders) {
        struct dirtime_values now = values_of(st);

        for (const struct list *link = times->opens.next; link != &times->opens; link = link->next) {
                const struct dirtime_open *open = container_of(link, struct dirtime_open, link);

                if (equal(&open->values, &now))
                        continue;
                holders->differ = true;
                if (holders->n == PROCESSES_MAX && open->pid == pid)
                        holders->n--;
                if (holders->n < PROCESSES_MAX)
                        holders->opens[holders->n++] = *open;
        }
}

static bool is_of_process(pid_t thread, pid_t other) {
        char path[64];

        if (thread == other)
                return true;
        snprintf(path, sizeof(path), "/proc/%ld/task/%ld", (long)thread, (long)other);
        return access(path, F_OK) == 0;
}

bool dirtime_show(struct node_table *table, struct node *dir, struct stat *st, pid_t pid) {
        struct holders holders = { .n = 0 };
        struct stat others = *st;

        mutex_lock(&table->mutex);
        show_others_locked(dir->times, &others);
        collect_locked(dir->times, &others, pid, &holders);
        mutex_unlock(&table->mutex);
        *st = others;
        mutex_assert_none_held();
        for (unsigned i = 0; i < holders.n; i++) {
                if (!is_of_process(holders.opens[i].pid, pid))
                        continue;
                put(st, &holders.opens[i].values);
                break;
        }
        return !holders.differ;
}

void dirtime_open_locked(struct node_table *table, struct node *dir, const struct stat *st, pid_t pid,
                         struct dirtime_open *open) {
        struct dirtime *times = dir->times;

        mutex_assert_held(&table->mutex);
        open->pid = pid;
        open->values = told_within(times, LOOKED_NS) ? times->told : values_of(st);
        list_append(&times->opens, &open->link);
}

void dirtime_close_locked(struct node_table *table, struct dirtime_open *open) {
        mutex_assert_held(&table->mutex);
        list_remove(&open->link);
}
