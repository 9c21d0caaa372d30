/*
 * The bytes of an ordinary file are answered out of a pipe that has been filled before: how many there are is
 * known then. Spliced straight from the file, a read error behind some good pages would come out as a short
 * answer, which the kernel takes for the end of the file.
 *
 * Invariant: a pipe that is kept is empty. What is left of one answer would become the beginning of another.
 */
#include "fs/pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>

static void pipe_close(struct pipe *pipe) {
        base_closep(&pipe->out);
        base_closep(&pipe->in);
}

void pipes_init(struct pipes *pipes) {
        pipes->n = 0;
        mutex_init(&pipes->lock, MUTEX_RANK_LEAF);
}

void pipes_deinit(struct pipes *pipes) {
        while (pipes->n > 0)
                pipe_close(&pipes->kept[--pipes->n]);
        mutex_deinit(&pipes->lock);
}

/* A file's bytes lie in one page more than they fill, if they do not begin with one. */
static int make_room(struct pipe *pipe, size_t size) {
        size_t wanted = size + (size_t)sysconf(_SC_PAGESIZE);
        int room;

        if (pipe->room >= wanted)
                return 0;
        room = fcntl(pipe->in, F_SETPIPE_SZ, wanted);
        if (room < 0)
                return -errno;
        pipe->room = (size_t)room;
        return 0;
}

int pipes_take(struct pipes *pipes, size_t size, struct pipe *pipe) {
        bool kept;
        int fds[2], r;

        mutex_assert_none_held();
        mutex_lock(&pipes->lock);
        kept = pipes->n > 0;
        if (kept)
                *pipe = pipes->kept[--pipes->n];
        mutex_unlock(&pipes->lock);
        if (!kept) {
                if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0)
                        return -errno;
                *pipe = (struct pipe){ .out = fds[0], .in = fds[1] };
        }
        r = make_room(pipe, size);
        if (r < 0)
                pipes_put(pipes, pipe);
        return r;
}

void pipes_put(struct pipes *pipes, struct pipe *pipe) {
        int left;

        mutex_assert_none_held();
        if (ioctl(pipe->out, FIONREAD, &left) == 0 && left == 0) {
                mutex_lock(&pipes->lock);
                if (pipes->n < PIPES_KEPT) {
                        pipes->kept[pipes->n++] = *pipe;
                        pipe->out = pipe->in = -1;
                }
                mutex_unlock(&pipes->lock);
        }
        pipe_close(pipe);
}

ssize_t pipe_fill(struct pipe *pipe, int fd, size_t size, off_t offset) {
        size_t done = 0;

        mutex_assert_none_held();
        while (done < size) {
                ssize_t n = splice(fd, &offset, pipe->in, NULL, size - done, 0);

                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                done += (size_t)n;
        }
        return (ssize_t)done;
}
