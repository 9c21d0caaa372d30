/*
 * Copying bytes of a source into a nameless file.
 *
 * Invariant: whether the copy is still wanted is asked at least every COPY_CHUNK.
 */
#include "snapshot/copy.h"

#include "snapshot/engine.h"

#include <errno.h>

enum { BOUNCE = 1 << 18 };

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

int64_t copy_range(int from, int to, uint64_t at, uint64_t end) {
        mutex_assert_none_held();
        while (at < end) {
                loff_t in = (loff_t)at, out = (loff_t)at;
                ssize_t n = copy_file_range(from, &in, to, &out, (size_t)(end - at), 0);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EIO))
                        return -errno;
                if (n < 0)
                        n = copy_bounced(from, to, at, (size_t)(end - at));
                if (n < 0)
                        return n;
                if (n == 0)
                        break;
                at += (uint64_t)n;
        }
        return (int64_t)at;
}

int copy_bytes(const struct engine_job *job, int from, int to, uint64_t size) {
        uint64_t at = 0;

        while (at < size) {
                uint64_t end = size - at < COPY_CHUNK ? size : at + COPY_CHUNK;
                int64_t reached;

                if (job->unwanted(job->userdata))
                        return -EINTR;
                reached = copy_range(from, to, at, end);
                if (reached < 0)
                        return (int)reached;
                if ((uint64_t)reached < end)
                        return -EBUSY;
                at = end;
        }
        return 0;
}
