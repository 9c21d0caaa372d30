/*
 * Lanes.
 *
 * A request is seen when it is read from the kernel, before libfuse knows of it. Its node tells the file
 * system; if that is not the source's own, the bytes are queued, and a thread of the lane gives them to
 * libfuse. So the functions that serve requests are the same in a lane and outside. Only LOOKUP crosses from
 * one file system to another: it looks without waiting (look.h), and starts again in the lane of what it
 * finds.
 *
 * Invariants:
 *   - A job is on lanes->jobs from the moment it is taken until its answer is on its way: the answer has to
 * go to the descriptor that the request came from.
 *   - A reader that was interrupted gets an answer after a second, even if the thread that does its request
 * hangs. From then on the kernel believes the request to be over, and may forget its node; hence the job's
 *     reference. The late answer is dropped.
 *   - A request that a lane's own thread causes, because what is mounted there is stacked on this mount, is
 * not queued in that lane: it would wait for itself. Any longer way round is finite: there are as many
 *     threads, and each is waited for by the one before.
 */
#include "fs/lanes.h"

#include <errno.h>
#include <linux/fuse.h>

#include "fs/job.h"

/* ---- queueing ------------------------------------------------------------------------------------------ */

static struct lane *lane_of_locked(struct lanes *lanes, dev_t dev) {
        struct lane *lane = lanes->first;

        while (lane && lane->dev != dev)
                lane = lane->next;
        if (lane)
                return lane;
        lane = calloc(1, sizeof(*lane));
        if (!lane)
                return NULL;
        *lane = (struct lane){ .next = lanes->first, .dev = dev };
        list_init(&lane->queue);
        mutex_cond_init(&lane->work);
        lanes->first = lane;
        return lane;
}

/* Whether the job was asked for by a thread of its own lane, itself or through others. */
static bool waits_for_itself_locked(struct lanes *lanes, const struct job *job) {
        const struct job *above = job;

        /* The chain ends: a thread waits only for what was asked for later. */
        while (above->caller != 0 && (above = job_by_thread_locked(lanes, above->caller)))
                if (above->dev == job->dev)
                        return true;
        return false;
}

/* Queues the job in its lane. 0 or -errno; then it is the caller's. */
static int queue(struct lanes *lanes, struct job *job) {
        struct lane *lane;
        int r;

        MUTEX_SCOPE(&lanes->mutex);
        if (waits_for_itself_locked(lanes, job))
                return -ELOOP;
        lane = lane_of_locked(lanes, job->dev);
        r = lane ? lane_staff_locked(lanes, lane) : -ENOMEM;
        if (r < 0)
                return r;
        list_append(&lanes->jobs, &job->all);
        atomic_fetch_add(&lanes->count, 1);
        list_append(&lane->queue, &job->link);
        pthread_cond_signal(&lane->work);
        return 0;
}

/* The kernel says that a reader was interrupted. Whether the request has not got as far as libfuse. */
static bool interrupt(struct lanes *lanes, uint64_t unique) {
        struct job *job;

        MUTEX_SCOPE(&lanes->mutex);
        job = job_of_locked(lanes, unique);
        if (!job)
                return false;
        job->interrupted = true;
        job_watch_locked(lanes);
        return !list_empty(&job->link);
}

/* Whether the request names a node, and may wait for its file system. */
static bool may_wait(const struct fuse_in_header *header) {
        switch (header->opcode) {
        case FUSE_INIT:
        case FUSE_DESTROY:
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET:
        case FUSE_INTERRUPT:
        case FUSE_NOTIFY_REPLY:
                return false;
        default:
                return header->nodeid != 0 && header->nodeid != FUSE_ROOT_ID;
        }
}

/* Whether the request, the last one of this thread, was taken over. */
static bool take(struct lanes *lanes, const struct fuse_in_header *header) {
        struct node *node;
        struct job *job;
        int r;

        if (header->opcode == FUSE_INTERRUPT)
                return atomic_load(&lanes->count) > 0 &&
                       interrupt(lanes, ((const struct fuse_interrupt_in *)(header + 1))->unique);
        if (!may_wait(header))
                return false;
        atomic_load(&lanes->told);
        node = fs_node(lanes->fs, header->nodeid);
        if (node->dev == lanes->fs->nodes.root->dev || node->dev == FS_HOLLOW_DEV ||
            inode_is_local(&lanes->fs->inodes, node->dev, 0))
                return false;
        job = job_new(lanes, node->dev, job_last.fd, job_last.bytes, job_last.size);
        if (!job)
                return false;
        r = queue(lanes, job);
        if (r == 0)
                return true;
        job_unref(lanes, job);
        /* To close something is never refused, and does not come back here. */
        if (r != -ELOOP || header->opcode == FUSE_RELEASE || header->opcode == FUSE_RELEASEDIR)
                return false;
        job_answer(job_last.fd, header->unique, r);
        return true;
}

bool lanes_take(struct lanes *lanes, int fd, const void *bytes, size_t size) {
        bool taken;
        int state;

        if (size < sizeof(struct fuse_in_header))
                return false;
        job_last.bytes = bytes;
        job_last.size = size;
        job_last.fd = fd;
        /* libfuse ends its threads by cancelling them in the read. */
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
        taken = take(lanes, bytes);
        pthread_setcancelstate(state, NULL);
        return taken;
}

int lanes_pass(struct lanes *lanes, fuse_req_t req, dev_t dev) {
        struct job *job, *old = job_current;
        int r;

        if (!job_last.bytes)
                return -EIO;
        job = job_new(lanes, dev, job_last.fd, job_last.bytes, job_last.size);
        if (!job)
                return -ENOMEM;
        r = queue(lanes, job);
        if (r < 0) {
                job_unref(lanes, job);
                return r;
        }
        if (old) {
                mutex_lock(&lanes->mutex);
                job_unlist_locked(lanes, old);
                mutex_unlock(&lanes->mutex);
                job_unref(lanes, old);
        }
        /* libfuse forgets the request without an answer. */
        fuse_reply_none(req);
        return 0;
}

void lanes_set_stacked(struct lanes *lanes, dev_t dev, uint32_t mount) {
        MUTEX_SCOPE(&lanes->mutex);
        lanes->stacked[lanes->stacked_count++ % LANES_STACKED_MAX] =
                (struct lanes_mount){ .dev = dev, .mount = mount };
}

bool lanes_is_stacked(struct lanes *lanes, dev_t dev, uint32_t mount) {
        MUTEX_SCOPE(&lanes->mutex);
        for (unsigned i = 0; i < lanes->stacked_count && i < LANES_STACKED_MAX; i++)
                if (lanes->stacked[i].dev == dev && lanes->stacked[i].mount == mount)
                        return true;
        return false;
}

bool lanes_may_wait(const struct lanes *lanes, dev_t dev) {
        return dev == lanes->fs->nodes.root->dev || (job_current && job_current->dev == dev);
}

/* ---- answers ------------------------------------------------------------------------------------------- */

static struct job *answered_job_locked(struct lanes *lanes, const struct iovec *header) {
        if (!header)
                return job_current;
        return job_of_locked(lanes, ((const struct fuse_out_header *)header->iov_base)->unique);
}

int lanes_way(struct lanes *lanes, const struct iovec *header, int fd) {
        struct job *job;

        if (atomic_load(&lanes->count) == 0)
                return fd;
        MUTEX_SCOPE(&lanes->mutex);
        job = answered_job_locked(lanes, header);
        atomic_fetch_add(&lanes->told, 1);
        return job ? job->fd : fd;
}

void lanes_answered(struct lanes *lanes, const struct iovec *header) {
        struct job *job;

        if (atomic_load(&lanes->count) == 0)
                return;
        mutex_lock(&lanes->mutex);
        job = answered_job_locked(lanes, header);
        if (job)
                job_unlist_locked(lanes, job);
        mutex_unlock(&lanes->mutex);
        if (job)
                job_unref(lanes, job);
}

/* ---- beginning and end --------------------------------------------------------------------------------- */

void lanes_init(struct lanes *lanes, struct fs *fs) {
        *lanes = (struct lanes){ .fs = fs };
        list_init(&lanes->jobs);
        mutex_init(&lanes->mutex, MUTEX_RANK_LEAF);
        mutex_cond_init(&lanes->changed);
}

/* What nobody has done, and what is parked: the answer, if any comes, finds no way to the kernel. */
static void drop_jobs(struct lanes *lanes) {
        for (;;) {
                struct job *job = NULL;

                mutex_lock(&lanes->mutex);
                if (!list_empty(&lanes->jobs)) {
                        job = container_of(lanes->jobs.next, struct job, all);
                        job_unlist_locked(lanes, job);
                }
                while (!job && lanes->first)
                        lane_drop_locked(lanes, lanes->first);
                mutex_unlock(&lanes->mutex);
                if (!job)
                        return;
                job_unref(lanes, job);
        }
}

void lanes_deinit(struct lanes *lanes) {
        bool watched;

        mutex_lock(&lanes->mutex);
        lanes->ending = true;
        for (struct lane *lane = lanes->first; lane; lane = lane->next)
                pthread_cond_broadcast(&lane->work);
        pthread_cond_broadcast(&lanes->changed);
        watched = lanes->watched;
        mutex_unlock(&lanes->mutex);
        if (watched)
                pthread_join(lanes->watcher, NULL);
        mutex_lock(&lanes->mutex);
        while (lanes->threads > 0)
                mutex_wait(&lanes->mutex, &lanes->changed, 0);
        mutex_unlock(&lanes->mutex);
        drop_jobs(lanes);
        pthread_cond_destroy(&lanes->changed);
        mutex_deinit(&lanes->mutex);
}
