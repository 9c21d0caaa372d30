/*
 * Open files.
 *
 * Invariants: no descriptor but O_PATH is ever opened on a file before it is known to be an ordinary regular
 * one, so no fifo blocks, no device notices, and no close() takes a database's POSIX locks away (fact S1);
 * the file that is opened is the very inode that was looked at, and the one by whose owner and permissions
 * the kernel has let the reader in. An ordinary handle never gives out bytes of a database.
 */
#include "fs/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "fs/attr.h"
#include "fs/database.h"
#include "fs/patient.h"

#define MAGIC      "SQLite format 3"
#define MAGIC_SIZE 16

#define UNCACHED_MIN (UINT64_C(1) << 20)
/* Fewer bytes are copied in less time than it takes to fill a pipe. */
#define SPLICED_MIN  ((size_t)32 << 10)

/* ---- open ---------------------------------------------------------------------------------------------- */

/* Opens for reading what an O_PATH descriptor of a regular file refers to, without moving its access time
 * (P6). */
static int reopen(int path_fd) {
        int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
        char path[64];
        int fd;

        mutex_assert_none_held();
        snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
        fd = open(path, flags | O_NOATIME);
        if (fd < 0 && errno == EPERM)
                fd = open(path, flags);
        return fd < 0 ? -errno : fd;
}

/* Sets what a handle on an ordinary file needs. 0 or -errno. */
static int open_source(struct fs *fs, int path_fd, const struct stat *st, struct handle *init) {
        /* These may still become anything, so all their reads come here. */
        bool pseudo = pseudo_is(&fs->pseudo, path_fd, "", st);
        bool guarded = !pseudo && st->st_size < MAGIC_SIZE;
        int fd = guarded || pseudo ? -EOPNOTSUPP : passthrough_open(&fs->passthrough, path_fd, st);
        bool quiet = fd >= 0;

        if (fd < 0)
                fd = reopen(path_fd);
        if (fd < 0)
                return fd;
        *init = (struct handle){
                .fd = fd, .guarded = guarded, .pseudo = pseudo
        };
        if (quiet || (!guarded && !pseudo && passthrough_is_quiet(&fs->passthrough, fd)))
                init->backing = backing_new(&fs->passthrough, fd);
        return 0;
}

int file_open_ordinary(struct fs *fs, struct node *node, struct handle **out) {
        _cleanup_(base_closep) int path_fd = -1;
        struct handle init;
        struct fs_at at;
        struct stat st;
        int r;

        r = fs_at_init(fs, node, &at);
        if (r < 0)
                return r;
        mutex_assert_none_held();
        path_fd = openat(at.dir->fd, at.place.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (path_fd < 0 || fstat(path_fd, &st) < 0)
                r = fs_gone(-errno);
        else if (node->kind == NODE_DATABASE)
                r = S_ISREG(st.st_mode) ? database_may_open(fs, node, &st) : -ESTALE;
        else
                r = fs_same_permissions(fs, node, &st);
        if (r == 0 && node->kind == NODE_SHARED && fs_incarnation(path_fd, "", &st) != node->incarnation)
                r = -ESTALE;
        if (r == 0)
                r = attr_classify(fs, at.place.parent, at.dir->fd, at.place.name, &st);
        fs_at_deinit(fs, &at);
        if (r != STORE_ORDINARY)
                return r < 0 ? fs_gone(r) : -ESTALE;
        r = open_source(fs, path_fd, &st, &init);
        if (r < 0)
                return r;
        *out = handle_new(fs, node, &init);
        return *out ? 0 : -ENOMEM;
}

/*
 * The kernel believes attributes for a second, but a reader that opens a file must see the size that it has
 * now. A file whose ctime is older than that has not changed since the kernel was last told.
 */
static void refresh_if_young(struct fs *fs, struct node *node, const struct handle *handle) {
        struct timespec now;
        struct stat st;

        if (fstat(handle->fd, &st) < 0)
                return;
        clock_gettime(CLOCK_REALTIME, &now);
        if (st.st_ctim.tv_sec + 2 + (time_t)FS_TIMEOUT < now.tv_sec)
                return;
        mutex_assert_none_held();
        fuse_lowlevel_notify_inval_inode(fs->session, fs_ino(fs, node), -1, 0);
}

/*
 * Whether reads of a snapshot go past the page cache; see habit.c. A small one is one read in any case, and
 * what the kernel cannot map then (before Linux 6.6) has to be cached.
 */
static bool wants_uncached(struct fs *fs, fuse_req_t req, struct handle *handle) {
        return handle->snapshot && !handle->backing && snapshot_size(handle->snapshot) >= UNCACHED_MIN &&
               atomic_load(&fs->agreement.uncached_map) &&
               habits_reads_in_bulk(&fs->habits, fuse_req_ctx(req)->pid, &handle->reads.program);
}

void file_reply_open(struct fs *fs, fuse_req_t req, struct fuse_file_info *fi, struct handle *handle) {
        int r = handle_charge(fs, handle, fuse_req_ctx(req)->uid);

        if (r < 0) {
                handle_close(fs, handle);
                fs_reply(req, r);
                return;
        }
        handle->uncached = wants_uncached(fs, req, handle);
        fi->fh = (uintptr_t)handle;
        fi->direct_io = handle->uncached || handle->pseudo;
        /* The bytes of a node that is bound never change; those of an ordinary file may have since the last
         * open. */
        fi->keep_cache = handle->snapshot != NULL;
        fi->noflush = 1;
        mutex_assert_none_held();
        r = handle->backing ? backing_reply_open(req, handle->backing, fi->fh) : fuse_reply_open(req, fi);
        if (r == -ENOENT)
                handle_close(fs, handle);
}

void file_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
        struct fs *fs = fs_of(req);
        struct node *node = fs_node(fs, ino);
        struct handle *handle = NULL;
        int r = 0;

        if ((fi->flags & O_ACCMODE) != O_RDONLY || (fi->flags & O_TRUNC)) {
                fs_reply(req, -EROFS);
                return;
        }
        if (node->kind == NODE_DATABASE) {
                database_open(fs, req, node, fi);
                return;
        }
        if (node->kind == NODE_SIDE) {
                handle = handle_new(fs, node, &(struct handle){ .fd = -1 });
                r = handle ? 0 : -ENOMEM;
        } else {
                r = file_open_ordinary(fs, node, &handle);
                if (r == 0)
                        refresh_if_young(fs, node, handle);
        }
        if (r == -EAGAIN && !(fi->flags & O_NONBLOCK)) {
                patient_open(fs, req, node, fi);
                return;
        }
        if (r < 0) {
                fs_reply(req, r);
                return;
        }
        file_reply_open(fs, req, fi, handle);
}

void file_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
        handle_close(fs_of(req), handle_of(fi));
        fs_reply(req, 0);
}

/* ---- read ---------------------------------------------------------------------------------------------- */

/*
 * Reads through a handle that was opened while the file was too short to tell what it is. Should it have
 * grown into a database, its raw bytes are nothing that may be given out (P5); whoever opens it now gets a
 * snapshot. The bytes are read first: what was read before the magic was there is not a database's.
 */
static void read_guarded(struct fs *fs, fuse_req_t req, const struct handle *handle, size_t size,
                         off_t offset) {
        _cleanup_(base_freep) char *buffer = malloc(size);
        char magic[MAGIC_SIZE], path[FS_PATH_MAX];
        ssize_t n, m;

        if (!buffer) {
                fs_reply(req, -ENOMEM);
                return;
        }
        mutex_assert_none_held();
        n = base_pread(handle->fd, buffer, size, (uint64_t)offset);
        if (n < 0) {
                fs_reply(req, (int)n);
                return;
        }
        m = base_pread(handle->fd, magic, sizeof(magic), 0);
        if (m < 0) {
                fs_reply(req, (int)m);
                return;
        }
        if (m == MAGIC_SIZE && memcmp(magic, MAGIC, MAGIC_SIZE) == 0) {
                base_log(BASE_LOG_WARNING, "%s: has become a database since it was opened: open it again",
                         node_path(&fs->nodes, fs->source, handle->node, NULL, path, sizeof(path)));
                fs_reply(req, -EIO);
                return;
        }
        fuse_reply_buf(req, buffer, (size_t)n);
}

/* Reads what is made up by reading: once, and what comes is the answer, as a read past the page cache may be
 * short. */
static void read_pseudo(struct fs *fs, fuse_req_t req, const struct handle *handle, size_t size,
                        off_t offset) {
        _cleanup_(base_freep) char *buffer = malloc(size);
        ssize_t n;

        mutex_assert_none_held();
        n = buffer ? pread(handle->fd, buffer, size, offset) : -1;
        if (n < 0)
                fs_reply(req, buffer ? -errno : -ENOMEM);
        else
                fuse_reply_buf(req, buffer, (size_t)n);
}

/* Answers a read of an ordinary file out of a pipe. 0, or -errno: there has been no answer. */
static int reply_spliced(struct fs *fs, fuse_req_t req, int fd, size_t size, off_t offset) {
        struct fuse_bufvec bytes = FUSE_BUFVEC_INIT(0);
        struct pipe pipe;
        ssize_t n;
        int r;

        r = pipes_take(&fs->pipes, size, &pipe);
        if (r < 0)
                return r;
        n = pipe_fill(&pipe, fd, size, offset);
        if (n >= 0) {
                bytes.buf[0].size = (size_t)n;
                bytes.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_RETRY;
                bytes.buf[0].fd = pipe.out;
                /* Not FUSE_BUF_SPLICE_MOVE: it takes the pages out of the source's page cache. */
                fuse_reply_data(req, &bytes, 0);
        }
        pipes_put(&fs->pipes, &pipe);
        return n < 0 ? (int)n : 0;
}

/*
 * Answers a read of an ordinary file: with all its bytes up to the file's end, or with an error. A short
 * answer is the end of the file to the kernel, and what is copied then is cut without a word.
 */
static void reply_bytes(struct fs *fs, fuse_req_t req, int fd, size_t size, off_t offset) {
        void *buffer;
        ssize_t n;

        mutex_assert_none_held();
        if (size >= SPLICED_MIN && reply_spliced(fs, req, fd, size, offset) == 0)
                return;
        buffer = size <= BUFFER_SIZE ? buffers_take(&fs->buffers) : NULL;
        n = buffer ? base_pread(fd, buffer, size, (uint64_t)offset) : -ENOMEM;
        if (n < 0)
                fs_reply(req, (int)n);
        else
                fuse_reply_buf(req, buffer, (size_t)n);
        buffers_put(&fs->buffers, buffer);
}

/*
 * Reads a snapshot by a buffer: splicing it would save one copy of the bytes, but cost more than that in work
 * for each page.
 */
static void read_snapshot(struct fs *fs, fuse_req_t req, struct handle *handle, size_t size, off_t offset) {
        void *buffer = buffers_take(&fs->buffers);
        ssize_t n = -ENOMEM;

        if (handle->uncached)
                habits_count(&fs->habits, &handle->reads, size);
        if (size > BUFFER_SIZE)
                size = BUFFER_SIZE;
        mutex_assert_none_held();
        if (buffer)
                n = snapshot_read(handle->snapshot, buffer, size, (uint64_t)offset);
        if (n >= 0) {
                fuse_reply_buf(req, buffer, (size_t)n);
        } else {
                fs_note_served(fs, handle->node, (int)n);
                fs_reply(req, (int)n);
        }
        buffers_put(&fs->buffers, buffer);
}

void file_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi) {
        struct fs *fs = fs_of(req);
        struct handle *handle = handle_use(fi);

        mutex_assert_none_held();
        if (handle->snapshot) {
                read_snapshot(fs, req, handle, size, offset);
        } else if (handle->fd < 0) {
                fuse_reply_buf(req, NULL, 0);
        } else if (handle->pseudo) {
                read_pseudo(fs, req, handle, size, offset);
        } else if (handle->guarded) {
                read_guarded(fs, req, handle, size, offset);
        } else {
                reply_bytes(fs, req, handle->fd, size, offset);
        }
        handle_unref(fs, handle);
}

/* Where the next data or hole is, or -errno. */
static off_t seek(const struct handle *handle, off_t offset, int whence) {
        off_t size = 0;

        if (whence != SEEK_DATA && whence != SEEK_HOLE)
                return -EINVAL;
        if (handle->fd >= 0 && !handle->snapshot) {
                /* The position that this moves is used by nobody: reads carry their own. */
                offset = lseek(handle->fd, offset, whence);
                return offset < 0 ? -errno : offset;
        }
        /* No holes in a snapshot: where the copy has some is no concern of the reader's. */
        if (handle->snapshot)
                size = (off_t)snapshot_size(handle->snapshot);
        if (offset < 0 || offset >= size)
                return -ENXIO;
        return whence == SEEK_DATA ? offset : size;
}

void file_lseek(fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *fi) {
        struct fs *fs = fs_of(req);
        struct handle *handle = handle_use(fi);
        off_t found = seek(handle, offset, whence);

        handle_unref(fs, handle);
        if (found < 0) {
                fs_reply(req, (int)found);
                return;
        }
        mutex_assert_none_held();
        fuse_reply_lseek(req, found);
}
