/* The mounted file system: what all requests share, and the helpers by which they find a file and reply. */
#pragma once

#include "fs/agreement.h"
#include "fs/buffer.h"
#include "fs/dirfd.h"
#include "fs/ending.h"
#include "fs/fuse.h"
#include "fs/habit.h"
#include "fs/inode.h"
#include "fs/lanes.h"
#include "fs/later.h"
#include "fs/lease.h"
#include "fs/node.h"
#include "fs/passthrough.h"
#include "fs/pipe.h"
#include "fs/pseudo.h"
#include "fs/refusals.h"
#include "fs/share.h"
#include "snapshot/store.h"

/* How long the kernel may believe what it was told of anything that is not a database, in seconds. */
#define FS_TIMEOUT 1.0

/* The longest path that goes to the log. */
#define FS_PATH_MAX 4096

struct fs {
        const char *source;   /* how to call the root in the log */
        dev_t own_dev;        /* of the mount itself; 0 until there is one */
        bool one_file_system; /* what is mounted inside the source is shown as empty directories */
        unsigned max_read;    /* the most that the kernel may read at a time, in bytes; 0: its own limit */
        bool own_rights;      /* nobody reads here but the one that we run as */
        bool asked;           /* the kernel's first question, INIT, has come to us */
        struct refusals *refusals;
        struct store *store;
        struct fuse_session *session;
        struct node_table nodes;
        struct dirfd_cache dirs;
        struct inode_map inodes;
        struct lanes lanes;
        struct ending ending;
        struct agreement agreement;
        struct passthrough passthrough;
        struct buffers buffers;
        struct pipes pipes;
        struct pseudo pseudo;
        struct leases leases;
        struct laters laters;
        struct habits habits;
        /* Under nodes.mutex: */
        struct list handles; /* every open file and directory */
        struct share files;  /* those of them that are files, and */
        struct share directories;
        bool closing;         /* the session loop has ended */
        unsigned answering;   /* answers of the store's that are being worked on */
        pthread_cond_t bound; /* signalled when that falls to 0 while closing */
};

/*
 * Takes root_fd, an O_PATH descriptor of the source; store and source are borrowed. dirs: how many directory
 * descriptors to keep. 0 or -errno.
 */
int fs_init(struct fs *fs, const char *source, int root_fd, struct store *store, unsigned dirs);
/* After the session loop: gives every snapshot back, so that the store can be freed and answer what still
 * waits. status: with which the process ends if that hangs. */
void fs_close(struct fs *fs, int status);
/* Whether fs_close() has begun. */
bool fs_is_closing(struct fs *fs);
/* After store_free(). */
void fs_deinit(struct fs *fs);

extern const struct fuse_lowlevel_ops fs_ops;

static inline struct fs *fs_of(fuse_req_t req) {
        return fuse_req_userdata(req);
}

static inline struct node *fs_node(struct fs *fs, fuse_ino_t ino) {
        return ino == FUSE_ROOT_ID ? fs->nodes.root : (struct node *)(uintptr_t)ino;
}

static inline fuse_ino_t fs_ino(struct fs *fs, const struct node *node) {
        return node == fs->nodes.root ? FUSE_ROOT_ID : (uintptr_t)node;
}

/* Of an empty directory that stands in the place of a mount which is not entered; no file has that device. */
#define FS_HOLLOW_DEV 0

static inline bool fs_is_hollow(const struct node *node) {
        return node->dev == FS_HOLLOW_DEV;
}

/* Replies with a negative errno, or 0. */
void fs_reply(fuse_req_t req, int r);

/* Notes that a database could not be served (-errno r), or that it was after all (0). */
void fs_note_served(struct fs *fs, struct node *node, int r);

/* A place (node.h) with a descriptor of its directory. Over 1 KiB: one to a stack frame. */
struct fs_at {
        struct dirfd *dir;
        struct node_place place;
};

/* Finds the directory and name of a node. 0 with *at to be given back, or -errno (then there is nothing to
 * do). */
int fs_at_init(struct fs *fs, struct node *node, struct fs_at *at);
void fs_at_deinit(struct fs *fs, struct fs_at *at);

/*
 * What tells the files apart that have one (st_dev, st_ino) one after the other, as far as the file system
 * can say; 0: it cannot. Of name in dirfd, or of dirfd itself when name is "". Does I/O.
 */
uint32_t fs_incarnation(int dirfd, const char *name, const struct stat *st);
/* Whether *st is of the file that a node stands for: 0 or -ESTALE. */
int fs_same_file(struct fs *fs, struct node *node, const struct stat *st);
/*
 * Whether *st is of the file whose permissions the kernel has just judged by: 0, or -ESTALE, after telling
 * the kernel to ask again. Every OPEN goes by this: who may open it the kernel has decided before. No mutex
 * held.
 */
int fs_same_permissions(struct fs *fs, struct node *node, const struct stat *st);
/* What a failed lookup of a name by which a file was known once means: it is gone from there. */
int fs_gone(int r);

/*
 * Opens the file of a node, of whatever type, as an O_PATH descriptor that is certainly it. Descriptor or
 * -errno, -ESTALE when it is not found where it was.
 */
int fs_open_path(struct fs *fs, struct node *node, struct stat *st);
