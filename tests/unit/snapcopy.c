/*
 * Copies one database through snapshot/ alone: the proof that the seam holds, and a way to look at an engine
 * without a mount.
 *
 * usage: snapcopy DATABASE COPY [SNAPSHOT_DIR]
 */
#include "snapshot/base.h"
#include "snapshot/store.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>

struct answer {
        struct mutex lock;
        pthread_cond_t given;
        bool done;
        int result;
        struct snapshot *snapshot;
};

static void opened(void *userdata, int result, struct snapshot *snapshot, const struct stat *attr) {
        struct answer *answer = userdata;
        MUTEX_SCOPE(&answer->lock);

        answer->done = true;
        answer->result = result;
        answer->snapshot = snapshot;
        pthread_cond_signal(&answer->given);
}

static int wait_for(struct answer *answer) {
        MUTEX_SCOPE(&answer->lock);

        while (!answer->done)
                mutex_wait(&answer->lock, &answer->given, 0);
        return answer->result;
}

static void say(enum base_level level, const char *message) {
        fprintf(stderr, "%s\n", message);
}

static int write_copy(struct snapshot *snapshot, const char *path) {
        _cleanup_(base_closep) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        static char buffer[1 << 16];
        uint64_t at = 0;
        ssize_t n;

        while (fd >= 0 && (n = snapshot_read(snapshot, buffer, sizeof(buffer), at)) > 0) {
                if (base_pwrite(fd, buffer, (size_t)n, at) < 0)
                        return -1;
                at += (uint64_t)n;
        }
        return fd >= 0 && at == snapshot_size(snapshot) ? 0 : -1;
}

static int copy_database(struct store *store, char *database, const char *copy) {
        _cleanup_(base_freep) char *for_dir = strdup(database);
        _cleanup_(base_freep) char *for_name = strdup(database);
        _cleanup_(base_closep) int dirfd = open(dirname(for_dir), O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct store_file file = { .dirfd = dirfd, .name = basename(for_name), .path = database };
        struct answer answer = { .lock = MUTEX_INIT(MUTEX_RANK_LEAF) };
        struct store_ticket *ticket = NULL;
        int r;

        mutex_cond_init(&answer.given);
        r = store_open(store, &file, opened, &answer, &ticket);
        if (r == 0)
                r = wait_for(&answer);
        store_ticket_unref(ticket);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", database, strerror(-r));
                return 1;
        }
        r = write_copy(answer.snapshot, copy);
        snapshot_unref(answer.snapshot);
        return r < 0;
}

int main(int argc, char **argv) {
        struct store_config config = { .snapshot_dir = argc > 3 ? argv[3] : NULL, .busy_timeout_ms = 5000 };
        struct store *store;
        int r;

        if (argc < 3) {
                fprintf(stderr, "usage: snapcopy DATABASE COPY [SNAPSHOT_DIR]\n");
                return 2;
        }
        base_log_to(say, BASE_LOG_DEBUG);
        if (store_new(&store, &config) < 0)
                return 1;
        r = copy_database(store, argv[1], argv[2]);
        store_free(store);
        return r;
}
