/*
 * Read locks on source files that no stray close can drop.
 *
 * Invariant: the only fcntl lock commands in snapshot/ are here. tests/ builds the daemon once more with
 * LITESNAPFS_TEST_POSIX_LOCKS to show that its test of this discipline can fail.
 */
#include "snapshot/lock.h"

#include "snapshot/base.h"

#include <errno.h>
#include <fcntl.h>

#ifdef LITESNAPFS_TEST_POSIX_LOCKS
#define SET_LOCK F_SETLK
#define GET_LOCK F_GETLK
#else
#define SET_LOCK F_OFD_SETLK
#define GET_LOCK F_OFD_GETLK
#endif

enum {
        PENDING_BYTE = 0x40000000,
        RESERVED_BYTE = PENDING_BYTE + 1,
        SHARED_FIRST = PENDING_BYTE + 2,
        SHARED_SIZE = 510,
        SHARED_OURS = SHARED_FIRST + SHARED_SIZE - 1,
        INDEX_FIRST = 120,
};

static int set(int fd, short type, off_t start, off_t length) {
        struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };

        while (fcntl(fd, SET_LOCK, &lock) < 0) {
                if (errno == EINTR)
                        continue;
                return errno == EACCES || errno == EAGAIN ? -EBUSY : -errno;
        }
        return 0;
}

/* Would a lock of that type be refused? */
static int refused(int fd, short type, off_t start, off_t length) {
        struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length };

        if (fcntl(fd, GET_LOCK, &lock) < 0)
                return -errno;
        return lock.l_type != F_UNLCK;
}

static int held(int fd, off_t start, off_t length) {
        return refused(fd, F_WRLCK, start, length);
}

int lock_shared(int fd) {
        int r;

        /* PENDING first and for a moment only: a writer that waits for readers to leave holds it, so that new
         * readers keep out and it is not starved. */
        r = set(fd, F_RDLCK, PENDING_BYTE, 1);
        if (r < 0)
                return r;
        r = set(fd, F_RDLCK, SHARED_OURS, 1);
        set(fd, F_UNLCK, PENDING_BYTE, 1);
        return r;
}

int lock_shared_within(int fd, uint64_t patience_ns) {
        const struct timespec pause = { .tv_nsec = 50000 };
        uint64_t until = base_now_ns() + patience_ns;
        int r;

        mutex_assert_none_held();
        while ((r = lock_shared(fd)) == -EBUSY && base_now_ns() < until)
                nanosleep(&pause, NULL);
        return r;
}

void lock_unshare(int fd) {
        set(fd, F_UNLCK, PENDING_BYTE, 2 + SHARED_SIZE);
}

int lock_reserved_held(int fd) {
        return held(fd, RESERVED_BYTE, 1);
}

int lock_in_use(int fd) {
        return held(fd, SHARED_FIRST, SHARED_SIZE - 1);
}

int lock_excluded(int fd) {
        int r = refused(fd, F_RDLCK, PENDING_BYTE, 1);

        return r == 0 ? refused(fd, F_RDLCK, SHARED_FIRST, SHARED_SIZE) : r;
}

int lock_exclusive(int fd) {
        return set(fd, F_WRLCK, PENDING_BYTE, 2 + SHARED_SIZE);
}

int lock_index_shared(int fd, int which) {
        return set(fd, F_RDLCK, INDEX_FIRST + which, 1);
}

void lock_index_unshare(int fd, int which) {
        set(fd, F_UNLCK, INDEX_FIRST + which, 1);
}

int lock_index_held(int fd, int which) {
        return held(fd, INDEX_FIRST + which, 1);
}
