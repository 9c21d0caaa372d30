/*
 * A buffer that is fresh from the kernel costs a fault for each of its pages, as much as it takes to fill
 * them, so a few are kept. And they begin where a page does: copying out of the page cache takes twice as
 * long to anywhere else.
 */
#include "fs/buffer.h"

void buffers_init(struct buffers *buffers) {
        buffers->n = 0;
        mutex_init(&buffers->lock, MUTEX_RANK_LEAF);
}

void buffers_deinit(struct buffers *buffers) {
        while (buffers->n > 0)
                free(buffers->kept[--buffers->n]);
        mutex_deinit(&buffers->lock);
}

void *buffers_take(struct buffers *buffers) {
        mutex_lock(&buffers->lock);
        if (buffers->n > 0) {
                void *buffer = buffers->kept[--buffers->n];

                mutex_unlock(&buffers->lock);
                return buffer;
        }
        mutex_unlock(&buffers->lock);
        return aligned_alloc(4096, BUFFER_SIZE);
}

void buffers_put(struct buffers *buffers, void *buffer) {
        mutex_lock(&buffers->lock);
        if (buffer && buffers->n < BUFFERS_KEPT) {
                buffers->kept[buffers->n++] = buffer;
                buffer = NULL;
        }
        mutex_unlock(&buffers->lock);
        free(buffer);
}
