/*
 * Times of directories.
 *
 * An application that opens and closes its databases makes and removes side files, which the mount hides;
 * their directory's times, size and links move nevertheless, and a tool that compares them before and after
 * it read the directory says that it changed (tar: "file changed as we read it", exit 1; fact T6). So what a
 * directory shows is what it showed when it was opened, until the last handle is closed.
 *
 * tar looks before it opens, and the kernel answers for FS_TIMEOUT from what it was told. Hence the other
 * invariant: an open that comes while somebody may remember what was told, freezes that; and for FS_TIMEOUT
 * the same is told to everybody, so that there is one thing to remember.
 *
 * Whether only side files came and went since the last look cannot be known without reading the directory and
 * remembering it over remounts; so between two openings the times are the source's.
 */
#include "fs/dirtime.h"

#include "fs/fs.h"

#define SECOND_NS UINT64_C(1000000000)
/* How long the kernel believes, and how long after that an open may follow a look. */
#define TOLD_NS   ((uint64_t)(FS_TIMEOUT * SECOND_NS))
#define LOOKED_NS (TOLD_NS + SECOND_NS)

static bool told_within(const struct dirtime *times, uint64_t span) {
        return times->told_ns != 0 && base_now_ns() - times->told_ns < span;
}

static void remember(struct dirtime *times, const struct stat *st) {
        times->mtim = st->st_mtim;
        times->ctim = st->st_ctim;
        times->size = st->st_size;
        times->blocks = st->st_blocks;
        times->links = st->st_nlink;
}

void dirtime_show(struct node_table *table, struct node *dir, struct stat *st) {
        struct dirtime *times = dir->times;

        MUTEX_SCOPE(&table->mutex);
        if (times->opens == 0 && !told_within(times, TOLD_NS)) {
                remember(times, st);
                times->told_ns = base_now_ns();
                return;
        }
        /* While it is open the kernel is told again and again; what it remembers after that starts there. */
        if (times->opens > 0)
                times->told_ns = base_now_ns();
        st->st_mtim = times->mtim;
        st->st_ctim = times->ctim;
        st->st_size = times->size;
        st->st_blocks = times->blocks;
        st->st_nlink = times->links;
}

void dirtime_open_locked(struct node_table *table, struct node *dir, const struct stat *st) {
        struct dirtime *times = dir->times;

        mutex_assert_held(&table->mutex);
        if (times->opens++ == 0 && !told_within(times, LOOKED_NS))
                remember(times, st);
}

void dirtime_close_locked(struct node_table *table, struct node *dir) {
        mutex_assert_held(&table->mutex);
        dir->times->opens--;
}
