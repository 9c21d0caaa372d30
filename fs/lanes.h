/*
 * Requests for file systems that are mounted inside the source are done by threads of their own, a few for
 * each such file system: one that does not answer (a dead network server, a disk that hangs, one that is
 * stacked on this mount) stops its own lane and nothing else.
 */
#pragma once

#include "snapshot/base.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "fs/fuse.h"
#include "fs/list.h"

struct fs;
struct lane;

/* Mounts that were found to be stacked on this one; of so many it is remembered. */
#define LANES_STACKED_MAX 16

struct lanes_mount {
        dev_t dev;
        uint32_t mount; /* struct look's */
};

struct lanes {
        struct fs *fs;
        struct mutex mutex; /* guards the rest, lanes and jobs */
        struct lane *first;
        struct list jobs;  /* every request that libfuse has not answered */
        atomic_uint count; /* how many these are */
        atomic_uint told;  /* answers so far: what the kernel was told of comes before what it asks then */
        struct lanes_mount stacked[LANES_STACKED_MAX];
        unsigned stacked_count; /* also those that have given way to later ones */
        unsigned threads;
        bool watched, ending;
        pthread_cond_t changed; /* a job was interrupted, the last thread has ended, or ending is set */
        pthread_t watcher;      /* if watched */
};

void lanes_init(struct lanes *lanes, struct fs *fs);
/*
 * After the session loop: waits for what is under way, for as long as that takes; then no thread is left.
 */
void lanes_deinit(struct lanes *lanes);

/*
 * Whether the request, in the size bytes that were read from fd, belongs to a nested file system and was
 * taken over. If not, it is the caller's, and bytes have to stay where they are until this thread reads the
 * next one.
 */
bool lanes_take(struct lanes *lanes, int fd, const void *bytes, size_t size);
/*
 * A LOOKUP has come upon the root of a file system that is mounted there: does the request again in the lane
 * of dev. 0, and req is no longer the caller's; or -ELOOP when the request comes from that lane itself,
 * through a file system that is stacked on the mount; or another -errno.
 */
int lanes_pass(struct lanes *lanes, fuse_req_t req, dev_t dev);
/* Remembers that this mount is stacked on ours and shows itself in it, and whether it was. */
void lanes_set_stacked(struct lanes *lanes, dev_t dev, uint32_t mount);
bool lanes_is_stacked(struct lanes *lanes, dev_t dev, uint32_t mount);
/* Whether this thread may wait for the file system dev. */
bool lanes_may_wait(const struct lanes *lanes, dev_t dev);

/*
 * Where an answer goes, and that it is on its way. header: how it begins, or NULL when it is that of the
 * request which this thread does. fd: where it goes if no lane had the request.
 */
int lanes_way(struct lanes *lanes, const struct iovec *header, int fd);
void lanes_answered(struct lanes *lanes, const struct iovec *header);
