/*
 * The cache of directory descriptors.
 *
 * Invariants: node->dirfd is the one dirfd of that node that the cache lists, or that is pinned, or NULL;
 * such a dirfd holds a reference to its node, so nodes need not know of this cache when they die. Descriptors
 * are closed and nodes are given back with no mutex held.
 */
#include "fs/dirfd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "fs/look.h"

/* How long an unused descriptor may keep a nested file system busy. */
#define IDLE_NS UINT64_C(2000000000)

static struct dirfd *dirfd_new(struct dirfd_cache *cache, struct node *node, int fd) {
        struct dirfd *dirfd = calloc(1, sizeof(*dirfd));

        if (!dirfd)
                return NULL;
        dirfd->fd = fd;
        dirfd->refs = 1;
        dirfd->node = node_ref(cache->nodes, node);
        list_init(&dirfd->lru);
        return dirfd;
}

static void dirfd_free(struct dirfd_cache *cache, struct dirfd *dirfd) {
        mutex_assert_none_held();
        base_closep(&dirfd->fd);
        node_unref(cache->nodes, dirfd->node);
        free(dirfd);
}

static bool is_nested(const struct dirfd_cache *cache, const struct dirfd *dirfd) {
        return dirfd->node->mount != cache->root->node->mount || dirfd->node->dev != cache->root->node->dev;
}

/* Takes one out of the cache; the cache's reference is then the caller's. */
static void unlist_locked(struct dirfd_cache *cache, struct dirfd *dirfd) {
        mutex_assert_held(&cache->mutex);
        list_remove(&dirfd->lru);
        dirfd->node->dirfd = NULL;
        cache->count--;
        if (is_nested(cache, dirfd))
                cache->nested--;
}

static struct dirfd *oldest_locked(struct dirfd_cache *cache) {
        return list_empty(&cache->lru) ? NULL : container_of(cache->lru.next, struct dirfd, lru);
}

/* Unlists one that keeps a nested file system busy without having been used lately. NULL if there is none. */
static struct dirfd *take_idle_locked(struct dirfd_cache *cache) {
        uint64_t now = base_now_ns();

        if (cache->nested == 0)
                return NULL;
        for (struct list *link = cache->lru.next; link != &cache->lru; link = link->next) {
                struct dirfd *dirfd = container_of(link, struct dirfd, lru);

                if (now - dirfd->used_ns < IDLE_NS)
                        return NULL;
                if (is_nested(cache, dirfd)) {
                        unlist_locked(cache, dirfd);
                        return dirfd;
                }
        }
        return NULL;
}

/* A thread of its own, since no request may come for hours: it sleeps while nothing nested is cached. */
static void *reap(void *userdata) {
        struct dirfd_cache *cache = userdata;

        mutex_lock(&cache->mutex);
        while (!cache->ending) {
                struct dirfd *idle = take_idle_locked(cache);

                if (idle) {
                        mutex_unlock(&cache->mutex);
                        dirfd_unref(cache, idle);
                        mutex_lock(&cache->mutex);
                } else {
                        mutex_wait(&cache->mutex, &cache->changed,
                                   cache->nested > 0 ? base_now_ns() + IDLE_NS / 2 : 0);
                }
        }
        mutex_unlock(&cache->mutex);
        return NULL;
}

/* Signals are for the thread that waits for the session. */
static int start_reaper(struct dirfd_cache *cache) {
        sigset_t all, old;
        int r;

        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &old);
        r = pthread_create(&cache->reaper, NULL, reap, cache);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        return -r;
}

int dirfd_cache_init(struct dirfd_cache *cache, struct node_table *nodes, int root_fd, unsigned limit) {
        int r;

        *cache = (struct dirfd_cache){ .nodes = nodes, .limit = limit };
        list_init(&cache->lru);
        cache->root = dirfd_new(cache, nodes->root, root_fd);
        if (!cache->root)
                return -ENOMEM;
        nodes->root->dirfd = cache->root;
        mutex_init(&cache->mutex, MUTEX_RANK_DIRS);
        mutex_cond_init(&cache->changed);
        r = start_reaper(cache);
        if (r < 0) {
                cache->root->fd = -1;
                dirfd_unref(cache, cache->root);
                pthread_cond_destroy(&cache->changed);
                mutex_deinit(&cache->mutex);
        }
        return r;
}

void dirfd_cache_deinit(struct dirfd_cache *cache) {
        struct dirfd *dirfd;

        mutex_lock(&cache->mutex);
        cache->ending = true;
        pthread_cond_signal(&cache->changed);
        mutex_unlock(&cache->mutex);
        pthread_join(cache->reaper, NULL);
        do {
                mutex_lock(&cache->mutex);
                dirfd = oldest_locked(cache);
                if (dirfd)
                        unlist_locked(cache, dirfd);
                mutex_unlock(&cache->mutex);
                dirfd_unref(cache, dirfd);
        } while (dirfd);
        dirfd_unref(cache, cache->root);
        pthread_cond_destroy(&cache->changed);
        mutex_deinit(&cache->mutex);
}

struct dirfd *dirfd_peek(struct dirfd_cache *cache, struct node *dir) {
        MUTEX_SCOPE(&cache->mutex);
        struct dirfd *dirfd = dir->dirfd;

        if (!dirfd)
                return NULL;
        dirfd->refs++;
        if (dirfd != cache->root && dirfd->pins == 0) {
                dirfd->used_ns = base_now_ns();
                list_remove(&dirfd->lru);
                list_append(&cache->lru, &dirfd->lru);
        }
        return dirfd;
}

struct dirfd *dirfd_unref(struct dirfd_cache *cache, struct dirfd *dirfd) {
        bool last;

        if (!dirfd)
                return NULL;
        mutex_lock(&cache->mutex);
        last = --dirfd->refs == 0;
        mutex_unlock(&cache->mutex);
        if (last)
                dirfd_free(cache, dirfd);
        return NULL;
}

/* Puts one into the list. Returns another one that has to go for it, with the cache's reference, or NULL. */
static struct dirfd *enlist_locked(struct dirfd_cache *cache, struct dirfd *dirfd) {
        struct dirfd *evicted = NULL;

        dirfd->used_ns = base_now_ns();
        list_append(&cache->lru, &dirfd->lru);
        if (is_nested(cache, dirfd) && ++cache->nested == 1)
                pthread_cond_signal(&cache->changed);
        if (++cache->count > cache->limit) {
                evicted = oldest_locked(cache);
                unlist_locked(cache, evicted);
        }
        return evicted;
}

struct dirfd *dirfd_pin(struct dirfd_cache *cache, struct dirfd *dirfd) {
        struct node *node = dirfd->node;

        if (dirfd == cache->root)
                return NULL;
        MUTEX_SCOPE(&cache->mutex);
        if (!node->dirfd) {
                dirfd->refs++;
                node->dirfd = dirfd;
        } else if (node->dirfd->pins == 0) {
                dirfd = node->dirfd;
                unlist_locked(cache, dirfd);
                node->dirfd = dirfd;
        }
        node->dirfd->pins++;
        return node->dirfd;
}

void dirfd_unpin(struct dirfd_cache *cache, struct dirfd *dirfd) {
        struct dirfd *evicted = NULL;

        if (!dirfd)
                return;
        mutex_lock(&cache->mutex);
        if (--dirfd->pins == 0)
                evicted = enlist_locked(cache, dirfd);
        mutex_unlock(&cache->mutex);
        dirfd_unref(cache, evicted);
}

/* Lists a new dirfd, unless another thread was first: then that one is used. Returns what to use. */
static struct dirfd *publish(struct dirfd_cache *cache, struct dirfd *fresh) {
        struct dirfd *first, *evicted = NULL;

        mutex_lock(&cache->mutex);
        first = fresh->node->dirfd;
        if (first) {
                first->refs++;
        } else {
                fresh->node->dirfd = fresh;
                fresh->refs++;
                evicted = enlist_locked(cache, fresh);
        }
        mutex_unlock(&cache->mutex);
        dirfd_unref(cache, evicted);
        if (!first)
                return fresh;
        dirfd_unref(cache, fresh);
        return first;
}

/* Opens name in parent and checks that it is dir. */
static int open_child(struct dirfd_cache *cache, struct dirfd *parent, const char *name, struct node *dir,
                      struct dirfd **out) {
        _cleanup_(base_closep) int fd = -1;
        struct dirfd *fresh;
        struct look look;
        int r;

        mutex_assert_none_held();
        fd = openat(parent->fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
                return -ESTALE;
        if (fd < 0)
                return -errno;
        /* Something else may be mounted there by now. */
        r = look_at(fd, "", &look);
        if (r < 0)
                return r;
        if (look.st.st_dev != dir->dev || look.st.st_ino != dir->ino)
                return -ESTALE;
        fresh = dirfd_new(cache, dir, fd);
        if (!fresh)
                return -ENOMEM;
        base_steal_fd(&fd);
        *out = publish(cache, fresh);
        return 0;
}

/* The directories between one that has a descriptor and the one that is wanted, the latter first. */
struct trail {
        struct step {
                struct node *node; /* a reference */
                char *name;
        } * steps;
        size_t count, room;
};

static int trail_add(struct trail *trail, struct node_table *nodes, struct node *node, struct node **parent) {
        _cleanup_(base_freep) struct node_place *place = malloc(sizeof(*place));
        char *name;

        if (trail->count == trail->room) {
                size_t room = trail->room ? 2 * trail->room : 16;
                struct step *steps = realloc(trail->steps, room * sizeof(*steps));

                if (!steps)
                        return -ENOMEM;
                trail->steps = steps;
                trail->room = room;
        }
        if (!place)
                return -ENOMEM;
        node_place(nodes, node, place);
        name = strdup(place->name);
        if (!name) {
                node_unref(nodes, place->parent);
                return -ENOMEM;
        }
        trail->steps[trail->count++] = (struct step){ .node = node_ref(nodes, node), .name = name };
        *parent = place->parent;
        return 0;
}

static void trail_deinit(struct trail *trail, struct node_table *nodes) {
        while (trail->count > 0) {
                struct step *step = &trail->steps[--trail->count];

                node_unref(nodes, step->node);
                free(step->name);
        }
        free(trail->steps);
}

int dirfd_get(struct dirfd_cache *cache, struct node *dir, struct dirfd **out) {
        struct dirfd *at = dirfd_peek(cache, dir);
        struct node *up = NULL;
        struct trail trail = { .count = 0 };
        int r = 0;

        /* Up to the nearest ancestor with a descriptor; the root at the latest. */
        while (!at && r == 0) {
                struct node *parent = NULL;

                r = trail_add(&trail, cache->nodes, up ? up : dir, &parent);
                if (up)
                        node_unref(cache->nodes, up);
                up = parent;
                if (up)
                        at = dirfd_peek(cache, up);
        }
        if (up)
                node_unref(cache->nodes, up);
        /* And down again. */
        for (size_t i = trail.count; i > 0 && r == 0; i--) {
                struct dirfd *child = NULL;

                r = open_child(cache, at, trail.steps[i - 1].name, trail.steps[i - 1].node, &child);
                dirfd_unref(cache, at);
                at = child;
        }
        trail_deinit(&trail, cache->nodes);
        if (r < 0)
                return r;
        *out = at;
        return 0;
}
