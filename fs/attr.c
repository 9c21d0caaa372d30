/*
 * What a name is and what lstat says of it.
 *
 * Invariants: the name of a database or a companion file is valid for no time at all, and while a database's
 * node is open a LOOKUP answers with another one, so that no open finds what was bound before it began
 * (promise 1); everything else has one node and is believed for a second. Only in its lane (lanes.h) does a
 * LOOKUP ask what is mounted there, and of the mount itself nothing is ever asked. What the kernel holds is
 * checked against (dev, ino, type) before anything is said about it.
 */
#include "fs/attr.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "fs/crossing.h"
#include "fs/database.h"
#include "fs/dirtime.h"
#include "fs/file.h"

/* How long a name is new, and for how long it is valid then, in seconds: see is_fleeting(). */
#define FLEETING_S       10
#define FLEETING_TIMEOUT 0.01
/* For the GETATTR that would follow each LOOKUP of an lstat. An OPEN ends it (clear_kernel_cache()). */
#define UNOPENED_TIMEOUT 0.1

int attr_classify(struct fs *fs, struct node *parent, int dirfd, const char *name, const struct stat *st) {
        char buffer[FS_PATH_MAX];
        struct store_file file = { .dirfd = dirfd, .name = name };

        if (st && S_ISREG(st->st_mode) && pseudo_is(&fs->pseudo, dirfd, name, st))
                return STORE_ORDINARY;
        file.path = node_path(&fs->nodes, fs->source, parent, name, buffer, sizeof(buffer));
        mutex_assert_none_held();
        return store_classify(fs->store, &file, st);
}

/* The times, size and so on of a database that is not open; *st comes and stays raw where that fails. */
static void look_at_database(struct fs *fs, struct node *parent, int dirfd, const char *name,
                             struct stat *st) {
        char buffer[FS_PATH_MAX];
        struct store_file file = { .dirfd = dirfd, .name = name };

        file.path = node_path(&fs->nodes, fs->source, parent, name, buffer, sizeof(buffer));
        mutex_assert_none_held();
        store_attr(fs->store, &file, st);
}

/*
 * The empty file that stands in for a -wal or -shm (fact S6): owner, permissions to read and times are those
 * of the database beside it, so that whoever may read the one may read the other, and it never looks changed
 * by itself.
 */
static int look_at_side(struct fs *fs, int dirfd, const char *name, struct stat *st) {
        const char *suffix = strrchr(name, '-');
        char main_name[NODE_NAME_MAX + 1];

        if (!suffix)
                return -ENOENT;
        memcpy(main_name, name, (size_t)(suffix - name));
        main_name[suffix - name] = '\0';
        if (fstatat(dirfd, main_name, st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
                return -errno;
        st->st_mode = S_IFREG | (st->st_mode & 0444);
        st->st_nlink = 1;
        st->st_size = 0;
        st->st_blocks = 0;
        st->st_ino =
                inode_companion(inode_number(&fs->inodes, st->st_dev, st->st_ino), (unsigned char)suffix[1]);
        return 0;
}

/* The name is a mount point: its inode numbers are those of another file system. */
static int enter_system(struct fs *fs, struct node *parent, int dirfd, const char *name,
                        const struct attr_found *found) {
        char buffer[FS_PATH_MAX];
        const char *place = node_path(&fs->nodes, "", parent, name, buffer, sizeof(buffer));

        return inode_enter(&fs->inodes, dirfd, name, place, found->st.st_dev, found->mount);
}

/* attr_glance() but for the incarnation. */
static int glance(struct fs *fs, struct node *parent, int dirfd, const char *name, struct attr_found *found) {
        bool side = store_name_is_side(name), exists;
        int kind, r;

        r = crossing_look(fs, parent, dirfd, name, found);
        if (r != 0)
                return r < 0 ? r : 0;
        exists = fstatat(dirfd, name, &found->st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0;
        if (!exists && (errno != ENOENT || !side))
                return -errno;
        if (exists && found->st.st_dev != parent->dev) {
                r = enter_system(fs, parent, dirfd, name, found);
                if (r < 0)
                        return r;
        }
        if (exists && !S_ISREG(found->st.st_mode))
                return 0;
        /* To be found out by its open, which waits for the file server. */
        if (exists && leases_has(&fs->leases, found->st.st_ino))
                kind = -EAGAIN;
        else
                kind = attr_classify(fs, parent, dirfd, name, exists ? &found->st : NULL);
        switch (kind) {
        case STORE_ORDINARY:
                return exists ? 0 : -ENOENT;
        case STORE_SIDE_GONE:
                return -ENOENT;
        case STORE_SIDE_EMPTY:
                found->kind = NODE_SIDE;
                return look_at_side(fs, dirfd, name, &found->st);
        case STORE_DATABASE:
                if (!exists)
                        return -ENOENT;
                found->kind = NODE_DATABASE;
                return 0;
        default:
                if (!exists || kind == -ENOENT)
                        return -ENOENT;
                found->kind = NODE_DATABASE;
                found->unknown = true;
                return 0;
        }
}

int attr_glance(struct fs *fs, struct node *parent, int dirfd, const char *name, struct attr_found *found) {
        int r = glance(fs, parent, dirfd, name, found);

        if (r == 0 && found->kind != NODE_SIDE && !found->elsewhere && found->st.st_dev != FS_HOLLOW_DEV)
                found->incarnation = fs_incarnation(dirfd, name, &found->st);
        return r;
}

int attr_look(struct fs *fs, struct node *parent, int dirfd, const char *name, struct attr_found *found) {
        int r = attr_glance(fs, parent, dirfd, name, found);

        if (r == 0 && found->kind == NODE_DATABASE && !found->unknown)
                look_at_database(fs, parent, dirfd, name, &found->st);
        return r;
}

/* What is about to be told of a directory, and for how long. */
static double show_directory(struct fs *fs, fuse_req_t req, struct node *node, struct stat *st) {
        return dirtime_show(&fs->nodes, node, st, fuse_req_ctx(req)->pid) ? FS_TIMEOUT : 0;
}

/*
 * A file that came just now may go as quickly: a lock, a temporary file. Its name is valid for as long as it
 * takes to ask for what there is to know of a file, and a listing does not make it so: lstat is to find out.
 * Told from memory that it is there, a tool that then asks for its ACL takes what has vanished for a failure
 * (rsync's status is 23 in place of 24). Renaming a file makes it new, too.
 */
static bool is_fleeting(const struct stat *st) {
        struct timespec now;

        if (S_ISDIR(st->st_mode))
                return false;
        clock_gettime(CLOCK_REALTIME_COARSE, &now);
        return st->st_ctim.tv_sec + FLEETING_S > now.tv_sec;
}

int attr_enter(struct fs *fs, fuse_req_t req, struct node *parent, const char *name,
               const struct attr_found *found, struct fuse_entry_param *entry) {
        struct node *node = NULL;
        int r;

        *entry = (struct fuse_entry_param){ .attr = found->st };
        if (found->kind == NODE_SHARED) {
                entry->attr_timeout = FS_TIMEOUT;
                entry->entry_timeout = is_fleeting(&found->st) ? FLEETING_TIMEOUT : FS_TIMEOUT;
                r = node_lookup(&fs->nodes, parent, name, &found->st, found->mount, found->incarnation,
                                &node);
        } else {
                if (found->kind == NODE_DATABASE)
                        entry->attr_timeout = UNOPENED_TIMEOUT;
                node = node_lookup_unopened(&fs->nodes, parent, name, &found->st, found->incarnation,
                                            found->kind);
                r = node ? 0
                         : node_fresh(&fs->nodes, parent, name, &found->st, found->incarnation, found->kind,
                                      &node);
        }
        if (r < 0)
                return r;
        if (S_ISDIR(entry->attr.st_mode))
                entry->attr_timeout = show_directory(fs, req, node, &entry->attr);
        if (found->kind != NODE_SIDE)
                entry->attr.st_ino = inode_number(&fs->inodes, found->st.st_dev, found->st.st_ino);
        entry->ino = fs_ino(fs, node);
        entry->generation = node->generation;
        return 0;
}

void attr_lookup(fuse_req_t req, fuse_ino_t parent_ino, const char *name) {
        struct fs *fs = fs_of(req);
        struct node *parent = fs_node(fs, parent_ino);
        struct fuse_entry_param entry;
        struct attr_found found;
        struct dirfd *dir;
        int r;

        r = fs_is_hollow(parent) ? -ENOENT : dirfd_get(&fs->dirs, parent, &dir);
        if (r < 0) {
                fs_reply(req, r);
                return;
        }
        r = attr_look(fs, parent, dir->fd, name, &found);
        dirfd_unref(&fs->dirs, dir);
        if (r == 0 && found.elsewhere) {
                r = lanes_pass(&fs->lanes, req, found.st.st_dev);
                if (r == 0)
                        return;
                if (r == -ELOOP && S_ISDIR(found.st.st_mode)) {
                        crossing_leave_out(fs, parent, name, &found);
                        r = 0;
                }
        }
        if (r == 0)
                r = attr_enter(fs, req, parent, name, &found, &entry);
        /* Of what may turn out to be stacked on the mount nothing is to be found in the kernel's memory then.
         */
        if (r == 0 && found.mount != 0 && found.mount != parent->mount && found.st.st_dev != parent->dev &&
            !inode_is_local(&fs->inodes, found.st.st_dev, 0))
                entry.entry_timeout = 0;
        if (r < 0) {
                fs_reply(req, r);
                return;
        }
        mutex_assert_none_held();
        if (fuse_reply_entry(req, &entry) == -ENOENT)
                node_forget(&fs->nodes, fs_node(fs, entry.ino), 1);
}

void attr_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup) {
        struct fs *fs = fs_of(req);

        if (ino != FUSE_ROOT_ID)
                node_forget(&fs->nodes, fs_node(fs, ino), nlookup);
        fuse_reply_none(req);
}

void attr_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets) {
        struct fs *fs = fs_of(req);

        for (size_t i = 0; i < count; i++)
                if (forgets[i].ino != FUSE_ROOT_ID)
                        node_forget(&fs->nodes, fs_node(fs, forgets[i].ino), forgets[i].nlookup);
        fuse_reply_none(req);
}

int attr_stat(struct fs *fs, struct node *node, struct stat *st) {
        struct attr_found found;
        struct fs_at at;
        int r;

        if (node_type(node) == S_IFDIR) {
                struct dirfd *dirfd = dirfd_peek(&fs->dirs, node);

                if (dirfd) {
                        r = fstat(dirfd->fd, st) < 0 ? -errno : 0;
                        dirfd_unref(&fs->dirs, dirfd);
                        return r;
                }
        } else if (node_type(node) == S_IFREG) {
                struct handle *handle = handle_of_node(fs, node);

                /* An open file stays itself when its name is gone. */
                if (handle) {
                        r = fstat(handle->fd, st) < 0 ? -errno : 0;
                        handle_unref(fs, handle);
                        return r;
                }
        }
        r = fs_at_init(fs, node, &at);
        if (r < 0)
                return r;
        r = crossing_look(fs, at.place.parent, at.dir->fd, at.place.name, &found);
        if (r == 0 &&
            fstatat(at.dir->fd, at.place.name, &found.st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) < 0)
                r = -errno;
        /* Something else may be mounted there by now. */
        r = r < 0 ? fs_gone(r) : fs_same_file(fs, node, &found.st);
        *st = found.st;
        fs_at_deinit(fs, &at);
        return r;
}

/* lstat of a database node that shows what its name now stands for, or of a companion file. */
static int stat_by_name(struct fs *fs, struct node *node, struct stat *st) {
        struct attr_found found;
        struct fs_at at;
        int r;

        r = fs_at_init(fs, node, &at);
        if (r < 0)
                return r;
        r = attr_look(fs, at.place.parent, at.dir->fd, at.place.name, &found);
        fs_at_deinit(fs, &at);
        if (r < 0)
                return fs_gone(r);
        if (found.elsewhere || (node->kind == NODE_SIDE) != (found.kind == NODE_SIDE))
                return -ESTALE;
        *st = found.st;
        return fs_same_file(fs, node, st);
}

void attr_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
        struct fs *fs = fs_of(req);
        struct node *node = fs_node(fs, ino);
        double timeout = 0;
        struct stat st;
        int r;

        if (node->kind == NODE_SHARED) {
                timeout = FS_TIMEOUT;
                r = attr_stat(fs, node, &st);
                if (r == 0 && S_ISDIR(st.st_mode))
                        timeout = show_directory(fs, req, node, &st);
        } else if (node->kind == NODE_DATABASE) {
                r = database_stat(fs, node, &st);
                if (r == 0)
                        timeout = FS_TIMEOUT;
                else if (r == -ENODATA)
                        r = stat_by_name(fs, node, &st);
        } else {
                r = stat_by_name(fs, node, &st);
        }
        if (r < 0) {
                fs_reply(req, r);
                return;
        }
        node_told(&fs->nodes, node, &st);
        if (node->kind != NODE_SIDE)
                st.st_ino = inode_number(&fs->inodes, st.st_dev, st.st_ino);
        mutex_assert_none_held();
        fuse_reply_attr(req, &st, timeout);
}

void attr_readlink(fuse_req_t req, fuse_ino_t ino) {
        struct fs *fs = fs_of(req);
        struct node *node = fs_node(fs, ino);
        _cleanup_(base_closep) int fd = -1;
        char target[PATH_MAX + 1];
        struct fs_at at;
        struct stat st;
        ssize_t n;

        fd = fs_open_path(fs, node, &st);
        n = fd < 0 ? fd : fs_at_init(fs, node, &at);
        if (n == 0) {
                n = passthrough_readlink(&fs->passthrough, at.dir->fd, at.place.name, fd, &st, target,
                                         sizeof(target) - 1);
                fs_at_deinit(fs, &at);
        }
        if (n < 0) {
                fs_reply(req, (int)n);
                return;
        }
        target[n] = '\0';
        mutex_assert_none_held();
        fuse_reply_readlink(req, target);
}

void attr_statfs(fuse_req_t req, fuse_ino_t ino) {
        struct fs *fs = fs_of(req);
        struct node *node = fs_node(fs, ino);
        struct statvfs statvfs;
        struct dirfd *dirfd;
        struct fs_at at;
        int r;

        if (node_type(node) == S_IFDIR && !fs_is_hollow(node)) {
                r = dirfd_get(&fs->dirs, node, &dirfd);
                if (r == 0) {
                        r = fstatvfs(dirfd->fd, &statvfs) < 0 ? -errno : 0;
                        dirfd_unref(&fs->dirs, dirfd);
                }
        } else {
                r = fs_at_init(fs, node, &at);
                if (r == 0) {
                        r = fstatvfs(at.dir->fd, &statvfs) < 0 ? -errno : 0;
                        fs_at_deinit(fs, &at);
                }
        }
        if (r < 0) {
                fs_reply(req, r);
                return;
        }
        mutex_assert_none_held();
        fuse_reply_statfs(req, &statvfs);
}
