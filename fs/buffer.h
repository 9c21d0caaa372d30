/* Buffers for the answers to reads, kept for the next one. */
#pragma once

#include "snapshot/base.h"

/* What the kernel asks for at the most; see ops_init(). */
#define BUFFER_SIZE ((size_t)1 << 20)

#define BUFFERS_KEPT 8

struct buffers {
        struct mutex lock; /* MUTEX_RANK_LEAF: all below */
        void *kept[BUFFERS_KEPT];
        unsigned n;
};

void buffers_init(struct buffers *buffers);
void buffers_deinit(struct buffers *buffers);
/* One of BUFFER_SIZE, to be put back, or NULL without memory. */
void *buffers_take(struct buffers *buffers);
void buffers_put(struct buffers *buffers, void *buffer);
