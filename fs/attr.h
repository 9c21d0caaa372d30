/* LOOKUP, FORGET, GETATTR, READLINK, STATFS: what a name is and what lstat says of it. */
#pragma once

#include "fs/fs.h"

/* What a name in a directory is. */
struct attr_found {
        struct stat st; /* as the mount shows it, but for st_ino and st_dev, which are the source's */
        enum node_kind kind;
        bool unknown;   /* a regular file that cannot be read far enough to tell what it is, or not now */
        bool elsewhere; /* on a file system that this thread may not wait for: st says no more than look_at()
                         */
        uint32_t mount; /* look_at()'s */
        uint32_t incarnation; /* fs_incarnation()'s; 0 when elsewhere is set, and of a side file */
};

/*
 * Looks at name in the directory that parent is and dirfd refers to. 0, -ENOENT also for what is hidden, or
 * another -errno. A regular file that cannot be read far enough to tell what it is counts as a database,
 * whose open will say why (promise P5). Does I/O.
 */
int attr_look(struct fs *fs, struct node *parent, int dirfd, const char *name, struct attr_found *found);
/* The same, but what is found of a database is raw: for a listing, which says no more than name and type. */
int attr_glance(struct fs *fs, struct node *parent, int dirfd, const char *name, struct attr_found *found);
/* lstat of what a shared node stands for, wherever it can still be reached. 0 or -errno. */
int attr_stat(struct fs *fs, struct node *node, struct stat *st);
/*
 * Makes the node and fills *entry, to answer req. 0 or -errno; then there is no node.
 */
int attr_enter(struct fs *fs, fuse_req_t req, struct node *parent, const char *name,
               const struct attr_found *found, struct fuse_entry_param *entry);

/*
 * Asks the store what kind of file this is, with a path for the log. st: NULL for a name that does not exist.
 * enum store_kind or -errno.
 */
int attr_classify(struct fs *fs, struct node *parent, int dirfd, const char *name, const struct stat *st);

void attr_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void attr_forget(fuse_req_t req, fuse_ino_t ino, uint64_t nlookup);
void attr_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void attr_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void attr_readlink(fuse_req_t req, fuse_ino_t ino);
void attr_statfs(fuse_req_t req, fuse_ino_t ino);
