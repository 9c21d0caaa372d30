/*
 * How an open of a database is asked for, and how it ends.
 *
 * The first OPEN of a node that is not bound makes a binding, which asks the store; it and every OPEN that
 * comes until the answer does are the binding's waiters. Whoever takes a waiter off its binding's list, under
 * nodes.mutex, is the one who replies to it: the outcome (for all of them), or an interrupt (for one). An
 * binding whose last waiter was interrupted is abandoned: cancelled, and off its node, so that a later OPEN
 * starts afresh; its outcome is dropped. Only a binding that is on its node binds it.
 */
#include "fs/binding.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fs/attr.h"
#include "fs/file.h"
#include "fs/patient.h"

struct binding *binding_new_locked(struct fs *fs, struct node *node) {
        struct binding *binding = calloc(1, sizeof(*binding));

        if (!binding)
                return NULL;
        binding->fs = fs;
        binding->node = node_ref_locked(&fs->nodes, node);
        binding->refs = 1;
        list_init(&binding->waiters);
        database_asked_locked(node->database);
        node->database->binding = binding;
        return binding;
}

void binding_unref(struct binding *binding) {
        struct fs *fs = binding->fs;

        mutex_lock(&fs->nodes.mutex);
        if (--binding->refs > 0) {
                mutex_unlock(&fs->nodes.mutex);
                return;
        }
        node_unref_locked(&fs->nodes, binding->node);
        mutex_unlock(&fs->nodes.mutex);
        if (binding->ticket)
                store_ticket_unref(binding->ticket);
        free(binding);
}

void binding_detach_locked(struct binding *binding) {
        if (binding->node->database->binding == binding)
                binding->node->database->binding = NULL;
}

static void take_waiters_locked(struct binding *binding, struct list *taken) {
        list_init(taken);
        while (!list_empty(&binding->waiters)) {
                struct waiter *waiter = container_of(binding->waiters.next, struct waiter, link);

                waiter->binding = NULL;
                list_remove(&waiter->link);
                list_append(taken, &waiter->link);
        }
}

static struct waiter *waiter_next(struct list *taken) {
        struct waiter *waiter;

        if (list_empty(taken))
                return NULL;
        waiter = container_of(taken->next, struct waiter, link);
        list_remove(&waiter->link);
        mutex_assert_none_held();
        fuse_req_interrupt_func(waiter->req, NULL, NULL);
        return waiter;
}

/*
 * The kernel may remember the attributes that LOOKUP told, and of a node that had handles before pages as
 * well: they must be gone before anybody gets a handle. None is open now, so nothing waits for those pages.
 * Answers to older questions that are still on their way the kernel drops.
 */
static void clear_kernel_cache(struct binding *binding) {
        struct fs *fs = binding->fs;
        bool used;

        mutex_lock(&fs->nodes.mutex);
        used = binding->node->database->used;
        binding->node->database->used = true;
        mutex_unlock(&fs->nodes.mutex);
        mutex_assert_none_held();
        fuse_lowlevel_notify_inval_inode(fs->session, fs_ino(fs, binding->node), used ? 0 : -1, 0);
}

/* Ends a binding without a snapshot: each waiter gets the errno, or for 0 an ordinary handle of its own. */
static void binding_fail(struct binding *binding, int result) {
        struct fs *fs = binding->fs;
        struct waiter *waiter;
        struct list taken;

        if (result == 0)
                clear_kernel_cache(binding);
        else
                fs_note_served(fs, binding->node, result);
        mutex_lock(&fs->nodes.mutex);
        binding_detach_locked(binding);
        take_waiters_locked(binding, &taken);
        mutex_unlock(&fs->nodes.mutex);
        while ((waiter = waiter_next(&taken))) {
                struct handle *handle = NULL;
                int r = result < 0 ? result : file_open_ordinary(fs, binding->node, &handle);

                if (r == -EAGAIN)
                        patient_open(fs, waiter->req, binding->node, &waiter->fi);
                else if (r < 0)
                        fs_reply(waiter->req, r);
                else
                        file_reply_open(fs, waiter->req, &waiter->fi, handle);
                free(waiter);
        }
}

/* Binds the node to the snapshot, a reference that is taken over, and lets the waiters have it. */
static void binding_bind(struct binding *binding, struct snapshot *snapshot, const struct stat *frozen) {
        struct fs *fs = binding->fs;
        struct database *database = binding->node->database;
        struct backing *backing = NULL;
        struct waiter *waiter;
        struct list taken;
        bool wanted;

        clear_kernel_cache(binding);
        /* What has no file of its own yet the kernel cannot read; nor later, since a node is of one kind. */
        if (snapshot_fd(snapshot) >= 0)
                backing = backing_new(&fs->passthrough, snapshot_fd(snapshot));
        mutex_lock(&fs->nodes.mutex);
        take_waiters_locked(binding, &taken);
        wanted = !list_empty(&taken);
        if (wanted) {
                database->snapshot = snapshot;
                database->backing = backing;
                database->frozen = *frozen;
                database->dev = frozen->st_dev;
                database->ino = frozen->st_ino;
                for (struct list *link = taken.next; link != &taken; link = link->next)
                        database->opens++;
        }
        binding_detach_locked(binding);
        mutex_unlock(&fs->nodes.mutex);
        fs_note_served(fs, binding->node, 0);
        if (!wanted) {
                backing_unref(backing);
                snapshot_unref(snapshot);
        }
        while ((waiter = waiter_next(&taken))) {
                struct handle *handle =
                        handle_new(fs, binding->node, &(struct handle){ .snapshot = snapshot_ref(snapshot) });

                if (handle) {
                        file_reply_open(fs, waiter->req, &waiter->fi, handle);
                } else {
                        database_closed(fs, binding->node);
                        fs_reply(waiter->req, -ENOMEM);
                }
                free(waiter);
        }
}

static void again(struct later *later) {
        struct binding *binding = container_of(later, struct binding, later);

        if (fs_is_closing(binding->fs))
                binding_fail(binding, -ENOTCONN);
        else
                binding_start(binding);
        binding_unref(binding);
}

/* A lease stands against it: the try has not counted, and another will come, unless nobody waits any more. */
static void start_later(struct binding *binding) {
        struct fs *fs = binding->fs;
        bool wanted;

        mutex_lock(&fs->nodes.mutex);
        wanted = !list_empty(&binding->waiters);
        if (wanted) {
                binding->tries--;
                binding->refs++;
        }
        mutex_unlock(&fs->nodes.mutex);
        if (wanted)
                later_do(&fs->laters, &binding->later, again);
}

/* The store's answer, on one of its threads. */
static void on_opened(void *userdata, int result, struct snapshot *snapshot, const struct stat *attr) {
        struct binding *binding = userdata;
        struct fs *fs = binding->fs;
        bool wanted, last_try;

        /* What was opened in the end must be what the kernel let the waiters open. */
        if (result == 0) {
                result = database_may_open(fs, binding->node, attr) < 0 ? -ESTALE : 0;
                if (result < 0)
                        snapshot = snapshot_unref(snapshot);
        }
        mutex_lock(&fs->nodes.mutex);
        wanted = binding->node->database->binding == binding && !fs->closing;
        last_try = binding->tries == BINDING_TRIES_MAX;
        if (wanted)
                fs->answering++;
        mutex_unlock(&fs->nodes.mutex);
        if (!wanted) {
                if (snapshot)
                        snapshot_unref(snapshot);
                binding_fail(binding, -ENOTCONN);
                binding_unref(binding);
                return;
        }
        if (result == 0) {
                binding_bind(binding, snapshot, attr);
        } else if (result == -ESTALE && !last_try) {
                binding_start(binding);
        } else if (result == -EAGAIN) {
                start_later(binding);
        } else {
                binding_fail(binding, result);
        }
        binding_unref(binding);
        mutex_lock(&fs->nodes.mutex);
        if (--fs->answering == 0 && fs->closing)
                pthread_cond_signal(&fs->bound);
        mutex_unlock(&fs->nodes.mutex);
}

/* Asks the store for a snapshot. The store may answer before this returns. */
static void binding_ask(struct binding *binding, struct fs_at *at) {
        struct fs *fs = binding->fs;
        char path[FS_PATH_MAX];
        struct store_file file = { .dirfd = at->dir->fd, .name = at->place.name };
        struct store_ticket *ticket = NULL, *before;
        bool abandoned;
        unsigned ask;
        int r;

        file.path = node_path(&fs->nodes, fs->source, at->place.parent, at->place.name, path, sizeof(path));
        mutex_lock(&fs->nodes.mutex);
        binding->refs++;
        ask = ++binding->asks;
        mutex_unlock(&fs->nodes.mutex);
        mutex_assert_none_held();
        r = store_open(fs->store, &file, on_opened, binding, &ticket);
        if (r < 0) {
                binding_fail(binding, r);
                binding_unref(binding);
                return;
        }
        mutex_lock(&fs->nodes.mutex);
        abandoned = list_empty(&binding->waiters);
        /* The one before has been answered; so has this one, if there is a later one already. */
        if (!abandoned && ask == binding->asks) {
                before = binding->ticket;
                binding->ticket = ticket;
                ticket = before;
        }
        mutex_unlock(&fs->nodes.mutex);
        if (abandoned)
                store_cancel(ticket);
        if (ticket)
                store_ticket_unref(ticket);
}

/* What the file is; that it cannot be told is why an open fails, so this says it. */
static int classify(struct fs *fs, struct fs_at *at, const struct stat *st) {
        int kind = fs_gone(attr_classify(fs, at->place.parent, at->dir->fd, at->place.name, st));
        char path[FS_PATH_MAX];

        if (kind < 0 && kind != -ESTALE && kind != -EAGAIN)
                base_log(BASE_LOG_ERROR, "%s: cannot tell whether it is a database: %s",
                         node_path(&fs->nodes, fs->source, at->place.parent, at->place.name, path,
                                   sizeof(path)),
                         strerror(-kind));
        return kind;
}

void binding_start(struct binding *binding) {
        struct fs *fs = binding->fs;
        struct node *node = binding->node;
        struct fs_at at;
        struct stat st;
        int r;

        mutex_lock(&fs->nodes.mutex);
        binding->tries++;
        mutex_unlock(&fs->nodes.mutex);
        r = fs_at_init(fs, node, &at);
        if (r < 0) {
                binding_fail(binding, r);
                return;
        }
        mutex_assert_none_held();
        if (fstatat(at.dir->fd, at.place.name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
                r = fs_gone(-errno);
        else if (!S_ISREG(st.st_mode))
                r = -ESTALE;
        else
                r = node_permits_like(&fs->nodes, node, &st) ? 0 : fs_same_permissions(fs, node, &st);
        if (r == 0)
                r = classify(fs, &at, &st);
        if (r == STORE_DATABASE) {
                struct handle *ordinary = handle_of_node(fs, node);

                /* The kernel has one page cache for the node: its handles are of one kind. */
                if (ordinary) {
                        handle_unref(fs, ordinary);
                        binding_fail(binding, -ESTALE);
                } else {
                        binding_ask(binding, &at);
                }
        } else if (r == STORE_ORDINARY) {
                binding_fail(binding, 0);
        } else if (r == -EAGAIN) {
                start_later(binding);
        } else {
                binding_fail(binding, r < 0 ? r : -ESTALE);
        }
        fs_at_deinit(fs, &at);
}

void binding_cancel(struct binding *binding) {
        struct fs *fs = binding->fs;
        struct store_ticket *ticket;

        mutex_lock(&fs->nodes.mutex);
        ticket = binding->ticket;
        binding->ticket = NULL;
        mutex_unlock(&fs->nodes.mutex);
        if (!ticket)
                return;
        store_cancel(ticket);
        store_ticket_unref(ticket);
}
