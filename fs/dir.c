/*
 * Listing directories.
 *
 * Entries are streamed from the source's own directory with its own offsets; nothing is remembered but the
 * one entry that did not fit the last reply. What a listing says of a name is what LOOKUP would say: the same
 * inode number and type, and what LOOKUP hides is not listed. READDIRPLUS makes nodes for all but databases,
 * whose nodes belong to one open each: these are listed by name and type alone (nodeid 0, fact F1).
 */
#include "fs/dir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "fs/attr.h"
#include "fs/dirtime.h"
#include "fs/file.h"

/* One request's work. */
struct listing {
        struct fs *fs;
        fuse_req_t req;
        struct node *node;
        struct handle *handle;
        bool plus;
        char *buffer;
        size_t size, used;
};

/* Opens the source's directory for a handle. 0 with init's fd and dir set, or -errno. */
static int open_source(struct fs *fs, struct node *node, struct dirfd *dirfd, struct handle *init,
                       struct stat *st) {
        int fd, r;

        fd = base_open_source(dirfd->fd, ".", O_DIRECTORY);
        if (fd < 0)
                return fs_gone(fd);
        r = fstat(fd, st) < 0 ? -errno : fs_same_permissions(fs, node, st);
        init->dir = r == 0 ? fdopendir(fd) : NULL;
        if (!init->dir) {
                r = r == 0 ? -errno : r;
                close(fd);
                return r;
        }
        init->fd = fd;
        return 0;
}

/* The same for what is not entered: the handle has no descriptor. */
static int open_hollow(struct fs *fs, struct node *node, struct handle *init, struct stat *st) {
        init->fd = -1;
        return attr_stat(fs, node, st);
}

void dir_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
        struct fs *fs = fs_of(req);
        struct node *node = fs_node(fs, ino);
        struct handle init = { .fd = -1 }, *handle = NULL;
        struct dirfd *dirfd = NULL;
        struct stat st;
        int r;

        if (fs_is_hollow(node)) {
                r = open_hollow(fs, node, &init, &st);
        } else {
                r = dirfd_get(&fs->dirs, node, &dirfd);
                if (r == 0)
                        r = open_source(fs, node, dirfd, &init, &st);
        }
        if (r == 0) {
                handle = handle_new(fs, node, &init);
                r = handle ? 0 : -ENOMEM;
        }
        if (r == 0 && dirfd)
                handle->pinned = dirfd_pin(&fs->dirs, dirfd);
        dirfd_unref(&fs->dirs, dirfd);
        if (r < 0) {
                fs_reply(req, r);
                return;
        }
        r = handle_charge(fs, handle, fuse_req_ctx(req)->uid);
        if (r < 0) {
                handle_close(fs, handle);
                fs_reply(req, r);
                return;
        }
        mutex_lock(&fs->nodes.mutex);
        dirtime_open_locked(&fs->nodes, node, &st, fuse_req_ctx(req)->pid, &handle->times);
        mutex_unlock(&fs->nodes.mutex);
        fi->fh = (uintptr_t)handle;
        mutex_assert_none_held();
        if (fuse_reply_open(req, fi) == -ENOENT)
                handle_close(fs, handle);
}

void dir_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi) {
        file_release(req, ino, fi);
}

/* What LOOKUP would call the inode of "." and "..". */
static void look_at_dots(struct listing *listing, const char *name, struct stat *st) {
        struct fs *fs = listing->fs;
        struct node *node = listing->node;

        MUTEX_SCOPE(&fs->nodes.mutex);
        if (name[1] == '.' && node->parent)
                node = node->parent;
        st->st_dev = node->dev;
        st->st_ino = node->ino;
        st->st_mode = S_IFDIR;
}

/*
 * What to list for an entry. 0, or -ENOENT when it is to be left out. Only where it must does a plain listing
 * look at the file itself: side files may have to be hidden, and a directory may be the root of another file
 * system, whose number is not the one in this directory.
 */
static int look_at_entry(struct listing *listing, const struct dirent *entry, struct attr_found *found) {
        struct fs *fs = listing->fs;
        int r;

        *found = (struct attr_found){ .kind = NODE_SHARED };
        found->st.st_dev = listing->node->dev;
        found->st.st_ino = entry->d_ino;
        found->st.st_mode = DTTOIF(entry->d_type);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
                look_at_dots(listing, entry->d_name, &found->st);
                return 0;
        }
        if (!listing->plus && !store_name_is_side(entry->d_name) && entry->d_type != DT_DIR &&
            entry->d_type != DT_UNKNOWN)
                return 0;
        r = attr_glance(fs, listing->node, listing->handle->fd, entry->d_name, found);
        if (r == 0 && !found->elsewhere)
                return found->kind == NODE_SIDE ? -ENOENT : 0;
        /* Gone or hidden; but a name whose file only cannot be looked at stays (promise P5). */
        if (r == -ENOENT)
                return r;
        found->kind = NODE_DATABASE;
        /* The root of a mount: no listing waits for it, LOOKUP does. */
        if (r == 0 && inode_is_known(&fs->inodes, found->st.st_dev))
                return 0;
        found->st.st_dev = listing->node->dev;
        found->st.st_ino = entry->d_ino;
        found->st.st_mode = DTTOIF(entry->d_type);
        return 0;
}

/* Adds an entry. 0, 1 when the buffer is full, or -errno. */
static int add_entry(struct listing *listing, const struct dirent *entry, const struct attr_found *found) {
        struct fs *fs = listing->fs;
        char *at = listing->buffer + listing->used;
        size_t room = listing->size - listing->used, size;
        struct fuse_entry_param param = { .attr = found->st };
        const char *name = entry->d_name;
        bool dots = name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
        int r;

        if (listing->plus)
                size = fuse_add_direntry_plus(listing->req, NULL, 0, name, NULL, 0);
        else
                size = fuse_add_direntry(listing->req, NULL, 0, name, NULL, 0);
        if (size > room)
                return 1;
        param.attr.st_ino = inode_number(&fs->inodes, found->st.st_dev, found->st.st_ino);
        if (listing->plus && !dots && found->kind == NODE_SHARED) {
                r = attr_enter(fs, listing->req, listing->node, name, found, &param);
                /* A directory that cannot be entered is still listed; LOOKUP says why. */
                if (r < 0 && r != -ELOOP)
                        return r;
        }
        /* What may soon be gone is looked up again. */
        if (param.entry_timeout < FS_TIMEOUT)
                param.entry_timeout = 0;
        if (listing->plus)
                fuse_add_direntry_plus(listing->req, at, room, name, &param, entry->d_off);
        else
                fuse_add_direntry(listing->req, at, room, name, &param.attr, entry->d_off);
        listing->used += size;
        return 0;
}

/* Fills the buffer. 0 or -errno; an error after the first entry waits for the next call. */
static int list(struct listing *listing, off_t offset) {
        struct handle *handle = listing->handle;

        mutex_assert_none_held();
        if (offset != handle->offset) {
                seekdir(handle->dir, offset);
                handle->entry = NULL;
                handle->offset = offset;
        }
        for (;;) {
                struct attr_found found;
                int r = 0;

                if (!handle->entry) {
                        errno = 0;
                        handle->entry = readdir(handle->dir);
                        if (!handle->entry)
                                return listing->used > 0 ? 0 : -errno;
                }
                if (look_at_entry(listing, handle->entry, &found) == 0)
                        r = add_entry(listing, handle->entry, &found);
                if (r != 0)
                        return r > 0 || listing->used > 0 ? 0 : r;
                handle->offset = handle->entry->d_off;
                handle->entry = NULL;
        }
}

/* An empty directory. */
static int list_nothing(struct listing *listing, off_t offset) {
        static const char *const dots[] = { ".", ".." };

        for (off_t i = offset < 0 ? 0 : offset; i < (off_t)ARRAY_SIZE(dots); i++) {
                struct attr_found found = { .kind = NODE_SHARED };
                struct dirent entry = { .d_off = i + 1 };

                strcpy(entry.d_name, dots[i]);
                look_at_dots(listing, dots[i], &found.st);
                if (add_entry(listing, &entry, &found) != 0)
                        break;
        }
        return 0;
}

static void serve(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi,
                  bool plus) {
        struct fs *fs = fs_of(req);
        struct handle *handle = handle_use(fi);
        struct listing listing = {
                .fs = fs, .req = req, .node = fs_node(fs, ino), .handle = handle, .plus = plus, .size = size
        };
        int r;

        listing.buffer = malloc(size);
        if (!listing.buffer)
                r = -ENOMEM;
        else
                r = handle->dir ? list(&listing, offset) : list_nothing(&listing, offset);
        handle_unref(fs, handle);
        if (r < 0) {
                fs_reply(req, r);
        } else {
                mutex_assert_none_held();
                fuse_reply_buf(req, listing.buffer, listing.used);
        }
        free(listing.buffer);
}

void dir_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi) {
        serve(req, ino, size, offset, fi, false);
}

void dir_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *fi) {
        serve(req, ino, size, offset, fi, true);
}
