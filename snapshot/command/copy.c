/*
 * litesnap copy: one database into one file, whole or not at all, or to stdout.
 *
 * A file that an application has open, or beside which side files lie, is not replaced: that is for restore,
 * which knows how.
 */
#include "snapshot/command/command.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* Whether dest may be replaced; says why not. */
static int check_target(const struct place *dest, const struct stat *source) {
        static const char *const suffixes[] = { "-wal", "-journal" };
        _cleanup_(base_closep) int fd = -1;
        struct stat st, side;
        char who[128];
        int r;

        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
                if (file_side_stat(&dest->file, suffixes[i], &side) < 0 || side.st_size == 0)
                        continue;
                base_log(BASE_LOG_ERROR,
                         "%s: a %s lies beside it, which SQLite would apply to the copy (use litesnap "
                         "restore)",
                         dest->file.path, suffixes[i]);
                return STATUS_FAILED;
        }
        r = place_stat(dest, &st);
        if (r < 0)
                return r == -ENOENT ? STATUS_OK : command_failed(dest->file.path, "cannot look at it", r);
        if (!S_ISREG(st.st_mode) || (st.st_dev == source->st_dev && st.st_ino == source->st_ino)) {
                base_log(BASE_LOG_ERROR, "%s: %s", dest->file.path,
                         S_ISREG(st.st_mode) ? "is the database itself" : "is no regular file");
                return STATUS_FAILED;
        }
        fd = openat(dest->file.dirfd, dest->file.name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return command_failed(dest->file.path, "cannot be replaced", -errno);
        r = use_check(fd, who, sizeof(who));
        if (r > 0)
                base_log(BASE_LOG_ERROR, "%s: in use by %s", dest->file.path, who);
        return r == 0 ? STATUS_OK : r > 0 ? STATUS_IN_USE : command_failed(dest->file.path, "cannot look", r);
}

/* Checks what was written, or is going to be. */
static int verify(const char *path, int r, char *why) {
        if (r > 0)
                base_log(BASE_LOG_ERROR, "%s: does not pass integrity_check: %s", path, why ? why : "");
        free(why);
        return r > 0 ? STATUS_BAD : r < 0 ? command_failed(path, "cannot be checked", r) : STATUS_OK;
}

static int copy_to_stdout(const struct command_options *options, const char *path,
                          struct snapshot *snapshot) {
        char *why;
        int r = STATUS_OK;

        if (options->verify) {
                r = judge_snapshot(snapshot, false, &why);
                r = verify(path, r, why);
        }
        if (r != STATUS_OK)
                return r;
        r = write_snapshot(STDOUT_FILENO, true, snapshot, true);
        return r < 0 ? command_failed(path, "cannot be written to standard output", r) : STATUS_OK;
}

static int copy_to_file(const struct command_options *options, const struct place *dest, mode_t mode,
                        const char *path, struct snapshot *snapshot) {
        _cleanup_(draft_deinit) struct draft draft = DRAFT_NULL;
        char *why;
        int r;

        r = draft_init(&draft, dest->file.dirfd);
        if (r == 0)
                r = draft_fill(&draft, snapshot, true);
        if (r == 0 && options->verify) {
                r = judge_file(draft.fd, snapshot_size(snapshot), false, &why);
                r = verify(path, r, why);
                if (r != STATUS_OK)
                        return r;
        }
        if (r == 0)
                r = draft_set_mode(&draft, mode);
        if (r == 0)
                r = draft_commit(&draft, dest->file.name);
        return r < 0 ? command_failed(dest->file.path, "cannot be written", r) : STATUS_OK;
}

int run_copy(const struct command_options *options, char **arguments) {
        _cleanup_(place_deinit) struct place source = PLACE_NULL, dest = PLACE_NULL;
        bool to_stdout = strcmp(arguments[1], "-") == 0;
        struct snapshot *snapshot = NULL;
        struct store *store = NULL;
        struct stat st;
        int r;

        r = place_init(&source, arguments[0]);
        if (r == 0)
                r = place_stat(&source, &st);
        if (r < 0)
                return command_failed(arguments[0], "cannot open", r);
        if (to_stdout && isatty(STDOUT_FILENO)) {
                base_log(BASE_LOG_ERROR, "-: a database is not written to a terminal");
                return STATUS_USAGE;
        }
        if (!to_stdout) {
                r = place_init(&dest, arguments[1]);
                r = r < 0 ? command_failed(arguments[1], "cannot open", r) : check_target(&dest, &st);
                if (r != STATUS_OK)
                        return r;
        }
        judge_limit(1);
        r = store_new(&store, &options->store);
        if (r == 0)
                r = source_open(store, &source.file, &snapshot);
        if (r < 0)
                r = command_status(r);
        else if (to_stdout)
                r = copy_to_stdout(options, arguments[0], snapshot);
        else
                r = copy_to_file(options, &dest, st.st_mode, arguments[0], snapshot);
        snapshot_unref(snapshot);
        store_free(store);
        return r;
}
