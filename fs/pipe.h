/* Pipes, through which bytes go from a file to the kernel without being copied. */
#pragma once

#include "snapshot/base.h"

#include <sys/types.h>

#define PIPES_KEPT 16

struct pipe {
        int out; /* to be read from */
        int in;
        size_t room;
};

struct pipes {
        struct mutex lock; /* MUTEX_RANK_LEAF: the rest */
        unsigned n;
        struct pipe kept[PIPES_KEPT];
};

void pipes_init(struct pipes *pipes);
void pipes_deinit(struct pipes *pipes);
/* An empty pipe for that many bytes of a file, to be given back. 0 or -errno. No mutex held. */
int pipes_take(struct pipes *pipes, size_t size, struct pipe *pipe);
void pipes_put(struct pipes *pipes, struct pipe *pipe);
/*
 * Puts size bytes of the file at offset into the empty pipe, fewer only where the file ends. Count; -errno
 * when that cannot be done: the bytes may still be had by reading. No mutex held.
 */
ssize_t pipe_fill(struct pipe *pipe, int fd, size_t size, off_t offset);
