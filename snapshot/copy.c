/*
 * Copying bytes of a source into a nameless file.
 *
 * Invariant: whether the copy is still wanted is asked at least every COPY_CHUNK.
 */
#include "snapshot/copy.h"

#include "snapshot/engine.h"

#include <errno.h>

enum { COPY_CHUNK = 4 << 20, BOUNCE = 1 << 18 };

/* For file systems between which the kernel does not copy. Count, 0 at end of file, -errno. */
static ssize_t copy_bounced(int from, int to, uint64_t at, size_t want) {
        _cleanup_(base_freep) uint8_t *buffer = malloc(BOUNCE);
        ssize_t n;
        int r;

        if (!buffer)
                return -ENOMEM;
        n = base_pread(from, buffer, want < BOUNCE ? want : BOUNCE, at);
        if (n <= 0)
                return n;
        r = base_pwrite(to, buffer, (size_t)n, at);
        return r < 0 ? r : n;
}

int copy_bytes(const struct engine_job *job, int from, int to, uint64_t size) {
        uint64_t at = 0;
        bool bounce = false;

        mutex_assert_none_held();
        while (at < size) {
                loff_t in = (loff_t)at, out = (loff_t)at;
                size_t want = size - at < COPY_CHUNK ? (size_t)(size - at) : COPY_CHUNK;
                ssize_t n;

                if (job->unwanted(job->userdata))
                        return -EINTR;
                if (bounce) {
                        n = copy_bounced(from, to, at, want);
                        if (n < 0)
                                return (int)n;
                } else {
                        n = copy_file_range(from, &in, to, &out, want, 0);
                        if (n < 0 && errno == EINTR)
                                continue;
                        if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
                                return -errno;
                        if (n < 0) {
                                bounce = true;
                                continue;
                        }
                }
                if (n == 0)
                        return -EBUSY;
                at += (uint64_t)n;
                if (job->on_frontier)
                        job->on_frontier(job->userdata, at);
        }
        return 0;
}
