/*
 * Database nodes: what is said of them, and how their OPEN requests queue and are given up.
 *
 * Two traps of libfuse are avoided here. It calls the interrupt function under the request's lock, and at
 * once, inside fuse_req_interrupt_func(), for a request that has been interrupted already: a reply from there
 * would free that lock. Hence the function is set before the waiter is queued, and only notes the fact until
 * then. And it may run while the outcome is being replied: fuse_req_interrupt_func(req, NULL, NULL) waits for
 * it to end, so that comes before the reply and before the waiter is freed.
 */
#include "fs/database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/xattr.h>

#include "fs/binding.h"
#include "fs/file.h"

struct database *database_new(const struct stat *st) {
        struct database *database = calloc(1, sizeof(struct database));

        if (!database)
                return NULL;
        database->dev = st->st_dev;
        database->ino = st->st_ino;
        database_looked_up_locked(database);
        return database;
}

struct database *database_free(struct database *database) {
        free(database);
        return NULL;
}

void database_asked_locked(struct database *database) {
        database->may_follow = database_is_unopened_locked(database) &&
                               base_now_ns() - database->looked_ns < (uint64_t)(FS_TIMEOUT * 1e9);
}

bool database_is_of(struct fs *fs, struct node *node, const struct stat *st) {
        MUTEX_SCOPE(&fs->nodes.mutex);
        return database_is_of_locked(node->database, st);
}

void database_has_acl(struct fs *fs, struct node *node) {
        MUTEX_SCOPE(&fs->nodes.mutex);
        node->database->acl = true;
}

/* Whether the file of *st, which should still have the node's name, has no ACL. 0, -ESTALE or -EAGAIN. */
static int has_no_acl(struct fs *fs, struct node *node, const struct stat *st) {
        _cleanup_(base_closep) int fd = -1;
        struct stat now;
        struct fs_at at;
        char path[64];
        int r;

        r = fs_at_init(fs, node, &at);
        if (r < 0)
                return r;
        mutex_assert_none_held();
        fd = openat(at.dir->fd, at.place.name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        fs_at_deinit(fs, &at);
        if (fd < 0 || fstat(fd, &now) < 0 || now.st_dev != st->st_dev || now.st_ino != st->st_ino)
                return -EAGAIN;
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        if (getxattr(path, "system.posix_acl_access", NULL, 0) < 0 &&
            (errno == ENODATA || errno == EOPNOTSUPP))
                return 0;
        return -ESTALE;
}

/*
 * An application that replaces its database by rename without pause must not make opens fail, and the kernel
 * walks a path only twice. So the file that has taken the name is opened in place of the one that was looked
 * up, if that makes no difference to who may open it: owner and permissions are the same to the bit, neither
 * has an ACL, and the name was looked up so lately that the kernel would still walk there on what it knows of
 * the directories.
 */
int database_may_open(struct fs *fs, struct node *node, const struct stat *st) {
        struct database *database = node->database;
        bool may_follow;

        if (database_is_of(fs, node, st) || !node_permits_like(&fs->nodes, node, st))
                return fs_same_permissions(fs, node, st);
        mutex_lock(&fs->nodes.mutex);
        may_follow = database->may_follow && !database->acl;
        mutex_unlock(&fs->nodes.mutex);
        return may_follow ? has_no_acl(fs, node, st) : -ESTALE;
}

/* What *st says of owner and permissions becomes what the source says of the same file, where that still has
 * the node's name. */
static void refresh_permissions(struct fs *fs, struct node *node, struct stat *st) {
        struct stat now;
        struct fs_at at;

        if (fs_at_init(fs, node, &at) < 0)
                return;
        mutex_assert_none_held();
        if (fstatat(at.dir->fd, at.place.name, &now, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0 &&
            fs_same_file(fs, node, &now) == 0) {
                st->st_mode = now.st_mode;
                st->st_uid = now.st_uid;
                st->st_gid = now.st_gid;
        }
        fs_at_deinit(fs, &at);
}

int database_stat(struct fs *fs, struct node *node, struct stat *st) {
        struct handle *handle;
        bool bound;
        int r;

        mutex_lock(&fs->nodes.mutex);
        bound = node->database->snapshot != NULL;
        *st = node->database->frozen;
        /* Whose name has gone to another file stays as it was last. */
        st->st_mode = (st->st_mode & S_IFMT) | node->permissions;
        st->st_uid = node->uid;
        st->st_gid = node->gid;
        mutex_unlock(&fs->nodes.mutex);
        if (bound) {
                refresh_permissions(fs, node, st);
                return 0;
        }
        handle = handle_of_node(fs, node);
        if (!handle)
                return -ENODATA;
        r = fstat(handle->fd, st) < 0 ? -errno : 0;
        handle_unref(fs, handle);
        return r;
}

struct snapshot *database_snapshot(struct fs *fs, struct node *node) {
        MUTEX_SCOPE(&fs->nodes.mutex);
        return node->database->snapshot ? snapshot_ref(node->database->snapshot) : NULL;
}

void database_closed(struct fs *fs, struct node *node) {
        struct database *database = node->database;
        struct snapshot *snapshot = NULL;
        struct backing *backing = NULL;
        bool ending;

        mutex_lock(&fs->nodes.mutex);
        if (--database->opens == 0) {
                snapshot = database->snapshot;
                backing = database->backing;
                database->snapshot = NULL;
                database->backing = NULL;
        }
        ending = fs->closing;
        mutex_unlock(&fs->nodes.mutex);
        backing_unref(backing);
        if (!snapshot)
                return;
        snapshot_unref(snapshot);
        /* Who kept an O_PATH descriptor is judged by what the source says when he comes again. */
        if (!ending)
                fuse_lowlevel_notify_inval_inode(fs->session, fs_ino(fs, node), -1, 0);
}

/* The kernel says that the process does not want its open any more. Runs under a lock of libfuse's. */
static void on_interrupt(fuse_req_t req, void *userdata) {
        struct waiter *waiter = userdata;
        struct fs *fs = waiter->fs;
        struct binding *binding;
        bool abandoned = false;

        mutex_lock(&fs->nodes.mutex);
        binding = waiter->binding;
        if (!binding) {
                waiter->interrupted = true;
                mutex_unlock(&fs->nodes.mutex);
                return;
        }
        list_remove(&waiter->link);
        if (list_empty(&binding->waiters)) {
                abandoned = true;
                binding_detach_locked(binding);
                binding->refs++;
        }
        mutex_unlock(&fs->nodes.mutex);
        fs_reply(req, -EINTR);
        free(waiter);
        if (abandoned) {
                binding_cancel(binding);
                binding_unref(binding);
        }
}

/* Queues the waiter. 0 with *start set if the caller has to start a new binding, or -errno. */
static int waiter_queue_locked(struct waiter *waiter, struct node *node, struct binding **start) {
        struct binding *binding = node->database->binding;

        if (waiter->interrupted)
                return -EINTR;
        if (!binding) {
                binding = binding_new_locked(waiter->fs, node);
                if (!binding)
                        return -ENOMEM;
                *start = binding;
        }
        waiter->binding = binding;
        list_append(&binding->waiters, &waiter->link);
        return 0;
}

void database_open(struct fs *fs, fuse_req_t req, struct node *node, struct fuse_file_info *fi) {
        struct waiter *waiter = calloc(1, sizeof(*waiter));
        struct snapshot *snapshot = NULL;
        struct binding *start = NULL;
        struct handle *handle;
        int r = 0;

        if (!waiter) {
                fs_reply(req, -ENOMEM);
                return;
        }
        *waiter = (struct waiter){ .fs = fs, .req = req, .fi = *fi };
        list_init(&waiter->link);
        mutex_assert_none_held();
        fuse_req_interrupt_func(req, on_interrupt, waiter);

        mutex_lock(&fs->nodes.mutex);
        if (node->database->snapshot) {
                snapshot = node->database->snapshot;
                node->database->opens++;
        } else {
                r = waiter_queue_locked(waiter, node, &start);
        }
        mutex_unlock(&fs->nodes.mutex);

        if (start) {
                binding_start(start);
                binding_unref(start);
        }
        if (!snapshot && r == 0)
                return;
        fuse_req_interrupt_func(req, NULL, NULL);
        free(waiter);
        if (r < 0) {
                fs_reply(req, r);
                return;
        }
        /* Counted in opens, so the node keeps its own reference meanwhile. */
        handle = handle_new(fs, node, &(struct handle){ .snapshot = snapshot_ref(snapshot) });
        if (handle) {
                file_reply_open(fs, req, fi, handle);
                return;
        }
        database_closed(fs, node);
        fs_reply(req, -ENOMEM);
}
