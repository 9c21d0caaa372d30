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
#include "fs/node.h"
#include "fs/passthrough.h"
#include "snapshot/store.h"

/* How long the kernel may believe what it was told of anything that is not a database, in seconds. */
#define FS_TIMEOUT 1.0
/* The same for what never changes again. */
#define FS_FOREVER 86400.0

/* The longest path that goes to the log. */
#define FS_PATH_MAX 4096

struct fs {
        const char *source;   /* how to call the root in the log */
        bool one_file_system; /* what is mounted inside the source is shown as empty directories */
        dev_t own_dev;        /* of the mount itself; 0 until there is one */
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
        struct habits habits;
        /* Under nodes.mutex: */
        struct list handles;  /* every open file and directory */
        bool closing;         /* the session loop has ended */
        unsigned answering;   /* answers of the store's that are being worked on */
        pthread_cond_t bound; /* signalled when that falls to 0 while closing */

        void (*ready)(void); /* called once, when the kernel asks its first question */
};

/*
 * Takes root_fd, an O_PATH descriptor of the source; store and source are borrowed. dirs: how many directory
 * descriptors to keep. 0 or -errno.
 */
int fs_init(struct fs *fs, const char *source, int root_fd, struct store *store, unsigned dirs);
/* After the session loop: gives every snapshot back, so that the store can be freed and answer what still
 * waits. */
void fs_close(struct fs *fs);
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

/* A place (node.h) with a descriptor of its directory. Over 1 KiB: one to a stack frame. */
struct fs_at {
        struct dirfd *dir;
        struct node_place place;
};

/* Finds the directory and name of a node. 0 with *at to be given back, or -errno (then there is nothing to
 * do). */
int fs_at_init(struct fs *fs, struct node *node, struct fs_at *at);
void fs_at_deinit(struct fs *fs, struct fs_at *at);

/* Whether *st is of the file that a shared node stands for: 0 or -ESTALE. */
int fs_same_file(const struct node *node, const struct stat *st);
/* What a failed lookup of a name by which a file was known once means: it is gone from there. */
int fs_gone(int r);

/*
 * Opens the file of a shared node, of whatever type, as an O_PATH descriptor that is certainly it; of a
 * database node the regular file that has its name now. Descriptor or -errno, -ESTALE when it is not found
 * where it was.
 */
int fs_open_path(struct fs *fs, struct node *node, struct stat *st);
