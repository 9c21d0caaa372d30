/* Kernel passthrough: reads that the kernel takes from the file itself, without asking (Linux 6.9, root). */
#pragma once

#include "snapshot/base.h"

#include <stdatomic.h>
#include <sys/stat.h>

#include "fs/agreement.h"

/* Members are set before any request comes, but for the atomic ones. */
struct passthrough {
        const struct agreement *agreement;
        bool wanted;
        atomic_bool said; /* that a file cannot be passed through: once is enough */
        int quiet_fd;     /* the source's mount once more, where reading moves no access time; or -1 */
        dev_t quiet_dev;
};

/* A file that the kernel reads by itself. References are counted by any thread, without a lock. */
struct backing {
        struct passthrough *passthrough;
        atomic_uint refs;
        int32_t id;
};

/* root_fd: of the source. What cannot be had is done without. */
void passthrough_init(struct passthrough *passthrough, const struct agreement *agreement, int root_fd,
                      bool wanted);
void passthrough_deinit(struct passthrough *passthrough);

/*
 * Opens for reading the ordinary file that an O_PATH descriptor with that stat refers to, such that the
 * kernel's reads do not move its access time. The descriptor or -errno, then it is to be opened as ever. Does
 * I/O.
 */
int passthrough_open(struct passthrough *passthrough, int path_fd, const struct stat *st);
/* Whether that holds for fd, however it was opened. */
bool passthrough_is_quiet(struct passthrough *passthrough, int fd);

/*
 * readlinkat(2) of name in dirfd, a symlink that link_fd (O_PATH) with that stat is: without moving its
 * access time, where we are root. There is no O_NOATIME for symlinks. Length or -errno. Does I/O.
 */
ssize_t passthrough_readlink(struct passthrough *passthrough, int dirfd, const char *name, int link_fd,
                             const struct stat *st, char *target, size_t size);

/* Gives the kernel a file. One reference, or NULL when that is not possible. No mutex held. */
struct backing *backing_new(struct passthrough *passthrough, int fd);
struct backing *backing_ref(struct backing *backing);
/* Returns NULL. backing may be NULL. No mutex held. */
struct backing *backing_unref(struct backing *backing);
/* Replies to an open whose reads the kernel takes from backing. As fuse_reply_open(). */
int backing_reply_open(fuse_req_t req, const struct backing *backing, uint64_t handle);
