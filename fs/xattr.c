/*
 * Extended attributes, POSIX ACLs among them: those of the source's file, and of our own those that tell what
 * is known of a database. Our own are not listed, so that no tool copies them.
 *
 * No system call reads them from an O_PATH descriptor; getxattr(2) of its name in /proc does, without opening
 * the file (which might be a fifo or a database). A symlink's are read by its own name below its directory's
 * descriptor, since /proc's link to it would be followed to the target.
 */
#include "fs/xattr.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "fs/attr.h"
#include "fs/database.h"
#include "fs/file.h"

#define OWN "user.litesnapfs."

/* The file of a node, as the *xattr() calls can name it. */
struct subject {
        struct fs *fs;
        struct dirfd *dir;     /* a reference, for a symlink */
        struct handle *handle; /* a reference, for a file that is open */
        int fd;                /* our own, for the others; else -1 */
        char path[64 + NODE_NAME_MAX];
};

static void subject_deinit(struct subject *subject) {
        if (subject->handle)
                handle_unref(subject->fs, subject->handle);
        dirfd_unref(&subject->fs->dirs, subject->dir);
        base_closep(&subject->fd);
}

/* 0, -ENODATA for what has none whatever happens, or another -errno. The subject is to be given back in any
 * case. */
static int subject_init(struct subject *subject, struct fs *fs, struct node *node) {
        struct stat st;

        *subject = (struct subject){ .fs = fs, .fd = -1 };
        if (node->kind == NODE_SIDE || fs_is_hollow(node))
                return -ENODATA;
        if (node_type(node) == S_IFLNK) {
                struct fs_at at;
                int r = fs_at_init(fs, node, &at);

                if (r < 0)
                        return r;
                subject->dir = at.dir;
                snprintf(subject->path, sizeof(subject->path), "/proc/self/fd/%d/%s", at.dir->fd,
                         at.place.name);
                node_unref(&fs->nodes, at.place.parent);
                return 0;
        }
        if (node_type(node) == S_IFREG)
                subject->handle = handle_of_node(fs, node);
        if (!subject->handle)
                subject->fd = fs_open_path(fs, node, &st);
        if (!subject->handle && subject->fd < 0) {
                /* An open database outlives its name; for a backup tool no attributes are better than an
                 * error (T7). */
                return node->kind == NODE_DATABASE && subject->fd == -ESTALE ? -ENODATA : subject->fd;
        }
        snprintf(subject->path, sizeof(subject->path), "/proc/self/fd/%d",
                 subject->handle ? subject->handle->fd : subject->fd);
        return 0;
}

/* Calls getxattr, or listxattr when name is NULL. Size or -errno. */
static ssize_t subject_read(struct subject *subject, const char *name, char *buffer, size_t size) {
        const char *path = subject->path;
        ssize_t n;

        mutex_assert_none_held();
        if (subject->dir)
                n = name ? lgetxattr(path, name, buffer, size) : llistxattr(path, buffer, size);
        else
                n = name ? getxattr(path, name, buffer, size) : listxattr(path, buffer, size);
        return n < 0 ? -errno : n;
}

/* A fact about a database that is not open. Length or -errno. */
static ssize_t ask_store(struct fs *fs, struct node *node, const char *name, char *buffer, size_t size) {
        char path[FS_PATH_MAX];
        struct store_file file;
        struct fs_at at;
        struct stat st;
        ssize_t n;

        n = fs_at_init(fs, node, &at);
        if (n < 0)
                return n;
        file = (struct store_file){ .dirfd = at.dir->fd, .name = at.place.name };
        file.path = node_path(&fs->nodes, fs->source, at.place.parent, at.place.name, path, sizeof(path));
        mutex_assert_none_held();
        if (fstatat(at.dir->fd, at.place.name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
                n = -errno;
        else if (attr_classify(fs, at.place.parent, at.dir->fd, at.place.name, &st) != STORE_DATABASE)
                n = -ENODATA;
        else
                n = store_fact(fs->store, &file, &st, name, buffer, size);
        fs_at_deinit(fs, &at);
        return n;
}

/* One of our own attributes. Length or -errno. */
static ssize_t read_fact(struct fs *fs, struct node *node, const char *name, char *buffer, size_t size) {
        struct snapshot *snapshot;
        ssize_t n;

        if (node->kind != NODE_DATABASE)
                return -ENODATA;
        snapshot = database_snapshot(fs, node);
        if (snapshot) {
                n = snapshot_fact(snapshot, name, buffer, size);
                snapshot_unref(snapshot);
        } else {
                n = ask_store(fs, node, name, buffer, size);
        }
        /* What is wrong with the database its open says; for an attribute no answer is the better one (T7).
         */
        return n < 0 && n != -ERANGE ? -ENODATA : n;
}

/* An attribute, or for NULL the list, of the source's file. Length or -errno. */
static ssize_t read_source(struct fs *fs, struct node *node, const char *name, char *buffer, size_t size) {
        struct subject subject;
        ssize_t n;

        n = subject_init(&subject, fs, node);
        if (n == 0)
                n = subject_read(&subject, name, buffer, size);
        else if (n == -ENODATA && !name)
                n = 0;
        subject_deinit(&subject);
        return n;
}

static void serve(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size) {
        struct fs *fs = fs_of(req);
        struct node *node = fs_node(fs, ino);
        _cleanup_(base_freep) char *buffer = NULL;
        ssize_t n;

        if (size > 0) {
                buffer = malloc(size);
                if (!buffer) {
                        fs_reply(req, -ENOMEM);
                        return;
                }
        }
        if (name && strncmp(name, OWN, strlen(OWN)) == 0)
                n = read_fact(fs, node, name + strlen(OWN), buffer, size);
        else
                n = read_source(fs, node, name, buffer, size);
        if (n < 0) {
                fs_reply(req, (int)n);
                return;
        }
        mutex_assert_none_held();
        if (size == 0)
                fuse_reply_xattr(req, (size_t)n);
        else
                fuse_reply_buf(req, buffer, (size_t)n);
}

void xattr_get(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size) {
        serve(req, ino, name, size);
}

void xattr_list(fuse_req_t req, fuse_ino_t ino, size_t size) {
        serve(req, ino, NULL, size);
}
