/*
 * The threads of lanes; see lanes.c. A thread ends when there has been nothing to do for a while, and a lane
 * with its last one.
 */
#include "fs/job.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <signal.h>
#include <string.h>

/* As many as the disks and servers behind it can profit from. */
#define LANE_THREADS 8
/* How long a thread waits for more. */
#define IDLE_NS      UINT64_C(5000000000)
/* How long a request of an interrupted reader may go on. A signal need not be the reader's end. */
#define GRACE_NS     UINT64_C(1000000000)

__thread struct job *job_current;
__thread struct job_request job_last;

struct job *job_of_locked(struct lanes *lanes, uint64_t unique) {
        for (struct list *link = lanes->jobs.next; link != &lanes->jobs; link = link->next) {
                struct job *job = container_of(link, struct job, all);

                if (job->unique == unique)
                        return job;
        }
        return NULL;
}

struct job *job_by_thread_locked(struct lanes *lanes, pid_t thread) {
        for (struct list *link = lanes->jobs.next; link != &lanes->jobs; link = link->next) {
                struct job *job = container_of(link, struct job, all);

                if (job->thread == thread)
                        return job;
        }
        return NULL;
}

void job_unref(struct lanes *lanes, struct job *job) {
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

void job_unlist_locked(struct lanes *lanes, struct job *job) {
        list_remove(&job->all);
        list_remove(&job->link);
        atomic_fetch_sub(&lanes->count, 1);
}

struct job *job_new(struct lanes *lanes, dev_t dev, int fd, const void *bytes, size_t size) {
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

void job_answer(int fd, uint64_t unique, int error) {
        struct fuse_out_header header = { .len = sizeof(header), .error = error, .unique = unique };

        mutex_assert_none_held();
        /* Who asked may be gone; then there is nothing to be done. */
        if (write(fd, &header, sizeof(header)) < 0)
                base_log(BASE_LOG_DEBUG, "an answer was not wanted: %s", strerror(errno));
}

/* ---- the threads of a lane ----------------------------------------------------------------------------- */

static void do_job(struct lanes *lanes, struct job *job) {
        struct fuse_buf buf = { .mem = job->bytes, .size = job->size };

        job_current = job;
        job_last.bytes = job->bytes;
        job_last.size = job->size;
        job_last.fd = job->fd;
        fuse_session_process_buf(lanes->fs->session, &buf);
        job_last.bytes = NULL;
        job_current = NULL;
}

void lane_drop_locked(struct lanes *lanes, struct lane *lane) {
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
        lane_drop_locked(lanes, start.lane);
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

int lane_staff_locked(struct lanes *lanes, struct lane *lane) {
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

        job_answer(job->fd, job->unique, -EINTR);
        mutex_lock(&lanes->mutex);
        queued = !list_empty(&job->link);
        if (queued)
                job_unlist_locked(lanes, job);
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

void job_watch_locked(struct lanes *lanes) {
        if (!lanes->watched)
                lanes->watched = start_thread(&lanes->watcher, watch, lanes) == 0;
        pthread_cond_signal(&lanes->changed);
}
