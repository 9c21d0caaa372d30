/* What the kernel holds for an open file or directory. */
#pragma once

#include <dirent.h>
#include <stdatomic.h>

#include "fs/dirtime.h"
#include "fs/fs.h"

/*
 * An open file or directory. Rules: all and sibling are guarded by nodes.mutex; the rest is set before
 * anybody else can see the handle, but for a directory's, which the kernel uses one request at a time.
 */
struct handle {
        struct list all;         /* fs->handles */
        struct list sibling;     /* the open handles of one ordinary file: a ring without a head */
        struct node *node;       /* a reference */
        atomic_uint refs;        /* one for the open, one for each request that uses it */
        int fd;                  /* the file's own, the snapshot's (borrowed), or -1 for an empty companion */
        bool guarded;            /* see read_guarded() */
        bool pseudo;             /* see pseudo.h: reads go past the kernel's page cache */
        struct backing *backing; /* a reference when the kernel reads by itself, else NULL */
        struct snapshot *snapshot; /* a reference, for a database */
        uid_t uid;                 /* whose it is, */
        bool charged;              /* once it is counted: under nodes.mutex */
        bool uncached;             /* its reads go past the kernel's page cache */
        struct habit_reads reads;  /* while uncached */
        DIR *dir;                  /* owns fd, for a directory */
        struct dirfd *pinned;      /* its descriptor in the cache; NULL for the root */
        struct dirtime_open times; /* under nodes.mutex, for a directory */
        struct dirent *entry;      /* read from dir, but not passed on yet */
        off_t offset;              /* where dir stands */
};

/*
 * Makes a handle on node with one reference and lists it. What is set in *init is taken over (fd, backing,
 * snapshot and dir belong to the handle from here on); without memory it is given back and the result is
 * NULL.
 */
struct handle *handle_new(struct fs *fs, struct node *node, const struct handle *init);
/*
 * Counts the handle, which is about to be given to that user. 0; -ENFILE: that would leave too few
 * descriptors for others. No mutex held.
 */
int handle_charge(struct fs *fs, struct handle *handle, uid_t uid);
/* Takes the handle off all lists and gives the open's reference back. No mutex held. */
void handle_close(struct fs *fs, struct handle *handle);
/*
 * A reference for the time of a request, which names an open handle. The kernel sends RELEASE only after its
 * answer, but this is what says so to whoever reads the code, tools included.
 */
struct handle *handle_use(const struct fuse_file_info *fi);
/* A reference to some open handle of an ordinary file, or NULL. */
struct handle *handle_of_node(struct fs *fs, struct node *node);
void handle_unref(struct fs *fs, struct handle *handle);

static inline struct handle *handle_of(const struct fuse_file_info *fi) {
        return (struct handle *)(uintptr_t)fi->fh;
}
