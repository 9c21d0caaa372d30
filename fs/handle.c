/*
 * Handles: what the kernel holds for an open file or directory.
 *
 * Invariants: a handle is on its lists from the reply to OPEN to RELEASE (or fs_close()), and what it owns
 * lives until the last request that uses it is done. The ordinary handles of a node form a ring, so that an
 * open file stays itself when its name is gone.
 */
#include "fs/handle.h"

#include <errno.h>

#include "fs/database.h"

/* Where a node keeps its ring of ordinary handles. */
static struct list **ring_of(struct node *node) {
        return node->kind == NODE_DATABASE ? &node->database->ordinary : &node->handles;
}

static bool in_ring(const struct handle *handle) {
        return handle->fd >= 0 && !handle->dir && !handle->snapshot;
}

/* Closes what the handle owns. */
static void handle_release(const struct handle *handle) {
        mutex_assert_none_held();
        backing_unref(handle->backing);
        if (handle->dir)
                closedir(handle->dir);
        else if (handle->snapshot)
                snapshot_unref(handle->snapshot);
        else if (handle->fd >= 0)
                close(handle->fd);
}

/*
 * All open handles of a node are of one kind, as the kernel demands: what is open decides, and the first one
 * does as it likes. Returns a backing that is not used then.
 */
static struct backing *settle_kind_locked(struct handle *handle) {
        struct list *ring = in_ring(handle) ? *ring_of(handle->node) : NULL;
        struct backing *own = handle->backing, *others;

        if (handle->snapshot)
                others = handle->node->database->backing;
        else if (ring)
                others = container_of(ring, struct handle, sibling)->backing;
        else
                return NULL;
        handle->backing = others ? backing_ref(others) : NULL;
        return own;
}

struct handle *handle_new(struct fs *fs, struct node *node, const struct handle *init) {
        struct handle *handle = malloc(sizeof(*handle));
        struct backing *unused;

        if (!handle) {
                handle_release(init);
                return NULL;
        }
        *handle = *init;
        if (handle->snapshot)
                handle->fd = -1;
        list_init(&handle->sibling);
        list_init(&handle->times.link);
        handle->node = node;
        atomic_store(&handle->refs, 1);
        mutex_lock(&fs->nodes.mutex);
        unused = settle_kind_locked(handle);
        node_ref_locked(&fs->nodes, node);
        list_append(&fs->handles, &handle->all);
        if (in_ring(handle)) {
                struct list **ring = ring_of(node);

                if (*ring)
                        list_append(*ring, &handle->sibling);
                else
                        *ring = &handle->sibling;
        }
        mutex_unlock(&fs->nodes.mutex);
        backing_unref(unused);
        return handle;
}

struct handle *handle_use(const struct fuse_file_info *fi) {
        struct handle *handle = handle_of(fi);

        atomic_fetch_add(&handle->refs, 1);
        return handle;
}

void handle_unref(struct fs *fs, struct handle *handle) {
        if (atomic_fetch_sub(&handle->refs, 1) > 1)
                return;
        handle_release(handle);
        node_unref(&fs->nodes, handle->node);
        free(handle);
}

static struct share *share_of(struct fs *fs, const struct handle *handle) {
        return node_type(handle->node) == S_IFDIR ? &fs->directories : &fs->files;
}

int handle_charge(struct fs *fs, struct handle *handle, uid_t uid) {
        /* What stands in for a side file, or for what is not shown, has no descriptor. */
        if (handle->fd < 0 && !handle->snapshot)
                return 0;
        MUTEX_SCOPE(&fs->nodes.mutex);
        handle->uid = uid;
        handle->charged = share_take_locked(share_of(fs, handle), uid);
        return handle->charged ? 0 : -ENFILE;
}

void handle_close(struct fs *fs, struct handle *handle) {
        mutex_lock(&fs->nodes.mutex);
        if (handle->charged)
                share_give_locked(share_of(fs, handle), handle->uid);
        list_remove(&handle->all);
        if (in_ring(handle)) {
                struct list **ring = ring_of(handle->node);

                if (*ring == &handle->sibling)
                        *ring = list_empty(&handle->sibling) ? NULL : handle->sibling.next;
                list_remove(&handle->sibling);
        }
        dirtime_close_locked(&fs->nodes, &handle->times);
        mutex_unlock(&fs->nodes.mutex);
        dirfd_unpin(&fs->dirs, handle->pinned);
        if (handle->snapshot)
                database_closed(fs, handle->node);
        handle_unref(fs, handle);
}

struct handle *handle_of_node(struct fs *fs, struct node *node) {
        struct handle *handle = NULL;

        MUTEX_SCOPE(&fs->nodes.mutex);
        if (*ring_of(node)) {
                handle = container_of(*ring_of(node), struct handle, sibling);
                atomic_fetch_add(&handle->refs, 1);
        }
        return handle;
}
