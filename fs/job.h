/* Requests in a lane, and the threads that do them. For lanes.c alone. */
#pragma once

#include "fs/fs.h"

/* All of it is under lanes->mutex. */
struct lane {
        struct lane *next;
        dev_t dev;
        struct list queue; /* jobs that nobody does yet */
        unsigned threads, idle;
        pthread_cond_t work;
};

/* What is not said to change is set before anybody else can see the job; the rest is under lanes->mutex. */
struct job {
        struct list link; /* lane->queue, while it is there */
        struct list all;  /* lanes->jobs */
        dev_t dev;
        struct node *node; /* a reference */
        uint64_t unique;
        uint64_t came_ns;
        int fd; /* a copy: the kernel takes an answer only through the descriptor that it gave the request to
                 */
        pid_t thread;               /* changes: that does it, or 0 */
        pid_t caller;               /* the thread that asked for it */
        unsigned refs;              /* changes: one for lanes->jobs, one for the thread */
        bool interrupted, answered; /* change */
        size_t size;
        char bytes[];
};

/* The job that this thread does, or NULL. */
extern __thread struct job *job_current;

/* The last request that this thread has got from the kernel, in a lane or not. */
struct job_request {
        const void *bytes;
        size_t size;
        int fd;
};
extern __thread struct job_request job_last;

/* With the one reference of lanes->jobs. NULL without memory or descriptors. */
struct job *job_new(struct lanes *lanes, dev_t dev, int fd, const void *bytes, size_t size);
/* No mutex may be held. */
void job_unref(struct lanes *lanes, struct job *job);
struct job *job_of_locked(struct lanes *lanes, uint64_t unique);
struct job *job_by_thread_locked(struct lanes *lanes, pid_t thread);
/* Takes the job off all lists; the list's reference is then the caller's. */
void job_unlist_locked(struct lanes *lanes, struct job *job);
/* A job was interrupted: sees to it that its reader does not wait much longer. */
void job_watch_locked(struct lanes *lanes);
/* Tells the kernel that the request has failed. No mutex may be held. */
void job_answer(int fd, uint64_t unique, int error);

/* Makes sure that somebody does what is queued in the lane. 0 or -errno. */
int lane_staff_locked(struct lanes *lanes, struct lane *lane);
/* Frees a lane that nobody needs any more, and takes it off the list. */
void lane_drop_locked(struct lanes *lanes, struct lane *lane);
