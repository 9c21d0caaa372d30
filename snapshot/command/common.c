/* What several sub-commands need: signals, exit statuses, output, places, and snapshots that are waited for.
 */
#include "snapshot/command/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

/* ---- the end ------------------------------------------------------------------------------------ */

static volatile sig_atomic_t caught;

static void on_signal(int signal) {
        caught = signal;
}

bool command_interrupted(void) {
        return caught != 0;
}

void command_catch_signals(void) {
        static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
        struct sigaction action = { .sa_handler = on_signal };
        struct sigaction was;

        for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
                if (sigaction(signals[i], NULL, &was) == 0 && was.sa_handler != SIG_IGN)
                        sigaction(signals[i], &action, NULL);
}

void command_end_by_signal(void) {
        if (!caught)
                return;
        signal(caught, SIG_DFL);
        raise(caught);
}

int command_status(int r) {
        switch (-r) {
        case 0:
                return STATUS_OK;
        case EBUSY:
        case EAGAIN:
                return STATUS_IN_USE;
        case ENOSPC:
        case EDQUOT:
                return STATUS_NO_ROOM;
        default:
                return STATUS_FAILED;
        }
}

int command_failed(const char *path, const char *what, int r) {
        if (r != -EINTR)
                base_log(BASE_LOG_ERROR, "%s: %s: %s", path, what, strerror(-r));
        return command_status(r);
}

/* ---- output ------------------------------------------------------------------------------------- */

/* The length of the UTF-8 character at p, 0 if there is none. Surrogates are none. */
static size_t utf8_length(const unsigned char *p) {
        size_t n = p[0] < 0x80   ? 1
                   : p[0] < 0xc2 ? 0
                   : p[0] < 0xe0 ? 2
                   : p[0] < 0xf0 ? 3
                   : p[0] < 0xf5 ? 4
                                 : 0;

        for (size_t i = 1; i < n; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
        if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0) ||
            (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
                return 0;
        return n;
}

void json_string(FILE *out, const char *text) {
        const unsigned char *p = (const unsigned char *)text;

        fputc('"', out);
        while (*p) {
                size_t n = utf8_length(p);

                if (n == 0)
                        fprintf(out, "\\udc%02x", *p);
                else if (*p == '"' || *p == '\\')
                        fprintf(out, "\\%c", *p);
                else if (*p < 0x20 || *p == 0x7f)
                        fprintf(out, "\\u%04x", *p);
                else
                        fwrite(p, 1, n, out);
                p += n > 0 ? n : 1;
        }
        fputc('"', out);
}

void text_print(FILE *out, const char *text) {
        const unsigned char *p = (const unsigned char *)text;

        while (*p) {
                size_t n = utf8_length(p);

                /* C0, DEL and C1. */
                if (n == 0 || *p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
                        fputc('?', out);
                else
                        fwrite(p, 1, n, out);
                p += n > 0 ? n : 1;
        }
}

const char *human_size(char text[16], uint64_t size) {
        static const char units[] = "KMGTPE";
        double value = (double)size;
        int unit = -1;

        while (value >= 1023.95) {
                value /= 1024;
                unit++;
        }
        if (unit < 0)
                snprintf(text, 16, "%u B", (unsigned)size);
        else
                snprintf(text, 16, "%.1f %ciB", value, units[unit]);
        return text;
}

/* ---- places ------------------------------------------------------------------------------------- */

/* The absolute path of a file that is not there: that of its directory, and its name. NULL with errno. */
static char *absent_path(const char *path) {
        _cleanup_(base_freep) char *parent = strdup(path), *real = NULL;
        const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        char *out = NULL;
        struct stat st;

        if (!parent)
                return NULL;
        if (slash)
                parent[slash == path ? 1 : slash - path] = 0;
        real = realpath(slash ? parent : ".", NULL);
        if (!real)
                return NULL;
        /* A symlink that leads nowhere is there, and so is whatever ends with a slash. */
        if (*name == 0 || lstat(path, &st) == 0) {
                errno = ENOENT;
                return NULL;
        }
        return asprintf(&out, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name) < 0 ? NULL : out;
}

int place_init(struct place *place, const char *path) {
        char *slash;

        *place = (struct place){ .file = { .dirfd = -1, .path = path } };
        place->real = realpath(path, NULL);
        if (!place->real && errno == ENOENT)
                place->real = absent_path(path);
        if (!place->real)
                return -errno;
        slash = strrchr(place->real, '/');
        place->file.name = slash + 1;
        if (*place->file.name == 0)
                return -EISDIR;
        *slash = 0;
        place->file.dirfd = open(slash == place->real ? "/" : place->real, O_PATH | O_DIRECTORY | O_CLOEXEC);
        *slash = '/';
        return place->file.dirfd < 0 ? -errno : 0;
}

void place_deinit(struct place *place) {
        base_closep(&place->file.dirfd);
        free(place->real);
}

int place_stat(const struct place *place, struct stat *st) {
        return fstatat(place->file.dirfd, place->file.name, st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* ---- snapshots ---------------------------------------------------------------------------------- */

/* What comes by a callback, on its way to a thread that waits for it. */
struct answer {
        struct mutex lock;
        pthread_cond_t given;
        bool done;
        int result;
        struct snapshot *snapshot;
};

static void answer_init(struct answer *answer) {
        *answer = (struct answer){ .done = false };
        mutex_init(&answer->lock, MUTEX_RANK_LEAF);
        mutex_cond_init(&answer->given);
}

static void answer_deinit(struct answer *answer) {
        pthread_cond_destroy(&answer->given);
        mutex_deinit(&answer->lock);
}

static void answer_give(struct answer *answer, int result, struct snapshot *snapshot) {
        MUTEX_SCOPE(&answer->lock);

        answer->done = true;
        answer->result = result;
        answer->snapshot = snapshot;
        pthread_cond_signal(&answer->given);
}

/* Waits; the ticket is cancelled when a signal comes. A signal wakes no other thread: hence the looks. */
static int answer_await(struct answer *answer, struct store_ticket *ticket) {
        bool cancelled = false;

        for (;;) {
                mutex_lock(&answer->lock);
                if (!answer->done)
                        mutex_wait(&answer->lock, &answer->given, base_now_ns() + 100000000);
                if (answer->done) {
                        mutex_unlock(&answer->lock);
                        return answer->result;
                }
                mutex_unlock(&answer->lock);
                if (!cancelled && command_interrupted()) {
                        store_cancel(ticket);
                        cancelled = true;
                }
        }
}

static void on_opened(void *userdata, int result, struct snapshot *snapshot, const struct stat *attr) {
        answer_give(userdata, result, snapshot);
}

/* A file that was moved there, or was made a database, just now is looked at again. */
enum { TRIES = 20 };

int source_open(struct store *store, const struct store_file *file, struct snapshot **snapshot) {
        struct store_ticket *ticket;
        struct answer answer;
        int r = -ESTALE;

        for (int i = 0; i < TRIES && r == -ESTALE; i++) {
                struct stat st;

                if (fstatat(file->dirfd, file->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                        r = -errno;
                else
                        r = store_classify(store, file, &st);
                if (r >= 0 && r != STORE_DATABASE) {
                        base_log(BASE_LOG_ERROR, "%s: is no SQLite database", file->path);
                        return -EINVAL;
                }
                if (r == -ESTALE)
                        continue;
                answer_init(&answer);
                ticket = NULL;
                if (r >= 0)
                        r = store_open(store, file, on_opened, &answer, &ticket);
                if (r < 0)
                        command_failed(file->path, "cannot open", r);
                else
                        r = answer_await(&answer, ticket);
                store_ticket_unref(ticket);
                answer_deinit(&answer);
        }
        if (r == -ESTALE)
                command_failed(file->path, "becomes another file all the time", r);
        *snapshot = r == 0 ? answer.snapshot : NULL;
        return r;
}

bool source_fact(const struct snapshot *snapshot, const char *name, char text[256]) {
        int n = snapshot_fact(snapshot, name, text, 255);

        text[n > 0 ? n : 0] = 0;
        return n > 0;
}
