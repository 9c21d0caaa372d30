/* Opens of a store, waited for. */
#include "opens.h"

#include <errno.h>
#include <string.h>

static void opened(void *userdata, int result, struct snapshot *snapshot, const struct stat *attr) {
        struct open_wait *wait = userdata;

        mutex_assert_none_held();
        MUTEX_SCOPE(&wait->lock);
        wait->n_answers++;
        wait->result = result;
        wait->snapshot = snapshot;
        if (attr)
                wait->attr = *attr;
        pthread_cond_broadcast(&wait->changed);
}

int open_start(struct open_wait *wait, struct store *store, const struct scratch *scratch, const char *name) {
        struct store_file file = scratch_file(scratch, name);

        *wait = (struct open_wait){ .n_answers = 0 };
        mutex_init(&wait->lock, MUTEX_RANK_LEAF);
        mutex_cond_init(&wait->changed);
        return store_open(store, &file, opened, wait, &wait->ticket);
}

int open_end(struct open_wait *wait, struct snapshot **snapshot) {
        mutex_lock(&wait->lock);
        while (wait->n_answers == 0)
                mutex_wait(&wait->lock, &wait->changed, 0);
        mutex_unlock(&wait->lock);
        store_ticket_unref(wait->ticket);
        *snapshot = wait->snapshot;
        return wait->result;
}

int open_now(struct store *store, const struct scratch *scratch, const char *name,
             struct snapshot **snapshot) {
        struct open_wait wait;
        int r = open_start(&wait, store, scratch, name);

        *snapshot = NULL;
        return r < 0 ? r : open_end(&wait, snapshot);
}

int open_shown(struct store *store, const struct scratch *scratch, const char *name,
               struct snapshot **snapshot, struct stat *attr) {
        struct open_wait wait;
        int r = open_start(&wait, store, scratch, name);

        *snapshot = NULL;
        if (r == 0)
                r = open_end(&wait, snapshot);
        *attr = wait.attr;
        return r;
}

bool snapshot_completed(const struct snapshot *snapshot) {
        const struct timespec pause = { .tv_nsec = 1000000 };
        uint64_t until = base_now_ns() + 60000000000;

        while (snapshot_fd(snapshot) < 0 && base_now_ns() < until)
                nanosleep(&pause, NULL);
        return snapshot_fd(snapshot) >= 0;
}

struct bytes snapshot_bytes(struct snapshot *snapshot) {
        struct bytes bytes = { .size = (size_t)snapshot_size(snapshot) };

        bytes.data = malloc(bytes.size + 1);
        need(bytes.data);
        /* One more than there should be. */
        if (snapshot_read(snapshot, bytes.data, bytes.size + 1, 0) != (ssize_t)bytes.size)
                tap_note("the snapshot does not have the %zu bytes of its attributes", bytes.size);
        return bytes;
}

struct store *store_in(const struct scratch *scratch, unsigned busy_timeout_ms, uint64_t max_space) {
        struct store_config config = { .snapshot_dir = scratch->path,
                                       .busy_timeout_ms = busy_timeout_ms,
                                       .max_space = max_space,
                                       .racy = STORE_RACY_OFF };
        struct store *store = NULL;

        need(store_new(&store, &config) == 0);
        return store;
}

struct stat attr_of(struct store *store, const struct scratch *scratch, const char *name) {
        struct store_file file = scratch_file(scratch, name);
        struct stat st = scratch_stat(scratch, name);

        need(store_attr(store, &file, &st) == 0);
        return st;
}
