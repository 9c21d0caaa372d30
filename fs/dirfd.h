/*
 * Descriptors of directories: every file of the source is reached by its name in an O_PATH descriptor of its
 * directory, so no path is ever too long and no component is ever followed. A bounded number of descriptors
 * is kept, the least recently used go first; the root's is always there, and so are those of directories that
 * are open, which stay themselves when they lose their name. Of mounts inside the source none is kept idle,
 * so that these can be unmounted.
 */
#pragma once

#include "fs/node.h"

/* References: the cache's own while listed, and one for each user; the descriptor is closed with the last. */
struct dirfd {
        int fd;
        unsigned refs;
        unsigned pins;     /* open handles of the directory */
        struct node *node; /* a reference */
        struct list lru;   /* while there are no pins */
        uint64_t used_ns;  /* on base_now_ns()'s clock */
};

struct dirfd_cache {
        struct mutex mutex; /* guards all the members, refs and lru of each dirfd, and node->dirfd */
        struct node_table *nodes;
        struct list lru; /* the oldest first; the root's descriptor is not in it */
        unsigned count;
        unsigned nested; /* how many of these are of other mounts than the root */
        unsigned limit;
        struct dirfd *root;
        bool ending;
        pthread_cond_t changed; /* nested is no longer 0, or ending is set */
        pthread_t reaper;
};

/* Takes root_fd, an O_PATH descriptor of the root. limit: how many more to keep. Starts a
 * thread. 0 or -errno; root_fd is the caller's then. */
int dirfd_cache_init(struct dirfd_cache *cache, struct node_table *nodes, int root_fd, unsigned limit);
/* Every reference must have been given back. */
void dirfd_cache_deinit(struct dirfd_cache *cache);

/*
 * A descriptor of the directory, opened component by component from the nearest ancestor that has one. Checks
 * that each is the directory (dev, ino) that the node stands for. 0 with a reference in *out, -ESTALE when
 * the tree has changed under us, or another -errno. Takes both mutexes, does I/O.
 */
int dirfd_get(struct dirfd_cache *cache, struct node *dir, struct dirfd **out);
/*
 * Keeps the directory's descriptor, of which the caller has a reference, until dirfd_unpin(). Returns what is
 * to be given to that: another one, where another thread was first.
 */
struct dirfd *dirfd_pin(struct dirfd_cache *cache, struct dirfd *dirfd);
/* dirfd may be NULL. */
void dirfd_unpin(struct dirfd_cache *cache, struct dirfd *dirfd);
/* The cached descriptor with a reference, or NULL. */
struct dirfd *dirfd_peek(struct dirfd_cache *cache, struct node *dir);
/* Returns NULL. */
struct dirfd *dirfd_unref(struct dirfd_cache *cache, struct dirfd *dirfd);
