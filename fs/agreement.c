/*
 * INIT, completed; and the way of requests from and to the kernel.
 *
 * libfuse has an interface for these flags from 3.17 on. Before, its INIT reply is completed on its way to
 * the kernel; so is what it forgets to tell: that requests for several names in one directory may come at
 * once. Without that, a LOOKUP that hangs holds up all others in its directory. What belongs to a nested file
 * system is taken off that way (lanes.h).
 */
#include "fs/agreement.h"

#include <errno.h>
#include <linux/fuse.h>
#include <stddef.h>
#include <string.h>
#include <sys/uio.h>

#include "fs/fs.h"

#define LIBFUSE_KNOWS (FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17))

/* The source may not be stacked on another file system itself, others may be stacked on the mount. */
#define STACK_DEPTH 1

static void agreed(struct agreement *agreement, bool passthrough, bool uncached_map) {
        atomic_store(&agreement->passthrough, passthrough);
        atomic_store(&agreement->uncached_map, uncached_map);
        if (passthrough)
                base_log(BASE_LOG_INFO, "the kernel reads files by itself (passthrough)");
}

#if LIBFUSE_KNOWS

/* Without it large databases are read through the page cache. */
#ifndef FUSE_CAP_DIRECT_IO_ALLOW_MMAP
#define FUSE_CAP_DIRECT_IO_ALLOW_MMAP 0
#endif

void agreement_make(struct agreement *agreement, struct fuse_conn_info *conn) {
        bool passthrough = agreement->wants_passthrough && conn->capable & FUSE_CAP_PASSTHROUGH;
        bool uncached_map = conn->capable & FUSE_CAP_DIRECT_IO_ALLOW_MMAP;

        if (passthrough) {
                conn->want |= FUSE_CAP_PASSTHROUGH;
                conn->max_backing_stack_depth = STACK_DEPTH;
        }
        if (uncached_map)
                conn->want |= FUSE_CAP_DIRECT_IO_ALLOW_MMAP;
        agreed(agreement, passthrough, uncached_map);
}

/* libfuse completes INIT by itself. */
static void see_init(struct agreement *agreement, const struct fuse_in_header *header, size_t size) {
}

static void complete_init(struct agreement *agreement, const struct iovec *iov, int count) {
}

#else

/* As in Linux 6.9's <linux/fuse.h>: FUSE_DIRECT_IO_ALLOW_MMAP and FUSE_PASSTHROUGH. */
#define INIT_UNCACHED_MAP2 (UINT32_C(1) << (36 - 32))
#define INIT_PASSTHROUGH2  (UINT32_C(1) << (37 - 32))

/* INIT comes first and alone, so init and wanted need no lock. */
static void see_init(struct agreement *agreement, const struct fuse_in_header *header, size_t size) {
        const struct fuse_init_in *init = (const void *)(header + 1);

        if (size < sizeof(*header) + sizeof(*init) || header->opcode != FUSE_INIT ||
            !(init->flags & FUSE_INIT_EXT))
                return;
        agreement->wanted = init->flags2 & INIT_UNCACHED_MAP2;
        if (agreement->wants_passthrough)
                agreement->wanted |= init->flags2 & INIT_PASSTHROUGH2;
        agreement->parallel = init->flags & FUSE_PARALLEL_DIROPS;
        agreement->init = header->unique;
}

static void complete_init(struct agreement *agreement, const struct iovec *iov, int count) {
        const struct fuse_out_header *header = iov[0].iov_base;
        struct fuse_init_out *out;
        uint32_t depth = STACK_DEPTH;

        if (agreement->init == 0 || header->unique != agreement->init)
                return;
        agreement->init = 0;
        if (header->error != 0 || count != 2 || iov[1].iov_len < sizeof(struct fuse_init_out))
                return;
        out = iov[1].iov_base;
        out->flags |= FUSE_INIT_EXT | agreement->parallel;
        out->flags2 |= agreement->wanted;
        /* max_stack_depth in newer headers. */
        if (agreement->wanted & INIT_PASSTHROUGH2)
                memcpy((char *)out + offsetof(struct fuse_init_out, flags2) + sizeof(out->flags2), &depth,
                       sizeof(depth));
        /* Before the kernel can ask for anything else. */
        agreed(agreement, agreement->wanted & INIT_PASSTHROUGH2, agreement->wanted & INIT_UNCACHED_MAP2);
}

void agreement_make(struct agreement *agreement, struct fuse_conn_info *conn) {
}

#endif

/* ---- the way of requests and answers; libfuse hands its calls the session's userdata ------------------- */

static ssize_t on_read(int fd, void *buffer, size_t size, void *userdata) {
        struct fs *fs = userdata;
        ssize_t n;

        do {
                n = read(fd, buffer, size);
                if (n < (ssize_t)sizeof(struct fuse_in_header))
                        return n;
        } while (lanes_take(&fs->lanes, fd, buffer, (size_t)n));
        see_init(&fs->agreement, buffer, (size_t)n);
        return n;
}

static ssize_t on_writev(int fd, struct iovec *iov, int count, void *userdata) {
        struct fs *fs = userdata;
        ssize_t n;
        int error;

        complete_init(&fs->agreement, iov, count);
        n = writev(lanes_way(&fs->lanes, &iov[0], fd), iov, count);
        error = errno;
        lanes_answered(&fs->lanes, &iov[0]);
        errno = error;
        return n;
}

static ssize_t on_splice_receive(int from, off_t *from_offset, int to, off_t *to_offset, size_t size,
                                 unsigned flags, void *userdata) {
        return splice(from, from_offset, to, to_offset, size, flags);
}

/* An answer whose header is in a pipe already: it is given by the thread that does the request. */
static ssize_t on_splice_send(int from, off_t *from_offset, int to, off_t *to_offset, size_t size,
                              unsigned flags, void *userdata) {
        struct fs *fs = userdata;
        ssize_t n = splice(from, from_offset, lanes_way(&fs->lanes, NULL, to), to_offset, size, flags);
        int error = errno;

        /* When it fails libfuse answers with the error. */
        if (n >= 0)
                lanes_answered(&fs->lanes, NULL);
        errno = error;
        return n;
}

int agreement_attach(struct agreement *agreement, struct fuse_session *session, bool passthrough) {
        static const struct fuse_custom_io io = {
                .read = on_read,
                .writev = on_writev,
                .splice_receive = on_splice_receive,
                .splice_send = on_splice_send,
        };

        *agreement = (struct agreement){ .session = session, .wants_passthrough = passthrough };
        return fuse_session_custom_io(session, &io, fuse_session_fd(session));
}
