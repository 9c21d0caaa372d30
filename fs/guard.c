/*
 * Files that were too short to tell what they are when they were opened: SQLite makes databases of such.
 *
 * Invariant: no byte is given out of a file that has become a database, or is one in birth.
 */
#include "fs/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fs/attr.h"

#define MAGIC      "SQLite format 3"
#define MAGIC_SIZE GUARDED_BELOW

/*
 * Whether the file of a handle that was opened while it was too short to tell what it is has become a
 * database. One in birth shows zeros where its first page will be, and beside it lies the journal of its
 * first transaction.
 */
static bool became_database(struct fs *fs, const struct handle *handle, const char magic[MAGIC_SIZE]) {
        static const char zeros[MAGIC_SIZE];
        struct stat st, named;
        struct fs_at at;
        bool database;

        if (memcmp(magic, zeros, MAGIC_SIZE) != 0)
                return memcmp(magic, MAGIC, MAGIC_SIZE) == 0;
        if (fs_at_init(fs, handle->node, &at) < 0)
                return false;
        database = fstat(handle->fd, &st) == 0 &&
                   fstatat(at.dir->fd, at.place.name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
                   st.st_dev == named.st_dev && st.st_ino == named.st_ino &&
                   attr_classify(fs, at.place.parent, at.dir->fd, at.place.name, &named) == STORE_DATABASE;
        fs_at_deinit(fs, &at);
        return database;
}

/*
 * The raw bytes of a database are nothing that may be given out (promise 5); whoever opens it now gets a
 * snapshot. The bytes are read first: what was read before the magic was there, and no journal, is not a
 * database's. A first transaction that was rolled back meanwhile has left an empty file.
 */
void guard_read(struct fs *fs, fuse_req_t req, const struct handle *handle, size_t size, off_t offset) {
        _cleanup_(base_freep) char *buffer = malloc(size);
        char magic[MAGIC_SIZE], path[FS_PATH_MAX];
        ssize_t n, m;

        if (!buffer) {
                fs_reply(req, -ENOMEM);
                return;
        }
        mutex_assert_none_held();
        n = base_pread(handle->fd, buffer, size, (uint64_t)offset);
        m = n < 0 ? n : base_pread(handle->fd, magic, sizeof(magic), 0);
        if (m < 0) {
                fs_reply(req, (int)m);
                return;
        }
        if (m == MAGIC_SIZE && became_database(fs, handle, magic)) {
                base_log(BASE_LOG_WARNING, "%s: has become a database since it was opened: open it again",
                         node_path(&fs->nodes, fs->source, handle->node, NULL, path, sizeof(path)));
                fs_reply(req, -EIO);
                return;
        }
        if (m < MAGIC_SIZE && offset + n > m)
                n = offset < m ? m - offset : 0;
        fuse_reply_buf(req, buffer, (size_t)n);
}
