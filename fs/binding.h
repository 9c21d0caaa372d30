/* Bindings: one call of the store's on behalf of all the OPEN requests of one database node that wait for it.
 */
#pragma once

#include "fs/database.h"

/* How often an open follows a file that keeps becoming another before it gives up. */
#define BINDING_TRIES_MAX 32

struct binding {
        struct fs *fs;
        struct node *node; /* a reference */
        /* The rest is under nodes.mutex. */
        unsigned refs; /* one for each call of the store's that is to come, one for whoever works on it */
        struct list waiters;
        unsigned tries;
        struct later later;          /* while a lease stands against finding out what the file is */
        unsigned asks;               /* calls of the store's so far */
        struct store_ticket *ticket; /* of the last call, until it is cancelled */
};

/* An OPEN that waits for a binding. */
struct waiter {
        struct list link;        /* binding->waiters; under nodes.mutex */
        struct binding *binding; /* while it is queued there; under nodes.mutex */
        bool interrupted;        /* while it was not; under nodes.mutex */
        struct fs *fs;
        fuse_req_t req;
        struct fuse_file_info fi;
};

/* Makes a binding with one reference, and puts it on its node. NULL without memory. */
struct binding *binding_new_locked(struct fs *fs, struct node *node);
void binding_unref(struct binding *binding);
/*
 * Finds out what the node's name stands for now, and asks the store or answers the waiters, of which there
 * must be one already. The caller keeps its reference. Does I/O.
 */
void binding_start(struct binding *binding);
/* Takes the binding off its node; it can then no longer bind it. */
void binding_detach_locked(struct binding *binding);
/* Nobody waits for the binding any more; it has been detached. Never waits. */
void binding_cancel(struct binding *binding);
