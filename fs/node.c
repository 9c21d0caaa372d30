/*
 * The table of nodes.
 *
 * Invariants: every live node but the root is in exactly one bucket. A node's references count its children,
 * so a parent outlives them. nlookup moves only under the mutex, so a FORGET that crosses a LOOKUP of the
 * same file leaves the count that the kernel has.
 */
#include "fs/node.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "fs/database.h"
#include "fs/dirtime.h"
#include "fs/mix.h"

#define BUCKETS_MIN 1024

static uint64_t hash_key(dev_t dev, ino_t ino) {
        return mix_number(mix_number(dev) ^ ino);
}

static uint64_t hash_node(const struct node *node) {
        return hash_key(node->dev, node->ino);
}

static struct node **bucket_of_locked(struct node_table *table, uint64_t hash) {
        size_t i = hash & table->mask;

        if (i < table->split)
                i = hash & (2 * table->mask + 1);
        return &table->buckets[i];
}

/* Splits one bucket. Without memory the table stays as it is, and chains get longer. */
static void grow_locked(struct node_table *table) {
        size_t n = table->mask + 1 + table->split;
        struct node *chain;

        if (n == table->room) {
                struct node **buckets = realloc(table->buckets, 2 * table->room * sizeof(*buckets));

                if (!buckets)
                        return;
                table->buckets = buckets;
                table->room *= 2;
        }
        chain = table->buckets[table->split];
        table->buckets[table->split] = NULL;
        table->buckets[n] = NULL;
        if (++table->split == table->mask + 1) {
                table->mask = 2 * table->mask + 1;
                table->split = 0;
        }
        while (chain) {
                struct node *node = chain;
                struct node **bucket = bucket_of_locked(table, hash_node(node));

                chain = node->chain;
                node->chain = *bucket;
                *bucket = node;
        }
}

static void insert_locked(struct node_table *table, struct node *node) {
        struct node **bucket = bucket_of_locked(table, hash_node(node));

        node->generation = ++table->generation;
        node->chain = *bucket;
        *bucket = node;
        if (++table->count > table->mask + 1 + table->split)
                grow_locked(table);
}

static void remove_locked(struct node_table *table, struct node *node) {
        struct node **at = bucket_of_locked(table, hash_node(node));

        while (*at != node)
                at = &(*at)->chain;
        *at = node->chain;
        table->count--;
}

static bool is_file(const struct node *node, const struct stat *st, uint32_t incarnation) {
        return node->dev == st->st_dev && node->ino == st->st_ino &&
               node_type(node) == (st->st_mode & S_IFMT) && node->incarnation == incarnation;
}

static struct node *find_locked(struct node_table *table, const struct stat *st, uint32_t mount,
                                uint32_t incarnation) {
        struct node *node = *bucket_of_locked(table, hash_key(st->st_dev, st->st_ino)), *root = table->root;

        /* While it is held nothing else gets its number. */
        if (is_file(root, st, root->incarnation) && root->mount == mount)
                return root;
        while (node && (node->kind != NODE_SHARED || !is_file(node, st, incarnation) || node->mount != mount))
                node = node->chain;
        return node;
}

static void told_locked(struct node *node, const struct stat *st) {
        node->uid = st->st_uid;
        node->gid = st->st_gid;
        node->permissions = st->st_mode & ALLPERMS;
}

static struct node *node_new(const char *name, const struct stat *st, enum node_kind kind) {
        size_t room = strlen(name) + 1;
        struct node *node = calloc(1, sizeof(*node) + room);

        if (!node)
                return NULL;
        memcpy(node->name_inline, name, room);
        node->name = node->name_inline;
        node->name_room = (uint16_t)room;
        node->dev = st->st_dev;
        node->ino = st->st_ino;
        node->kind = (uint8_t)kind;
        node->type = (uint8_t)((st->st_mode & S_IFMT) >> 12);
        told_locked(node, st);
        if (kind == NODE_SHARED && S_ISDIR(st->st_mode)) {
                node->times = calloc(1, sizeof(*node->times));
                if (!node->times) {
                        free(node);
                        return NULL;
                }
                dirtime_init(node->times);
        }
        return node;
}

static struct node *node_free(struct node *node) {
        if (node->kind == NODE_DATABASE)
                database_free(node->database);
        else if (node->kind == NODE_SHARED && node_type(node) == S_IFDIR)
                free(node->times);
        if (node->name != node->name_inline)
                free(node->name);
        free(node);
        return NULL;
}

int node_table_init(struct node_table *table, const struct stat *root, uint32_t mount, uint32_t incarnation) {
        *table = (struct node_table){ .room = BUCKETS_MIN, .mask = BUCKETS_MIN - 1 };
        table->buckets = calloc(BUCKETS_MIN, sizeof(*table->buckets));
        table->root = node_new("", root, NODE_SHARED);
        if (!table->buckets || !table->root) {
                free(table->buckets);
                if (table->root)
                        node_free(table->root);
                return -ENOMEM;
        }
        table->root->refs = 1;
        table->root->mount = mount;
        table->root->incarnation = incarnation;
        /* An old mount's nodes may have had the same addresses. */
        if (getrandom(&table->generation, sizeof(table->generation), GRND_NONBLOCK) < 0)
                table->generation = (uint32_t)base_now_ns();
        mutex_init(&table->mutex, MUTEX_RANK_NODES);
        return 0;
}

void node_table_deinit(struct node_table *table) {
        for (size_t i = 0; i < table->mask + 1 + table->split; i++) {
                while (table->buckets[i]) {
                        struct node *node = table->buckets[i];

                        table->buckets[i] = node->chain;
                        node_free(node);
                }
        }
        free(table->buckets);
        node_free(table->root);
        mutex_deinit(&table->mutex);
}

struct node *node_ref_locked(struct node_table *table, struct node *node) {
        mutex_assert_held(&table->mutex);
        node->refs++;
        return node;
}

struct node *node_ref(struct node_table *table, struct node *node) {
        MUTEX_SCOPE(&table->mutex);
        return node_ref_locked(table, node);
}

/* Frees node if nothing needs it, then its parent if that was the last child, and so on up. */
static void reap_locked(struct node_table *table, struct node *node) {
        while (node && node->refs == 0 && node->nlookup == 0) {
                struct node *parent = node->parent;

                remove_locked(table, node);
                node_free(node);
                if (parent)
                        parent->refs--;
                node = parent;
        }
}

struct node *node_unref_locked(struct node_table *table, struct node *node) {
        mutex_assert_held(&table->mutex);
        node->refs--;
        reap_locked(table, node);
        return NULL;
}

struct node *node_unref(struct node_table *table, struct node *node) {
        MUTEX_SCOPE(&table->mutex);
        return node_unref_locked(table, node);
}

void node_forget(struct node_table *table, struct node *node, uint64_t n) {
        MUTEX_SCOPE(&table->mutex);
        node->nlookup = n < node->nlookup ? node->nlookup - n : 0;
        reap_locked(table, node);
}

/*
 * Notes that the file was last found by this name. A ring of parents can only be asked for when directories
 * were moved in the source while the kernel still walks by what it remembers.
 */
static int place_locked(struct node_table *table, struct node *node, struct node *parent, const char *name) {
        size_t room = strlen(name) + 1;

        if (node->parent != parent) {
                struct node *old = node->parent;

                for (struct node *up = parent; up; up = up->parent)
                        if (up == node)
                                return -ELOOP;
                node->parent = node_ref_locked(table, parent);
                node_unref_locked(table, old);
        }
        if (strcmp(node->name, name) == 0)
                return 0;
        if (room > node->name_room) {
                char *copy = malloc(room);

                if (!copy)
                        return -ENOMEM;
                if (node->name != node->name_inline)
                        free(node->name);
                node->name = copy;
                node->name_room = (uint16_t)room;
        }
        memcpy(node->name, name, room);
        return 0;
}

int node_lookup(struct node_table *table, struct node *parent, const char *name, const struct stat *st,
                uint32_t mount, uint32_t incarnation, struct node **out) {
        MUTEX_SCOPE(&table->mutex);
        struct node *node;
        int r;

        if (!S_ISDIR(st->st_mode))
                mount = 0;
        node = find_locked(table, st, mount, incarnation);
        if (node == table->root)
                return -ELOOP;
        if (node) {
                r = place_locked(table, node, parent, name);
                if (r < 0)
                        return r;
                told_locked(node, st);
        } else {
                node = node_new(name, st, NODE_SHARED);
                if (!node)
                        return -ENOMEM;
                node->mount = mount;
                node->incarnation = incarnation;
                node->parent = node_ref_locked(table, parent);
                insert_locked(table, node);
        }
        node->nlookup++;
        *out = node;
        return 0;
}

int node_fresh(struct node_table *table, struct node *parent, const char *name, const struct stat *st,
               uint32_t incarnation, enum node_kind kind, struct node **out) {
        struct node *node = node_new(name, st, kind);

        if (!node)
                return -ENOMEM;
        if (kind == NODE_DATABASE) {
                node->database = database_new(st);
                if (!node->database) {
                        free(node);
                        return -ENOMEM;
                }
        }
        node->incarnation = incarnation;
        MUTEX_SCOPE(&table->mutex);
        node->parent = node_ref_locked(table, parent);
        node->nlookup = 1;
        insert_locked(table, node);
        *out = node;
        return 0;
}

struct node *node_lookup_unopened(struct node_table *table, struct node *parent, const char *name,
                                  const struct stat *st, uint32_t incarnation, enum node_kind kind) {
        struct node *node, *oldest = NULL;

        MUTEX_SCOPE(&table->mutex);
        /* New ones are put at the head of the chain. */
        for (node = *bucket_of_locked(table, hash_key(st->st_dev, st->st_ino)); node; node = node->chain)
                if (node->kind == kind && is_file(node, st, incarnation) && node->parent == parent &&
                    strcmp(node->name, name) == 0 &&
                    (kind != NODE_DATABASE || (database_is_unopened_locked(node->database) &&
                                               database_is_of_locked(node->database, st))))
                        oldest = node;
        if (!oldest)
                return NULL;
        oldest->nlookup++;
        told_locked(oldest, st);
        if (kind == NODE_DATABASE)
                database_looked_up_locked(oldest->database);
        return oldest;
}

void node_told(struct node_table *table, struct node *node, const struct stat *st) {
        MUTEX_SCOPE(&table->mutex);
        told_locked(node, st);
}

bool node_permits_like(struct node_table *table, struct node *node, const struct stat *st) {
        MUTEX_SCOPE(&table->mutex);
        return node->uid == st->st_uid && node->gid == st->st_gid &&
               node->permissions == (st->st_mode & ALLPERMS);
}

void node_place(struct node_table *table, struct node *node, struct node_place *place) {
        MUTEX_SCOPE(&table->mutex);

        if (node == table->root)
                strcpy(place->name, ".");
        else
                strcpy(place->name, node->name);
        place->parent = node_ref_locked(table, node->parent ? node->parent : node);
}

const char *node_path(struct node_table *table, const char *base, struct node *dir, const char *name,
                      char *buffer, size_t size) {
        MUTEX_SCOPE(&table->mutex);
        char *at = buffer + size - 1;
        struct node *up = dir;

        *at = '\0';
        if (!name && up->parent) {
                name = up->name;
                up = up->parent;
        }
        for (const char *part = name; part;) {
                size_t length = strlen(part);

                if (length + 1 > (size_t)(at - buffer))
                        return at;
                at -= length;
                memcpy(at, part, length);
                if (part == base)
                        return at;
                *--at = '/';
                part = up->parent ? up->name : base;
                up = up->parent ? up->parent : up;
        }
        return base;
}

void node_each(struct node_table *table, void (*fn)(struct node *node, void *userdata), void *userdata) {
        MUTEX_SCOPE(&table->mutex);

        for (size_t i = 0; i < table->mask + 1 + table->split; i++)
                for (struct node *node = table->buckets[i]; node; node = node->chain)
                        fn(node, userdata);
}
