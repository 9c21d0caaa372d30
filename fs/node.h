/*
 * Nodes: what the kernel calls an inode of the mount, named by the address of its struct node (FUSE_ROOT_ID
 * for the root). There are three kinds:
 *
 *   shared    one for each file of the source, so that hard links stay hard links; everything that is not a
 *             database. A directory that is mounted at several places has one for each mount: the kernel
 *             knows a directory at one place only
 *   database  of a file and a name; what it shows is decided at its first OPEN (database.h), and a LOOKUP
 *             makes a fresh one while it is open
 *   side      one for each name of a -wal or -shm that is shown empty
 *
 * A node holds no descriptor, only a reference to its parent and the name it was last found by. A file is
 * (st_dev, st_ino) and its incarnation, since another may get that number after it.
 */
#pragma once

#include "snapshot/base.h"

#include <stdint.h>
#include <sys/stat.h>

#include "fs/list.h"

struct database;
struct dirfd;
struct dirtime;

/* The longest name that the kernel's FUSE client passes on. */
#define NODE_NAME_MAX 1024

enum node_kind {
        NODE_SHARED,
        NODE_DATABASE,
        NODE_SIDE,
};

/*
 * Rules:
 *  1. nodes->mutex guards everything here but the members named in 2; dev, ino, mount, incarnation,
 *     generation, type and kind never change.
 *  2. dirfd belongs to dirfd.c and its mutex.
 *  3. A node lives while the kernel knows it (nlookup) or somebody holds a reference: a child, an open
 * handle, a waiting open, a cached descriptor. During a request the kernel holds on to the node that the
 * request names.
 *  4. Following parent from any node ends at the root: node_lookup() refuses what would close a ring.
 */
struct node {
        struct node *chain;
        struct node *parent; /* a reference; NULL at the root */
        char *name;          /* name_inline, or memory of its own after a rename to a longer one */
        dev_t dev;
        ino_t ino;
        uint64_t nlookup;
        union {
                struct {                       /* shared, a directory: */
                        struct dirfd *dirfd;   /* its cached descriptor or NULL */
                        struct dirtime *times; /* never NULL */
                };
                struct list *handles;      /* shared, a regular file: one of its open handles or NULL */
                struct database *database; /* database: never NULL */
        };
        uint32_t refs;
        uint32_t mount; /* of a directory: struct look's; else 0 */
        uint32_t incarnation;
        uint32_t generation; /* with the address it makes a name that no other node has had */
        uid_t uid;           /* by these, as they were last told, the kernel judges who may open it */
        gid_t gid;
        uint16_t permissions; /* the same: of st_mode */
        uint16_t name_room;
        uint8_t kind;
        uint8_t type; /* S_IFMT >> 12 */
        char name_inline[];
};

/* A linear hash table: it grows by one bucket at a time, so no insertion ever waits for a rehash. */
struct node_table {
        struct mutex mutex;
        struct node **buckets;
        size_t room;  /* buckets allocated */
        size_t mask;  /* 2^n - 1 */
        size_t split; /* buckets below this one have been split to the next power of two */
        size_t count;
        uint32_t generation; /* of the node that was made last */
        struct node *root;
};

/* Where to find a node: a name in a directory. */
struct node_place {
        struct node *parent; /* a reference; the root itself for the root */
        char name[NODE_NAME_MAX + 1];
};

static inline mode_t node_type(const struct node *node) {
        return (mode_t)node->type << 12;
}

/* Makes the table and the root node from the root's attributes, mount and incarnation. 0 or -ENOMEM. */
int node_table_init(struct node_table *table, const struct stat *root, uint32_t mount, uint32_t incarnation);
/* Frees every node, whatever the kernel thinks. No other thread may be using the table. */
void node_table_deinit(struct node_table *table);

/*
 * Finds or makes the shared node of *st, found by name in parent, and counts one lookup; the kernel is about
 * to be told *st. mount: struct look's, for a directory; incarnation: see fs_incarnation(). 0, -ENOMEM, or
 * -ELOOP when the directory is its own ancestor by what the kernel has been told. Takes the table's mutex.
 */
int node_lookup(struct node_table *table, struct node *parent, const char *name, const struct stat *st,
                uint32_t mount, uint32_t incarnation, struct node **out);
/* Makes a fresh node of another kind and counts one lookup. 0 or -ENOMEM. Takes the table's mutex. */
int node_fresh(struct node_table *table, struct node *parent, const char *name, const struct stat *st,
               uint32_t incarnation, enum node_kind kind, struct node **out);
/*
 * Finds the oldest node of that place, file and kind that is not an open database, and counts one lookup; the
 * kernel is about to be told *st. What is stacked on the mount (an overlay) goes on asking for the node that
 * it has seen first. NULL: there is none. Takes the table's mutex.
 */
struct node *node_lookup_unopened(struct node_table *table, struct node *parent, const char *name,
                                  const struct stat *st, uint32_t incarnation, enum node_kind kind);
/* The kernel is about to be told *st of the node. Takes the table's mutex. */
void node_told(struct node_table *table, struct node *node, const struct stat *st);
/* Whether what the kernel was told of owner and permissions is what *st says. Takes the table's mutex. */
bool node_permits_like(struct node_table *table, struct node *node, const struct stat *st);
/* The kernel gives n lookups back. Takes the table's mutex. */
void node_forget(struct node_table *table, struct node *node, uint64_t n);

struct node *node_ref_locked(struct node_table *table, struct node *node);
struct node *node_ref(struct node_table *table, struct node *node);
/* Both return NULL. */
struct node *node_unref_locked(struct node_table *table, struct node *node);
struct node *node_unref(struct node_table *table, struct node *node);

/* Fills *place; give its parent back with node_unref(). Takes the table's mutex. */
void node_place(struct node_table *table, struct node *node, struct node_place *place);
/*
 * Writes base and the path of name in the directory dir (or of dir itself when name is NULL) to buffer, for
 * the log; a path that does not fit loses its beginning. Returns where in buffer the string starts. Takes the
 * table's mutex.
 */
const char *node_path(struct node_table *table, const char *base, struct node *dir, const char *name,
                      char *buffer, size_t size);
/* Calls fn with every node, under the table's mutex. */
void node_each(struct node_table *table, void (*fn)(struct node *node, void *userdata), void *userdata);
