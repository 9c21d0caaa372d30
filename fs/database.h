/* Database nodes: binding one to a snapshot at OPEN, and the requests that wait for that. */
#pragma once

#include "fs/fs.h"

struct binding;

/*
 * What a database node has beyond the others; under nodes.mutex. While handles of a snapshot are open the
 * node is bound: snapshot and frozen are set, and nothing that is said of the node changes. Otherwise it
 * shows what its name stands for.
 */
struct database {
        struct snapshot *snapshot; /* a reference while bound */
        struct backing *backing;   /* the same, if the kernel reads the snapshot by itself, else NULL */
        unsigned opens;            /* handles of the snapshot */
        bool used;                 /* had handles before: the kernel may hold pages and attributes */
        struct stat frozen;
        struct binding *binding; /* the one open whose outcome will bind the node, or NULL */
        struct list *ordinary;   /* handles from a time when the file was no database: file.c's ring */
};

/* Whether no OPEN has come for the node, or all that came are over: what it will show is not older than a
 * LOOKUP that finds it. */
static inline bool database_is_unopened_locked(const struct database *database) {
        return !database->binding && !database->snapshot && !database->ordinary;
}

struct database *database_new(void);
struct database *database_free(struct database *database);

/* Replies to an open of the node, now or later, without holding a thread meanwhile. */
void database_open(struct fs *fs, fuse_req_t req, struct node *node, struct fuse_file_info *fi);
/*
 * The attributes of a node with open handles and for how long they hold. 0, -ENODATA when none are open, or
 * another -errno.
 */
int database_stat(struct fs *fs, struct node *node, struct stat *st, double *timeout);
/* The snapshot that the node is bound to, with a reference, or NULL. */
struct snapshot *database_snapshot(struct fs *fs, struct node *node);
/* A handle of the node's snapshot is gone. After the last the node is no longer bound. No mutex held. */
void database_closed(struct fs *fs, struct node *node);
