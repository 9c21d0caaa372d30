/*
 * Lanes.
 *
 * A request is seen when it is read from the kernel, before libfuse knows of it. Its node tells the file system;
 * if that is not the source's own, the bytes are queued, and a thread of the lane gives them to libfuse. So the
 * functions that serve requests are the same in a lane and outside. Only LOOKUP crosses from one file system to
 * another: it looks without waiting (look.h), and starts again in the lane of what it finds.
 *
 * Invariants:
 *   - A job is on lanes->jobs from the moment it is taken until its answer is on its way: the answer has to go to
 *     the descriptor that the request came from.
 *   - A reader that was interrupted gets an answer after GRACE_NS, even if the thread that does its request hangs.
 *     From then on the kernel believes the request to be over, and may forget its node; hence the job's
 *     reference. The late answer is dropped.
 *   - A request that a lane's own thread causes, because what is mounted there is stacked on this mount, is not
 *     queued in that lane: it would wait for itself. Any longer way round is finite: there are as many
 *     threads, and each is waited for by the one before.
 */
#include "fs/lanes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <string.h>

#include "fs/fs.h"

/* As many as the disks and servers behind it can profit from. */
#define LANE_THREADS 8
/* How long a thread waits for more. */
#define IDLE_NS  UINT64_C(5000000000)
/* How long a request of an interrupted reader may go on. A signal need not be the reader's end. */
#define GRACE_NS UINT64_C(1000000000)

struct lane {
        struct lane *next;
        dev_t dev;
        struct list queue; /* jobs that nobody does yet */
        unsigned threads, idle;
        pthread_cond_t work;
};

struct job {
        struct list link; /* lane->queue, while it is there */
        struct list all;  /* lanes->jobs */
        dev_t dev;
        struct node *node; /* a reference */
        uint64_t unique;
        uint64_t came_ns;
        int fd; /* a copy: the kernel takes an answer only through the descriptor that it gave the request to */
        pid_t thread; /* that does it, or 0 */
        pid_t caller; /* the thread that asked for it */
        unsigned refs; /* one for lanes->jobs, one for the thread */
        bool interrupted, answered;
        size_t size;
        char bytes[];
};

/* The job that this thread does. */
static __thread struct job *current;
/* The last request that was read by this thread, for lanes_pass(). */
static __thread struct {
        const void *bytes;
        size_t size;
        int fd;
} last;

static struct job *job_of_locked(struct lanes *lanes, uint64_t unique) {
        for (struct list *link = lanes->jobs.next; link != &lanes->jobs; link = link->next) {
                struct job *job = container_of(link, struct job, all);

                if (job->unique == unique)
                        return job;
        }
        return NULL;
}

static struct job *job_by_thread_locked(struct lanes *lanes, pid_t thread) {
        for (struct list *link = lanes->jobs.next; link != &lanes->jobs; link = link->next) {
                struct job *job = container_of(link, struct job, all);

                if (job->thread == thread)
                        return job;
        }
        return NULL;
}

/* Gives a reference back; so no mutex may be held. */
static void job_unref(struct lanes *lanes, struct job *job) {
        bool gone;

        mutex_lock(&lanes->mutex);
        gone = --job->refs == 0;
        mutex_unlock(&lanes->mutex);
        if (!gone)
                return;
        node_unref(&lanes->fs->nodes, job->node);
        close(job->fd);
        free(job);
}

/* Takes the job off the list; the list's reference is then the caller's. */
static void unlist_locked(struct lanes *lanes, struct job *job) {
        list_remove(&job->all);
        list_remove(&job->link);
        atomic_fetch_sub(&lanes->count, 1);
}

/* Tells the kernel that the request has failed. */
static void answer(int fd, uint64_t unique, int error) {
        struct fuse_out_header header = { .len = sizeof(header), .error = error, .unique = unique };

        mutex_assert_none_held();
        /* Who asked may be gone; then there is nothing to be done. */
        if (write(fd, &header, sizeof(header)) < 0)
                base_log(BASE_LOG_DEBUG, "an answer was not wanted: %s", strerror(errno));
}

/* ---- the threads of a lane ----------------------------------------------------------------------------- */

static void do_job(struct lanes *lanes, struct job *job) {
        struct fuse_buf buf = { .mem = job->bytes, .size = job->size };

        current = job;
        last.bytes = job->bytes;
        last.size = job->size;
        last.fd = job->fd;
        fuse_session_process_buf(lanes->fs->session, &buf);
        last.bytes = NULL;
        current = NULL;
}

/* Takes a lane that nobody needs any more off the list. */
static void drop_lane_locked(struct lanes *lanes, struct lane *lane) {
        struct lane **at = &lanes->first;

        if (lane->threads > 0 || !list_empty(&lane->queue))
                return;
        while (*at != lane)
                at = &(*at)->next;
        *at = lane->next;
        pthread_cond_destroy(&lane->work);
        free(lane);
}

/* The next job of the lane, or NULL when there has been none for a while. */
static struct job *next_job_locked(struct lanes *lanes, struct lane *lane) {
        uint64_t until = base_now_ns() + IDLE_NS;
        struct job *job;
        int r = 0;

        lane->idle++;
        while (list_empty(&lane->queue) && !lanes->ending && r == 0)
                r = mutex_wait(&lanes->mutex, &lane->work, until);
        lane->idle--;
        if (list_empty(&lane->queue) || lanes->ending)
                return NULL;
        job = container_of(lane->queue.next, struct job, link);
        list_remove(&job->link);
        job->thread = gettid();
        job->refs++;
        return job;
}

struct start {
        struct lanes *lanes;
        struct lane *lane;
};

static void *run_lane(void *userdata) {
        struct start start = *(struct start *)userdata;
        struct lanes *lanes = start.lanes;
        struct job *job;

        free(userdata);
        mutex_lock(&lanes->mutex);
        while ((job = next_job_locked(lanes, start.lane))) {
                mutex_unlock(&lanes->mutex);
                do_job(lanes, job);
                mutex_lock(&lanes->mutex);
                /* It is still there if it was parked: somebody else answers it later. */
                job->thread = 0;
                mutex_unlock(&lanes->mutex);
                job_unref(lanes, job);
                mutex_lock(&lanes->mutex);
        }
        start.lane->threads--;
        drop_lane_locked(lanes, start.lane);
        if (--lanes->threads == 0)
                pthread_cond_broadcast(&lanes->changed);
        mutex_unlock(&lanes->mutex);
        return NULL;
}

/* Signals are for the thread that waits for the session. 0 or -errno. */
static int start_thread(pthread_t *thread, void *(*run)(void *), void *userdata) {
        sigset_t all, old;
        int r;

        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &old);
        r = -pthread_create(thread, NULL, run, userdata);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        return r;
}

/* Makes sure that somebody does what is queued in the lane. 0 or -errno. */
static int staff_locked(struct lanes *lanes, struct lane *lane) {
        struct start *start;
        pthread_t thread;
        int r;

        if (lane->idle > 0 || lane->threads == LANE_THREADS)
                return 0;
        start = malloc(sizeof(*start));
        if (!start)
                return lane->threads > 0 ? 0 : -ENOMEM;
        *start = (struct start){ .lanes = lanes, .lane = lane };
        r = start_thread(&thread, run_lane, start);
        if (r < 0) {
                free(start);
                return lane->threads > 0 ? 0 : r;
        }
        pthread_detach(thread);
        lane->threads++;
        lanes->threads++;
        return 0;
}

/* ---- readers that do not wait any more ----------------------------------------------------------------- */

/*
 * Takes an interrupted job that has had its time, with a reference for the caller, out of its queue; or sets
 * *until to when there may be one, or to 0.
 */
static struct job *overdue_locked(struct lanes *lanes, uint64_t *until) {
        uint64_t now = base_now_ns();

        *until = 0;
        for (struct list *link = lanes->jobs.next; link != &lanes->jobs; link = link->next) {
                struct job *job = container_of(link, struct job, all);

                if (!job->interrupted || job->answered)
                        continue;
                if (now - job->came_ns >= GRACE_NS) {
                        job->answered = true;
                        job->refs++;
                        return job;
                }
                if (*until == 0 || job->came_ns + GRACE_NS < *until)
                        *until = job->came_ns + GRACE_NS;
        }
        return NULL;
}

/* Answers for a thread that hangs. */
static void give_up(struct lanes *lanes, struct job *job) {
        bool queued;

        answer(job->fd, job->unique, -EINTR);
        mutex_lock(&lanes->mutex);
        queued = !list_empty(&job->link);
        if (queued)
                unlist_locked(lanes, job);
        mutex_unlock(&lanes->mutex);
        if (queued)
                job_unref(lanes, job);
        job_unref(lanes, job);
}

static void *watch(void *userdata) {
        struct lanes *lanes = userdata;
        uint64_t until;

        mutex_lock(&lanes->mutex);
        while (!lanes->ending) {
                struct job *job = overdue_locked(lanes, &until);

                if (!job) {
                        mutex_wait(&lanes->mutex, &lanes->changed, until);
                        continue;
                }
                mutex_unlock(&lanes->mutex);
                give_up(lanes, job);
                mutex_lock(&lanes->mutex);
        }
        mutex_unlock(&lanes->mutex);
        return NULL;
}

/* ---- queueing ------------------------------------------------------------------------------------------ */

static struct job *job_new(struct lanes *lanes, dev_t dev, int fd, const void *bytes, size_t size) {
        const struct fuse_in_header *header = bytes;
        struct job *job = malloc(sizeof(*job) + size);
        int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

        if (!job || copy < 0) {
                base_closep(&copy);
                free(job);
                return NULL;
        }
        *job = (struct job){ .dev = dev,
                             .node = node_ref(&lanes->fs->nodes, fs_node(lanes->fs, header->nodeid)),
                             .unique = header->unique,
                             .came_ns = base_now_ns(),
                             .fd = copy,
                             .caller = (pid_t)header->pid,
                             .refs = 1,
                             .size = size };
        list_init(&job->link);
        list_init(&job->all);
        memcpy(job->bytes, bytes, size);
        return job;
}

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
        r = lane ? staff_locked(lanes, lane) : -ENOMEM;
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
        if (!lanes->watched)
                lanes->watched = start_thread(&lanes->watcher, watch, lanes) == 0;
        pthread_cond_signal(&lanes->changed);
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
        node = fs_node(lanes->fs, header->nodeid);
        if (node->dev == lanes->fs->nodes.root->dev || node->dev == FS_HOLLOW_DEV ||
            inode_is_local(&lanes->fs->inodes, node->dev, 0))
                return false;
        job = job_new(lanes, node->dev, last.fd, last.bytes, last.size);
        if (!job)
                return false;
        r = queue(lanes, job);
        if (r == 0)
                return true;
        job_unref(lanes, job);
        /* To close something is never refused, and does not come back here. */
        if (r != -ELOOP || header->opcode == FUSE_RELEASE || header->opcode == FUSE_RELEASEDIR)
                return false;
        answer(last.fd, header->unique, r);
        return true;
}

bool lanes_take(struct lanes *lanes, int fd, const void *bytes, size_t size) {
        bool taken;
        int state;

        if (size < sizeof(struct fuse_in_header))
                return false;
        last.bytes = bytes;
        last.size = size;
        last.fd = fd;
        /* libfuse ends its threads by cancelling them in the read. */
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
        taken = take(lanes, bytes);
        pthread_setcancelstate(state, NULL);
        return taken;
}

int lanes_pass(struct lanes *lanes, fuse_req_t req, dev_t dev) {
        struct job *job, *old = current;
        int r;

        if (!last.bytes)
                return -EIO;
        job = job_new(lanes, dev, last.fd, last.bytes, last.size);
        if (!job)
                return -ENOMEM;
        r = queue(lanes, job);
        if (r < 0) {
                job_unref(lanes, job);
                return r;
        }
        if (old) {
                mutex_lock(&lanes->mutex);
                unlist_locked(lanes, old);
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
        return dev == lanes->fs->nodes.root->dev || (current && current->dev == dev);
}

/* ---- answers ------------------------------------------------------------------------------------------- */

static struct job *answered_job_locked(struct lanes *lanes, const struct iovec *header) {
        if (!header)
                return current;
        return job_of_locked(lanes, ((const struct fuse_out_header *)header->iov_base)->unique);
}

int lanes_way(struct lanes *lanes, const struct iovec *header, int fd) {
        struct job *job;

        if (atomic_load(&lanes->count) == 0)
                return fd;
        MUTEX_SCOPE(&lanes->mutex);
        job = answered_job_locked(lanes, header);
        return job ? job->fd : fd;
}

void lanes_answered(struct lanes *lanes, const struct iovec *header) {
        struct job *job;

        if (atomic_load(&lanes->count) == 0)
                return;
        mutex_lock(&lanes->mutex);
        job = answered_job_locked(lanes, header);
        if (job)
                unlist_locked(lanes, job);
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
                        unlist_locked(lanes, job);
                }
                while (!job && lanes->first)
                        drop_lane_locked(lanes, lanes->first);
                mutex_unlock(&lanes->mutex);
                if (!job)
                        return;
                job_unref(lanes, job);
        }
}

void lanes_deinit(struct lanes *lanes) {
        mutex_lock(&lanes->mutex);
        lanes->ending = true;
        for (struct lane *lane = lanes->first; lane; lane = lane->next)
                pthread_cond_broadcast(&lane->work);
        pthread_cond_broadcast(&lanes->changed);
        while (lanes->threads > 0)
                mutex_wait(&lanes->mutex, &lanes->changed, 0);
        mutex_unlock(&lanes->mutex);
        if (lanes->watched)
                pthread_join(lanes->watcher, NULL);
        drop_jobs(lanes);
        pthread_cond_destroy(&lanes->changed);
        mutex_deinit(&lanes->mutex);
}
