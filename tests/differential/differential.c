/*
 * Holds snapshot/ against SQLite itself, combination by combination.
 *
 * usage: differential [--seed S] [--count N] [--only N] [--mount SOURCE MOUNT]
 *
 * --only replays one combination of a seed and keeps its files. With --mount the files are made in SOURCE and
 * read in MOUNT, where litesnapfs shows it. Ends with one line of counts; status 1 if anything differs that
 * no rule allows.
 */
#include "differential.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

/* How many go together, so that the files of all are old enough after one pause and refusals wait side by
 * side; how many share a pool; of how many that differ the files are kept. */
enum { BATCH = 100, FOR_ONE_POOL = 500, KEPT_MOST = 20 };
enum { OLD_ENOUGH_NS = 40000000, BUSY_TIMEOUT_MS = 400, MOST_RULES = 16 };

struct trial {
        uint64_t number;
        char directory[256], seen[256]; /* where the files are, and where a mount shows them */
        struct scratch scratch;
        struct combination combination;
        struct outcome outcome;
        struct open_wait wait;
        int started; /* of open_start() */
};

static struct {
        uint64_t seed, count, only, kept;
        uint64_t results[RESULT_RULES + MOST_RULES];
        const char *source, *mount;
        struct scratch top;
        struct store *store;
} here = { .seed = 1, .count = 1000, .only = UINT64_MAX };

/* ---- ours ---------------------------------------------------------------------------------------- */

/* The side files of a database are hidden, those of an ordinary file are not. */
static void look_at_sides(struct trial *trial) {
        for (int role = ROLE_WAL; role < N_ROLES; role++) {
                struct store_file file = scratch_file(&trial->scratch, role_names[role]);
                struct stat st;

                if (fstatat(trial->scratch.dirfd, role_names[role], &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                    (store_classify(here.store, &file, &st) > STORE_DATABASE) == trial->outcome.ordinary)
                        trial->outcome.sides_amiss = true;
        }
}

static void start(struct trial *trial) {
        struct store_file file = scratch_file(&trial->scratch, "db");
        struct stat st = scratch_stat(&trial->scratch, "db");
        int kind = store_classify(here.store, &file, &st);

        trial->outcome = (struct outcome){ .told = -1,
                                           .error = kind < 0 ? kind : 0,
                                           .ordinary = kind == STORE_ORDINARY };
        if (kind >= 0)
                look_at_sides(trial);
        if (kind != STORE_DATABASE)
                return;
        if (store_attr(here.store, &file, &st) == 0)
                trial->outcome.told = st.st_size;
        trial->started = open_start(&trial->wait, here.store, &trial->scratch, "db");
        trial->outcome.error = trial->started;
}

static void finish(struct trial *trial) {
        struct outcome *outcome = &trial->outcome;
        struct snapshot *snapshot;
        ssize_t n;

        if (outcome->ordinary)
                outcome->bytes = scratch_read(&trial->scratch, "db");
        if (outcome->ordinary || outcome->error < 0)
                return;
        outcome->error = open_end(&trial->wait, &snapshot);
        if (outcome->error < 0)
                return;
        outcome->bytes.size =
                snapshot_size(snapshot) < MOST_BYTES ? (size_t)snapshot_size(snapshot) : MOST_BYTES;
        outcome->bytes.data = malloc(outcome->bytes.size + 1);
        need(outcome->bytes.data);
        n = snapshot_read(snapshot, outcome->bytes.data, outcome->bytes.size, 0);
        outcome->bytes.size = n < 0 ? 0 : (size_t)n;
        if (n < 0)
                outcome->error = (int)n;
        snapshot_unref(snapshot);
}

/* The same through a mount, which says by an attribute of its own what it takes for a database. */
static void look_through_mount(struct trial *trial) {
        struct outcome *outcome = &trial->outcome;
        struct scratch seen = { .dirfd = open(trial->seen, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
        struct stat st = scratch_stat(&seen, "db");
        char path[300];
        int fd;

        *outcome = (struct outcome){ .told = st.st_size };
        fd = openat(seen.dirfd, "db", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                outcome->error = -errno;
        else
                outcome->bytes = fd_read(fd);
        base_closep(&fd);
        snprintf(path, sizeof(path), "%s/db", trial->seen);
        outcome->ordinary = outcome->error == 0 && getxattr(path, "user.litesnapfs.page_size", NULL, 0) < 0;
        for (int role = ROLE_WAL; role < N_ROLES; role++)
                if (trial->combination.files[role].size > 0 &&
                    (fstatat(seen.dirfd, role_names[role], &st, 0) == 0 && st.st_size > 0) !=
                            outcome->ordinary)
                        outcome->sides_amiss = true;
        close(seen.dirfd);
}

/* ---- one combination ----------------------------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where) {
        return remove(path);
}

static void clear(const struct trial *trial) {
        char other[300];

        snprintf(other, sizeof(other), "%s.other", trial->directory);
        nftw(trial->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
        nftw(other, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void keep_file(const struct scratch *scratch, const char *name, const struct bytes *bytes) {
        if (bytes->data)
                scratch_write(scratch, name, bytes->data, bytes->size);
}

/* Keeps the four files, and both results. */
static void keep(struct trial *trial, const struct verdict *verdict) {
        struct scratch kept;

        if (here.kept++ >= KEPT_MOST)
                return;
        snprintf(kept.path, sizeof(kept.path), "/var/tmp/litesnapfs-differential-%" PRIu64 "-%" PRIu64,
                 here.seed, trial->number);
        need(mkdir(kept.path, 0700) == 0 || errno == EEXIST);
        kept.dirfd = open(kept.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        need(kept.dirfd >= 0);
        for (int role = 0; role < N_ROLES; role++)
                keep_file(&kept, role_names[role], &trial->combination.files[role]);
        keep_file(&kept, "ours", &trial->outcome.bytes);
        keep_file(&kept, "sqlite", &verdict->bytes);
        close(kept.dirfd);
        printf("#   kept in %s\n", kept.path);
}

static void first_difference(const struct bytes *a, const struct bytes *b) {
        size_t at = 0;

        while (at < a->size && at < b->size && a->data[at] == b->data[at])
                at++;
        if (a->data && b->data)
                printf("#   equal up to byte %zu\n", at);
}

static void judge(struct trial *trial) {
        bool untouched = combination_untouched(&trial->combination, trial->directory);
        struct verdict verdict = verdict_of(trial->directory);
        int result = untouched ? compare(&trial->combination, &trial->outcome, &verdict) : RESULT_DIFFERENT;

        here.results[result]++;
        if (result == RESULT_DIFFERENT || here.only != UINT64_MAX) {
                const char *said = result == RESULT_EQUAL   ? "equal"
                                   : result >= RESULT_RULES ? rule_name((size_t)result - RESULT_RULES)
                                                            : "DIFFERENT";

                printf("%s: --seed %" PRIu64 " --only %" PRIu64
                       "\n#   %s\n#   %s\n#   ours: %s%s\n#   SQLite: %s\n",
                       said, here.seed, trial->number, trial->combination.story,
                       combination_text(&trial->combination), outcome_text(&trial->outcome),
                       untouched ? "" : ", and the source was changed", verdict_text(&verdict));
                first_difference(&trial->outcome.bytes, &verdict.bytes);
                keep(trial, &verdict);
                fflush(stdout);
        }
        bytes_deinit(&verdict.bytes);
        bytes_deinit(&verdict.seen);
        bytes_deinit(&trial->outcome.bytes);
        clear(trial);
        close(trial->scratch.dirfd);
        combination_deinit(&trial->combination);
}

static void prepare(struct trial *trial, uint64_t number, const struct pool *pool) {
        struct dice dice = dice_new(here.seed + 1, number);

        *trial = (struct trial){ .number = number };
        snprintf(trial->directory, sizeof(trial->directory), "%s/%" PRIu64, here.source, number);
        snprintf(trial->seen, sizeof(trial->seen), "%s/%" PRIu64, here.mount ? here.mount : "", number);
        combination_init(&trial->combination, pool, &dice);
        combination_write(&trial->combination, trial->directory);
        trial->scratch.dirfd = open(trial->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        need(trial->scratch.dirfd >= 0);
}

/* Those that are to be young are made young at the last moment, the others have grown old by then. */
static void run_batch(uint64_t first, uint64_t n, const struct pool *pool) {
        static struct trial trials[BATCH];
        const struct timespec pause = { .tv_nsec = OLD_ENOUGH_NS };

        for (uint64_t i = 0; i < n; i++)
                prepare(&trials[i], first + i, pool);
        nanosleep(&pause, NULL);
        for (uint64_t i = 0; i < n; i++) {
                if (trials[i].combination.age == AGE_YOUNG)
                        combination_touch(&trials[i].combination, trials[i].directory);
                if (here.mount)
                        look_through_mount(&trials[i]);
                else
                        start(&trials[i]);
        }
        for (uint64_t i = 0; i < n; i++) {
                if (!here.mount)
                        finish(&trials[i]);
                judge(&trials[i]);
        }
}

/* ---- all of them --------------------------------------------------------------------------------- */

static void run_all(void) {
        uint64_t first = here.only == UINT64_MAX ? 0 : here.only,
                 end = here.only == UINT64_MAX ? here.count : first + 1;
        struct pool pool = { .n = 0 };

        for (uint64_t at = first; at < end;) {
                uint64_t left = end - at, pool_left = FOR_ONE_POOL - at % FOR_ONE_POOL, n = BATCH;

                if (at == first || pool_left == FOR_ONE_POOL) {
                        pool_deinit(&pool);
                        pool_init(&pool, here.seed, at / FOR_ONE_POOL);
                }
                n = n < left ? n : left;
                n = n < pool_left ? n : pool_left;
                run_batch(at, n, &pool);
                at += n;
        }
        pool_deinit(&pool);
}

static int report(void) {
        for (size_t i = 0; i < n_rules; i++)
                printf("# %-24s %s\n", rule_name(i), rule_reason(i));
        printf("equal %" PRIu64, here.results[RESULT_EQUAL]);
        for (size_t i = 0; i < n_rules; i++)
                printf(", %s %" PRIu64, rule_name(i), here.results[RESULT_RULES + i]);
        printf(", different %" PRIu64 "\n", here.results[RESULT_DIFFERENT]);
        return here.results[RESULT_DIFFERENT] > 0;
}

static int parse(int argc, char **argv) {
        static const struct option options[] = { { "seed", required_argument, NULL, 's' },
                                                 { "count", required_argument, NULL, 'c' },
                                                 { "only", required_argument, NULL, 'o' },
                                                 { "mount", required_argument, NULL, 'm' },
                                                 { NULL, 0, NULL, 0 } };
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
                if (option == 's')
                        here.seed = strtoull(optarg, NULL, 0);
                else if (option == 'c')
                        here.count = strtoull(optarg, NULL, 0);
                else if (option == 'o')
                        here.only = strtoull(optarg, NULL, 0);
                else if (option == 'm' && optind < argc) {
                        here.source = optarg;
                        here.mount = argv[optind++];
                } else
                        return -1;
        }
        return optind == argc ? 0 : -1;
}

/* Thousands of databases that are spoilt: each has a line of the log. */
static void say_nothing(enum base_level level, const char *message) {
}

int main(int argc, char **argv) {
        int status;

        if (parse(argc, argv) < 0) {
                fprintf(stderr,
                        "usage: differential [--seed S] [--count N] [--only N] [--mount SOURCE MOUNT]\n");
                return 2;
        }
        need(n_rules <= MOST_RULES);
        /* In memory, where there is some: thousands of small files, each synced by SQLite. */
        if (access("/dev/shm", W_OK) == 0)
                setenv("TMPDIR", "/dev/shm", 1);
        base_log_to(here.only == UINT64_MAX ? say_nothing : tap_log, BASE_LOG_DEBUG);
        here.top = scratch_new();
        if (!here.source)
                here.source = here.top.path;
        if (!here.mount)
                here.store = store_in(&here.top, BUSY_TIMEOUT_MS, ROOM_BYTES);
        run_all();
        store_free(here.store);
        status = report();
        scratch_deinit(&here.top);
        return status;
}
