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
#include <sys/resource.h>

#include "fs/database.h"
#include "fs/file.h"
#include "fs/look.h"
#include "fs/mix.h"

/* A directory takes two of them. The rest is for what the daemon does itself. */
static void share_descriptors(struct fs *fs) {
        struct rlimit limit;
        unsigned all = 1024;

        if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
                all = limit.rlim_cur < UINT32_MAX ? (unsigned)limit.rlim_cur : UINT32_MAX;
        share_init(&fs->files, all / 8 * 3);
        share_init(&fs->directories, all / 8);
}

int fs_init(struct fs *fs, const char *source, int root_fd, struct store *store, unsigned dirs) {
        struct look look;
        struct stat st;
        int r;

        *fs = (struct fs){ .source = source, .store = store };
        list_init(&fs->handles);
        share_descriptors(fs);
        mutex_cond_init(&fs->bound);
        r = look_at(root_fd, "", &look);
        if (r == 0 && fstat(root_fd, &st) < 0)
                r = -errno;
        if (r < 0) {
                close(root_fd);
                return r;
        }
        r = node_table_init(&fs->nodes, &st, look.mount, fs_incarnation(root_fd, "", &st));
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
        r = laters_init(&fs->laters);
        if (r < 0) {
                dirfd_cache_deinit(&fs->dirs);
                node_table_deinit(&fs->nodes);
                return r;
        }
        leases_init(&fs->leases);
        lanes_init(&fs->lanes, fs);
        ending_init(&fs->ending);
        inode_map_init(&fs->inodes, st.st_dev, look.mount);
        buffers_init(&fs->buffers);
        pipes_init(&fs->pipes);
        pseudo_init(&fs->pseudo);
        habits_init(&fs->habits);
        return 0;
}

bool fs_is_closing(struct fs *fs) {
        MUTEX_SCOPE(&fs->nodes.mutex);
        return fs->closing;
}

void fs_close(struct fs *fs, int status) {
        ending_begin(&fs->ending, fs->session, status);
        lanes_deinit(&fs->lanes);
        mutex_lock(&fs->nodes.mutex);
        fs->closing = true;
        mutex_unlock(&fs->nodes.mutex);
        laters_end(&fs->laters);
        mutex_lock(&fs->nodes.mutex);
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
        share_deinit(&fs->files);
        share_deinit(&fs->directories);
        leases_deinit(&fs->leases);
        laters_deinit(&fs->laters);
        pseudo_deinit(&fs->pseudo);
        pipes_deinit(&fs->pipes);
        buffers_deinit(&fs->buffers);
        pthread_cond_destroy(&fs->bound);
}

void fs_reply(fuse_req_t req, int r) {
        mutex_assert_none_held();
        fuse_reply_err(req, -r);
}

void fs_note_served(struct fs *fs, struct node *node, int r) {
        char buffer[FS_PATH_MAX];
        const char *path;

        if (r == 0 && !refusals_any(fs->refusals))
                return;
        path = node_path(&fs->nodes, fs->source, node, NULL, buffer, sizeof(buffer));
        if (r == 0)
                refusals_forget(fs->refusals, path);
        else
                refusals_add(fs->refusals, path, r);
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

static uint32_t fold(uint64_t sum, const void *bytes, size_t size) {
        return (uint32_t)mix_number(sum ^ mix_bytes(bytes, size));
}

/*
 * The file's handle has the generation of its inode. Not a directory's: where file systems in user space
 * number their inodes anew it would look like another one, and take away who works in it. Then there is the
 * time of birth. A symlink that was made anew between two ticks of a clock has another time of change: cached
 * targets must not survive that, and a symlink's own never changes.
 */
uint32_t fs_incarnation(int dirfd, const char *name, const struct stat *st) {
        union {
                struct file_handle handle;
                char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
        } file = { .handle.handle_bytes = MAX_HANDLE_SZ };
        struct statx born;
        uint32_t sum = 0;
        int mount_id;

        mutex_assert_none_held();
        if (!S_ISDIR(st->st_mode) &&
            name_to_handle_at(dirfd, name, &file.handle, &mount_id, *name ? 0 : AT_EMPTY_PATH) == 0)
                sum = fold((uint32_t)file.handle.handle_type, file.handle.f_handle, file.handle.handle_bytes);
        else if (statx(dirfd, name,
                       AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
                       STATX_BTIME, &born) == 0 &&
                 born.stx_mask & STATX_BTIME)
                sum = fold((uint64_t)born.stx_btime.tv_nsec, &born.stx_btime.tv_sec,
                           sizeof(born.stx_btime.tv_sec));
        if (S_ISLNK(st->st_mode))
                sum = fold(sum, &st->st_ctim, sizeof(st->st_ctim));
        return sum;
}

int fs_same_file(struct fs *fs, struct node *node, const struct stat *st) {
        bool same = st->st_dev == node->dev && st->st_ino == node->ino;

        if (node->kind == NODE_DATABASE)
                same = database_is_of(fs, node, st);
        return same && (st->st_mode & S_IFMT) == node_type(node) ? 0 : -ESTALE;
}

int fs_same_permissions(struct fs *fs, struct node *node, const struct stat *st) {
        if (fs_same_file(fs, node, st) < 0)
                return -ESTALE;
        if (node_permits_like(&fs->nodes, node, st))
                return 0;
        mutex_assert_none_held();
        fuse_lowlevel_notify_inval_inode(fs->session, fs_ino(fs, node), -1, 0);
        return -ESTALE;
}

int fs_gone(int r) {
        /* The kernel answers ESTALE by looking the path up again, which gives the right answer by name. */
        return r == -ENOENT || r == -ENOTDIR || r == -ELOOP ? -ESTALE : r;
}

/* A directory that is open is reached by its own descriptor, whatever has become of its name. -1: it is not.
 */
static int open_directory(struct fs *fs, struct node *node) {
        struct dirfd *dirfd = node_type(node) == S_IFDIR ? dirfd_peek(&fs->dirs, node) : NULL;
        int fd = -1;

        if (dirfd)
                fd = openat(dirfd->fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
        dirfd_unref(&fs->dirs, dirfd);
        return fd;
}

int fs_open_path(struct fs *fs, struct node *node, struct stat *st) {
        _cleanup_(base_closep) int fd = open_directory(fs, node);
        struct look look;
        struct fs_at at;
        int r;

        if (fd >= 0)
                return fstat(fd, st) < 0 ? -errno : base_steal_fd(&fd);
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
        r = r < 0 ? fs_gone(r) : fs_same_file(fs, node, st);
        if (r == 0 && node->kind == NODE_SHARED && fs_incarnation(fd, "", st) != node->incarnation)
                r = -ESTALE;
        fs_at_deinit(fs, &at);
        return r < 0 ? r : base_steal_fd(&fd);
}
