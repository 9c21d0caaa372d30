/* The end: one thread that has patience. Invariant: it touches nothing but the session, and that once. */
#include "fs/ending.h"

#include <signal.h>

/* Less than a service manager's, and than a person's; everything that does not hang takes milliseconds. */
#define PATIENCE_NS UINT64_C(3000000000)

static void *wait_for_end(void *userdata) {
        struct ending *ending = userdata;
        uint64_t until = base_now_ns() + PATIENCE_NS;
        bool over;

        mutex_lock(&ending->mutex);
        while (!ending->over && mutex_wait(&ending->mutex, &ending->changed, until) == 0)
                ;
        over = ending->over;
        mutex_unlock(&ending->mutex);
        if (over)
                return NULL;
        base_log(BASE_LOG_WARNING,
                 "a file system of the source does not answer: ending without waiting for it");
        fuse_session_unmount(ending->session);
        _exit(ending->status);
}

void ending_init(struct ending *ending) {
        *ending = (struct ending){ .begun = false };
        mutex_init(&ending->mutex, MUTEX_RANK_LEAF);
        mutex_cond_init(&ending->changed);
}

void ending_begin(struct ending *ending, struct fuse_session *session, int status) {
        sigset_t all, old;

        ending->session = session;
        ending->status = status;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &old);
        ending->begun = pthread_create(&ending->thread, NULL, wait_for_end, ending) == 0;
        pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void ending_deinit(struct ending *ending) {
        mutex_lock(&ending->mutex);
        ending->over = true;
        pthread_cond_signal(&ending->changed);
        mutex_unlock(&ending->mutex);
        if (ending->begun)
                pthread_join(ending->thread, NULL);
        pthread_cond_destroy(&ending->changed);
        mutex_deinit(&ending->mutex);
}
