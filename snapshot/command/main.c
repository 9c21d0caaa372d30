/*
 * litesnap: looks at, copies, checks and restores SQLite databases that are in use, without a mount.
 *
 * One table of options serves all sub-commands; each says which of them it takes.
 */
#include "snapshot/command/command.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <sqlite3.h>
#include <string.h>

#define BUSY_TIMEOUT_DEFAULT_MS 5000
#define JOBS_MAX                64

static const struct command {
        const char *name, *arguments, *summary;
        const char *takes; /* letters of options */
        int least, most;   /* arguments */
        int (*run)(const struct command_options *options, char **arguments);
} commands[] = {
        { "list", "DIR|DB...", "the databases there, and the room that copies of them need", "JxEsb", 1,
          INT_MAX, run_list },
        { "copy", "DB DEST|-", "one committed state of DB as a file, whole or not at all", "vasb", 2, 2,
          run_copy },
        { "check", "DIR|DB...", "integrity_check of a snapshot of each database", "JxQjasb", 1, INT_MAX,
          run_check },
        { "restore", "COPY DEST", "COPY, if it passes its check, takes the place of DEST", "Qfnasb", 2, 2,
          run_restore },
        { "status", "[MOUNT]", "what a mount of litesnapfs says of itself", "JP", 0, 1, run_status },
};

static const struct option long_options[] = {
        { "json", no_argument, NULL, 'J' },
        { "exclude-from", required_argument, NULL, 'E' },
        { "one-file-system", no_argument, NULL, 'x' },
        { "verify", no_argument, NULL, 'v' },
        { "quick", no_argument, NULL, 'Q' },
        { "jobs", required_argument, NULL, 'j' },
        { "force", no_argument, NULL, 'f' },
        { "dry-run", no_argument, NULL, 'n' },
        { "prometheus", required_argument, NULL, 'P' },
        { "accept-quiet", required_argument, NULL, 'a' },
        { "snapshot-dir", required_argument, NULL, 's' },
        { "busy-timeout", required_argument, NULL, 'b' },
        { "help", no_argument, NULL, 'h' },
        { "version", no_argument, NULL, 'V' },
        { NULL, 0, NULL, 0 },
};

static void print_help(void) {
        printf("usage: litesnap COMMAND [OPTION...] ARGUMENT...\n\n"
               "Works on SQLite databases while applications use them, and writes nothing to them.\n\n");
        for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
                printf("  %-8s %-10s %s\n", commands[i].name, commands[i].arguments, commands[i].summary);
        printf("\n"
               "  --json                    list, check, status: for programs\n"
               "  --exclude-from=TOOL       list: databases and side files as patterns of rsync, borg or "
               "restic\n"
               "  -x, --one-file-system     list, check: stay on the file system of DIR\n"
               "  --verify                  copy: integrity_check before the copy gets its name\n"
               "  --quick                   check, restore: quick_check, which does not compare indexes with "
               "tables\n"
               "  -j, --jobs=N              check: so many at a time (1)\n"
               "  -n, --dry-run             restore: check everything, change nothing\n"
               "  -f, --force               restore: although COPY is bad, or DEST in use or no database\n"
               "  --prometheus=FILE         status: write metrics for node_exporter's textfile collector\n"
               "  --accept-quiet=SECONDS    copy, check, restore: take a locked database without a journal, "
               "too, when\n"
               "                            it was not written for so long and passes integrity_check\n"
               "  --snapshot-dir=DIR        where snapshots take room ($TMPDIR, /var/tmp)\n"
               "  --busy-timeout=MS         how long to wait for an application's lock (%d)\n"
               "  -h, --help; -V, --version\n\n"
               "Exit status: 0 done and good; 1 a database does not pass its check; 2 wrong usage; 3 "
               "failed;\n"
               "4 in use or locked; 5 no room; 6 no database, or no mount, there.\n",
               BUSY_TIMEOUT_DEFAULT_MS);
}

/* A number in digits from least to most. */
static bool parse_number(const char *text, unsigned long least, unsigned long most, unsigned *out) {
        char *end;
        unsigned long value;

        errno = 0;
        value = strtoul(text, &end, 10);
        *out = (unsigned)value;
        return errno == 0 && *text >= '0' && *text <= '9' && *end == 0 && value >= least && value <= most;
}

static bool set_option(struct command_options *options, int letter, const char *value) {
        switch (letter) {
        case 'J':
                options->json = true;
                return true;
        case 'E':
                options->exclude_from = value;
                return true;
        case 'x':
                options->one_file_system = true;
                return true;
        case 'v':
                options->verify = true;
                return true;
        case 'Q':
                options->quick = true;
                return true;
        case 'j':
                return parse_number(value, 1, JOBS_MAX, &options->jobs);
        case 'f':
                options->force = true;
                return true;
        case 'n':
                options->dry_run = true;
                return true;
        case 'P':
                options->prometheus = value;
                return true;
        case 'a':
                return parse_number(value, 1, 86400, &options->store.accept_quiet_s);
        case 's':
                options->store.snapshot_dir = value;
                return true;
        case 'b':
                return parse_number(value, 0, INT_MAX, &options->store.busy_timeout_ms);
        default:
                return false;
        }
}

/* Parses what follows the sub-command's name. STATUS_OK, or STATUS_USAGE, said. */
static int parse(const struct command *command, struct command_options *options, int argc, char **argv) {
        int letter, index;

        while ((letter = getopt_long(argc, argv, "xj:fnhV", long_options, &index)) != -1) {
                if (letter == '?')
                        return STATUS_USAGE;
                if (letter == 'h' || letter == 'V') {
                        letter == 'h' ? print_help() : (void)puts("litesnap " LITESNAPFS_VERSION);
                        exit(STATUS_OK);
                }
                if (!strchr(command->takes, letter)) {
                        base_log(BASE_LOG_ERROR, "%s takes no option '%s' (see litesnap --help)",
                                 command->name, argv[optind - 1]);
                        return STATUS_USAGE;
                }
                if (!set_option(options, letter, optarg)) {
                        base_log(BASE_LOG_ERROR, "%s: not a number that can be meant: '%s'", command->name,
                                 optarg);
                        return STATUS_USAGE;
                }
        }
        if (argc - optind < command->least || argc - optind > command->most) {
                base_log(BASE_LOG_ERROR, "usage: litesnap %s [OPTION...] %s", command->name,
                         command->arguments);
                return STATUS_USAGE;
        }
        return STATUS_OK;
}

static void say(enum base_level level, const char *message) {
        /* Results and errors in the order they came, if both go to one place. */
        fflush(stdout);
        fprintf(stderr, "litesnap: %s\n", message);
}

static int run(const struct command *command, int argc, char **argv) {
        struct command_options options = { .jobs = 1, .store.busy_timeout_ms = BUSY_TIMEOUT_DEFAULT_MS };
        int status = parse(command, &options, argc, argv);

        if (status != STATUS_OK)
                return status;
        /* Before the store, which would have SQLite count no memory: then there would be no bound on it. */
        sqlite3_initialize();
        command_catch_signals();
        status = command->run(&options, argv + optind);
        if (fflush(stdout) != 0 || ferror(stdout))
                status = command_failed("standard output", "cannot be written", -errno);
        command_end_by_signal();
        return status;
}

int main(int argc, char **argv) {
        base_log_to(say, BASE_LOG_WARNING);
        if (argc > 1 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
                print_help();
                return STATUS_OK;
        }
        if (argc > 1 && (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0)) {
                puts("litesnap " LITESNAPFS_VERSION);
                return STATUS_OK;
        }
        for (size_t i = 0; argc > 1 && i < ARRAY_SIZE(commands); i++)
                if (strcmp(argv[1], commands[i].name) == 0)
                        return run(&commands[i], argc - 1, argv + 1);
        base_log(BASE_LOG_ERROR,
                 argc > 1 ? "there is no command '%s' (see litesnap --help)"
                          : "name a command (see litesnap --help)%s",
                 argc > 1 ? argv[1] : "");
        return STATUS_USAGE;
}
