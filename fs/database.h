/* Database nodes: binding one to a snapshot at OPEN, and the requests that wait for that. */
#pragma once

#include "fs/fs.h"

struct binding;

/*
 * What a database node has beyond the others; under nodes.mutex. While handles of a snapshot are open the
 * node is bound: snapshot and frozen are set, and nothing that is said of the node changes but who may open
 * it. Otherwise it shows what its name stands for, as long as that is the same file.
 */
struct database {
        struct snapshot *snapshot; /* a reference while bound */
        struct backing *backing;   /* the same, if the kernel reads the snapshot by itself, else NULL */
        unsigned opens;            /* handles of the snapshot */
        bool used;                 /* had handles before: the kernel may hold pages and attributes */
        bool acl;                  /* the kernel was told of an ACL */
        bool may_follow;           /* see database_may_open() */
        uint64_t looked_ns;        /* when the name was last looked up, on base_now_ns()'s clock */
        dev_t dev;                 /* of the file: the node's own, or that of the one that replaced it, */
        ino_t ino;                 /* see database_may_open() */
        struct stat frozen;
        struct binding *binding; /* the one open whose outcome will bind the node, or NULL */
        struct list *ordinary;   /* handles from a time when the file was no database: file.c's ring */
};

/* Whether no OPEN has come for the node, or all that came are over: what it will show is not older than a
 * LOOKUP that finds it. */
static inline bool database_is_unopened_locked(const struct database *database) {
        return !database->binding && !database->snapshot && !database->ordinary;
}

struct database *database_new(const struct stat *st);
struct database *database_free(struct database *database);

/* A LOOKUP has found the node. */
static inline void database_looked_up_locked(struct database *database) {
        database->looked_ns = base_now_ns();
}
/* The first OPEN has come for the node, or the first after it was bound. */
void database_asked_locked(struct database *database);
/* Whether *st is of the node's file. */
static inline bool database_is_of_locked(const struct database *database, const struct stat *st) {
        return database->dev == st->st_dev && database->ino == st->st_ino;
}
/* The same. Takes nodes.mutex. */
bool database_is_of(struct fs *fs, struct node *node, const struct stat *st);
/* The kernel is told of an ACL of the file. Takes nodes.mutex. */
void database_has_acl(struct fs *fs, struct node *node);
/*
 * Whether the file of *st may be opened for those whom the kernel let open the node: 0, -EAGAIN when it has
 * been replaced meanwhile, else -ESTALE. Does I/O.
 */
int database_may_open(struct fs *fs, struct node *node, const struct stat *st);

/* Replies to an open of the node, now or later, without holding a thread meanwhile. */
void database_open(struct fs *fs, fuse_req_t req, struct node *node, struct fuse_file_info *fi);
/* The attributes of a node with open handles; owner and permissions are the source's of now. 0, -ENODATA when
 * none are open, or another -errno. Does I/O. */
int database_stat(struct fs *fs, struct node *node, struct stat *st);
/* The snapshot that the node is bound to, with a reference, or NULL. */
struct snapshot *database_snapshot(struct fs *fs, struct node *node);
/* A handle of the node's snapshot is gone. After the last the node is no longer bound. No mutex held. */
void database_closed(struct fs *fs, struct node *node);
