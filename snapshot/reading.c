/*
 * Reading a snapshot: its file, as far as that is written, and before that the pinned version itself.
 *
 * Invariants: bytes of the file before frontier never change. live is read only while it is set, or by reads
 * that are counted in live_reads, and its maker waits for these before the pin goes. A wait is in the list
 * only while its end is beyond the frontier; whoever takes it out under the lock has it called.
 */
#include "snapshot/registry.h"

#include "snapshot/live.h"

#include <errno.h>

/* ---- for the reader ----------------------------------------------------------------------------- */

/* Begins a read through the pin, if that is to be had. */
static const struct live *live_enter(struct snapshot *snapshot, size_t size) {
        MUTEX_SCOPE(&snapshot->store->lock);

        if (snapshot->live) {
                if (snapshot->live_bytes == 0)
                        pthread_cond_signal(&snapshot->stirred);
                snapshot->live_reads++;
                snapshot->live_bytes += size;
        }
        return snapshot->live;
}

static void live_leave(struct snapshot *snapshot) {
        MUTEX_SCOPE(&snapshot->store->lock);

        if (--snapshot->live_reads == 0)
                pthread_cond_signal(&snapshot->stirred);
}

/* 1: bytes up to end are in the file; 0: wait will be called when they are; -EIO: they never will be. */
static int await(struct snapshot *snapshot, uint64_t end, struct snapshot_wait *wait) {
        MUTEX_SCOPE(&snapshot->store->lock);

        if (end <= snapshot->frontier)
                return 1;
        if (snapshot->error < 0)
                return -EIO;
        wait->end = end;
        wait->next = snapshot->waits;
        snapshot->waits = wait;
        snapshot_stir_locked(snapshot);
        return 0;
}

ssize_t snapshot_read(struct snapshot *snapshot, void *buffer, size_t size, uint64_t offset,
                      struct snapshot_wait *wait) {
        uint64_t total = snapshot_size(snapshot);
        const struct live *live;
        ssize_t n;
        int r;

        mutex_assert_none_held();
        if (offset >= total)
                return 0;
        if (size > total - offset)
                size = (size_t)(total - offset);
        live = live_enter(snapshot, size);
        if (live) {
                n = live_read(live, buffer, size, offset);
                live_leave(snapshot);
                return n;
        }
        r = await(snapshot, offset + size, wait);
        if (r <= 0)
                return r < 0 ? r : -EAGAIN;
        n = base_pread(snapshot->file.fd, buffer, size, offset);
        return n >= 0 && (size_t)n < size ? -EIO : n;
}

/* ---- for the maker ------------------------------------------------------------------------------ */

static void call_wait(struct work *work) {
        struct snapshot_wait *wait = container_of(work, struct snapshot_wait, work);

        wait->fn(wait);
}

/* Takes out the waits that end before frontier, or all with an error. */
static struct snapshot_wait *take_waits_locked(struct snapshot *snapshot) {
        struct snapshot_wait **at = &snapshot->waits, *taken = NULL;

        mutex_assert_held(&snapshot->store->lock);
        while (*at) {
                struct snapshot_wait *wait = *at;

                if (wait->end > snapshot->frontier && snapshot->error == 0) {
                        at = &wait->next;
                        continue;
                }
                *at = wait->next;
                wait->next = taken;
                taken = wait;
        }
        return taken;
}

static void move(struct snapshot *snapshot, uint64_t frontier, int error) {
        struct store *store = snapshot->store;
        struct snapshot_wait *taken;

        mutex_lock(&store->lock);
        snapshot->frontier = frontier > snapshot->frontier ? frontier : snapshot->frontier;
        snapshot->error = error;
        if (error < 0)
                snapshot_detach_locked(snapshot);
        taken = take_waits_locked(snapshot);
        mutex_unlock(&store->lock);
        while (taken) {
                struct snapshot_wait *wait = taken;

                taken = wait->next;
                worker_submit(store->front, &wait->work, call_wait, 0);
        }
}

void snapshot_advance(struct snapshot *snapshot, uint64_t frontier) {
        move(snapshot, frontier, 0);
}

void snapshot_finish(struct snapshot *snapshot, int r) {
        move(snapshot, r < 0 ? 0 : snapshot_size(snapshot), r);
        mutex_lock(&snapshot->store->lock);
        snapshot->live = NULL;
        while (snapshot->live_reads > 0)
                mutex_wait(&snapshot->store->lock, &snapshot->stirred, 0);
        mutex_unlock(&snapshot->store->lock);
}
