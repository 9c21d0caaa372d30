/*
 * The life of the mounted file system, and how a node is found again in the source.
 *
 * Invariant: the order of the end is fs_close() (snapshots are given back), store_free() (waiting opens are
 * answered), fs_deinit(); requests of any kind are over before the first.
 */
#include "fs/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fs/database.h"
#include "fs/file.h"
#include "fs/look.h"

int fs_init(struct fs *fs, const char *source, int root_fd, struct store *store, unsigned dirs) {
        struct look look;
        struct stat st;
        int r;

        *fs = (struct fs){ .source = source, .store = store };
        list_init(&fs->handles);
        mutex_cond_init(&fs->bound);
        r = look_at(root_fd, "", &look);
        if (r == 0 && fstat(root_fd, &st) < 0)
                r = -errno;
        if (r < 0) {
                close(root_fd);
                return r;
        }
        r = node_table_init(&fs->nodes, &st, look.mount);
        if (r < 0) {
                close(root_fd);
                return r;
        }
        r = dirfd_cache_init(&fs->dirs, &fs->nodes, root_fd, dirs);
        if (r < 0) {
                close(root_fd);
                node_table_deinit(&fs->nodes);
                return r;
        }
        lanes_init(&fs->lanes, fs);
        ending_init(&fs->ending);
        inode_map_init(&fs->inodes, st.st_dev, look.mount);
        buffers_init(&fs->buffers);
        habits_init(&fs->habits);
        return 0;
}

void fs_close(struct fs *fs) {
        ending_begin(&fs->ending, fs->session);
        lanes_deinit(&fs->lanes);
        mutex_lock(&fs->nodes.mutex);
        fs->closing = true;
        while (fs->answering > 0)
                mutex_wait(&fs->nodes.mutex, &fs->bound, 0);
        mutex_unlock(&fs->nodes.mutex);
        /* The kernel sends no RELEASE once it is gone, so what was open then is still here. */
        for (;;) {
                struct list *link;

                mutex_lock(&fs->nodes.mutex);
                link = list_empty(&fs->handles) ? NULL : fs->handles.next;
                mutex_unlock(&fs->nodes.mutex);
                if (!link)
                        break;
                handle_close(fs, container_of(link, struct handle, all));
        }
}

void fs_deinit(struct fs *fs) {
        ending_deinit(&fs->ending);
        passthrough_deinit(&fs->passthrough);
        dirfd_cache_deinit(&fs->dirs);
        node_table_deinit(&fs->nodes);
        inode_map_deinit(&fs->inodes);
        habits_deinit(&fs->habits);
        buffers_deinit(&fs->buffers);
        pthread_cond_destroy(&fs->bound);
}

void fs_reply(fuse_req_t req, int r) {
        mutex_assert_none_held();
        fuse_reply_err(req, -r);
}

int fs_at_init(struct fs *fs, struct node *node, struct fs_at *at) {
        int r;

        node_place(&fs->nodes, node, &at->place);
        r = dirfd_get(&fs->dirs, at->place.parent, &at->dir);
        if (r < 0)
                node_unref(&fs->nodes, at->place.parent);
        return r;
}

void fs_at_deinit(struct fs *fs, struct fs_at *at) {
        dirfd_unref(&fs->dirs, at->dir);
        node_unref(&fs->nodes, at->place.parent);
}

int fs_same_file(const struct node *node, const struct stat *st) {
        if (st->st_dev != node->dev || st->st_ino != node->ino || (st->st_mode & S_IFMT) != node_type(node))
                return -ESTALE;
        return 0;
}

int fs_gone(int r) {
        /* The kernel answers ESTALE by looking the path up again, which gives the right answer by name. */
        return r == -ENOENT || r == -ENOTDIR || r == -ELOOP ? -ESTALE : r;
}

int fs_open_path(struct fs *fs, struct node *node, struct stat *st) {
        _cleanup_(base_closep) int fd = -1;
        struct look look;
        struct fs_at at;
        int r;

        r = fs_at_init(fs, node, &at);
        if (r < 0)
                return r;
        mutex_assert_none_held();
        fd = openat(at.dir->fd, at.place.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        r = fd < 0 ? -errno : look_at(fd, "", &look);
        /* Something else may be mounted there by now, which is not to be waited for. */
        if (r == 0 && look.st.st_dev != node->dev)
                r = -ESTALE;
        if (r == 0 && fstat(fd, st) < 0)
                r = -errno;
        if (r < 0)
                r = fs_gone(r);
        else if (node->kind == NODE_SHARED)
                r = fs_same_file(node, st);
        else
                r = S_ISREG(st->st_mode) ? 0 : -ESTALE;
        fs_at_deinit(fs, &at);
        return r < 0 ? r : base_steal_fd(&fd);
}
