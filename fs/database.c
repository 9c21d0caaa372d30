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

#include "fs/binding.h"
#include "fs/file.h"

struct database *database_new(void) {
        return calloc(1, sizeof(struct database));
}

struct database *database_free(struct database *database) {
        free(database);
        return NULL;
}

int database_stat(struct fs *fs, struct node *node, struct stat *st, double *timeout) {
        struct handle *handle;
        int r;

        *timeout = 0;
        mutex_lock(&fs->nodes.mutex);
        if (node->database->snapshot) {
                *st = node->database->frozen;
                *timeout = FS_FOREVER;
                mutex_unlock(&fs->nodes.mutex);
                return 0;
        }
        mutex_unlock(&fs->nodes.mutex);
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

        mutex_lock(&fs->nodes.mutex);
        if (--database->opens == 0) {
                snapshot = database->snapshot;
                backing = database->backing;
                database->snapshot = NULL;
                database->backing = NULL;
        }
        mutex_unlock(&fs->nodes.mutex);
        backing_unref(backing);
        if (snapshot)
                snapshot_unref(snapshot);
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
