/*
 * The command line: our own options are taken out, the rest of -o goes to libfuse, which refuses what it does
 * not know. A value is taken as a whole or refused; nothing is guessed.
 */
#include "fs/options.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "fs/fstab.h"
#include "fs/quantity.h"
#include "snapshot/base.h"

#define BUSY_TIMEOUT_DEFAULT_MS 5000
#define LINGER_DEFAULT_S        10
#define LINGER_MAX_S            86400

enum {
        KEY_SNAPSHOT_DIR,
        KEY_BUSY_TIMEOUT,
        KEY_MAX_SPACE,
        KEY_ENGINE,
        KEY_RACY,
        KEY_LINGER,
        KEY_ACCEPT_QUIET,
        KEY_REQUIRE_LOCKS,
        KEY_PASSTHROUGH,
        KEY_ONE_FILE_SYSTEM,
        KEY_FOREGROUND,
        KEY_DEBUG,
        KEY_HELP,
        KEY_VERSION,
        KEY_ALLOW_ROOT,
        KEY_MAX_READ,
        KEY_NOSYMFOLLOW,
        KEY_REMOUNT,
        KEY_SOURCE,
        KEY_STRICT,
};

static const struct fuse_opt specs[] = {
        FUSE_OPT_KEY("snapshot_dir=", KEY_SNAPSHOT_DIR),
        FUSE_OPT_KEY("busy_timeout=", KEY_BUSY_TIMEOUT),
        FUSE_OPT_KEY("max_space=", KEY_MAX_SPACE),
        FUSE_OPT_KEY("engine=", KEY_ENGINE),
        FUSE_OPT_KEY("racy=", KEY_RACY),
        FUSE_OPT_KEY("linger=", KEY_LINGER),
        FUSE_OPT_KEY("accept_quiet=", KEY_ACCEPT_QUIET),
        FUSE_OPT_KEY("require_locks", KEY_REQUIRE_LOCKS),
        FUSE_OPT_KEY("passthrough=", KEY_PASSTHROUGH),
        FUSE_OPT_KEY("one_file_system", KEY_ONE_FILE_SYSTEM),
        FUSE_OPT_KEY("-f", KEY_FOREGROUND),
        FUSE_OPT_KEY("-d", KEY_DEBUG),
        FUSE_OPT_KEY("-h", KEY_HELP),
        FUSE_OPT_KEY("--help", KEY_HELP),
        FUSE_OPT_KEY("-V", KEY_VERSION),
        FUSE_OPT_KEY("--version", KEY_VERSION),
        FUSE_OPT_KEY("allow_root", KEY_ALLOW_ROOT),
        FUSE_OPT_KEY("max_read=", KEY_MAX_READ),
        FUSE_OPT_KEY("nosymfollow", KEY_NOSYMFOLLOW),
        FUSE_OPT_KEY("remount", KEY_REMOUNT),
        FUSE_OPT_KEY("-S ", KEY_SOURCE),
        FUSE_OPT_KEY("--source=", KEY_SOURCE),
        FUSE_OPT_KEY("strict=", KEY_STRICT),
        FUSE_OPT_END,
};

static int complain(const char *what, const char *value) {
        fprintf(stderr, "litesnapfs: %s: '%s'\n", what, value);
        return -1;
}

static int set_string(char **out, const char *value) {
        free(*out);
        *out = strdup(value);
        return *out ? 0 : complain("out of memory", value);
}

/* Appends a directory. */
static int add_source(struct options *options, const char *arg) {
        if (*arg == '\0')
                return complain("a directory has no name", arg);
        if (options->source_count == OPTIONS_SOURCES_MAX)
                return complain("too many sources", arg);
        return set_string(&options->sources[options->source_count++], arg);
}

static int on_positional(struct options *options, const char *arg) {
        if (options->place_count == ARRAY_SIZE(options->places))
                return complain(options->command
                                        ? "one directory too many: give each further source as -S SOURCE"
                                        : "one argument too many (see litesnapfs -h)",
                                arg);
        return set_string(&options->places[options->place_count++], arg);
}

static int on_max_read(struct options *options, const char *value) {
        uint64_t number;

        if (quantity_number(value, INT_MAX, &number) < 0)
                return complain("max_read is a number of bytes", value);
        options->max_read = (unsigned)number;
        return 1;
}

static int on_remount(void) {
        fprintf(stderr,
                "litesnapfs: a mount cannot be changed: unmount it, and mount it with the new options\n");
        return -1;
}

static int on_snapshot_dir(struct options *options, const char *value) {
        if (*value == '\0')
                return complain("snapshot_dir needs a directory", value);
        return set_string(&options->snapshot_dir, value);
}

static int on_busy_timeout(struct options *options, const char *value) {
        uint64_t number;

        if (quantity_time(value, QUANTITY_MS, INT_MAX, &number) < 0)
                return complain("busy_timeout is a number of milliseconds, or one with ms, s, m, h or d",
                                value);
        options->store.busy_timeout_ms = (unsigned)number;
        return 0;
}

static int on_max_space(struct options *options, const char *value) {
        if (quantity_size(value, INT64_MAX, &options->store.max_space) < 0 || options->store.max_space == 0)
                return complain("max_space is a number of bytes above 0, or one with K, M, G or T", value);
        return 0;
}

static int on_accept_quiet(struct options *options, const char *value) {
        uint64_t number;

        if (quantity_time(value, QUANTITY_S, LINGER_MAX_S, &number) < 0 || number == 0)
                return complain(
                        "accept_quiet is a number of seconds, or one with s, m or h: above 0, at most a day",
                        value);
        options->store.accept_quiet_s = (unsigned)number;
        return 0;
}

static int on_linger(struct options *options, const char *value) {
        uint64_t number;

        if (quantity_time(value, QUANTITY_S, LINGER_MAX_S, &number) < 0)
                return complain("linger is a number of seconds, or one with s, m or h: at most a day", value);
        options->store.linger_s = (unsigned)number;
        return 0;
}

/* The index of value among the words, or -1. */
static int find_word(const char *value, const char *const *words, size_t count) {
        for (size_t i = 0; i < count; i++)
                if (strcmp(value, words[i]) == 0)
                        return (int)i;
        return -1;
}

static int on_engine(struct options *options, const char *value) {
        static const char *const words[] = {
                [STORE_ENGINE_AUTO] = "auto",
                [STORE_ENGINE_BACKUP] = "backup",
                [STORE_ENGINE_REFLINK] = "reflink",
        };
        int i = find_word(value, words, ARRAY_SIZE(words));

        if (i < 0)
                return complain("engine is auto, backup or reflink", value);
        options->store.engine = (enum store_engine)i;
        return 0;
}

static int on_racy(struct options *options, const char *value) {
        static const char *const words[] = {
                [STORE_RACY_SMUDGE] = "smudge",
                [STORE_RACY_WAIT] = "wait",
                [STORE_RACY_OFF] = "off",
        };
        int i = find_word(value, words, ARRAY_SIZE(words));

        if (i < 0)
                return complain("racy is smudge, wait or off", value);
        options->store.racy = (enum store_racy)i;
        return 0;
}

static int on_passthrough(struct options *options, const char *value) {
        static const char *const words[] = { "off", "auto" };
        int i = find_word(value, words, ARRAY_SIZE(words));

        if (i < 0)
                return complain("passthrough is auto or off", value);
        options->passthrough = i == 1;
        return 0;
}

static int on_strict(struct options *options, const char *value) {
        static const char *const words[] = { "off", "on" };
        int i = find_word(value, words, ARRAY_SIZE(words));

        if (i < 0)
                return complain("strict is on or off", value);
        options->strict = i == 1;
        return 0;
}

/* libfuse's callback: 0 takes the argument, 1 leaves it to libfuse, -1 is an error. */
static int on_option(void *userdata, const char *arg, int key, struct fuse_args *args) {
        struct options *options = userdata;
        const char *value = strchr(arg, '=');

        value = value ? value + 1 : "";
        switch (key) {
        case FUSE_OPT_KEY_NONOPT:
                return on_positional(options, arg);
        case KEY_SNAPSHOT_DIR:
                return on_snapshot_dir(options, value);
        case KEY_BUSY_TIMEOUT:
                return on_busy_timeout(options, value);
        case KEY_MAX_SPACE:
                return on_max_space(options, value);
        case KEY_ENGINE:
                return on_engine(options, value);
        case KEY_RACY:
                return on_racy(options, value);
        case KEY_LINGER:
                return on_linger(options, value);
        case KEY_ACCEPT_QUIET:
                return on_accept_quiet(options, value);
        case KEY_REQUIRE_LOCKS:
                options->store.require_locks = true;
                return 0;
        case KEY_PASSTHROUGH:
                return on_passthrough(options, value);
        case KEY_ONE_FILE_SYSTEM:
                options->one_file_system = true;
                return 0;
        case KEY_FOREGROUND:
                options->foreground = true;
                return 0;
        case KEY_DEBUG:
                options->foreground = options->debug = true;
                return 1;
        case KEY_HELP:
                options->action = OPTIONS_HELP;
                return 0;
        case KEY_VERSION:
                options->action = OPTIONS_VERSION;
                return 0;
        case KEY_ALLOW_ROOT:
                options->allow_root = true;
                return 1;
        case KEY_MAX_READ:
                return on_max_read(options, value);
        case KEY_NOSYMFOLLOW:
                options->nosymfollow = true;
                return 0;
        case KEY_REMOUNT:
                return on_remount();
        case KEY_SOURCE:
                return add_source(options, arg[1] == 'S' ? arg + 2 : value);
        case KEY_STRICT:
                return on_strict(options, value);
        default:
                return fstab_ignores(arg) ? 0 : 1;
        }
}

/* Cuts the command line in two at "--". How long the first part is. */
static int find_command(struct options *options, int argc, char **argv) {
        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], "--") == 0) {
                        options->command = argv + i + 1;
                        return i;
                }
        return argc;
}

/* Which directory is what. 0 or -1 after a message. */
static int settle_places(struct options *options) {
        if (!options->command) {
                if (options->source_count > 0)
                        return complain("several sources need a command: -S SOURCE ... -- COMMAND",
                                        options->sources[0]);
                if (options->place_count < 2) {
                        fprintf(stderr, "litesnapfs: SOURCE and MOUNTPOINT are needed (see litesnapfs -h)\n");
                        return -1;
                }
        } else if (!*options->command) {
                fprintf(stderr, "litesnapfs: a COMMAND is needed behind -- (see litesnapfs -h)\n");
                return -1;
        } else if (options->place_count == 2 && options->source_count > 0) {
                return complain("only one source can be shown at a mountpoint", options->places[1]);
        }
        if (options->place_count > 0 && add_source(options, options->places[0]) < 0)
                return -1;
        if (options->source_count == 0) {
                fprintf(stderr, "litesnapfs: a SOURCE is needed before -- (see litesnapfs -h)\n");
                return -1;
        }
        options->mountpoint = options->place_count == 2 ? options->places[1] : NULL;
        return 0;
}

int options_init(struct options *options, int argc, char **argv) {
        *options = (struct options){ .store.busy_timeout_ms = BUSY_TIMEOUT_DEFAULT_MS,
                                     .store.linger_s = LINGER_DEFAULT_S,
                                     .passthrough = true,
                                     .strict = true };
        options->fuse = (struct fuse_args)FUSE_ARGS_INIT(find_command(options, argc, argv), argv);
        if (fuse_opt_parse(&options->fuse, options, specs, on_option) < 0)
                return -EINVAL;
        return options->action != OPTIONS_MOUNT || settle_places(options) == 0 ? 0 : -EINVAL;
}

void options_deinit(struct options *options) {
        fuse_opt_free_args(&options->fuse);
        for (unsigned i = 0; i < options->place_count; i++)
                free(options->places[i]);
        for (unsigned i = 0; i < options->source_count; i++)
                free(options->sources[i]);
        free(options->snapshot_dir);
}

int options_finish(struct options *options, const char *source_path) {
        _cleanup_(base_freep) char *named = NULL, *first = NULL;
        char *escaped = NULL;
        const char *others = geteuid() == 0 && !options->allow_root ? ",allow_other" : "";
        int r;

        if (asprintf(&named, "fsname=%s", source_path) < 0)
                return -ENOMEM;
        if (fuse_opt_add_opt_escaped(&escaped, named) < 0)
                return -ENOMEM;
        r = asprintf(&first, "-o%s,subtype=litesnapfs,default_permissions%s", escaped, others);
        free(escaped);
        if (r < 0)
                return -ENOMEM;
        /* First, so that the user's own fsname wins; and ro last, so that it wins over the rw of mount(8). */
        if (fuse_opt_insert_arg(&options->fuse, 1, first) < 0 || fuse_opt_add_arg(&options->fuse, "-oro") < 0)
                return -ENOMEM;
        return 0;
}
