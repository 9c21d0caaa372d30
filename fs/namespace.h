/* A mount namespace of our own: mounts that nobody else sees, and that go with the last process that does. */
#pragma once

#include <sys/types.h>

#include "snapshot/base.h"

/* Which namespace. */
struct namespace {
        dev_t dev;
        ino_t ino;
};

/*
 * Makes sure of the right to mount: who lacks it gets a user namespace, in which he is still himself.
 * *as_user tells which. 0 or -errno, logged. No thread may exist yet.
 */
int namespace_acquire(bool *as_user);
/* Gives up all rights over other people's files that a user namespace gave. 0 or -errno, logged. */
int namespace_renounce(void);
/* Enters a new mount namespace: what is mounted outside still shows inside, never the other way. 0 with *out
 * set or -errno, logged. */
int namespace_enter(struct namespace *out);
/*
 * Mounts a new FUSE connection, in the name of source, at the absolute path where. max_read: in bytes, or 0.
 * Returns the connection's descriptor or -errno, logged.
 */
int namespace_mount(const char *source, const char *where, unsigned max_read, bool as_user);
/* Ends every process in it but the caller, at once. */
void namespace_kill(const struct namespace *namespace);
