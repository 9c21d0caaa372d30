/*
 * Extended attributes, POSIX ACLs among them: those of the source's file, and of our own those that tell what
 * is known of a database. Our own are not listed, so that no tool copies them.
 *
 * No system call reads them from an O_PATH descriptor; getxattr(2) of its name in /proc does, without opening
 * the file (which might be a fifo or a database), and of a symlink it gives the symlink's own.
 *
 * Invariant: an ACL is the one of the file that the kernel is about to judge by it, or an error. "None" for a
 * file that is gone would let in by the mode's group bits whom the ACL shuts out.
 */
#include "fs/xattr.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#include "fs/attr.h"
#include "fs/database.h"
#include "fs/file.h"

#define OWN     "user.litesnapfs."
#define TRUSTED "trusted."
#define ACL     "system.posix_acl_"

/* The file of a node, as the *xattr() calls can name it. */
struct subject {
        struct fs *fs;
        struct handle *handle; /* a reference, for a file that is open */
        int fd;                /* our own, for the others; else -1 */
        char path[64];
};

static void subject_deinit(struct subject *subject) {
        if (subject->handle)
                handle_unref(subject->fs, subject->handle);
        base_closep(&subject->fd);
}

static bool is_open_database(struct fs *fs, struct node *node) {
        MUTEX_SCOPE(&fs->nodes.mutex);
        return node->kind == NODE_DATABASE && node->database->snapshot;
}

/*
 * name: the attribute that is asked for, or NULL. 0, -ENODATA for what has none whatever happens, or another
 * -errno. The subject is to be given back in any case.
 */
static int subject_init(struct subject *subject, struct fs *fs, struct node *node, const char *name) {
        struct stat st;

        *subject = (struct subject){ .fs = fs, .fd = -1 };
        if (node->kind == NODE_SIDE || fs_is_hollow(node))
                return -ENODATA;
        if (node_type(node) == S_IFREG)
                subject->handle = handle_of_node(fs, node);
        if (!subject->handle)
                subject->fd = fs_open_path(fs, node, &st);
        if (!subject->handle && subject->fd < 0) {
                /* An open database outlives its name; for a backup tool no attributes are better than an
                 * error. */
                bool acl = name && strncmp(name, ACL, strlen(ACL)) == 0;

                return subject->fd == -ESTALE && !acl && is_open_database(fs, node) ? -ENODATA : subject->fd;
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
        n = name ? getxattr(path, name, buffer, size) : listxattr(path, buffer, size);
        return n < 0 ? -errno : n;
}

/*
 * Whether the process that asks would see trusted.* in the source: by its capabilities, and only in the user
 * namespace that we are in.
 */
static bool is_trusted(const struct fuse_ctx *ctx) {
        char path[64], ours[64], theirs[64], line[256];
        unsigned long long capabilities = 0;
        ssize_t n, m;
        FILE *file;

        snprintf(path, sizeof(path), "/proc/%ld/ns/user", (long)ctx->pid);
        n = readlink("/proc/self/ns/user", ours, sizeof(ours));
        m = readlink(path, theirs, sizeof(theirs));
        if (n != m || (n > 0 && memcmp(ours, theirs, (size_t)n) != 0))
                return false;
        snprintf(path, sizeof(path), "/proc/%ld/status", (long)ctx->pid);
        file = fopen(path, "re");
        while (file && fgets(line, sizeof(line), file))
                if (sscanf(line, "CapEff: %llx", &capabilities) == 1)
                        break;
        if (file)
                fclose(file);
        return capabilities & 1ull << CAP_SYS_ADMIN;
}

/* Takes the names of trusted attributes out of a list. The length of the rest. */
static size_t without_trusted(char *names, size_t size) {
        size_t kept = 0;

        for (size_t at = 0; at < size;) {
                size_t n = strnlen(names + at, size - at) + 1;

                if (strncmp(names + at, TRUSTED, strlen(TRUSTED)) != 0) {
                        memmove(names + kept, names + at, n);
                        kept += n;
                }
                at += n;
        }
        return kept;
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
        else if (fs_same_file(fs, node, &st) < 0)
                n = -ESTALE;
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

/* The list of attributes that the one who asks may see. Length or -errno. */
static ssize_t list_source(struct subject *subject, const struct fuse_ctx *ctx, char *buffer, size_t size) {
        _cleanup_(base_freep) char *names = malloc(XATTR_LIST_MAX);
        ssize_t n;

        if (!names)
                return -ENOMEM;
        n = subject_read(subject, NULL, names, XATTR_LIST_MAX);
        if (n > 0 && memmem(names, (size_t)n, TRUSTED, strlen(TRUSTED)) && !is_trusted(ctx))
                n = (ssize_t)without_trusted(names, (size_t)n);
        if (n <= 0 || size == 0)
                return n;
        if ((size_t)n > size)
                return -ERANGE;
        memcpy(buffer, names, (size_t)n);
        return n;
}

/* An attribute, or for NULL the list, of the source's file. Length or -errno. */
static ssize_t read_source(struct fs *fs, struct node *node, const struct fuse_ctx *ctx, const char *name,
                           char *buffer, size_t size) {
        bool acl = name && strncmp(name, ACL, strlen(ACL)) == 0;
        struct subject subject;
        ssize_t n;

        if (name && strncmp(name, TRUSTED, strlen(TRUSTED)) == 0 && !is_trusted(ctx))
                return -ENODATA;
        n = subject_init(&subject, fs, node, name);
        if (n == 0)
                n = name ? subject_read(&subject, name, buffer, size)
                         : list_source(&subject, ctx, buffer, size);
        else if (n == -ENODATA && !name)
                n = 0;
        subject_deinit(&subject);
        if (acl && n > 0 && node->kind == NODE_DATABASE)
                database_has_acl(fs, node);
        /* The kernel, which asks for it to judge by it, takes "not supported" for a failure. */
        return acl && n == -EOPNOTSUPP ? -ENODATA : n;
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
                n = read_source(fs, node, fuse_req_ctx(req), name, buffer, size);
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
