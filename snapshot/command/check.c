/*
 * litesnap check: integrity_check of a snapshot of each database. Some threads take the next one from one
 * walk.
 */
#include "snapshot/command/command.h"

#include <errno.h>
#include <string.h>

struct check {
        const struct command_options *options;
        struct walk walk;
        pthread_mutex_t walking;  /* held over the I/O of the walk: it orders these threads, no more */
        pthread_mutex_t printing; /* over the output of one result, and what follows */
        unsigned passed, bad, failed;
        int status; /* of those that could not be checked */
};

static void print_json(const struct check *check, const char *path, const char *result,
                       const struct snapshot *snapshot, const char *why) {
        char text[256];

        printf("%s\n    {\"path\": ", check->passed + check->bad + check->failed > 1 ? "," : "");
        json_string(stdout, path);
        printf(", \"result\": \"%s\"", result);
        if (snapshot && source_fact(snapshot, "taken", text))
                printf(", \"taken\": \"%s\"", text);
        if (snapshot && source_fact(snapshot, "proof", text))
                printf(", \"proof\": \"%s\"", text);
        printf(", \"message\": ");
        if (why)
                json_string(stdout, why);
        else
                printf("null");
        printf("}");
}

static void print_text(const char *path, FILE *out, const char *result, const char *why) {
        text_print(out, path);
        fprintf(out, ": %s", result);
        for (const char *line = why; line; line = strchr(line, '\n')) {
                _cleanup_(base_freep) char *text = NULL;

                line += *line == '\n';
                text = strndup(line, strcspn(line, "\n"));
                fputs("\n    ", out);
                text_print(out, text ? text : "?");
        }
        fputc('\n', out);
}

/* r: what judge() or source_open() returned. */
static void report(struct check *check, const char *path, const struct snapshot *snapshot, int r,
                   const char *why) {
        bool bad = r > 0 || (r == -EIO && !snapshot);

        pthread_mutex_lock(&check->printing);
        check->passed += r == 0;
        check->bad += bad;
        check->failed += r < 0 && !bad;
        if (r < 0 && !bad && check->status == STATUS_OK)
                check->status = command_status(r);
        if (check->options->json)
                print_json(check, path, r == 0 ? "ok" : bad ? "bad" : "failed", snapshot, why);
        else if (r == 0 || bad)
                print_text(path, r == 0 ? stdout : stderr, r == 0 ? "ok" : "BAD", why);
        pthread_mutex_unlock(&check->printing);
        if (r < 0 && snapshot)
                command_failed(path, why ? why : "cannot be checked", r);
}

/*
 * A snapshot that is read where the database lies ends with an error when that is written to in spite of our
 * lock; the next one is a copy that has been proven, so a second try tells. As judge_snapshot().
 */
static int take_and_judge(const struct check *check, const struct store_file *file,
                          struct snapshot **snapshot, char **why) {
        int r = -EIO;

        for (int i = 0; i < 2 && r == -EIO; i++) {
                *snapshot = snapshot_unref(*snapshot);
                base_freep(why);
                *why = NULL;
                r = source_open(check->walk.store, file, snapshot);
                if (r < 0)
                        return r;
                r = judge_snapshot(*snapshot, check->options->quick, why);
        }
        return r;
}

static void *check_thread(void *userdata) {
        struct check *check = userdata;

        for (;;) {
                struct snapshot *snapshot = NULL;
                char *why = NULL;
                struct found found;
                bool more;
                int r;

                pthread_mutex_lock(&check->walking);
                more = walk_next(&check->walk, &found);
                pthread_mutex_unlock(&check->walking);
                if (!more)
                        return NULL;
                r = take_and_judge(check, found.file, &snapshot, &why);
                if (r != -EINTR)
                        report(check, found.file->path, snapshot, r, why);
                snapshot_unref(snapshot);
                free(why);
                file_free(found.file);
        }
}

static int conclude(const struct check *check, const char *first) {
        unsigned all = check->passed + check->bad + check->failed;

        if (check->options->json)
                printf("\n  ],\n  \"check\": \"%s\", \"ok\": %u, \"bad\": %u, \"failed\": %u\n}\n",
                       check->options->quick ? "quick_check" : "integrity_check", check->passed, check->bad,
                       check->failed);
        else if (all > 1)
                printf("%u checked: %u ok, %u bad, %u could not be checked\n", all, check->passed, check->bad,
                       check->failed);
        if (check->bad > 0)
                return STATUS_BAD;
        if (check->failed > 0)
                return check->status;
        if (check->walk.status == STATUS_OK && all == 0 && !command_interrupted()) {
                base_log(BASE_LOG_ERROR, "%s: no database there", first);
                return STATUS_NOTHING;
        }
        return check->walk.status;
}

int run_check(const struct command_options *options, char **arguments) {
        struct check check = {
                .options = options,
                .walk = { .one_file_system = options->one_file_system, .roots = arguments },
                .walking = PTHREAD_MUTEX_INITIALIZER,
                .printing = PTHREAD_MUTEX_INITIALIZER,
        };
        _cleanup_(base_freep) pthread_t *threads = calloc(options->jobs, sizeof(*threads));
        unsigned n = 0;
        int r = threads ? store_new(&check.walk.store, &options->store) : -ENOMEM;

        if (r < 0)
                return command_status(r);
        judge_limit(options->jobs);
        if (options->json)
                printf("{\n  \"databases\": [");
        while (n + 1 < options->jobs && pthread_create(&threads[n], NULL, check_thread, &check) == 0)
                n++;
        check_thread(&check);
        while (n > 0)
                pthread_join(threads[--n], NULL);
        walk_deinit(&check.walk);
        store_free(check.walk.store);
        return conclude(&check, arguments[0]);
}
